//! Earlier processes of this worker's name: which of them are dead, and what was given to those that may not be.
//!
//! A bot that was given to another process of this name is left alone until that process is known to be dead, or so much time has passed that it has
//! let go whatever became of it: one that is cut off from Redis only keeps its connections for minutes, and two connections with one key are the end
//! of the key. The leader sees the bot left alone and gives it to this process with the login that rests.
//!
//! Deaths are reported by the supervisor whose children they were. A worker that a service manager starts has nobody who reports, so it proves it
//! itself: each process writes its nonce into a file that it locks for as long as it lives. Whoever gets the lock knows that those who are
//! in the file ran here and are dead.
//!
//! Invariant: a nonce leaves the file only when its death has been reported. Where there is no such file (another host, a folder that cannot be
//! written) nothing is proven, and nothing else is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use shared_core::{Assignment, BootMs, LETS_GO_AFTER, Nonce, WorkerId};
use shared_io::clock;
use shared_io::redis::{PoolState, RedisState};
use tracing::{info, warn};

/// So many are remembered whose deaths could not be reported.
const UNREPORTED: usize = 64;

/// The locked file.
pub struct Seat {
    file: File,
    /// Those whose deaths Redis did not take.
    unreported: Vec<Nonce>,
}

impl Seat {
    /// Locks the file in the data folder and reports who sat there before. `None`: somebody of this name may be alive here.
    pub async fn take(data: &Path, redis: &RedisState, worker: &WorkerId) -> Option<Self> {
        let (file, before) = match open(data, worker) {
            Ok(found) => found?,
            Err(error) => {
                info!(%worker, %error, "this process will not be able to prove that it is dead");
                return None;
            }
        };
        let mut unreported = Vec::new();
        for dead in before {
            if let Err(error) = redis.report_death(worker, dead).await {
                warn!(%worker, %dead, %error, "the death of an earlier process could not be reported");
                unreported.push(dead);
            }
        }
        Some(Self { file, unreported })
    }

    /// Writes this process down, once the name is its own: whoever did not get it has held nothing.
    pub fn sit(&mut self, worker: &WorkerId, nonce: Nonce) {
        let from = self.unreported.len().saturating_sub(UNREPORTED - 1);
        let nonces = self.unreported.iter().skip(from).chain([&nonce]);
        if let Err(error) = write(&mut self.file, nonces) {
            info!(%worker, %error, "this process will not be able to prove that it is dead");
        }
    }
}

/// The file with its lock, and who is in it; `None` while somebody has the lock.
fn open(data: &Path, worker: &WorkerId) -> io::Result<Option<(File, Vec<Nonce>)>> {
    let folder = data.join("run");
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)?;
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(folder.join(format!("{worker}.seat")))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => return Ok(None),
        Err(std::fs::TryLockError::Error(error)) => return Err(error),
    }
    let mut text = String::new();
    // What is no nonce proves nothing.
    file.read_to_string(&mut text)?;
    let before = text.lines().filter_map(|line| line.parse().ok()).collect();
    Ok(Some((file, before)))
}

/// All lines are of one length, so one that is cut short is the last.
fn write<'a>(file: &mut File, nonces: impl Iterator<Item = &'a Nonce>) -> io::Result<()> {
    let text: String = nonces.map(|nonce| format!("{nonce}\n")).collect();
    file.rewind()?;
    file.write_all(text.as_bytes())?;
    file.set_len(u64::try_from(text.len()).unwrap_or(u64::MAX))?;
    file.sync_data()
}

/// What this process knows of the others of its name.
pub struct Predecessors {
    nonce: Nonce,
    /// Since when each is known that something was given to.
    seen: BTreeMap<Nonce, BootMs>,
    dead: BTreeSet<Nonce>,
}

impl Predecessors {
    pub fn of(nonce: Nonce) -> Self {
        Self {
            nonce,
            seen: BTreeMap::new(),
            dead: BTreeSet::new(),
        }
    }

    /// May this process connect the bot? What was given to an earlier one is noted as this one's first, so that a later one knows whom to ask about.
    pub async fn leave(
        &mut self,
        given: &Assignment,
        state: &PoolState,
        redis: &RedisState,
    ) -> bool {
        let Some(process) = given.process.filter(|process| *process != self.nonce) else {
            return true;
        };
        if !self.is_gone(process, &given.worker, redis).await {
            return false;
        }
        match state.inherit(given, self.nonce).await {
            Ok(inherited) => inherited,
            Err(error) => {
                warn!(bot = %given.bot, %error, "what an earlier process was given could not be taken over yet");
                false
            }
        }
    }

    /// Asks Redis only about processes that are not known yet.
    async fn is_gone(&mut self, process: Nonce, worker: &WorkerId, redis: &RedisState) -> bool {
        let now = clock::boot_now();
        let since = *self.seen.entry(process).or_insert(now);
        if now.since(since) >= LETS_GO_AFTER || self.dead.contains(&process) {
            return true;
        }
        match redis.deaths().await {
            Ok(deaths) => {
                let ours = deaths.into_iter().filter(|(name, _)| name == worker);
                self.dead.extend(ours.map(|(_, nonce)| nonce));
            }
            Err(error) => warn!(%error, "who is dead could not be read"),
        }
        self.dead.contains(&process)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn who_sat_there_before_is_known_once_the_lock_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let worker = WorkerId::new("w1").unwrap();
        let nonces = [Nonce([1; 8]), Nonce([2; 8])];
        let (mut file, before) = open(folder.path(), &worker).unwrap().unwrap();
        assert!(before.is_empty());
        write(&mut file, nonces.iter()).unwrap();
        assert!(open(folder.path(), &worker).unwrap().is_none(), "it lives");
        write(&mut file, nonces[1..].iter()).unwrap();
        drop(file);
        let (_file, before) = open(folder.path(), &worker).unwrap().unwrap();
        assert_eq!(before, nonces[1..]);
    }
}
