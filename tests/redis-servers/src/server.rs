//! One server, in either of its roles: data, or Sentinel.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use redis::FromRedisValue;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A server on a loaded machine is there within a second or two.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// A free port may be taken between its choice and its use.
const ATTEMPTS: u32 = 3;
const LOOK: Duration = Duration::from_millis(10);
/// A command to a server that may be stopped.
const ANSWER: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Data,
    Sentinel,
}

#[derive(Debug)]
pub struct Server {
    process: Child,
    folder: TempDir,
    port: u16,
    kind: Kind,
    password: Option<String>,
}

impl Server {
    /// A server with an append-only file that is on disk before each answer; `settings` are lines of redis.conf. Call it on a thread that lives
    /// as long as the server shall, such as the test's own.
    pub fn start(settings: &[String]) -> Result<Self> {
        Self::of_kind(Kind::Data, settings, None)
    }

    pub(crate) fn of_kind(kind: Kind, settings: &[String], password: Option<&str>) -> Result<Self> {
        let mut failed = None;
        for _ in 0..ATTEMPTS {
            let folder = tempfile::Builder::new().prefix("redis").tempdir();
            let folder = folder.context("a temporary folder")?;
            let port = free_port()?;
            write_conf(kind, folder.path(), port, settings)?;
            let process = launch(kind, folder.path())?;
            let mut server = Self {
                process,
                folder,
                port,
                kind,
                password: password.map(str::to_owned),
            };
            match server.answers() {
                Ok(()) => return Ok(server),
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

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// One command, by its words.
    pub fn ask<T: FromRedisValue>(&self, words: &[&str]) -> Result<T> {
        let secret = match &self.password {
            Some(password) => format!(":{password}@"),
            None => String::new(),
        };
        let client = redis::Client::open(format!("redis://{secret}127.0.0.1:{}/", self.port))?;
        let mut connection = client.get_connection_with_timeout(ANSWER)?;
        connection.set_read_timeout(Some(ANSWER))?;
        let (name, arguments) = words.split_first().context("a command")?;
        let answer = redis::cmd(name).arg(arguments).query(&mut connection);
        answer.with_context(|| format!("{name} on port {}", self.port))
    }

    /// A line of its `INFO`.
    pub fn info(&self, name: &str) -> Result<String> {
        let info: String = self.ask(&["INFO"])?;
        let mut lines = info.lines();
        let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        Ok(found
            .with_context(|| format!("INFO has no {name}"))?
            .trim()
            .to_owned())
    }

    /// SIGKILL.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill().context("killing redis-server")?;
        self.process.wait().context("waiting for redis-server")?;
        Ok(())
    }

    /// Starts it again with what it has stored, and with what its configuration says by then.
    pub fn start_again(&mut self) -> Result<()> {
        self.process = launch(self.kind, self.folder.path())?;
        self.answers()
    }

    /// SIGSTOP: it holds its connections and answers nobody.
    pub fn stop_clock(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn answers(&mut self) -> Result<()> {
        let until = Instant::now() + START_TIMEOUT;
        loop {
            if self.process.try_wait()?.is_some() {
                let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                bail!("redis-server ended as it started:\n{log}");
            }
            match self.ask::<String>(&["PING"]) {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > until => return Err(error),
                Err(_) => std::thread::sleep(LOOK),
            }
        }
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
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn conf(folder: &Path) -> PathBuf {
    folder.join("redis.conf")
}

fn write_conf(kind: Kind, folder: &Path, port: u16, settings: &[String]) -> Result<()> {
    let mut lines = vec![
        format!("port {port}"),
        "bind 127.0.0.1".to_owned(),
        format!("dir {}", folder.display()),
        format!("logfile {}", folder.join("log").display()),
    ];
    if kind == Kind::Data {
        let kept = ["save \"\"", "appendonly yes", "appendfsync always"];
        lines.extend(kept.map(str::to_owned));
    }
    lines.extend_from_slice(settings);
    fs::write(conf(folder), lines.join("\n") + "\n").context("writing redis.conf")
}

fn launch(kind: Kind, folder: &Path) -> Result<Child> {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", "redis-server"]);
    command.arg(conf(folder));
    if kind == Kind::Sentinel {
        command.arg("--sentinel");
    }
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("starting redis-server (apt-get install redis-server)")
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("a free port")?;
    Ok(listener.local_addr()?.port())
}

/// Whether a process with this id runs; one that has ended and waits for its parent does not.
pub fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The state follows the program's name in parentheses: proc(5).
    let state = stat.rsplit_once(')').map(|(_, rest)| rest.trim_start());
    state.is_some_and(|state| !state.starts_with(['Z', 'X']))
}
