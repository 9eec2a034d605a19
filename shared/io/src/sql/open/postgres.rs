//! PostgreSQL: one connection of its own for the schema, then a pool whose connections are bounded on both sides.
//!
//! Invariants: opening ends within [`ANSWER`] or [`STARTING`] when nobody answers; of several processes that start at once one makes the
//! schema, under the advisory lock that sqlx takes; a connection whose peer has gone silent blocks the pool for at most
//! [`STILL_THERE`]. Transactions run at the server's default isolation: each of ours holds at any.
//! Deliberately absent: a pooler in transaction mode between us and the server (the lock and the settings belong to a session).
//! Source: <https://www.postgresql.org/docs/current/runtime-config-client.html>, <https://www.postgresql.org/docs/current/errcodes-appendix.html>,
//! sqlx-core 0.9 `pool/connection.rs` (a returned connection is asked without a time-out) and `pool/inner.rs`.

use std::io::ErrorKind;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions, AnyRow};
use sqlx::{AnyConnection, Connection, Error};

use super::{MIGRATION_TIMEOUT, migration_error};
use crate::retry::{Failure, RetryPolicy, retry};
use crate::sql::StoreError;
use crate::sql::db::{Columns, Db, statement};
use crate::sql::error::{State, state};

/// For a connection, including TLS and the login.
const ANSWER: Duration = Duration::from_secs(5);
/// For a server that is about to start, as after a reboot of the machine.
const STARTING: Duration = Duration::from_secs(2);
/// A connection that does not answer this fast is given up; an answer takes a round trip.
const STILL_THERE: Duration = Duration::from_secs(1);

const PATIENCE: RetryPolicy = RetryPolicy {
    initial: Duration::from_millis(50),
    max: Duration::from_millis(400),
    give_up_after: Some(STARTING),
};

/// The server's time-out stays below the query's own, so that its reason is what the caller hears and it does not go on with what
/// nobody waits for. A transaction whose process stands still lets go of its locks. What is acknowledged is on disk, also where
/// the server's default says otherwise.
const SETTINGS: &str = "SET statement_timeout = 4000; \
     SET idle_in_transaction_session_timeout = 10000; \
     SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'; \
     SELECT set_config('application_name', 'understudy', false) WHERE current_setting('application_name') = '';";

/// A migration may take as long as everybody waits for it. That a table is there already is no news.
const MIGRATION_SETTINGS: &str =
    "SET statement_timeout = 60000; SET client_min_messages = warning;";

pub(super) async fn open(options: AnyConnectOptions) -> Result<Db, StoreError> {
    let mut connection = connect(&options).await.map_err(refused)?;
    let migrated = tokio::time::timeout(MIGRATION_TIMEOUT, migrate(&mut connection)).await;
    // Closed in every case: the lock goes with the session. Whether the server hears of it politely does not matter.
    let _ = tokio::time::timeout(STILL_THERE, connection.close_hard()).await;
    migrated.map_err(|_| StoreError::Busy {
        waited: MIGRATION_TIMEOUT,
    })??;
    let pool = connections().connect_with(options).await;
    Ok(Db::new(pool.map_err(refused)?))
}

pub(super) fn connections() -> AnyPoolOptions {
    Db::options()
        .after_connect(|connection, _| {
            Box::pin(async move {
                sqlx::raw_sql(SETTINGS).execute(connection).await?;
                Ok(())
            })
        })
        .test_before_acquire(false)
        .before_acquire(|connection, _| Box::pin(still_there(connection)))
        .after_release(|connection, _| Box::pin(still_there(connection)))
}

/// Tries again while the server is about to start.
async fn connect(options: &AnyConnectOptions) -> Result<AnyConnection, Error> {
    retry(PATIENCE, || async {
        let connecting = AnyConnection::connect_with(options);
        match tokio::time::timeout(ANSWER, connecting).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) if is_starting(&error) => Err(Failure::Transient(error)),
            Ok(Err(error)) => Err(Failure::Permanent(error)),
            Err(_) => Err(Failure::Permanent(Error::PoolTimedOut)),
        }
    })
    .await
}

fn is_starting(error: &Error) -> bool {
    match error {
        Error::Io(error) => matches!(
            error.kind(),
            ErrorKind::ConnectionRefused | ErrorKind::NotFound
        ),
        error => state(error) == Some(State::CannotConnectNow),
    }
}

async fn migrate(connection: &mut AnyConnection) -> Result<(), StoreError> {
    let prepared = async {
        sqlx::raw_sql(MIGRATION_SETTINGS)
            .execute(&mut *connection)
            .await?;
        statement("SELECT current_setting('server_encoding') AS encoding")
            .fetch_one(&mut *connection)
            .await
    };
    let row: AnyRow = prepared.await.map_err(refused)?;
    let encoding = row.text("encoding").map_err(refused)?;
    if encoding != "UTF8" {
        return Err(StoreError::Encoding { encoding });
    }
    let done = schema::migrator().run_direct(None, connection, false).await;
    done.map_err(|error| match error {
        sqlx::migrate::MigrateError::Execute(source)
        | sqlx::migrate::MigrateError::ExecuteMigration(source, _)
            if state(&source).is_some_and(|state| remedy(state).is_some()) =>
        {
            refused(source)
        }
        other => migration_error(other),
    })
}

/// Asks a connection for a sign of life before it is used and after; an error has the pool give it up.
///
/// The pool would say goodbye to it and wait for the answer, also where it promises not to (sqlx-core 0.9, `AnyConnection::close_hard`),
/// and keep its place taken meanwhile. So one that is silent is dropped here, and the pool says goodbye to an empty one instead.
async fn still_there(connection: &mut AnyConnection) -> Result<bool, Error> {
    match tokio::time::timeout(STILL_THERE, connection.ping()).await {
        Ok(answer) => answer.map(|()| true),
        Err(_) => {
            let empty = AnyConnection::connect("sqlite::memory:").await?;
            drop(std::mem::replace(connection, empty));
            Err(Error::Io(ErrorKind::TimedOut.into()))
        }
    }
}

const NO_TLS: (&str, &str) = (
    "no TLS connection",
    "see whether the server offers TLS, and that sslmode and sslrootcert in database.url fit its certificate",
);

/// What stands in the way, and what to do about it.
pub(super) fn refused(error: Error) -> StoreError {
    let (what, remedy) = match &error {
        Error::PoolTimedOut => (
            "no answer from its address",
            "see that the server's host is reachable from here and that database.url names it",
        ),
        // So rustls reports what it does not accept.
        Error::Io(source) if source.kind() == ErrorKind::InvalidData => NO_TLS,
        Error::Tls(_) => NO_TLS,
        Error::Io(_) => (
            "nobody answers at its address",
            "see that the server runs and that host and port in database.url are its own",
        ),
        Error::Configuration(_) => (
            "its address cannot be read",
            "look at database.url in the configuration",
        ),
        error => state(error).and_then(remedy).unwrap_or((
            "the server refuses",
            "look at database.url in the configuration and at the server's log",
        )),
    };
    StoreError::open(what, remedy, error)
}

fn remedy(state: State) -> Option<(&'static str, &'static str)> {
    match state {
        State::WrongUser => Some((
            "the server refuses the user or the password",
            "correct database.url, or the server's pg_hba.conf",
        )),
        State::NoDatabase => Some((
            "there is no such database",
            "make it with createdb, or correct database.url",
        )),
        State::NotPermitted => Some((
            "the user may not make tables there",
            "run ALTER DATABASE ... OWNER TO the user, or GRANT CREATE ON SCHEMA public TO him",
        )),
        State::ReadOnly => Some((
            "the server only takes reads, as a replica does",
            "let database.url name the primary",
        )),
        State::NoResources => Some((
            "the server has no room for another connection",
            "raise its max_connections, or end other clients",
        )),
        State::CannotConnectNow => Some((
            "the server is starting or stopping",
            "wait for it, or look at its log",
        )),
        State::Connection | State::Conflict | State::Stopped | State::Other => None,
    }
}
