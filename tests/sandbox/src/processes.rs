//! The processes of one run: found by the run's folder on their command line, signalled through descriptors.
//!
//! Invariant: a signal goes to the very process that was looked at; a pid that was given to somebody else is never signalled.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use rustix::time::Timespec;

/// What a run consists of.
const PROGRAMS: [&str; 3] = ["understudy", "understudy-worker", "redis-server"];

/// One process of a run, whatever its number means by now.
#[derive(Debug)]
pub struct Held {
    pidfd: OwnedFd,
}

impl Held {
    /// `None` when no process of this run has that number.
    pub fn open(pid: i32, root: &Path) -> Option<Self> {
        let pidfd = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
        let held = Self { pidfd };
        // The descriptor came first: what is now found under this number is that process, or it has ended.
        let is_ours = command_of(pid).is_some_and(|command| is_of(&command, root));
        (is_ours && held.is_alive()).then_some(held)
    }

    pub fn is_alive(&self) -> bool {
        let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
        let no_wait = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        matches!(poll(&mut fds, Some(&no_wait)), Ok(0))
    }

    pub fn signal(&self, signal: Signal) -> rustix::io::Result<()> {
        pidfd_send_signal(&self.pidfd, signal)
    }
}

/// Our programs with this run's folder on their command line.
pub fn processes_of(root: &Path) -> Vec<(i32, String)> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| Some((pid, command_of(pid)?)))
        .filter(|(_, command)| is_of(command, root))
        .collect()
}

/// The run's private Redis.
pub fn redis_of(root: &Path) -> Option<Held> {
    let found = processes_of(root)
        .into_iter()
        .find(|(_, command)| program(command) == Some("redis-server"));
    Held::open(found?.0, root)
}

/// Sends a signal to all processes of the run, and says which.
pub fn signal_all(root: &Path, signal: Signal) -> Vec<String> {
    let all = processes_of(root).into_iter();
    let sent = all.filter_map(|(pid, command)| {
        Held::open(pid, root)?.signal(signal).ok()?;
        Some(format!("{pid} {command}"))
    });
    sent.collect()
}

fn command_of(pid: i32) -> Option<String> {
    let raw = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let text = String::from_utf8_lossy(&raw).replace('\0', " ");
    Some(text.trim().to_owned())
}

fn program(command: &str) -> Option<&str> {
    Path::new(command.split(' ').next()?).file_name()?.to_str()
}

fn is_of(command: &str, root: &Path) -> bool {
    let ours = program(command).is_some_and(|name| PROGRAMS.contains(&name));
    // With what follows it: `run-1` is no part of `run-10`.
    ours && command.contains(&root.join("").display().to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn only_our_programs_on_this_folder_are_of_the_run() {
        let root = Path::new("/data/run 1");
        assert!(is_of("/bin/understudy run --config /data/run 1/x", root));
        assert!(is_of("redis-server unixsocket:/data/run 1/s", root));
        assert!(!is_of("/bin/understudy run --config /data/run 2/x", root));
        assert!(!is_of("/bin/understudy run --config /data/run 10/x", root));
        assert!(!is_of("vi /data/run 1/understudy.toml", root));
    }

    #[test]
    fn a_strangers_number_is_not_taken() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(Held::open(own, Path::new("/nowhere")).is_none());
        assert!(Held::open(0, Path::new("/")).is_none());
    }
}
