//! `overrides`: what admins have ordered for a pool, kept so that it outlives Redis and every process. Only the pool's leader writes it
//! (`sql/epochs.rs`): a pause that was undone must not come back with a supervisor that slept.

use serde_json::json;
use shared_core::{BotId, PoolId, Scheduled, UnixMs};
use sqlx::any::AnyRow;

use super::StoreError;
use super::db::{Columns, Db, statement};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverridesRow {
    pub pool: PoolId,
    /// `None`: the automation runs.
    pub paused_at: Option<UnixMs>,
    pub paused_by: Option<String>,
    /// `None`: any bot may be active.
    pub pinned: Option<BotId>,
    pub pinned_at: Option<UnixMs>,
    pub pinned_by: Option<String>,
    /// `None`: no move is scheduled.
    pub scheduled: Option<Scheduled>,
}

#[derive(Clone, Copy)]
pub struct Overrides<'a>(pub(super) &'a Db);

impl Overrides<'_> {
    /// `None` when nobody has ever ordered anything for the pool.
    pub async fn get(&self, pool: &PoolId) -> Result<Option<OverridesRow>, StoreError> {
        let find = async {
            let row = statement(
                "SELECT pool, paused_at, paused_by, pinned_bot, pinned_at, pinned_by, scheduled \
                FROM overrides WHERE pool = $1",
            )
            .bind(pool.as_str())
            .fetch_optional(self.0.pool())
            .await?;
            row.map(|row| read(&row)).transpose()
        };
        self.0
            .bounded("reading the overrides of pool", pool, find)
            .await
    }

    /// Replaces what stands there, if this leader leads the pool. Whether it does.
    pub async fn put(&self, row: &OverridesRow, leader: &str) -> Result<bool, StoreError> {
        let scheduled = row.scheduled.as_ref().map(|s| json!(s).to_string());
        let query = statement(
            "INSERT INTO overrides (pool, paused_at, paused_by, pinned_bot, pinned_at, pinned_by, scheduled) \
             SELECT $1, $2, $3, $4, $5, $6, $7 WHERE EXISTS (SELECT 1 FROM epochs WHERE epochs.pool = $1 AND epochs.leader = $8) \
             ON CONFLICT (pool) DO UPDATE SET paused_at = excluded.paused_at, paused_by = excluded.paused_by, \
                 pinned_bot = excluded.pinned_bot, pinned_at = excluded.pinned_at, pinned_by = excluded.pinned_by, \
                 scheduled = excluded.scheduled",
        )
        .bind(row.pool.as_str())
        .bind(row.paused_at.map(|at| at.0))
        .bind(&row.paused_by)
        .bind(row.pinned.map(|bot| bot.to_string()))
        .bind(row.pinned_at.map(|at| at.0))
        .bind(&row.pinned_by)
        .bind(scheduled)
        .bind(leader)
        .execute(self.0.pool());
        let done = self
            .0
            .bounded("storing the overrides of pool", &row.pool, query)
            .await?;
        Ok(done.rows_affected() == 1)
    }
}

fn read(row: &AnyRow) -> Result<OverridesRow, sqlx::Error> {
    Ok(OverridesRow {
        pool: row.name("pool")?,
        paused_at: row.time_or_none("paused_at")?,
        paused_by: row.text_or_none("paused_by")?,
        pinned: row.id_or_none("pinned_bot")?,
        pinned_at: row.time_or_none("pinned_at")?,
        pinned_by: row.text_or_none("pinned_by")?,
        scheduled: scheduled(row)?,
    })
}

fn scheduled(row: &AnyRow) -> Result<Option<Scheduled>, sqlx::Error> {
    let Some(text) = row.text_or_none("scheduled")? else {
        return Ok(None);
    };
    let read = serde_json::from_str(&text);
    read.map(Some).map_err(|error| sqlx::Error::ColumnDecode {
        index: "scheduled".to_owned(),
        source: Box::new(error),
    })
}
