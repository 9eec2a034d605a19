//! The data folder: who may use it, and where things are in it.
//!
//! Invariant: one supervisor a folder. The lock is the kernel's, so it is gone with the process, however that ends.

mod access;

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use rustix::fs::{FlockOperation, flock};

/// Longer than `status` holds its look at the lock.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);
const LOCK_POLL: Duration = Duration::from_millis(20);

#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// Makes it, for us alone.
    pub fn make(&self) -> anyhow::Result<()> {
        for folder in [&self.root, &self.redis(), &self.run(), &self.logs()] {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .with_context(|| {
                    format!(
                        "making the folder {} (data_dir must be a folder that this user may write)",
                        folder.display()
                    )
                })?;
        }
        Ok(())
    }

    pub fn redis(&self) -> PathBuf {
        self.root.join("redis")
    }

    /// Locks and pid files of the workers.
    pub fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    pub fn logs(&self) -> PathBuf {
        self.root.join("log")
    }

    pub fn log(&self, name: &str) -> PathBuf {
        self.logs().join(format!("{name}.log"))
    }

    /// By which name the last supervisor on this folder led.
    pub fn leader_file(&self) -> PathBuf {
        self.run().join("supervisor.leader")
    }

    fn lock_file(&self) -> PathBuf {
        self.root.join("supervisor.lock")
    }

    /// Takes the folder for this process, for as long as the file is kept open. `needs`: what a second supervisor would need.
    pub async fn lock(&self, needs: &str) -> anyhow::Result<File> {
        let path = self.lock_file();
        let file = open(&path).with_context(|| {
            format!(
                "opening {} (data_dir must be a folder that this user may write)",
                path.display()
            )
        })?;
        let patience = tokio::time::Instant::now() + LOCK_PATIENCE;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(file),
                Err(rustix::io::Errno::WOULDBLOCK) if tokio::time::Instant::now() < patience => {
                    tokio::time::sleep(LOCK_POLL).await;
                }
                Err(rustix::io::Errno::WOULDBLOCK) => anyhow::bail!(
                    "another supervisor runs on {}; {needs}",
                    self.root.display()
                ),
                Err(error) => {
                    return Err(error).with_context(|| format!("locking {}", path.display()));
                }
            }
        }
    }

    /// Does a supervisor run on this folder? An error when this user may not know.
    pub fn is_locked(&self) -> anyhow::Result<bool> {
        let path = self.lock_file();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(access::denied(&path));
            }
            Err(_) => return Ok(false),
        };
        Ok(matches!(
            flock(&file, FlockOperation::NonBlockingLockShared),
            Err(rustix::io::Errno::WOULDBLOCK)
        ))
    }

    /// May this user read what is in it? Whoever may not would take everything for absent. What is not there may be read.
    pub fn may_be_read(&self) -> anyhow::Result<()> {
        for path in [
            self.root.clone(),
            self.lock_file(),
            self.root.join("understudy.db"),
        ] {
            if let Err(error) = File::open(&path)
                && error.kind() == io::ErrorKind::PermissionDenied
            {
                return Err(access::denied(&path));
            }
        }
        Ok(())
    }

    /// Did a supervisor ever lead on it?
    pub fn is_used(&self) -> bool {
        self.leader_file().exists()
    }
}

/// Opens or makes a file that only we may read.
pub fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}
