//! A redis-server that is nobody's child but the test's: on a free port of loopback, with an append-only file, gone with the test.
//!
//! Call [`SharedRedis::start`] on a thread that lives as long as the server shall, such as the test's own: setpriv(1) ends the server with it.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// A free port may be taken between its choice and its use.
const ATTEMPTS: u32 = 3;

pub struct SharedRedis {
    folder: tempfile::TempDir,
    child: Child,
    addr: SocketAddr,
}

impl SharedRedis {
    pub fn start() -> Result<Self> {
        let folder = tempfile::tempdir().context("a folder for Redis")?;
        let mut failed = None;
        for _ in 0..ATTEMPTS {
            let addr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
            match launch(folder.path(), addr) {
                Ok(child) => {
                    return Ok(Self {
                        folder,
                        child,
                        addr,
                    });
                }
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.context("no attempt was made")?)
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub fn url(&self) -> String {
        format!("redis://{}/", self.addr)
    }

    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("Redis' pid")?, signal).context("signalling Redis")
    }

    /// SIGKILL, and a new start on the same data and port.
    pub fn restart(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        self.child = launch(self.folder.path(), self.addr)?;
        Ok(())
    }
}

impl Drop for SharedRedis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns when the server has said that it accepts connections.
fn launch(folder: &Path, addr: SocketAddr) -> Result<Child> {
    let mut child = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "--", "redis-server"])
        .args(["--bind", "127.0.0.1", "--port", &addr.port().to_string()])
        .args([
            "--save",
            "",
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
        ])
        .args(["--maxmemory-policy", "noeviction", "--dir"])
        .arg(folder)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting redis-server (apt-get install redis-server)")?;
    let mut log = BufReader::new(child.stdout.take().context("Redis' output")?);
    let mut said = String::new();
    // Redis 7.0 says "The server is now ready to", later ones "Ready to".
    while !said.contains("eady to accept connections") {
        if log.read_line(&mut said)? == 0 {
            let _ = child.wait();
            bail!("redis-server ended before it was ready:\n{said}");
        }
    }
    // Its log is of no interest from here on, but nobody may let the pipe fill up.
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    Ok(child)
}
