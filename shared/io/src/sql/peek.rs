//! A look at a database that changes nothing: which schema it has, and what time it is there.
//!
//! Opening brings a database to this program's schema; who only wants to look at one looks here first, and leaves one that is older or
//! newer alone.

use std::str::FromStr;

use shared_core::{Secret, UnixMs};
use sqlx::any::AnyConnectOptions;
use sqlx::{AnyConnection, Connection, Row};

use super::db::{QUERY_TIMEOUT, statement};
use super::{Store, StoreError, open};

/// The version of the newest migration that a database has, 0 for an empty one, and the newest that this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchemaSeen {
    pub found: i64,
    pub known: i64,
}

impl SchemaSeen {
    pub fn is_current(self) -> bool {
        self.found == self.known
    }

    pub fn is_newer(self) -> bool {
        self.found > self.known
    }
}

impl Store {
    /// Which schema the database at `url` has. Changes nothing, but SQLite makes a file that the address asks for: look whether it is there.
    pub async fn peek(url: &Secret) -> Result<SchemaSeen, StoreError> {
        sqlx::any::install_default_drivers();
        let failed = |what| open::failed(url, what);
        let options = AnyConnectOptions::from_str(url.expose())
            .map_err(failed("its address cannot be read"))?;
        let connect = AnyConnection::connect_with(&options);
        let mut connection = match tokio::time::timeout(QUERY_TIMEOUT, connect).await {
            Ok(connection) => connection.map_err(failed("no connection"))?,
            Err(_) => return Err(timeout()),
        };
        let query = statement("SELECT MAX(version) AS version FROM _sqlx_migrations WHERE success");
        let newest = tokio::time::timeout(QUERY_TIMEOUT, query.fetch_optional(&mut connection));
        let found = match newest.await {
            Err(_) => Err(timeout()),
            Ok(Ok(row)) => Ok(row
                .and_then(|row| row.try_get::<Option<i64>, _>("version").ok().flatten())
                .unwrap_or(0)),
            // There is no such table: the database is empty, as far as we are concerned.
            Ok(Err(sqlx::Error::Database(_))) => Ok(0),
            Ok(Err(source)) => Err(failed("its schema cannot be read")(source)),
        };
        // What was read is read, however the connection ends.
        let _ended = tokio::time::timeout(QUERY_TIMEOUT, connection.close()).await;
        let known = schema::newest();
        found.map(|found| SchemaSeen { found, known })
    }

    /// The database's own wall clock; `None` for SQLite, which has this machine's.
    pub async fn time(&self) -> Result<Option<UnixMs>, StoreError> {
        let query =
            statement("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS now")
                .fetch_one(self.db.pool());
        let asked = async {
            match query.await {
                Ok(row) => row.try_get("now").map(|now| Some(UnixMs(now))),
                // SQLite knows no such function.
                Err(sqlx::Error::Database(_)) => Ok(None),
                Err(error) => Err(error),
            }
        };
        self.db
            .bounded("asking", "the database's clock", asked)
            .await
    }
}

fn timeout() -> StoreError {
    StoreError::Timeout {
        doing: "looking at",
        subject: "the database's schema".to_owned(),
        after: QUERY_TIMEOUT,
    }
}
