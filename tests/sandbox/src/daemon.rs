//! `understudy run` as a child, as an operator would start it, and `understudy status` beside it.
//!
//! Invariant: nothing outlives the sandbox. The daemon gets SIGTERM when this process dies in whatever way; an orderly stop waits for
//! it and then looks for processes of this run's folder, which would be a fault of the daemon's and is reported as one. While the
//! daemon is dead, because the sandbox killed it, what it left is ended by the sandbox itself, also when this is dropped. Only a `kill -9` of the
//! sandbox in those seconds leaves processes behind.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use tokio::time::timeout;

use crate::launch;
use crate::processes::{Held, signal_all};
use crate::setup::Folder;
use crate::status::Status;

pub use crate::processes::processes_of;

const READY_TIMEOUT: Duration = Duration::from_secs(60);
const STATUS_TIMEOUT: Duration = Duration::from_secs(10);
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
/// What a dead daemon left: workers end at once when asked, Redis flushes its file.
const LEFT_TIMEOUT: Duration = Duration::from_secs(5);
const LEFT_POLL: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub struct Daemon {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    program: PathBuf,
    folder: Folder,
    /// Killed by us and not started again.
    dead: bool,
    stopped: bool,
}

impl Daemon {
    /// Starts it; `ready` waits until it serves.
    pub fn start(folder: &Folder) -> Result<Self> {
        let program = program("understudy")?;
        program_exists(&program)?;
        program_exists(&self::program("understudy-worker")?)?;
        let (child, lines) = launch(&program, folder)?;
        Ok(Self {
            child,
            lines,
            program,
            folder: folder.clone(),
            dead: false,
            stopped: false,
        })
    }

    /// SIGKILL, and its end. Its workers and its Redis live on.
    pub async fn kill(&mut self) -> Result<()> {
        self.dead = true;
        self.child
            .kill()
            .await
            .context("understudy cannot be killed")
    }

    /// An orderly stop, as a service manager's: SIGTERM, and its end; killed where it takes too long.
    pub async fn terminate(&mut self) -> Result<()> {
        self.dead = true;
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        match timeout(STOP_TIMEOUT, self.child.wait()).await {
            Ok(ended) => drop(ended.context("understudy cannot be waited for")?),
            Err(_) => self.kill().await?,
        }
        Ok(())
    }

    /// The supervisor's process, while it runs.
    pub fn pid(&self) -> Option<i32> {
        self.child.id().and_then(|id| i32::try_from(id).ok())
    }

    /// Starts it again after `kill`.
    pub fn restart(&mut self) -> Result<()> {
        (self.child, self.lines) = launch(&self.program, &self.folder)?;
        self.dead = false;
        Ok(())
    }

    /// Waits for the line that says that every pool is open.
    pub async fn ready(&mut self) -> Result<String> {
        let line = async {
            while let Some(line) = self.lines.next_line().await? {
                if line.starts_with("ready ") {
                    return Ok(Some(line));
                }
            }
            Ok::<_, std::io::Error>(None)
        };
        match timeout(READY_TIMEOUT, line).await {
            Ok(Ok(Some(line))) => Ok(line),
            Ok(Ok(None)) => bail!(
                "understudy ended before it was ready: {}",
                self.last_words()
            ),
            Ok(Err(error)) => Err(error).context("cannot read what understudy prints"),
            Err(_) => bail!(
                "understudy was not ready after {} s: {}",
                READY_TIMEOUT.as_secs(),
                self.last_words()
            ),
        }
    }

    /// To ask `understudy status` while this waits for something else.
    pub fn status(&self) -> StatusReader {
        StatusReader {
            program: self.program.clone(),
            folder: self.folder.clone(),
        }
    }

    /// Resolves when the daemon ended by itself, which it should not.
    pub async fn ended(&mut self) -> std::io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// SIGTERM, wait, and look for what is left. Returns the command lines of processes that had to be killed.
    pub async fn stop(mut self) -> Vec<String> {
        // A worker that hangs by our doing could not stop.
        signal_all(&self.folder.root, Signal::CONT);
        if self.dead {
            self.end_what_is_left().await;
        } else if let Some(pid) = self
            .child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw)
        {
            let _ = kill_process(pid, Signal::TERM);
            if timeout(STOP_TIMEOUT, self.child.wait()).await.is_err() {
                let _ = self.child.kill().await;
            }
        }
        self.stopped = true;
        signal_all(&self.folder.root, Signal::KILL)
    }

    /// In place of the daemon that we killed: the workers first, then Redis.
    async fn end_what_is_left(&self) {
        let root = &self.folder.root;
        for program in ["understudy-worker", "redis-server"] {
            let of_program = || {
                let all = processes_of(root).into_iter();
                all.filter(|(_, command)| command.contains(program))
                    .filter_map(|(pid, _)| Held::open(pid, root))
                    .collect::<Vec<_>>()
            };
            for process in of_program() {
                let _ = process.signal(Signal::TERM);
            }
            let gone = async {
                while !of_program().is_empty() {
                    tokio::time::sleep(LEFT_POLL).await;
                }
            };
            if timeout(LEFT_TIMEOUT, gone).await.is_err() {
                signal_all(root, Signal::KILL);
            }
        }
    }

    /// The last line of its log, for an error in one line.
    pub fn last_words(&self) -> String {
        let log = fs::read_to_string(self.folder.log()).unwrap_or_default();
        let last = log.lines().rev().find(|line| !line.trim().is_empty());
        match last {
            Some(line) => format!(
                "{} (all of it in {})",
                line.trim(),
                self.folder.log().display()
            ),
            None => format!("it said nothing ({})", self.folder.log().display()),
        }
    }
}

impl Drop for Daemon {
    /// Only reached without `stop` when the sandbox itself fails.
    fn drop(&mut self) {
        if !self.stopped {
            let _ = self.child.start_kill();
            signal_all(&self.folder.root, Signal::KILL);
        }
    }
}

/// Its log goes on where an earlier one ended.
fn launch(program: &Path, folder: &Folder) -> Result<(Child, Lines<BufReader<ChildStdout>>)> {
    let log = OpenOptions::new()
        .append(true)
        .create(true)
        .open(folder.log())
        .with_context(|| format!("cannot write {}", folder.log().display()))?;
    let mut command = launch::tied_to_us(program).context("cannot find this program")?;
    command.arg("run").arg("--config").arg(folder.config());
    // Its own process group: Ctrl-C in the terminal is ours to pass on.
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .process_group(0)
        .kill_on_drop(true);
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let stdout = child
        .stdout
        .take()
        .context("understudy has no standard output")?;
    Ok((child, BufReader::new(stdout).lines()))
}

/// Runs `understudy status --json`.
#[derive(Debug, Clone)]
pub struct StatusReader {
    program: PathBuf,
    folder: Folder,
}

impl StatusReader {
    /// For a person to run.
    pub fn command_line(&self) -> String {
        format!(
            "{} status --config {}",
            self.program.display(),
            self.folder.config().display()
        )
    }

    pub async fn read(&self) -> Result<Status> {
        let mut command = tokio::process::Command::new(&self.program);
        command
            .args(["status", "--json", "--config"])
            .arg(self.folder.config());
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = timeout(STATUS_TIMEOUT, command.output())
            .await
            .context("understudy status takes too long")?;
        let output = output.context("cannot start understudy status")?;
        serde_json::from_slice(&output.stdout).with_context(|| {
            let said = String::from_utf8_lossy(&output.stderr);
            format!(
                "understudy status: {}",
                said.lines().last().unwrap_or("no JSON")
            )
        })
    }
}

/// The binaries are built into one folder.
fn program(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find this program")?;
    Ok(own.with_file_name(name))
}

fn program_exists(program: &Path) -> Result<()> {
    if program.is_file() {
        return Ok(());
    }
    bail!(
        "{} is not built: start the sandbox by scripts/run",
        program.display()
    )
}
