//! A seat: a name under which at most one process runs, kept by a lock file that the process itself holds.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use shared_core::Nonce;

use super::pidfd::Pidfd;
use super::{Process, launch};
use crate::folder;

#[derive(Debug, Clone)]
pub struct Seat {
    lock: PathBuf,
    pid_file: PathBuf,
}

/// What was found on a seat.
#[derive(Debug)]
pub enum Taken {
    /// Nobody; the file holds the lock until it is passed on or dropped.
    Free(File),
    /// A process of an earlier supervisor, and the nonce that it was given if that is known.
    Adopted(Process, Option<Nonce>),
    /// Somebody has the lock and cannot be found: another user's process, or one in another container.
    Hidden,
}

/// What is written beside the lock, to find the process quickly and to know its nonce.
#[derive(Debug, Serialize, Deserialize)]
struct PidFile {
    pid: Option<u32>,
    nonce: Option<Nonce>,
}

impl Seat {
    pub fn new(folder: &Path, name: &str) -> Self {
        Self {
            lock: folder.join(format!("{name}.lock")),
            pid_file: folder.join(format!("{name}.pid")),
        }
    }

    pub fn take(&self) -> io::Result<Taken> {
        let file = folder::open(&self.lock)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Taken::Free(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => {}
            Err(error) => return Err(error.into()),
        }
        let known = self.read_pid_file();
        let identity = file.metadata().map(|meta| (meta.dev(), meta.ino()))?;
        drop(file);
        let by_file = known.as_ref().and_then(|known| known.pid);
        let nonce = known.and_then(|known| known.nonce);
        for pid in by_file.into_iter().chain(every_pid()) {
            if let Some(process) = adopt(pid, identity) {
                return Ok(Taken::Adopted(process, nonce));
            }
        }
        // It may have ended while it was looked for.
        let file = folder::open(&self.lock)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Taken::Free(file)),
            Err(_) => Ok(Taken::Hidden),
        }
    }

    /// Starts a program on the seat whose lock `free` is.
    pub fn launch(
        &self,
        free: File,
        program: &Path,
        arguments: &[OsString],
        nonce: Option<Nonce>,
        log: &Path,
    ) -> io::Result<Process> {
        // The nonce is written before the start: should we die between the two, the process is still found, by its lock.
        self.write_pid_file(&PidFile { pid: None, nonce })?;
        let child = launch::launch(program, arguments, free, log)?;
        let process = Process::of_child(child)?;
        let pid = Some(process.pid());
        self.write_pid_file(&PidFile { pid, nonce })?;
        Ok(process)
    }

    /// Of the process that was started on it last, if it was given one.
    pub fn last_nonce(&self) -> Option<Nonce> {
        self.read_pid_file()?.nonce
    }

    /// Forgets the process; the lock file stays, because removing a lock file lets two hold "it".
    pub fn clear(&self) {
        let _gone = std::fs::remove_file(&self.pid_file);
    }

    fn read_pid_file(&self) -> Option<PidFile> {
        let text = std::fs::read(&self.pid_file).ok()?;
        serde_json::from_slice(&text).ok()
    }

    fn write_pid_file(&self, content: &PidFile) -> io::Result<()> {
        let text = serde_json::to_vec(content)?;
        let beside = self.pid_file.with_extension("pid.new");
        std::fs::write(&beside, text)?;
        std::fs::rename(&beside, &self.pid_file)
    }
}

/// The process, if it is the one that has the lock file open. The pidfd is opened first: what is then found under /proc is that very process
/// or the check fails.
fn adopt(pid: u32, identity: (u64, u64)) -> Option<Process> {
    if pid == std::process::id() {
        return None;
    }
    let pidfd = Pidfd::open(pid).ok()?;
    let is_it = has_open(pid, identity) && pidfd.is_alive();
    is_it.then(|| Process::adopted(pid, pidfd))
}

fn has_open(pid: u32, identity: (u64, u64)) -> bool {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    entries.filter_map(Result::ok).any(|entry| {
        std::fs::metadata(entry.path()).is_ok_and(|meta| (meta.dev(), meta.ino()) == identity)
    })
}

fn every_pid() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten();
    entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::time::Duration;

    use super::*;

    fn sleeper(seat: &Seat, folder: &Path, nonce: Nonce) -> Process {
        let Taken::Free(lock) = seat.take().unwrap() else {
            panic!("somebody sits there");
        };
        let log = folder.join("log");
        seat.launch(lock, Path::new("sleep"), &["600".into()], Some(nonce), &log)
            .unwrap()
    }

    fn found(seat: &Seat) -> (Process, Option<Nonce>) {
        match seat.take().unwrap() {
            Taken::Adopted(process, nonce) => (process, nonce),
            Taken::Free(_) | Taken::Hidden => panic!("the process was not found"),
        }
    }

    #[tokio::test]
    async fn a_seat_is_taken_for_as_long_as_its_process_lives() {
        let folder = tempfile::tempdir().unwrap();
        let seat = Seat::new(folder.path(), "s");
        let nonce = Nonce([7; 8]);
        let process = sleeper(&seat, folder.path(), nonce);
        let (adopted, known) = found(&seat);
        assert_eq!((adopted.pid(), known), (process.pid(), Some(nonce)));

        // Without its pid file, or with one that names another process, it is found by its lock.
        seat.clear();
        assert_eq!(found(&seat).0.pid(), process.pid());
        let wrong = PidFile {
            pid: Some(1),
            nonce: None,
        };
        seat.write_pid_file(&wrong).unwrap();
        assert_eq!(found(&seat).0.pid(), process.pid());

        let pid = process.pid();
        let ended = adopted.ended();
        process.stop(Duration::from_secs(5)).await;
        ended.await;
        assert!(!adopted.is_alive(), "{pid} is left");
        assert!(matches!(seat.take().unwrap(), Taken::Free(_)));
    }

    #[tokio::test]
    async fn a_child_has_a_session_of_its_own_and_only_its_own_lock() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (Seat::new(folder.path(), "1"), Seat::new(folder.path(), "2"));
        let first = sleeper(&one, folder.path(), Nonce([1; 8]));
        let second = sleeper(&other, folder.path(), Nonce([2; 8]));
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", first.pid())).unwrap();
        let session: u32 = stat
            .rsplit_once(") ")
            .and_then(|(_, rest)| rest.split(' ').nth(3))
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(session, first.pid());
        first.stop(Duration::from_secs(5)).await;
        assert!(matches!(one.take().unwrap(), Taken::Free(_)));
        second.stop(Duration::from_secs(5)).await;
    }
}
