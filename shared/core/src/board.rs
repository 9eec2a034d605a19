//! The board: how a pool stands, as the leader publishes it and as every worker keeps it, so that an admin can be told while the
//! supervisor or Redis is gone.
//!
//! A board is for people and never for decisions: it is old when it is read, and whoever shows it says how old. Ages in it are
//! relative to [`PoolBoard::at`]; how old the board itself is, each reader knows from when it last changed on his own clock.

use serde::{Deserialize, Serialize};

use crate::{
    BotId, BotRole, Connection, Epoch, Overrides, Phase, PlanId, PoolId, SwitchId, UnixMs, WorkerId,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BoardState {
    Ok,
    Degraded,
    Switching,
    Down,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolBoard {
    pub pool: PoolId,
    /// The leader's wall clock; shown, never judged by.
    pub at: UnixMs,
    /// Grows with each board of a leader, so that a reader sees a change even when nothing else changed.
    pub seq: u64,
    pub leader: String,
    pub state: BoardState,
    pub reasons: Vec<String>,
    pub epoch: Option<Epoch>,
    pub phase: Option<Phase>,
    pub active: Option<BotId>,
    pub bots: Vec<BoardBot>,
    pub workers: Vec<BoardWorker>,
    pub redis: BoardRedis,
    pub database_ok: bool,
    pub overrides: Overrides,
    pub last_switch: Option<BoardSwitch>,
    /// What an order would do now, by its word.
    pub rotate: Preview,
    pub recover: Preview,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardBot {
    pub bot: BotId,
    pub name: String,
    /// Without `@`; empty while it is unknown.
    pub username: String,
    pub role: BotRole,
    pub connection: Connection,
    pub worker: Option<WorkerId>,
    /// Could answer at once.
    pub ready: bool,
    pub reach: u64,
    /// Has a second login at rest.
    pub resting: bool,
    /// How old the worker's word on it was.
    pub age_ms: Option<u64>,
    pub error: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardWorker {
    pub worker: WorkerId,
    pub bots: usize,
    /// Since its last heartbeat.
    pub age_ms: Option<u64>,
    pub well: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardRedis {
    pub ok: bool,
    pub rtt_us: Option<u64>,
    pub appendfsync: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardSwitch {
    pub id: SwitchId,
    /// `first`, `switch`, `takeover` or `relogin`.
    pub kind: String,
    pub from: Option<BotId>,
    pub to: Option<BotId>,
    pub cause: String,
    pub at: UnixMs,
    /// From its detection to the open epoch; `None` when nobody was left to try.
    pub took_ms: Option<u64>,
    pub first_reply_ms: Option<u64>,
}

/// What would be done, for a person to confirm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// `None`: nothing would be done, and `text` says why.
    pub plan: Option<PlanId>,
    pub text: String,
    pub reasons: Vec<String>,
}
