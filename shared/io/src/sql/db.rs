//! The connections, the time-out around every query, and reading typed values out of rows.

use std::borrow::Cow;
use std::fmt::Display;
use std::future::Future;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use shared_core::UnixMs;
use sqlx::any::{Any, AnyArguments, AnyPoolOptions, AnyRow};
use sqlx::query::Query;
use sqlx::{AnyPool, Row};

use super::StoreError;

/// A query of ours takes milliseconds; after this long something is wrong and the caller is better told.
pub const QUERY_TIMEOUT: Duration = Duration::from_secs(5);

/// SQLite writes one transaction at a time; more connections than this only wait for each other. PostgreSQL has a hundred for all.
pub(super) const CONNECTIONS: u32 = 4;

#[derive(Clone)]
pub(super) struct Db {
    pool: AnyPool,
}

impl Db {
    pub fn new(pool: AnyPool) -> Self {
        Self { pool }
    }

    pub fn options() -> AnyPoolOptions {
        AnyPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(QUERY_TIMEOUT)
    }

    pub fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// Runs one query or transaction; `doing` and `subject` name it in an error.
    pub async fn bounded<T>(
        &self,
        doing: &'static str,
        subject: impl Display,
        query: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, StoreError> {
        match tokio::time::timeout(QUERY_TIMEOUT, query).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(source)) => Err(StoreError::Query {
                doing,
                subject: subject.to_string(),
                source,
            }),
            Err(_) => Err(StoreError::Timeout {
                doing,
                subject: subject.to_string(),
                after: QUERY_TIMEOUT,
            }),
        }
    }

    /// The latest rows of one pool. `query` takes the pool's name and the limit, and `doing` ends with `of pool`.
    pub async fn latest<T>(
        &self,
        doing: &'static str,
        query: &'static str,
        pool: &str,
        limit: u32,
        read: impl Fn(&AnyRow) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, StoreError> {
        let list = async {
            let rows = statement(query)
                .bind(pool)
                .bind(i64::from(limit))
                .fetch_all(&self.pool)
                .await?;
            rows.iter().map(read).collect()
        };
        self.bounded(doing, pool, list).await
    }

    pub async fn ping(&self) -> Result<Duration, StoreError> {
        let sent = tokio::time::Instant::now();
        let query = statement("SELECT 1").execute(&self.pool);
        self.bounded("asking", "the database", query).await?;
        Ok(sent.elapsed())
    }

    pub async fn close(&self) {
        // Closing waits for queries, and those are bounded; so this is too.
        let _ = tokio::time::timeout(QUERY_TIMEOUT * 2, self.pool.close()).await;
    }
}

/// A statement of ours. It names the columns that it wants: programs of two releases run side by side, and when the later one adds a column
/// to what `*` stood for, PostgreSQL refuses the prepared statement and sqlx-sqlite 0.9 answers that there are no rows.
pub(super) fn statement<'q>(sql: &'static str) -> Query<'q, Any, AnyArguments> {
    debug_assert!(!sql.contains("SELECT *"), "{sql}");
    sqlx::query(sql)
}

/// Text that a member wrote, as the column takes it: PostgreSQL has no place for U+0000, and a record that is refused would come again
/// for ever.
pub(super) fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{FFFD}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Reads columns as what they mean. What cannot be read is a decoding error of that column.
pub(super) trait Columns {
    fn text(&self, column: &'static str) -> Result<String, sqlx::Error>;
    fn text_or_none(&self, column: &'static str) -> Result<Option<String>, sqlx::Error>;
    fn number(&self, column: &'static str) -> Result<i64, sqlx::Error>;
    fn time_or_none(&self, column: &'static str) -> Result<Option<UnixMs>, sqlx::Error>;

    fn time(&self, column: &'static str) -> Result<UnixMs, sqlx::Error> {
        self.number(column).map(UnixMs)
    }

    /// A number that is an `i32`, `u32` or `u64` here.
    fn count<T: TryFrom<i64>>(&self, column: &'static str) -> Result<T, sqlx::Error> {
        let number = self.number(column)?;
        T::try_from(number).map_err(|_| undecodable(column, "out of range"))
    }

    fn id<T: FromStr>(&self, column: &'static str) -> Result<T, sqlx::Error>
    where
        T::Err: Display,
    {
        parse(column, &self.text(column)?)
    }

    fn id_or_none<T: FromStr>(&self, column: &'static str) -> Result<Option<T>, sqlx::Error>
    where
        T::Err: Display,
    {
        let text = self.text_or_none(column)?;
        text.map(|text| parse(column, &text)).transpose()
    }

    /// An id that is made of a `String`: a pool's or worker's name.
    fn name<T: TryFrom<String>>(&self, column: &'static str) -> Result<T, sqlx::Error> {
        T::try_from(self.text(column)?).map_err(|_| undecodable(column, "not a name"))
    }

    fn name_or_none<T: TryFrom<String>>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, sqlx::Error> {
        let name = self.text_or_none(column)?.map(T::try_from).transpose();
        name.map_err(|_| undecodable(column, "not a name"))
    }

    fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, sqlx::Error> {
        let text = self.text(column)?;
        serde_json::from_str(&text).map_err(|error| undecodable(column, &error.to_string()))
    }
}

impl Columns for AnyRow {
    fn text(&self, column: &'static str) -> Result<String, sqlx::Error> {
        self.try_get(column)
    }

    fn text_or_none(&self, column: &'static str) -> Result<Option<String>, sqlx::Error> {
        self.try_get(column)
    }

    fn number(&self, column: &'static str) -> Result<i64, sqlx::Error> {
        self.try_get(column)
    }

    fn time_or_none(&self, column: &'static str) -> Result<Option<UnixMs>, sqlx::Error> {
        Ok(self.try_get::<Option<i64>, _>(column)?.map(UnixMs))
    }
}

fn parse<T: FromStr>(column: &'static str, text: &str) -> Result<T, sqlx::Error>
where
    T::Err: Display,
{
    text.parse()
        .map_err(|error: T::Err| undecodable(column, &error.to_string()))
}

pub(super) fn undecodable(column: &'static str, why: &str) -> sqlx::Error {
    sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: why.to_owned().into(),
    }
}

/// A structure as the text of a column.
pub(super) fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<String, sqlx::Error> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

/// Numbers above `i64::MAX` have no place in a BIGINT.
pub(super) fn bigint(
    doing: &'static str,
    subject: impl Display,
    what: &'static str,
    value: u64,
) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::Unstorable {
        doing,
        subject: subject.to_string(),
        what,
    })
}
