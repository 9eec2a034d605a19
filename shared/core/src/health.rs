//! What a worker says of itself, four times a second: its bots, its connections, its work.
//!
//! A heartbeat is a sample, not a verdict: judging it is the supervisor's business. Ages are given as the worker's own
//! monotonic ages in milliseconds (`*_ago_ms`), so that no two machines' clocks are ever compared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    BotId, ChannelId, Epoch, EpochStamp, ErrorClass, LoginSlot, Nonce, Phase, PoolId, UnixMs,
    WorkerId,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BotRole {
    Active,
    Standby,
}

/// The state of a bot's connection as its worker sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Connection {
    /// Assigned; no connection is wanted or possible at the moment (no lease, waiting after a failure).
    Absent,
    Connecting,
    /// Logged in, its probe answered within the deadline.
    Ready,
    /// The last probe or call failed in a way that says nothing final (network, time-out, server trouble).
    Shaky,
    /// A fatal error (see `last_error`): the worker has given the connection up.
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorSeen {
    pub class: ErrorClass,
    /// Telegram's name of it, or ours for a network error. Never holds a secret.
    pub name: String,
    pub ago_ms: u64,
}

/// Round trips of the recent probes, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LatencySummary {
    pub count: u64,
    pub last_us: u64,
    pub max_us: u64,
}

/// A bot's second login, as far as its worker knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OtherLogin {
    /// SQL has not been asked, or did not answer.
    #[default]
    Unknown,
    /// Logged in once, sealed in SQL, not connected.
    Resting,
    /// There is none yet.
    Missing,
    /// Telegram does not take it any more; it is made anew in time.
    Lost,
}

/// What is wrong with a bot's standing in a configured channel, and how to mend it, in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelTrouble {
    pub channel: ChannelId,
    pub what: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BotHealth {
    pub pool: PoolId,
    pub bot: BotId,
    pub username: String,
    pub slot: LoginSlot,
    pub role: BotRole,
    pub connection: Connection,
    /// Since Telegram last answered anything; `None` if it never did.
    pub last_ok_ago_ms: Option<u64>,
    /// For how long it has been answered without a break, however slowly; `None` if it never was, or of a worker that does not say.
    #[serde(default)]
    pub answered_for_ms: Option<u64>,
    pub probe: LatencySummary,
    pub last_error: Option<ErrorSeen>,
    /// Seconds that Telegram told us to wait, if that is not over.
    pub flood_wait_s: Option<u32>,
    pub lease_held: bool,
    /// For how long the bot has been ready with its lease held, without a break; `None` while it is not.
    #[serde(default)]
    pub settled_ms: Option<u64>,
    /// The login that this connection does not use.
    #[serde(default)]
    pub other_login: OtherLogin,
    /// Configured channels that do not grant what they should, as of the last look.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<ChannelTrouble>,
    /// Members known to have started this bot and not stopped it.
    pub reach: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolWork {
    pub pool: PoolId,
    pub bot: BotId,
    /// The epoch this worker last saw for the pool, and its phase.
    pub epoch: EpochStamp,
    pub phase: Phase,
    pub conversations_open: u64,
    pub outbox: u64,
    pub commits: u64,
    /// Commits that Redis refused because the epoch was not ours any more.
    pub commits_refused: u64,
    pub duplicates: u64,
    pub sent: u64,
    pub updates_unknown: u64,
    pub files_to_resend: u64,
    /// Replies that may have been sent by two bots.
    pub maybe_repeated: u64,
    /// Replies that wait until their member presses Start.
    pub parked: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    pub worker: WorkerId,
    /// Tells a restarted worker from its predecessor.
    pub nonce: Nonce,
    pub pid: u32,
    pub seq: u64,
    pub sent: UnixMs,
    pub started: UnixMs,
    pub version: String,
    pub bots: Vec<BotHealth>,
    pub pools: Vec<PoolWork>,
    /// The highest epoch of each pool that this process has ever seen; it acts on nothing below.
    #[serde(default)]
    pub seen: BTreeMap<PoolId, Epoch>,
    /// The last round trip to Redis, in microseconds.
    pub redis_us: u64,
    pub sql_ok: bool,
}

impl Heartbeat {
    pub fn bot(&self, pool: &PoolId, bot: BotId) -> Option<&BotHealth> {
        self.bots
            .iter()
            .find(|health| health.bot == bot && health.pool == *pool)
    }
}
