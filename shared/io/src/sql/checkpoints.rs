//! `checkpoints` and the tables beside it: what Redis holds of a pool, copied, and read back when Redis has lost it.
//!
//! Invariant: every write begins with the pool's row of `checkpoints` and does nothing unless `writer` is the caller's own number. That number is
//! the first of the epochs that SQL reserved for the leader, so a later leader's is higher; once it has claimed the row, nothing of an
//! earlier leader that wakes up is written. The row's lock makes the transactions of two leaders follow one another. A transaction is seen through
//! by a task of its own, also when whoever wanted it has been ended: one that is dropped in the middle would keep that lock for seconds.
//! Deliberately absent: the order in which things are copied, which is `crate::checkpoint`'s.

use std::future::Future;
use std::sync::LazyLock;

use shared_core::{PoolId, UnixMs};
use sqlx::any::{Any, AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Row, Transaction};

use super::StoreError;
use super::db::{Columns, Db, bigint, statement};

mod read;

pub use read::{CheckpointCounts, ReachRow};

/// Rows that one statement writes: as many as there are, in the largest pieces. SQLite takes 32,766 values a statement.
const PIECES: [usize; 3] = [200, 20, 1];

/// The row of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointHead {
    pub writer: u64,
    pub lineage: String,
    pub turn: u64,
    /// Everything up to this moment of Redis' clock is here; `None` before the first whole copy.
    pub at: Option<UnixMs>,
    /// JSON.
    pub place: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationRow {
    pub conversation: String,
    pub version: u64,
    pub stored: String,
    pub open: Option<UnixMs>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntryRow {
    pub queue: String,
    pub ms: u64,
    pub seq: u64,
    pub body: String,
}

/// What is written in one transaction, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckpointChange {
    /// Entries that are added; those that are there stay.
    pub added: Vec<EntryRow>,
    /// Queues that are replaced by what is in `added`.
    pub replaced: Vec<String>,
    pub conversations: Vec<ConversationRow>,
    /// Conversations that are not stored any more.
    pub removed: Vec<String>,
    pub reach: Vec<(ReachRow, bool)>,
    /// Entries that are gone: queue, position.
    pub gone: Vec<(String, u64, u64)>,
    /// How far all of this is.
    pub place: Option<CheckpointPlace>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointPlace {
    pub turn: u64,
    pub at: UnixMs,
    pub place: String,
}

#[derive(Clone, Copy)]
pub struct Checkpoints<'a>(pub(super) &'a Db);

impl Checkpoints<'_> {
    pub async fn head(&self, pool: &PoolId) -> Result<Option<CheckpointHead>, StoreError> {
        let find = async {
            let row = statement(
                "SELECT writer, lineage, turn, at, place FROM checkpoints WHERE pool = $1",
            )
            .bind(pool.as_str())
            .fetch_optional(self.0.pool())
            .await?;
            row.map(|row| head(&row)).transpose()
        };
        self.0
            .bounded("reading the checkpoint of pool", pool, find)
            .await
    }

    /// From here on only this writer's changes count, and they are of this history. `whole`: what is there is of this history too; else
    /// it is not whole before a first turn is over. False: a later leader has claimed it.
    pub async fn claim(
        &self,
        pool: &PoolId,
        writer: u64,
        lineage: &str,
        whole: bool,
    ) -> Result<bool, StoreError> {
        const DOING: &str = "claiming the checkpoint of pool";
        let writer = bigint(DOING, pool, "the writer's number", writer)?;
        let sql = if whole {
            "INSERT INTO checkpoints (pool, writer, lineage, turn, place) VALUES ($1, $2, $3, 0, '') \
             ON CONFLICT (pool) DO UPDATE SET writer = excluded.writer, lineage = excluded.lineage \
             WHERE checkpoints.writer <= excluded.writer"
        } else {
            "INSERT INTO checkpoints (pool, writer, lineage, turn, place) VALUES ($1, $2, $3, 0, '') \
             ON CONFLICT (pool) DO UPDATE SET writer = excluded.writer, lineage = excluded.lineage, at = NULL \
             WHERE checkpoints.writer <= excluded.writer"
        };
        let claim = statement(sql)
            .bind(pool.as_str())
            .bind(writer)
            .bind(lineage)
            .execute(self.0.pool());
        let done = self.0.bounded(DOING, pool, claim).await?;
        Ok(done.rows_affected() == 1)
    }

    /// Forgets what is there, a portion at a time; true once nothing is left. For a history that begins anew.
    pub async fn forget(&self, pool: &PoolId, writer: u64) -> Result<Option<bool>, StoreError> {
        const DOING: &str = "forgetting the checkpoint of pool";
        let writer = bigint(DOING, pool, "the writer's number", writer)?;
        let (db, pool) = (self.0.clone(), pool.clone());
        let forget = async move |db: &Db, pool: &PoolId| {
            let mut transaction = db.pool().begin().await?;
            if !is_ours(&mut transaction, pool, writer).await? {
                transaction.rollback().await?;
                return Ok(None);
            }
            let mut gone = 0;
            for sql in [
                "DELETE FROM checkpoint_conversations WHERE pool = $1 AND conversation IN \
                 (SELECT conversation FROM checkpoint_conversations WHERE pool = $1 LIMIT 5000)",
                "DELETE FROM checkpoint_reach WHERE pool = $1 AND (bot, member) IN \
                 (SELECT bot, member FROM checkpoint_reach WHERE pool = $1 LIMIT 5000)",
                "DELETE FROM checkpoint_entries WHERE pool = $1 AND (queue, ms, seq) IN \
                 (SELECT queue, ms, seq FROM checkpoint_entries WHERE pool = $1 LIMIT 5000)",
            ] {
                let done = statement(sql)
                    .bind(pool.as_str())
                    .execute(&mut *transaction);
                gone += done.await?.rows_affected();
            }
            transaction.commit().await?;
            Ok(Some(gone == 0))
        };
        seen_through(async move { db.bounded(DOING, &pool, forget(&db, &pool)).await }).await
    }

    /// Writes the change, whole or not at all. False: a later leader has claimed the checkpoint, and nothing was written.
    pub async fn put(
        &self,
        pool: &PoolId,
        writer: u64,
        change: CheckpointChange,
    ) -> Result<bool, StoreError> {
        const DOING: &str = "writing the checkpoint of pool";
        let writer = bigint(DOING, pool, "the writer's number", writer)?;
        let (db, pool) = (self.0.clone(), pool.clone());
        let write = async move |db: &Db, pool: &PoolId, change: &CheckpointChange| {
            // The first statement writes, so SQLite queues the transaction instead of turning it away later.
            let mut transaction = db.pool().begin().await?;
            if !is_ours(&mut transaction, pool, writer).await? {
                transaction.rollback().await?;
                return Ok(false);
            }
            write_change(&mut transaction, pool, change).await?;
            transaction.commit().await?;
            Ok(true)
        };
        seen_through(async move { db.bounded(DOING, &pool, write(&db, &pool, &change)).await })
            .await
    }
}

async fn seen_through<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(ended) => Err(StoreError::Query {
            doing: "writing the checkpoint",
            subject: "in a task of its own".to_owned(),
            source: sqlx::Error::Io(std::io::Error::other(ended)),
        }),
    }
}

async fn is_ours(
    transaction: &mut Transaction<'_, Any>,
    pool: &PoolId,
    writer: i64,
) -> Result<bool, sqlx::Error> {
    let ours = statement("UPDATE checkpoints SET writer = $2 WHERE pool = $1 AND writer = $2")
        .bind(pool.as_str())
        .bind(writer)
        .execute(&mut **transaction)
        .await?;
    Ok(ours.rows_affected() == 1)
}

async fn write_change(
    transaction: &mut Transaction<'_, Any>,
    pool: &PoolId,
    change: &CheckpointChange,
) -> Result<(), sqlx::Error> {
    for queue in &change.replaced {
        statement("DELETE FROM checkpoint_entries WHERE pool = $1 AND queue = $2")
            .bind(pool.as_str())
            .bind(queue)
            .execute(&mut **transaction)
            .await?;
    }
    in_pieces(transaction, &ENTRIES, &change.added, |query, row| {
        query
            .bind(pool.as_str())
            .bind(&row.queue)
            .bind(signed(row.ms))
            .bind(signed(row.seq))
            .bind(&row.body)
    })
    .await?;
    in_pieces(
        transaction,
        &CONVERSATIONS,
        &change.conversations,
        |query, row| {
            query
                .bind(pool.as_str())
                .bind(&row.conversation)
                .bind(signed(row.version))
                .bind(&row.stored)
                .bind(row.open.map(|at| at.0))
        },
    )
    .await?;
    for conversation in &change.removed {
        statement("DELETE FROM checkpoint_conversations WHERE pool = $1 AND conversation = $2")
            .bind(pool.as_str())
            .bind(conversation)
            .execute(&mut **transaction)
            .await?;
    }
    let (yes, no): (Vec<_>, Vec<_>) = change.reach.iter().partition(|(_, reached)| *reached);
    in_pieces(transaction, &REACH, &yes, |query, (row, _)| {
        query.bind(pool.as_str()).bind(&row.bot).bind(row.member)
    })
    .await?;
    for (row, _) in no {
        statement("DELETE FROM checkpoint_reach WHERE pool = $1 AND bot = $2 AND member = $3")
            .bind(pool.as_str())
            .bind(&row.bot)
            .bind(row.member)
            .execute(&mut **transaction)
            .await?;
    }
    for (queue, ms, seq) in &change.gone {
        statement(
            "DELETE FROM checkpoint_entries WHERE pool = $1 AND queue = $2 AND ms = $3 AND seq = $4",
        )
        .bind(pool.as_str())
        .bind(queue)
        .bind(signed(*ms))
        .bind(signed(*seq))
        .execute(&mut **transaction)
        .await?;
    }
    if let Some(place) = &change.place {
        statement("UPDATE checkpoints SET turn = $2, at = $3, place = $4 WHERE pool = $1")
            .bind(pool.as_str())
            .bind(signed(place.turn))
            .bind(place.at.0)
            .bind(&place.place)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

/// Redis' numbers stay far below 2^63: times, sequences, counts of commits.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The same statement for each size of a piece.
struct Pieces {
    by_size: [String; PIECES.len()],
}

impl Pieces {
    fn new(before: &str, columns: usize, after: &str) -> Self {
        Self {
            by_size: PIECES.map(|rows| {
                let row = |row: usize| {
                    let values = (1..=columns).map(|at| format!("${}", row * columns + at));
                    format!("({})", values.collect::<Vec<_>>().join(", "))
                };
                let rows: Vec<String> = (0..rows).map(row).collect();
                format!("{before} VALUES {} {after}", rows.join(", "))
            }),
        }
    }
}

static ENTRIES: LazyLock<Pieces> = LazyLock::new(|| {
    Pieces::new(
        "INSERT INTO checkpoint_entries (pool, queue, ms, seq, body)",
        5,
        "ON CONFLICT (pool, queue, ms, seq) DO NOTHING",
    )
});
// A conversation that was over may have been forgotten by Redis since, and then counts from one again.
static CONVERSATIONS: LazyLock<Pieces> = LazyLock::new(|| {
    Pieces::new(
        "INSERT INTO checkpoint_conversations (pool, conversation, version, stored, open_at)",
        5,
        "ON CONFLICT (pool, conversation) DO UPDATE SET version = excluded.version, stored = excluded.stored, \
         open_at = excluded.open_at \
         WHERE checkpoint_conversations.version <= excluded.version OR checkpoint_conversations.open_at IS NULL",
    )
});
static REACH: LazyLock<Pieces> = LazyLock::new(|| {
    Pieces::new(
        "INSERT INTO checkpoint_reach (pool, bot, member)",
        3,
        "ON CONFLICT (pool, bot, member) DO NOTHING",
    )
});

type AnyQuery<'q> = Query<'q, Any, AnyArguments>;

async fn in_pieces<'q, T>(
    transaction: &mut Transaction<'_, Any>,
    pieces: &'static LazyLock<Pieces>,
    rows: &'q [T],
    bind: impl Fn(AnyQuery<'q>, &'q T) -> AnyQuery<'q>,
) -> Result<(), sqlx::Error> {
    let mut left = rows;
    for (size, sql) in PIECES.iter().zip(&pieces.by_size) {
        while left.len() >= *size {
            let (piece, rest) = left.split_at(*size);
            left = rest;
            let query = piece.iter().fold(statement(sql), &bind);
            query.execute(&mut **transaction).await?;
        }
    }
    Ok(())
}

fn head(row: &AnyRow) -> Result<CheckpointHead, sqlx::Error> {
    Ok(CheckpointHead {
        writer: row.count("writer")?,
        lineage: row.text("lineage")?,
        turn: row.count("turn")?,
        at: row.time_or_none("at")?,
        place: row.text("place")?,
    })
}

/// One number of one row.
fn one_count(row: &AnyRow) -> Result<u64, sqlx::Error> {
    let count: i64 = row.try_get(0)?;
    Ok(count.unsigned_abs())
}
