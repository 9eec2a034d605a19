//! What is kept of a segment as it goes: Redis's append-only files before a rewrite removes them, the wire, the switches.
//!
//! The files are linked as soon as they are there: a rewrite removes a name, not the file. A new one is begun when a rewrite begins, and the former
//! is removed when it is done, so a file lives much longer than the pause between two looks. Redis cuts off what a crash left half
//! written before it goes on, so the links are read when all is over. Invariant: what is read is whole, or the segment says that it is not.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use sandbox::control::Control;
use sandbox::daemon::StatusReader;
use sandbox::fault::Move;
use sandbox::journal::{self, Boxes, JournalFindings};
use sandbox::status::{Status, Switch};
use sandbox::wire::{KINDS, WireFindings, WireLog};
use tokio::task::JoinHandle;

const LOOK_AGAIN: Duration = Duration::from_millis(50);
const POLL_MS: u64 = 1_000;
/// Status shows the latest ten or so: often enough that none is missed.
const READ_STATUS: Duration = Duration::from_millis(2_500);

/// Keeps Redis's files.
pub struct Files {
    kept: PathBuf,
    from: PathBuf,
    task: JoinHandle<()>,
}

impl Files {
    pub fn keep(from: PathBuf, kept: PathBuf) -> Result<Self> {
        fs::create_dir_all(&kept).context("a folder for Redis's files")?;
        let (source, target) = (from.clone(), kept.clone());
        let task = tokio::spawn(async move {
            loop {
                link_all(&source, &target);
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        });
        Ok(Self { kept, from, task })
    }

    pub fn read(&self) -> Result<(JournalFindings, Boxes)> {
        link_all(&self.from, &self.kept);
        let mut files: Vec<(u64, PathBuf)> = fs::read_dir(&self.kept)
            .context("the kept files of Redis")?
            .flatten()
            .filter_map(|entry| Some((number_of(&entry.path())?, entry.path())))
            .collect();
        files.sort();
        let gap = files
            .windows(2)
            .find(|pair| pair[1].0 != pair[0].0 + 1)
            .map(|pair| pair[1].0);
        if let Some(number) = gap {
            anyhow::bail!("Redis's file before number {number} was gone before it was seen");
        }
        let files: Vec<PathBuf> = files.into_iter().map(|(_, file)| file).collect();
        journal::read_files(&files)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn link_all(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).into_iter().flatten().flatten() {
        let known = to.join(entry.file_name());
        if number_of(&entry.path()).is_some() && !known.exists() {
            // It may be gone already; a gap is found when they are read.
            let _ = fs::hard_link(entry.path(), known);
        }
    }
}

/// `appendonly.aof.7.incr.aof` is the seventh.
fn number_of(file: &Path) -> Option<u64> {
    let name = file.file_name()?.to_str()?.strip_suffix(".incr.aof")?;
    name.rsplit_once('.')?.1.parse().ok()
}

/// Reads the simulator's log for the wire.
pub struct Wire {
    log: Arc<Mutex<Reading>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Reading {
    wire: WireLog,
    after: u64,
    missed: u64,
    failed: Option<String>,
}

impl Wire {
    pub fn read(control: Control) -> Self {
        let log = Arc::new(Mutex::new(Reading::default()));
        let shared = Arc::clone(&log);
        let task = tokio::spawn(async move {
            let mut after = 0;
            loop {
                let page = control.events(after, POLL_MS, KINDS).await;
                let mut reading = lock(&shared);
                match page {
                    Ok(page) => {
                        after = page.next;
                        reading.after = page.next;
                        reading.missed += page.missed;
                        page.events
                            .iter()
                            .for_each(|event| reading.wire.take(event));
                    }
                    Err(error) => {
                        reading.failed = Some(error.to_string());
                        return;
                    }
                }
            }
        });
        Self { log, task }
    }

    /// How far it has come in the log.
    pub fn read_up_to(&self) -> u64 {
        lock(&self.log).after
    }

    pub fn judge(&self, switches: &[Switch]) -> Result<WireFindings> {
        let reading = lock(&self.log);
        if let Some(error) = &reading.failed {
            anyhow::bail!("the log could not be read: {error}");
        }
        if reading.missed > 0 {
            anyhow::bail!(
                "{} entries of the log were not read in time",
                reading.missed
            );
        }
        Ok(reading.wire.judge(&switches.iter().collect::<Vec<_>>()))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Who is active after a switch that found nobody to take over.
const NOBODY: i64 = 0;

/// Every switch that the supervisor recorded, gathered while it goes: status shows only the latest ones.
#[derive(Debug, Clone, Default)]
pub struct Switches(Arc<Mutex<BTreeMap<(i64, String), Switch>>>);

impl Switches {
    /// Reads the status again and again, until it is aborted.
    pub async fn follow(self, status: StatusReader) {
        loop {
            if let Ok(read) = status.read().await {
                self.take(&read);
            }
            tokio::time::sleep(READ_STATUS).await;
        }
    }

    pub fn take(&self, status: &Status) {
        let mut known = lock(&self.0);
        for switch in status.switches() {
            if let Some(fenced) = switch.fenced_at {
                // A later look knows more of the same one.
                known.insert((fenced, switch.kind.clone()), switch.clone());
            }
        }
    }

    pub fn all(&self) -> Vec<Switch> {
        lock(&self.0).values().cloned().collect()
    }

    /// When an epoch was opened.
    pub fn openings(&self) -> Vec<i64> {
        let all = self.all();
        all.iter()
            .filter_map(|switch| switch.activated_at)
            .collect()
    }

    /// When the active bot changed.
    pub fn moves(&self) -> Vec<Move> {
        let all = self.all();
        let changed = all.iter().filter_map(|switch| {
            let (from, to) = (switch.from_id(), switch.to_id());
            let fenced_ms = switch.fenced_at?;
            (from != to).then_some(Move {
                from,
                to: to.unwrap_or(NOBODY),
                fenced_ms,
                activated_ms: switch.activated_at.unwrap_or(fenced_ms),
            })
        });
        changed.collect()
    }
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn redis_names_its_files_by_number() {
        assert_eq!(
            number_of(Path::new("/a/appendonly.aof.7.incr.aof")),
            Some(7)
        );
        assert_eq!(number_of(Path::new("/a/appendonly.aof.7.base.rdb")), None);
        assert_eq!(number_of(Path::new("/a/appendonly.aof.manifest")), None);
    }

    #[tokio::test]
    async fn a_file_that_is_removed_is_kept_and_a_gap_is_told() {
        let place = std::env::temp_dir().join(format!("understudy-trail-{}", std::process::id()));
        let (from, kept) = (place.join("from"), place.join("kept"));
        fs::create_dir_all(&from).unwrap();
        fs::write(from.join("appendonly.aof.1.incr.aof"), "").unwrap();
        let files = Files::keep(from.clone(), kept.clone()).unwrap();
        files.read().unwrap();
        fs::remove_file(from.join("appendonly.aof.1.incr.aof")).unwrap();
        fs::write(from.join("appendonly.aof.2.incr.aof"), "").unwrap();
        files.read().unwrap();
        assert_eq!(fs::read_dir(&kept).unwrap().count(), 2);
        fs::write(from.join("appendonly.aof.4.incr.aof"), "").unwrap();
        let error = files.read().unwrap_err().to_string();
        assert!(error.contains("number 4"), "{error}");
        fs::remove_dir_all(place).unwrap();
    }
}
