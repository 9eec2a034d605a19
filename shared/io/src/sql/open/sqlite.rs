//! SQLite: the file and its mode, the settings of every connection, and a lock around the migration.
//!
//! Invariant: of several processes that start at once on a fresh file one makes the schema and the others find it made. sqlx does not
//! lock SQLite while it migrates, hence the lock file.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use shared_core::Secret;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};

use super::{MIGRATION_TIMEOUT, migration_error};
use crate::clock;
use crate::sql::StoreError;
use crate::sql::db::Db;

/// How often a lock that another process holds is tried.
const LOCK_POLL: Duration = Duration::from_millis(20);

/// WAL survives a killed process, FULL a lost power supply. The busy time-out stays below the query's, so that SQLite's own
/// reason is what the caller hears.
const SETTINGS: &str = "PRAGMA busy_timeout = 4000; \
     PRAGMA journal_mode = WAL; \
     PRAGMA synchronous = FULL; \
     PRAGMA foreign_keys = ON;";

pub(super) async fn open(
    url: &Secret,
    options: AnyConnectOptions,
    data_dir: &Path,
) -> Result<Db, StoreError> {
    prepare(url, data_dir)?;
    let _lock = lock(data_dir).await?;
    let pool = connections().connect_with(options).await;
    let pool = pool.map_err(failed("no connection"))?;
    let db = Db::new(pool);
    match tokio::time::timeout(MIGRATION_TIMEOUT, schema::migrator().run(db.pool())).await {
        Ok(Ok(())) => Ok(db),
        Ok(Err(error)) => Err(migration_error(error)),
        Err(_) => Err(StoreError::Busy {
            waited: MIGRATION_TIMEOUT,
        }),
    }
}

/// The folder and the file, for their owner alone.
pub(super) fn prepare(url: &Secret, data_dir: &Path) -> Result<(), StoreError> {
    private_folder(data_dir).map_err(failed("the data folder cannot be made"))?;
    private_file(url, data_dir).map_err(failed("its file cannot be made"))
}

pub(super) fn connections() -> AnyPoolOptions {
    Db::options().after_connect(|connection, _| {
        Box::pin(async move {
            sqlx::raw_sql(SETTINGS).execute(connection).await?;
            Ok(())
        })
    })
}

pub(super) fn failed<E>(what: &'static str) -> impl Fn(E) -> StoreError
where
    E: std::error::Error + Send + Sync + 'static,
{
    const REMEDY: &str =
        "look at [database] in the configuration and at the free space of its disk";
    move |error| StoreError::open(what, REMEDY, error)
}

fn private_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Makes the default file before SQLite does, because SQLite's would be as open as the umask says; the files beside it
/// (`-wal`, `-shm`) take its mode.
fn private_file(url: &Secret, data_dir: &Path) -> io::Result<()> {
    let file = data_dir.join("understudy.db");
    let ours = format!("sqlite://{}?", crate::config::url_path(&file));
    if url.expose().starts_with(&ours) {
        let mut options = OpenOptions::new();
        options.create(true).append(true).mode(0o600).open(file)?;
    }
    Ok(())
}

/// Held while the returned file is open; the kernel lets go of it when the process dies.
async fn lock(data_dir: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    let file = options
        .create(true)
        .append(true)
        .mode(0o600)
        .open(data_dir.join("schema.lock"))
        .map_err(failed("its lock file cannot be made"))?;
    let deadline = clock::boot_now().plus(MIGRATION_TIMEOUT);
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {}
            Err(error) => return Err(failed("its lock file cannot be locked")(error)),
        }
        if clock::boot_now() >= deadline {
            return Err(StoreError::Busy {
                waited: MIGRATION_TIMEOUT,
            });
        }
        tokio::time::sleep(LOCK_POLL).await;
    }
}
