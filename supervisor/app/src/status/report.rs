//! The report as JSON: a contract, read by the sandbox and by scripts. Fields are only ever added.
//!
//! Times are unix milliseconds. What is not known is `null`.

use std::collections::BTreeMap;

use serde::Serialize;
use shared_core::{
    BotId, BotRole, ChannelTrouble, Connection, Laid, LoginSlot, OrderId, OtherLogin, Phase,
    Progress, Scheduled, SwitchId, UnixMs, WorkerId,
};
use shared_io::redis::SeenSupervisor;
use shared_io::sql::{SwitchKind, SwitchOutcome, SwitchRow};
use supervisor_core::PoolState;

#[derive(Debug, Serialize)]
pub struct Report {
    pub pools: Vec<PoolReport>,
    pub workers: Vec<WorkerReport>,
    pub redis: RedisReport,
    pub database: DatabaseReport,
    pub supervisor: SupervisorReport,
    /// All that say something, the leader first.
    pub supervisors: Vec<SupervisorShown>,
}

#[derive(Debug, Serialize)]
pub struct PoolReport {
    pub name: String,
    pub state: PoolState,
    pub reasons: Vec<String>,
    pub epoch: Option<u64>,
    pub phase: Option<Phase>,
    pub active: Option<Active>,
    pub bots: Vec<BotReport>,
    pub counters: BTreeMap<&'static str, i64>,
    pub outbox: Option<u64>,
    pub conversations_open: Option<u64>,
    /// Open conversations in private, as of `reach_at`.
    pub private_open: Option<u64>,
    /// When the active bot's worker last counted.
    pub reach_at: Option<UnixMs>,
    /// Conversations that could not be read and were moved aside.
    pub conversations_quarantined: Option<u64>,
    /// The latest first.
    pub switches: Vec<SwitchReport>,
    /// Automation is paused.
    pub paused: Option<Laid>,
    /// Automation keeps this bot.
    pub pinned: Option<Pinned>,
    /// A move that is to happen by itself.
    pub scheduled: Option<Scheduled>,
    /// Orders that are not over.
    pub orders: Vec<OrderReport>,
    /// What nobody can send or read.
    pub moved_aside: Option<MovedAside>,
    /// Records that the database refuses: kept until a person sends them again or drops them.
    pub records_refused: Option<u64>,
    /// How old the copy of the pool's state in the database is; `null` before the first one.
    pub checkpoint_lag_ms: Option<u64>,
    /// The pool is being given its state back.
    pub restoring: Option<RestoringReport>,
    /// The pool is held until a person decides.
    pub undecided: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct RestoringReport {
    pub why: String,
    pub done: u64,
    pub total: u64,
}

#[derive(Debug, Default, Serialize)]
pub struct MovedAside {
    pub count: u64,
    /// Of the latest hundred: the reason and how many have it, the most frequent first.
    pub reasons: Vec<(String, u64)>,
}

#[derive(Debug, Serialize)]
pub struct Pinned {
    pub bot: BotId,
    #[serde(flatten)]
    pub laid: Laid,
}

#[derive(Debug, Serialize)]
pub struct OrderReport {
    pub id: OrderId,
    pub order: String,
    pub by: String,
    pub progress: Progress,
    pub age_ms: u64,
}

#[derive(Debug, Serialize)]
pub struct Active {
    pub bot: BotId,
    pub username: Option<String>,
    pub worker: WorkerId,
}

#[derive(Debug, Serialize)]
pub struct BotReport {
    pub bot: BotId,
    pub name: String,
    pub username: Option<String>,
    pub role: BotRole,
    pub connection: Connection,
    pub worker: Option<WorkerId>,
    /// Members who have started it.
    pub reach: Option<u64>,
    /// Of the pool's `private_open`: those that it could go on with unasked.
    pub reach_open: Option<u64>,
    pub last_error: Option<String>,
    pub ready: bool,
    /// The login that is connected, or to be.
    pub slot: Option<LoginSlot>,
    /// How the other one is.
    pub other_login: OtherLogin,
    /// Configured channels that do not grant what they should.
    pub channels: Vec<ChannelTrouble>,
    /// Since the worker's word on it.
    pub age_ms: Option<u64>,
    /// Since Telegram last answered it.
    pub last_ok_ago_ms: Option<u64>,
}

#[derive(Debug, Serialize)]
pub struct SwitchReport {
    pub id: SwitchId,
    pub kind: SwitchKind,
    pub from: Option<BotId>,
    pub to: Option<BotId>,
    pub from_worker: Option<WorkerId>,
    pub to_worker: Option<WorkerId>,
    pub cause: String,
    pub outcome: SwitchOutcome,
    pub detected_at: Option<UnixMs>,
    pub fenced_at: Option<UnixMs>,
    pub activated_at: Option<UnixMs>,
    pub verified_at: Option<UnixMs>,
    pub opened_at: Option<UnixMs>,
    pub caught_up_at: Option<UnixMs>,
    pub first_reply_at: Option<UnixMs>,
}

#[derive(Debug, Serialize)]
pub struct WorkerReport {
    pub name: WorkerId,
    pub pid: u32,
    pub age_ms: u64,
    pub bots: Vec<BotId>,
}

#[derive(Debug, Serialize)]
pub struct RedisReport {
    pub ok: bool,
    pub appendfsync: Option<&'static str>,
    pub rtt_us: Option<u64>,
    /// Why it is not ok.
    pub problem: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct DatabaseReport {
    pub ok: bool,
    /// Why it is not.
    pub problem: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct SupervisorReport {
    /// On this data folder.
    pub running: bool,
    /// Who leads, on whichever data folder.
    pub leader: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct SupervisorShown {
    pub id: String,
    pub host: String,
    pub pid: u32,
    pub version: String,
    pub role: SupervisorRole,
    /// Since when it leads or follows.
    pub since: UnixMs,
    /// The workers that it starts.
    pub workers: Vec<WorkerId>,
    /// Since its last word.
    pub age_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SupervisorRole {
    Leads,
    Follows,
    /// It said that it leads, and the lead is another's or nobody's: it was stopped, or is cut off.
    Led,
}

impl SupervisorShown {
    /// `leader`: whose the lead is.
    pub fn of(seen: SeenSupervisor, leader: Option<&str>) -> Self {
        let SeenSupervisor { beat, age_ms } = seen;
        Self {
            role: match (beat.leads, leader == Some(beat.id.as_str())) {
                (_, true) => SupervisorRole::Leads,
                (true, false) => SupervisorRole::Led,
                (false, false) => SupervisorRole::Follows,
            },
            id: beat.id,
            host: beat.host,
            pid: beat.pid,
            version: beat.version,
            since: beat.since,
            workers: beat.workers,
            age_ms,
        }
    }
}

impl Report {
    pub fn is_well(&self) -> bool {
        let pools_well = self.pools.iter().all(|pool| pool.state == PoolState::Ok);
        let is_led = self.supervisor.running || self.supervisor.leader.is_some();
        pools_well && self.redis.ok && self.database.ok && is_led
    }
}

impl From<SwitchRow> for SwitchReport {
    fn from(row: SwitchRow) -> Self {
        let timeline = row.timeline;
        Self {
            id: row.id,
            kind: row.kind,
            from: row.from_bot,
            to: row.to_bot,
            from_worker: row.from_worker,
            to_worker: row.to_worker,
            cause: row.cause,
            outcome: row.outcome,
            detected_at: timeline.detected_at,
            fenced_at: timeline.fenced_at,
            activated_at: timeline.activated_at,
            verified_at: timeline.verified_at,
            opened_at: timeline.opened_at,
            caught_up_at: timeline.caught_up_at,
            first_reply_at: timeline.first_reply_at,
        }
    }
}
