//! `events`: what an operator may want to look up later; a log that outlives log files.

use std::str::FromStr;

use shared_core::{IdError, Nonce, PoolId, UnixMs};
use sqlx::any::AnyRow;

use super::StoreError;
use super::db::{Columns, Db, statement};

/// What happened. The details of each kind are its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    SupervisorStarted,
    SupervisorStopped,
    WorkerStarted,
    WorkerDied,
    BotFailed,
    BotRecovered,
    PoolHeld,
    LoginMade,
    LoginLost,
    LineageChanged,
    /// A bot's other login took the place of one that was lost.
    LoginReplaced,
    Paused,
    Resumed,
    Pinned,
    Unpinned,
    /// An admin's order was turned away.
    OrderRefused,
    Scheduled,
    Unscheduled,
    /// A scheduled move's time came, and it could not be begun.
    ScheduleGivenUp,
    /// Telegram refused replies for good; they were moved aside.
    ReplyRefused,
    /// A copy of Redis has become the primary.
    RedisFailedOver,
    /// It lacks commits that were acknowledged.
    TailLost,
    /// A conversation that nobody could read was moved aside.
    ConversationQuarantined,
    /// Redis was given the state of the checkpoint.
    ConversationsRestored,
    /// A pool is held until a person says which of two histories counts.
    HistoryUndecided,
    /// The database does not take a record, whoever writes it; it is kept aside.
    RecordRefused,
}

impl EventKind {
    const ALL: &[Self] = &[
        Self::SupervisorStarted,
        Self::SupervisorStopped,
        Self::WorkerStarted,
        Self::WorkerDied,
        Self::BotFailed,
        Self::BotRecovered,
        Self::PoolHeld,
        Self::LoginMade,
        Self::LoginLost,
        Self::LineageChanged,
        Self::LoginReplaced,
        Self::Paused,
        Self::Resumed,
        Self::Pinned,
        Self::Unpinned,
        Self::OrderRefused,
        Self::Scheduled,
        Self::Unscheduled,
        Self::ScheduleGivenUp,
        Self::ReplyRefused,
        Self::RedisFailedOver,
        Self::TailLost,
        Self::ConversationQuarantined,
        Self::ConversationsRestored,
        Self::HistoryUndecided,
        Self::RecordRefused,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::SupervisorStarted => "supervisor_started",
            Self::SupervisorStopped => "supervisor_stopped",
            Self::WorkerStarted => "worker_started",
            Self::WorkerDied => "worker_died",
            Self::BotFailed => "bot_failed",
            Self::BotRecovered => "bot_recovered",
            Self::PoolHeld => "pool_held",
            Self::LoginMade => "login_made",
            Self::LoginLost => "login_lost",
            Self::LineageChanged => "lineage_changed",
            Self::LoginReplaced => "login_replaced",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Pinned => "pinned",
            Self::Unpinned => "unpinned",
            Self::OrderRefused => "order_refused",
            Self::Scheduled => "scheduled",
            Self::Unscheduled => "unscheduled",
            Self::ScheduleGivenUp => "schedule_given_up",
            Self::ReplyRefused => "reply_refused",
            Self::RedisFailedOver => "redis_failed_over",
            Self::TailLost => "tail_lost",
            Self::ConversationQuarantined => "conversation_quarantined",
            Self::ConversationsRestored => "conversations_restored",
            Self::HistoryUndecided => "history_undecided",
            Self::RecordRefused => "record_refused",
        }
    }
}

impl FromStr for EventKind {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let known = Self::ALL.iter().copied().find(|kind| kind.as_str() == text);
        known.ok_or(IdError::Malformed {
            what: "EventKind",
            expected: "a kind of event that this program knows",
        })
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub id: Nonce,
    /// `None` when it concerns the deployment.
    pub pool: Option<PoolId>,
    pub at: UnixMs,
    pub kind: EventKind,
    /// Which bot, worker, ... as its id prints.
    pub subject: String,
    pub details: serde_json::Value,
}

#[derive(Clone, Copy)]
pub struct Events<'a>(pub(super) &'a Db);

impl Events<'_> {
    /// Adds it; the same id again changes nothing.
    pub async fn add(&self, event: &Event) -> Result<(), StoreError> {
        let query = statement(
            "INSERT INTO events (id, pool, at, kind, subject, details) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(event.id.to_string())
        .bind(event.pool.as_ref().map_or("", PoolId::as_str))
        .bind(event.at.0)
        .bind(event.kind.as_str())
        .bind(&event.subject)
        .bind(event.details.to_string())
        .execute(self.0.pool());
        self.0
            .bounded("storing event", event.kind.as_str(), query)
            .await?;
        Ok(())
    }

    /// The latest first; `None` for those of the deployment.
    pub async fn list(&self, pool: Option<&PoolId>, limit: u32) -> Result<Vec<Event>, StoreError> {
        let name = pool.map_or("", PoolId::as_str);
        self.0
            .latest(
                "listing the events of pool",
                "SELECT id, pool, at, kind, subject, details \
                    FROM events WHERE pool = $1 ORDER BY at DESC, id LIMIT $2",
                name,
                limit,
                read,
            )
            .await
    }

    /// Those of all pools and of the deployment, the oldest first: the latest `limit` of them, or the first `limit` at or behind
    /// `after`. Whoever follows them asks again from the time of the last one and skips the ids that he has, because several
    /// may bear one time.
    pub async fn list_all(
        &self,
        limit: u32,
        after: Option<UnixMs>,
    ) -> Result<Vec<Event>, StoreError> {
        let list = async {
            let query = match after {
                Some(after) => statement(
                    "SELECT id, pool, at, kind, subject, details \
                        FROM events WHERE at >= $1 ORDER BY at, id LIMIT $2",
                )
                .bind(after.0),
                None => statement(
                    "SELECT id, pool, at, kind, subject, details \
                    FROM events ORDER BY at DESC, id DESC LIMIT $1",
                ),
            };
            let rows = query
                .bind(i64::from(limit))
                .fetch_all(self.0.pool())
                .await?;
            let mut events: Vec<Event> = rows.iter().map(read).collect::<Result<_, _>>()?;
            if after.is_none() {
                events.reverse();
            }
            Ok(events)
        };
        self.0
            .bounded("listing the events of", "all pools", list)
            .await
    }
}

fn read(row: &AnyRow) -> Result<Event, sqlx::Error> {
    let pool = row.text("pool")?;
    Ok(Event {
        id: row.id("id")?,
        pool: if pool.is_empty() {
            None
        } else {
            Some(row.name("pool")?)
        },
        at: row.time("at")?,
        kind: row.id("kind")?,
        subject: row.text("subject")?,
        details: row.json("details")?,
    })
}
