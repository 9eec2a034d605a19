//! What can go wrong with the store. A message names the operation and its subject; the database's own words are the source.

use std::time::Duration;

/// Never holds a value of a row, and never the URL, in which a password may be.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(
        "cannot open the database ({what}); look at [database] in the configuration and at the free space of its disk"
    )]
    Open {
        what: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error(
        "the database has schema version {found} and this program knows up to {known}; run the program that upgraded it, or restore a backup from before"
    )]
    TooNew { found: i64, known: i64 },
    #[error(
        "the database's schema version {version} is not the one this program knows by that number; run the program that made it"
    )]
    Foreign { version: i64 },
    #[error("cannot bring the database to schema version {known}")]
    Migration {
        known: i64,
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    #[error("another process has been upgrading the database for {} s; wait for it, or end it if it hangs", waited.as_secs())]
    Busy { waited: Duration },
    #[error("{doing} {subject}: no answer from the database within {} ms", after.as_millis())]
    Timeout {
        doing: &'static str,
        subject: String,
        after: Duration,
    },
    #[error("{doing} {subject}: the database refused")]
    Query {
        doing: &'static str,
        subject: String,
        #[source]
        source: sqlx::Error,
    },
    #[error("{doing} {subject}: {what} does not fit into the database")]
    Unstorable {
        doing: &'static str,
        subject: String,
        what: &'static str,
    },
}

impl StoreError {
    /// May the same call succeed later without anybody's doing?
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Timeout { .. } | Self::Busy { .. } => true,
            Self::Query { source, .. } => match source {
                sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => true,
                // 5 is SQLITE_BUSY, 6 SQLITE_LOCKED; the low byte is the primary code.
                sqlx::Error::Database(error) => error
                    .code()
                    .and_then(|code| code.parse::<i32>().ok())
                    .is_some_and(|code| matches!(code & 0xff, 5 | 6)),
                _ => false,
            },
            _ => false,
        }
    }
}
