//! `epochs`: blocks of epoch numbers that are given out once, the Redis history they are used in, and which supervisor leads the pool.
//!
//! The leader here is a fence for what a leader *changes* in SQL (overrides, rows of switches): such a statement names its leader and changes
//! nothing when the row here names another. Redis says who leads; here that is only written down, in an order in which a leader that was
//! stopped half-way can never come after its successor:
//!
//! ```text
//! 1 take the pool's lead in Redis    2 read the leader here    3 ask Redis: do we lead still?    4 replace what was read by us, or begin again
//! ```
//! Whoever passed 3 was the leader then, so its successor's 2 comes later. If the successor's 4 is done, ours no longer finds what we read.
//!
//! Invariant: of any two reservations, by whichever processes and in whichever order they are acknowledged, no number is in both.
//! A reservation is one statement, so it needs no transaction that another could come in between; a caller that was not told
//! the answer has lost a block, which costs nothing.

use shared_core::{Epoch, EpochBlock, PoolId, UnixMs};

use super::StoreError;
use super::db::{Columns, Db, bigint, statement, undecodable};

#[derive(Clone, Copy)]
pub struct Epochs<'a>(pub(super) &'a Db);

impl Epochs<'_> {
    /// The next `size` numbers after everything reserved so far.
    pub async fn reserve(&self, pool: &PoolId, size: u64) -> Result<EpochBlock, StoreError> {
        self.reserve_above(pool, size, Epoch(0)).await
    }

    /// The same, and above `seen` as well: Redis may know more than a database that was restored from a backup.
    pub async fn reserve_above(
        &self,
        pool: &PoolId,
        size: u64,
        seen: Epoch,
    ) -> Result<EpochBlock, StoreError> {
        const DOING: &str = "reserving epochs of pool";
        let size = bigint(DOING, pool, "the size of the block", size.max(1))?;
        let seen = bigint(DOING, pool, "the epoch", seen.0)?;
        let reserve = async {
            let row = statement(
                "INSERT INTO epochs (pool, ceiling) VALUES ($1, $2 + $3) \
                 ON CONFLICT (pool) DO UPDATE SET ceiling = \
                     (CASE WHEN epochs.ceiling < $2 THEN $2 ELSE epochs.ceiling END) + $3 \
                 RETURNING ceiling",
            )
            .bind(pool.as_str())
            .bind(seen)
            .bind(size)
            .fetch_one(self.0.pool())
            .await?;
            let ceiling: u64 = row.count("ceiling")?;
            let below = ceiling.checked_sub(size.unsigned_abs());
            let below = below.ok_or_else(|| undecodable("ceiling", "below the block's size"))?;
            Ok(EpochBlock {
                next: Epoch(below + 1),
                ceiling: Epoch(ceiling),
            })
        };
        self.0.bounded(DOING, pool, reserve).await
    }

    /// How far numbers are reserved; zero before the first reservation.
    pub async fn ceiling(&self, pool: &PoolId) -> Result<Epoch, StoreError> {
        let read = async {
            let row = statement("SELECT ceiling FROM epochs WHERE pool = $1")
                .bind(pool.as_str())
                .fetch_optional(self.0.pool())
                .await?;
            row.map_or(Ok(Epoch(0)), |row| row.count("ceiling").map(Epoch))
        };
        self.0
            .bounded("reading the epochs of pool", pool, read)
            .await
    }

    /// Which supervisor leads the pool, as far as SQL knows.
    pub async fn leader(&self, pool: &PoolId) -> Result<Option<String>, StoreError> {
        let read = async {
            let row = statement("SELECT leader FROM epochs WHERE pool = $1")
                .bind(pool.as_str())
                .fetch_optional(self.0.pool())
                .await?;
            row.map_or(Ok(None), |row| row.text_or_none("leader"))
        };
        self.0
            .bounded("reading the leader of pool", pool, read)
            .await
    }

    /// Replaces the leader `known` by `leader`; `false` when it is not the one that stands there. The pool must have a row: a block was reserved.
    pub async fn replace_leader(
        &self,
        pool: &PoolId,
        known: Option<&str>,
        leader: &str,
    ) -> Result<bool, StoreError> {
        let replace = statement(
            "UPDATE epochs SET leader = $3 WHERE pool = $1 AND COALESCE(leader, '') = $2",
        )
        .bind(pool.as_str())
        .bind(known.unwrap_or_default())
        .bind(leader)
        .execute(self.0.pool());
        let done = self
            .0
            .bounded("noting the leader of pool", pool, replace)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    pub async fn lineage(&self, pool: &PoolId) -> Result<Option<String>, StoreError> {
        let read = async {
            let row = statement("SELECT lineage FROM epochs WHERE pool = $1")
                .bind(pool.as_str())
                .fetch_optional(self.0.pool())
                .await?;
            row.map_or(Ok(None), |row| row.text_or_none("lineage"))
        };
        self.0
            .bounded("reading the lineage of pool", pool, read)
            .await
    }

    /// Replaces the lineage `known` by `marker`; `false` when it is not the one that stands there, so that of two leaders who found
    /// Redis empty one gives it its name.
    pub async fn set_lineage(
        &self,
        pool: &PoolId,
        known: Option<&str>,
        marker: &str,
    ) -> Result<bool, StoreError> {
        let replace = async {
            statement(
                "INSERT INTO epochs (pool, ceiling) VALUES ($1, 0) ON CONFLICT (pool) DO NOTHING",
            )
            .bind(pool.as_str())
            .execute(self.0.pool())
            .await?;
            statement(
                "UPDATE epochs SET lineage = $3 WHERE pool = $1 AND COALESCE(lineage, '') = $2",
            )
            .bind(pool.as_str())
            .bind(known.unwrap_or_default())
            .bind(marker)
            .execute(self.0.pool())
            .await
        };
        let done = self
            .0
            .bounded("marking the lineage of pool", pool, replace)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Notes the mark among those that this pool has had, so that an older copy of its Redis is known as one.
    pub async fn remember_lineage(
        &self,
        pool: &PoolId,
        marker: &str,
        since: UnixMs,
    ) -> Result<(), StoreError> {
        let query = statement(
            "INSERT INTO lineages (pool, lineage, since) VALUES ($1, $2, $3) \
             ON CONFLICT (pool, lineage) DO NOTHING",
        )
        .bind(pool.as_str())
        .bind(marker)
        .bind(since.0)
        .execute(self.0.pool());
        self.0
            .bounded("noting a lineage of pool", pool, query)
            .await?;
        Ok(())
    }

    /// Has this pool ever had this mark?
    pub async fn had_lineage(&self, pool: &PoolId, marker: &str) -> Result<bool, StoreError> {
        let find = statement("SELECT lineage FROM lineages WHERE pool = $1 AND lineage = $2")
            .bind(pool.as_str())
            .bind(marker)
            .fetch_optional(self.0.pool());
        let found = self
            .0
            .bounded("looking for a lineage of pool", pool, find)
            .await?;
        Ok(found.is_some())
    }
}
