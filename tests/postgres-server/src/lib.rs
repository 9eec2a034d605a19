//! A real PostgreSQL for tests: a cluster of its own in a temporary folder, on a free port of loopback and on a Unix socket.
//!
//! Invariants: the server ends with the [`Server`], and with the thread that started it, however that ends, also by SIGKILL
//! (PR_SET_PDEATHSIG, set by setpriv(1)). It runs as an unprivileged user, because postgres refuses to run as root. TCP wants the
//! password, the socket trusts whoever can reach it. Nothing is synced to disk: what a test proves here is not durability.
//! Source: <https://www.postgresql.org/docs/current/app-postgres.html>, <https://www.postgresql.org/docs/current/server-shutdown.html>.

#![forbid(unsafe_code)]

mod cluster;

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use cluster::Cluster;

/// The cluster's owner, who may do everything.
pub const USER: &str = "understudy";
/// His password; there is nothing in it that a URL would have to encode.
pub const PASSWORD: &str = "s3cret-of-the-test-server";

/// A server on a loaded machine is there within a second or two.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// A free port may be taken between its choice and its use.
const ATTEMPTS: u32 = 3;

#[derive(Debug)]
pub struct Server {
    process: Child,
    cluster: Cluster,
    port: u16,
}

impl Server {
    /// Call it on a thread that lives as long as the server shall, such as the test's own.
    pub fn start() -> Result<Self> {
        let cluster = Cluster::make()?;
        let mut failed = None;
        for _ in 0..ATTEMPTS {
            let port = free_port()?;
            match launch(&cluster, port) {
                Ok(process) => {
                    return Ok(Self {
                        process,
                        cluster,
                        port,
                    });
                }
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or_else(|| anyhow::anyhow!("no attempt was made")))
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Holds everything of it; its socket too.
    pub fn folder(&self) -> &Path {
        self.cluster.socket_folder()
    }

    /// The address over TCP, with the password in it.
    pub fn url(&self, database: &str) -> String {
        let port = self.port;
        format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{port}/{database}")
    }

    /// The address over the Unix socket, without a password.
    pub fn socket_url(&self, database: &str) -> String {
        let (folder, port) = (self.cluster.socket_folder(), self.port);
        format!(
            "postgresql:///{database}?host={}&port={port}&user={USER}",
            folder.display()
        )
    }

    /// What its TLS certificate is verified against; it is made out to 127.0.0.1.
    pub fn certificate(&self) -> PathBuf {
        self.cluster.certificate()
    }

    /// Makes an empty database.
    pub fn create_database(&self, name: &str) -> Result<()> {
        self.sql("postgres", &format!("CREATE DATABASE {name}"))
            .map(drop)
    }

    /// Runs statements as the cluster's owner, and gives what they print, one row a line, columns by `|`.
    pub fn sql(&self, database: &str, statements: &str) -> Result<String> {
        let output = Command::new(cluster::program("psql")?)
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", USER])
            .arg("-h")
            .arg(self.cluster.socket_folder())
            .args(["-p", &self.port.to_string(), "-d", database])
            .args(["-c", statements])
            .stdin(Stdio::null())
            .output()
            .context("running psql")?;
        if !output.status.success() {
            bail!("psql: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) -> Result<()> {
        // SIGQUIT: the server kills its own processes before it goes, which SIGKILL leaves to them.
        self.signal(Signal::QUIT);
        self.process.wait().context("waiting for postgres")?;
        Ok(())
    }

    /// Starts it again on the same port, with what it has stored.
    pub fn restart(&mut self) -> Result<()> {
        self.kill()?;
        self.process = launch(&self.cluster, self.port)?;
        Ok(())
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.process.id())
            .ok()
            .and_then(Pid::from_raw)
        {
            let _ = kill_process(pid, signal);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            self.signal(Signal::QUIT);
            let _ = self.process.wait();
        }
    }
}

/// The programs' folder, for messages and for tests that run another one of them.
pub fn program(name: &str) -> Result<PathBuf> {
    cluster::program(name)
}

fn launch(cluster: &Cluster, port: u16) -> Result<Child> {
    let mut command = cluster::unprivileged(&cluster::program("postgres")?);
    let mut process = command
        .arg("-D")
        .arg(cluster.data())
        .args(["-p", &port.to_string()])
        .env("LC_ALL", "C")
        .current_dir(cluster.data())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("starting postgres")?;
    let stderr = process.stderr.take().context("the server's log")?;
    let started = ready(stderr);
    if started.is_err() {
        let _ = process.kill();
        let _ = process.wait();
    }
    started.map(|()| process)
}

/// Waits for the server's word that it takes connections, and goes on reading its log so that it never blocks on it.
fn ready(stderr: ChildStderr) -> Result<()> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut log = Vec::new();
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if line.contains("ready to accept connections") {
                let _ = tell.send(Ok(()));
            }
            if log.len() < 40 {
                log.push(line);
            }
        }
        let _ = tell.send(Err(log.join("\n")));
    });
    match told.recv_timeout(START_TIMEOUT) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(log)) => bail!("postgres ended:\n{log}"),
        Err(_) => bail!("postgres did not start within {START_TIMEOUT:?}"),
    }
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("a free port")?;
    Ok(listener.local_addr()?.port())
}

/// Whether a process with this id runs; one that has ended and waits for its parent does not.
pub fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The state follows the program's name in parentheses: proc(5).
    let state = stat.rsplit_once(')').map(|(_, rest)| rest.trim_start());
    state.is_some_and(|state| !state.starts_with(['Z', 'X']))
}
