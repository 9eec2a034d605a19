//! `switches`: every first activation, switch, takeover and relogin, with its cause and its timeline.
//!
//! A row may be written more than once: when the members are served, and again when the timeline is complete. That a switch took place stays true
//! whoever says it; what is known of it is changed by the pool's leader alone (`sql/epochs.rs`).

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use shared_core::{BotId, IdError, PoolId, SwitchId, UnixMs, WorkerId};
use sqlx::any::AnyRow;

use super::StoreError;
use super::db::{Columns, Db, statement, storable, to_json};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SwitchKind {
    /// Nobody had answered before.
    First,
    /// Another bot answers.
    Switch,
    /// Another worker holds the same bot.
    Takeover,
    /// The same worker holds the same bot by its other login.
    Relogin,
}

impl SwitchKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Switch => "switch",
            Self::Takeover => "takeover",
            Self::Relogin => "relogin",
        }
    }
}

impl FromStr for SwitchKind {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        match text {
            "first" => Ok(Self::First),
            "switch" => Ok(Self::Switch),
            "takeover" => Ok(Self::Takeover),
            "relogin" => Ok(Self::Relogin),
            _ => Err(IdError::Malformed {
                what: "SwitchKind",
                expected: "`first`, `switch`, `takeover` or `relogin`",
            }),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SwitchOutcome {
    /// The pool is open again.
    Done,
    /// Nobody was left to try.
    Held,
}

impl SwitchOutcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Held => "held",
        }
    }
}

impl FromStr for SwitchOutcome {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        match text {
            "done" => Ok(Self::Done),
            "held" => Ok(Self::Held),
            _ => Err(IdError::Malformed {
                what: "SwitchOutcome",
                expected: "`done` or `held`",
            }),
        }
    }
}

/// When each step was reached, by the wall clock of whoever reached it; `None` for what has not been.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Timeline {
    pub detected_at: Option<UnixMs>,
    pub fenced_at: Option<UnixMs>,
    pub activated_at: Option<UnixMs>,
    pub verified_at: Option<UnixMs>,
    pub opened_at: Option<UnixMs>,
    pub caught_up_at: Option<UnixMs>,
    pub first_reply_at: Option<UnixMs>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwitchRow {
    pub id: SwitchId,
    pub pool: PoolId,
    pub kind: SwitchKind,
    pub from_bot: Option<BotId>,
    pub to_bot: Option<BotId>,
    pub from_worker: Option<WorkerId>,
    pub to_worker: Option<WorkerId>,
    /// The reasons, for a person.
    pub cause: String,
    pub timeline: Timeline,
    pub outcome: SwitchOutcome,
    pub started: UnixMs,
    pub finished: Option<UnixMs>,
}

#[derive(Clone, Copy)]
pub struct Switches<'a>(pub(super) &'a Db);

impl Switches<'_> {
    /// Adds the switch; or replaces everything but its pool, kind and start, if this leader leads the pool. Whether anything was written.
    pub async fn put(&self, row: &SwitchRow, leader: &str) -> Result<bool, StoreError> {
        let store = async {
            statement(
                "INSERT INTO switches (id, pool, kind, from_bot, to_bot, from_worker, to_worker, cause, timeline, \
                     outcome, started, finished) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
                 ON CONFLICT (id) DO UPDATE SET from_bot = excluded.from_bot, to_bot = excluded.to_bot, \
                     from_worker = excluded.from_worker, to_worker = excluded.to_worker, cause = excluded.cause, \
                     timeline = excluded.timeline, outcome = excluded.outcome, finished = excluded.finished \
                 WHERE EXISTS (SELECT 1 FROM epochs WHERE epochs.pool = switches.pool AND epochs.leader = $13)",
            )
            .bind(row.id.to_string())
            .bind(row.pool.as_str())
            .bind(row.kind.as_str())
            .bind(row.from_bot.map(|bot| bot.to_string()))
            .bind(row.to_bot.map(|bot| bot.to_string()))
            .bind(row.from_worker.as_ref().map(WorkerId::as_str))
            .bind(row.to_worker.as_ref().map(WorkerId::as_str))
            .bind(&*storable(&row.cause))
            .bind(to_json(&row.timeline)?)
            .bind(row.outcome.as_str())
            .bind(row.started.0)
            .bind(row.finished.map(|at| at.0))
            .bind(leader)
            .execute(self.0.pool())
            .await
        };
        let done = self.0.bounded("storing switch", row.id, store).await?;
        Ok(done.rows_affected() == 1)
    }

    pub async fn get(&self, id: SwitchId) -> Result<Option<SwitchRow>, StoreError> {
        let find = async {
            let row = statement("SELECT id, pool, kind, from_bot, to_bot, from_worker, to_worker, cause, timeline, outcome, started, finished \
                FROM switches WHERE id = $1")
                .bind(id.to_string())
                .fetch_optional(self.0.pool())
                .await?;
            row.map(|row| read(&row)).transpose()
        };
        self.0.bounded("reading switch", id, find).await
    }

    /// The latest first.
    pub async fn list(&self, pool: &PoolId, limit: u32) -> Result<Vec<SwitchRow>, StoreError> {
        self.0
            .latest(
                "listing the switches of pool",
                "SELECT id, pool, kind, from_bot, to_bot, from_worker, to_worker, cause, timeline, outcome, started, finished \
                    FROM switches WHERE pool = $1 ORDER BY started DESC, id LIMIT $2",
                pool.as_str(),
                limit,
                read,
            )
            .await
    }
}

fn read(row: &AnyRow) -> Result<SwitchRow, sqlx::Error> {
    Ok(SwitchRow {
        id: row.id("id")?,
        pool: row.name("pool")?,
        kind: row.id("kind")?,
        from_bot: row.id_or_none("from_bot")?,
        to_bot: row.id_or_none("to_bot")?,
        from_worker: row.name_or_none("from_worker")?,
        to_worker: row.name_or_none("to_worker")?,
        cause: row.text("cause")?,
        timeline: row.json("timeline")?,
        outcome: row.id("outcome")?,
        started: row.time("started")?,
        finished: row.time_or_none("finished")?,
    })
}
