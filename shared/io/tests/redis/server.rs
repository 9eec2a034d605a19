//! A redis-server for one test: on a unix socket in a temporary folder, with the append-only file on, gone when the test ends.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use shared_core::Secret;
use shared_io::redis::{RedisState, RedisTimeouts};
use tempfile::TempDir;

pub const TIMEOUTS: RedisTimeouts = RedisTimeouts {
    connect: Duration::from_secs(5),
    response: Duration::from_secs(5),
};

pub struct RedisServer {
    folder: TempDir,
    child: Child,
}

impl RedisServer {
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("us").tempdir().unwrap();
        let child = spawn(&folder);
        Self { folder, child }
    }

    pub fn url(&self) -> Secret {
        let socket = self.folder.path().join("s");
        Secret::new(format!("redis+unix://{}", socket.display()))
    }

    pub async fn state(&self) -> RedisState {
        RedisState::connect(&self.url(), "us", TIMEOUTS)
            .await
            .unwrap()
    }

    /// A connection for looking behind the API.
    pub async fn raw(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(self.url().expose()).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on the same data.
    pub fn start_again(&mut self) {
        self.child = spawn(&self.folder);
    }

    pub fn stop_clock(&self) {
        self.signal(Signal::STOP);
    }

    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // Also when the test panics; it may have been killed already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns when the server has said that it accepts connections.
fn spawn(folder: &TempDir) -> Child {
    let spawned = Command::new("redis-server")
        .args(["--port", "0", "--unixsocket", "s", "--save", ""])
        .args(["--appendonly", "yes", "--appendfsync", "always"])
        .arg("--dir")
        .arg(folder.path())
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = spawned.unwrap_or_else(|error| {
        panic!("these tests need a redis-server in PATH (apt-get install redis-server): {error}")
    });
    let mut log = BufReader::new(child.stdout.take().unwrap());
    let mut said = String::new();
    // Redis 7.0 says "The server is now ready to", later ones "Ready to".
    while !said.contains("eady to accept connections") {
        if log.read_line(&mut said).unwrap() == 0 {
            panic!("redis-server ended before it was ready:\n{said}");
        }
    }
    // Its log is of no interest from here on, but nobody may let the pipe fill up.
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    child
}
