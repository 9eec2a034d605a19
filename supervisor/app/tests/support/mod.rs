//! A supervisor with stand-in workers and a real private Redis in a temporary folder. Nothing of it outlives its test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code)]
// Nobody suspends a test, and there is no runtime here.
#![allow(clippy::disallowed_methods)]

pub mod desk;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(30);

pub const BOTS: [i64; 3] = [7_000_001, 7_000_002, 7_000_003];

pub struct Bench {
    folder: tempfile::TempDir,
}

pub struct Running {
    pub child: Child,
    lines: Receiver<String>,
}

impl Bench {
    /// Three bots and two workers.
    pub fn new() -> Self {
        Self::with("")
    }

    pub fn with(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bench = Self { folder };
        bench.configure(settings);
        bench
    }

    pub fn configure(&self, settings: &str) {
        self.secret("api_hash", "0123456789abcdef0123456789abcdef");
        let mut config = format!(
            "data_dir = \"data\"\n[telegram]\napi_id = 1\napi_hash = \"file:api_hash\"\n{settings}\n\
             [[pool]]\nname = \"main\"\n[[pool.channel]]\nid = 5\nrole = \"storage\"\nrights = []\n"
        );
        for bot in BOTS {
            self.secret(
                &format!("t{bot}"),
                &format!("{bot}:AAHk3b_0123456789-abcdefghijklmnop"),
            );
            config.push_str(&format!(
                "[[pool.bot]]\nname = \"n{bot}\"\ntoken = \"file:t{bot}\"\n"
            ));
        }
        std::fs::write(self.config(), config).unwrap();
    }

    fn secret(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("understudy.toml")
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Tells the stand-in workers something of a bot: `dead`, `unfit`, `deaf`.
    pub fn tell(&self, what: &str, bot: i64) {
        std::fs::write(self.data().join(format!("{what}-b{bot}")), "").unwrap();
    }

    pub fn untell(&self, what: &str, bot: i64) {
        std::fs::remove_file(self.data().join(format!("{what}-b{bot}"))).unwrap();
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_understudy"));
        command
            .args(words)
            .arg("--config")
            .arg(self.config())
            .env("UNDERSTUDY_WORKER", stand_in())
            .env_remove("RUST_LOG")
            .stdin(Stdio::null());
        command
    }

    pub fn output(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    pub fn start(&self) -> Running {
        let log = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.folder.path().join("supervisor.log"))
            .unwrap();
        let mut child = self
            .command(&["run"])
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Running { child, lines }
    }

    /// Starts it and waits until the pool is served.
    pub fn ready(&self) -> (Running, String) {
        let running = self.start();
        let line = running
            .lines
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("not ready:\n{}", self.log()));
        (running, line)
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("supervisor.log")).unwrap_or_default()
    }

    pub fn status(&self) -> Value {
        let output = self.output(&["status", "--json"]);
        serde_json::from_slice(&output.stdout).expect("status prints JSON")
    }

    /// Looks until the status is as wanted.
    /// What `understudy events` tells of this kind.
    pub fn events(&self, kind: &str) -> Vec<String> {
        let output = self.output(&["events", "--json", "--limit", "200"]);
        let lines = String::from_utf8(output.stdout).unwrap();
        let lines = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        let of_kind = lines.filter(|line: &Value| line["kind"] == kind);
        of_kind
            .map(|line| line["text"].as_str().unwrap().to_owned())
            .collect()
    }

    pub fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = self.status();
            if wanted(&status) {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "{what} did not come:\n{status:#}\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(25));
        }
    }

    /// The pids on the seats: workers and Redis.
    pub fn pids(&self) -> Vec<u32> {
        let mut pids = Vec::new();
        for file in ["run/w1.pid", "run/w2.pid", "redis/redis.pid"] {
            pids.extend(self.pid(file));
        }
        pids
    }

    pub fn pid(&self, file: &str) -> Option<u32> {
        let text = std::fs::read(self.data().join(file)).ok()?;
        let value: Value = serde_json::from_slice(&text).ok()?;
        u32::try_from(value["pid"].as_u64()?).ok()
    }
}

impl Drop for Bench {
    /// After a failed test: whatever is still on a seat.
    fn drop(&mut self) {
        for pid in self.pids() {
            if holds_a_lock_of(pid, self.folder.path()) {
                signal(pid, Signal::KILL);
            }
        }
    }
}

impl Running {
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; the exit code.
    pub fn stop(mut self) -> Option<i32> {
        signal(self.child.id(), Signal::TERM);
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _already_reaped = self.child.wait();
    }
}

pub fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    let _already_gone = kill_process(pid, signal);
}

/// Does the process run (a zombie does not)?
pub fn runs(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .and_then(|stat| Some(stat.rsplit_once(") ")?.1.starts_with('Z')))
        .is_some_and(|zombie| !zombie)
}

fn holds_a_lock_of(pid: u32, folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    let mut links = entries
        .flatten()
        .filter_map(|e| std::fs::read_link(e.path()).ok());
    links.any(|link| link.starts_with(folder))
}

fn stand_in() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let target = tests.parent().unwrap().parent().unwrap();
    let program = target.join("examples/stand_in_worker");
    assert!(
        program.is_file(),
        "{} is missing: cargo test builds it as an example",
        program.display()
    );
    program
}

pub fn active(status: &Value) -> (i64, String) {
    let active = &status["pools"][0]["active"];
    (
        active["bot"].as_i64().unwrap_or(0),
        active["worker"].as_str().unwrap_or("").to_owned(),
    )
}

pub fn worker_pid(status: &Value, name: &str) -> Option<u32> {
    let workers = status["workers"].as_array()?;
    let worker = workers.iter().find(|worker| worker["name"] == name)?;
    u32::try_from(worker["pid"].as_u64()?).ok()
}
