//! Reading a checkpoint back: in portions by key, so that the millionth row is found as fast as the first.
//!
//! The condition is one comparison of the whole key and none on the pool alone: a PostgreSQL that has no statistics of a table that was just
//! filled takes `pool = $1` for a sign that few rows are left, and sorts all of them for each portion. With a range it follows the key's index.

use shared_core::PoolId;

use super::{Checkpoints, ConversationRow, EntryRow, one_count};
use crate::sql::StoreError;
use crate::sql::db::{Columns, statement};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReachRow {
    /// `b7`.
    pub bot: String,
    /// The bare number.
    pub member: i64,
}

/// How much is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CheckpointCounts {
    pub conversations: u64,
    pub open: u64,
    pub entries: u64,
    pub reach: u64,
}

impl Checkpoints<'_> {
    pub async fn counts(&self, pool: &PoolId) -> Result<CheckpointCounts, StoreError> {
        let count = async {
            let mut found = [0; 4];
            for (count, sql) in found.iter_mut().zip([
                "SELECT COUNT(*) FROM checkpoint_conversations WHERE pool = $1",
                "SELECT COUNT(*) FROM checkpoint_conversations WHERE pool = $1 AND open_at IS NOT NULL",
                "SELECT COUNT(*) FROM checkpoint_entries WHERE pool = $1",
                "SELECT COUNT(*) FROM checkpoint_reach WHERE pool = $1",
            ]) {
                let row = statement(sql).bind(pool.as_str()).fetch_one(self.0.pool());
                *count = one_count(&row.await?)?;
            }
            let [conversations, open, entries, reach] = found;
            Ok(CheckpointCounts {
                conversations,
                open,
                entries,
                reach,
            })
        };
        self.0
            .bounded("counting the checkpoint of pool", pool, count)
            .await
    }

    /// Conversations behind `after`, by their names.
    pub async fn conversations(
        &self,
        pool: &PoolId,
        after: &str,
        limit: u32,
    ) -> Result<Vec<ConversationRow>, StoreError> {
        let list = async {
            let rows = statement(
                "SELECT conversation, version, stored, open_at FROM checkpoint_conversations \
                 WHERE (pool, conversation) > ($1, $2) AND pool <= $1 ORDER BY pool, conversation LIMIT $3",
            )
            .bind(pool.as_str())
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(self.0.pool())
            .await?;
            let read = rows.iter().map(|row| {
                Ok(ConversationRow {
                    conversation: row.text("conversation")?,
                    version: row.count("version")?,
                    stored: row.text("stored")?,
                    open: row.time_or_none("open_at")?,
                })
            });
            read.collect()
        };
        self.0
            .bounded("reading the checkpoint of pool", pool, list)
            .await
    }

    /// Entries behind `after`, by queue and position.
    pub async fn entries(
        &self,
        pool: &PoolId,
        after: Option<&EntryRow>,
        limit: u32,
    ) -> Result<Vec<EntryRow>, StoreError> {
        let (queue, ms, seq) = after.map_or(("", 0, 0), |row| (&row.queue, row.ms, row.seq));
        let list = async {
            let rows = statement(
                "SELECT queue, ms, seq, body FROM checkpoint_entries \
                 WHERE (pool, queue, ms, seq) > ($1, $2, $3, $4) AND pool <= $1 \
                 ORDER BY pool, queue, ms, seq LIMIT $5",
            )
            .bind(pool.as_str())
            .bind(queue)
            .bind(super::signed(ms))
            .bind(super::signed(seq))
            .bind(i64::from(limit))
            .fetch_all(self.0.pool())
            .await?;
            let read = rows.iter().map(|row| {
                Ok(EntryRow {
                    queue: row.text("queue")?,
                    ms: row.count("ms")?,
                    seq: row.count("seq")?,
                    body: row.text("body")?,
                })
            });
            read.collect()
        };
        self.0
            .bounded("reading the queues in the checkpoint of pool", pool, list)
            .await
    }

    /// Positions alone, of everything that is there.
    pub async fn positions(
        &self,
        pool: &PoolId,
        after: Option<&(String, u64, u64)>,
        limit: u32,
    ) -> Result<Vec<(String, u64, u64)>, StoreError> {
        let (queue, ms, seq) = after.map_or(("", 0, 0), |(queue, ms, seq)| (queue, *ms, *seq));
        let list = async {
            let rows = statement(
                "SELECT queue, ms, seq FROM checkpoint_entries \
                 WHERE (pool, queue, ms, seq) > ($1, $2, $3, $4) AND pool <= $1 \
                 ORDER BY pool, queue, ms, seq LIMIT $5",
            )
            .bind(pool.as_str())
            .bind(queue)
            .bind(super::signed(ms))
            .bind(super::signed(seq))
            .bind(i64::from(limit))
            .fetch_all(self.0.pool())
            .await?;
            let read = rows
                .iter()
                .map(|row| Ok((row.text("queue")?, row.count("ms")?, row.count("seq")?)));
            read.collect()
        };
        self.0
            .bounded("reading the queues in the checkpoint of pool", pool, list)
            .await
    }

    /// Whom the bots may write to, behind `after`.
    pub async fn reach(
        &self,
        pool: &PoolId,
        after: Option<&ReachRow>,
        limit: u32,
    ) -> Result<Vec<ReachRow>, StoreError> {
        let (bot, member) = after.map_or(("", i64::MIN), |row| (&row.bot, row.member));
        let list = async {
            let rows = statement(
                "SELECT bot, member FROM checkpoint_reach \
                 WHERE (pool, bot, member) > ($1, $2, $3) AND pool <= $1 \
                 ORDER BY pool, bot, member LIMIT $4",
            )
            .bind(pool.as_str())
            .bind(bot)
            .bind(member)
            .bind(i64::from(limit))
            .fetch_all(self.0.pool())
            .await?;
            let read = rows.iter().map(|row| {
                Ok(ReachRow {
                    bot: row.text("bot")?,
                    member: row.number("member")?,
                })
            });
            read.collect()
        };
        self.0
            .bounded("reading the reach in the checkpoint of pool", pool, list)
            .await
    }
}
