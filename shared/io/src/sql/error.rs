//! What can go wrong with the store. A message names the operation and its subject; the database's own words are the source.
//!
//! Source of the codes: <https://www.sqlite.org/rescode.html>, <https://www.postgresql.org/docs/current/errcodes-appendix.html>.

use std::io::ErrorKind;
use std::time::Duration;

use sqlx::migrate::MigrateError;

/// Never holds a value of a row, and never the URL, in which a password may be.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot open the database ({what}); {remedy}")]
    Open {
        what: &'static str,
        remedy: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error(
        "the database's encoding is {encoding}, which not everything that members write fits into; make one with createdb -E UTF8 -T template0"
    )]
    Encoding { encoding: String },
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
        source: MigrateError,
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
            Self::Query { source, .. } => is_unanswered(source),
            _ => false,
        }
    }

    /// Does it say that this program may not use that database, whoever looks and whenever? Anything else (nobody answers, a password that was
    /// changed, a database that is not restored yet) passes when somebody has mended it.
    pub fn is_of_the_schema(&self) -> bool {
        matches!(
            self,
            Self::TooNew { .. } | Self::Foreign { .. } | Self::Encoding { .. }
        )
    }

    /// Is it this very row that the database does not take, whoever brings it and however well the database is? Anything else (a full disk,
    /// a table that is missing, rights that were taken away) is somebody's to mend, and the row waits for that.
    pub fn is_of_the_row(&self) -> bool {
        match self {
            Self::Unstorable { .. } => true,
            Self::Query { source, .. } => match source {
                sqlx::Error::Encode(_) => true,
                source => code(source).is_some_and(|code| refuses_a_row(&code)),
            },
            _ => false,
        }
    }

    /// What was refused and by which code; nothing of what is in the row.
    pub fn refusal(&self) -> String {
        let code = match self {
            Self::Query { source, .. } => code(source),
            _ => None,
        };
        match code {
            Some(code) => format!("{self} ({code})"),
            None => self.to_string(),
        }
    }

    pub(super) fn open<E>(what: &'static str, remedy: &'static str, source: E) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let source = Box::new(source);
        Self::Open {
            what,
            remedy,
            source,
        }
    }
}

/// What PostgreSQL's SQLSTATE says, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Class 08.
    Connection,
    /// Class 53: connections, memory, disk.
    NoResources,
    /// Serialization failure, deadlock, a lock or a statement that took too long.
    Conflict,
    /// 57P01 and its like: ended by an admin or a crash.
    Stopped,
    /// Starting, stopping, recovering.
    CannotConnectNow,
    WrongUser,
    NoDatabase,
    NotPermitted,
    ReadOnly,
    Other,
}

impl State {
    fn read(code: &str) -> Self {
        match code {
            "57P03" => Self::CannotConnectNow,
            "40001" | "40P01" | "55P03" | "57014" => Self::Conflict,
            "25P03" => Self::Stopped,
            "25006" => Self::ReadOnly,
            "28000" | "28P01" => Self::WrongUser,
            "3D000" => Self::NoDatabase,
            "42501" => Self::NotPermitted,
            code if code.starts_with("08") => Self::Connection,
            code if code.starts_with("53") => Self::NoResources,
            code if code.starts_with("57P0") => Self::Stopped,
            _ => Self::Other,
        }
    }

    /// A replica that is promoted takes writes again, so that it only reads is nothing that stays.
    fn is_transient(self) -> bool {
        match self {
            Self::Connection
            | Self::NoResources
            | Self::Conflict
            | Self::Stopped
            | Self::CannotConnectNow
            | Self::ReadOnly => true,
            Self::WrongUser | Self::NoDatabase | Self::NotPermitted | Self::Other => false,
        }
    }
}

/// The SQLSTATE of an error that PostgreSQL reports: five characters, where SQLite's codes are numbers of at most four.
pub(super) fn state(error: &sqlx::Error) -> Option<State> {
    let code = error.as_database_error()?.code()?;
    (code.len() == 5).then(|| State::read(&code))
}

fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

/// PostgreSQL: class 22 is about data, 23 about constraints, 54 about sizes. SQLite: 18 is SQLITE_TOOBIG, 19 SQLITE_CONSTRAINT, 20
/// SQLITE_MISMATCH, in the low byte.
fn refuses_a_row(code: &str) -> bool {
    match code.len() {
        5 => ["22", "23", "54"]
            .iter()
            .any(|class| code.starts_with(class)),
        _ => code
            .parse::<i32>()
            .is_ok_and(|code| matches!(code & 0xff, 18..=20)),
    }
}

/// `InvalidData` is how rustls reports a certificate or a server without TLS: that stays until somebody mends it.
fn is_unanswered(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() != ErrorKind::InvalidData,
        sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => true,
        error => is_busy(error) || state(error).is_some_and(State::is_transient),
    }
}

/// SQLite: 5 is SQLITE_BUSY, 6 SQLITE_LOCKED; the low byte is the primary code.
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    let number = code.filter(|code| code.len() < 5);
    let number = number.and_then(|code| code.parse::<i32>().ok());
    number.is_some_and(|code| matches!(code & 0xff, 5 | 6))
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_row_that_is_refused_is_told_from_a_database_that_is_unwell() {
        for code in ["22021", "23505", "54000", "18", "19", "1555", "2067", "20"] {
            assert!(refuses_a_row(code), "{code}");
        }
        // Full disks, missing tables and rights, a broken file, a lock.
        for code in [
            "53100", "42P01", "42501", "57P01", "13", "11", "5", "1", "10",
        ] {
            assert!(!refuses_a_row(code), "{code}");
        }
    }

    #[test]
    fn what_a_schema_forbids_is_told_from_what_may_pass() {
        assert!(StoreError::TooNew { found: 9, known: 8 }.is_of_the_schema());
        assert!(StoreError::Foreign { version: 3 }.is_of_the_schema());
        let refused = StoreError::open("", "", io::Error::from(ErrorKind::ConnectionRefused));
        assert!(!refused.is_of_the_schema());
        let source = MigrateError::Execute(sqlx::Error::PoolTimedOut);
        assert!(!StoreError::Migration { known: 8, source }.is_of_the_schema());
    }

    #[test]
    fn what_passes_by_itself_is_told_from_what_stays() {
        let transient = [
            "08000", "08006", "53100", "53300", "57P01", "57P02", "57P03", "57P04", "57P05",
            "40001", "40P01", "55P03", "57014", "25P03", "25006",
        ];
        for code in transient {
            assert!(State::read(code).is_transient(), "{code}");
        }
        for code in [
            "28P01", "3D000", "42501", "42P01", "23505", "22021", "XX000",
        ] {
            assert!(!State::read(code).is_transient(), "{code}");
        }
    }
}
