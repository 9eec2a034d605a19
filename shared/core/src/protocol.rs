//! What the supervisor tells the workers and what they tell it, besides the epoch record, leases, heartbeats and smoke reports.
//!
//! Everything is level-triggered: an assignment is a wanted state that stands in Redis until it changes, and a bell (a pub/sub message
//! without content) only says *look now*. A lost bell costs a poll interval, nothing else.

use serde::{Deserialize, Serialize};

use crate::{BotId, Epoch, LoginSlot, Nonce, UnixMs, WorkerId};

/// Which worker is to hold a bot's connection, with which login. Whoever takes the bot's lease must show the same grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    pub bot: BotId,
    pub worker: WorkerId,
    pub slot: LoginSlot,
    /// Changes with each reassignment, so that a worker that slept through one cannot come back under it.
    pub grant: Nonce,
    /// The worker's process that it was given to, as far as the leader had heard of it. A later one of that name takes the hold only when this one is
    /// known to be gone: it may be connected although nobody hears it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Nonce>,
    /// Who last used the other login is not known to have let go of it: it is not to be connected before this time (the leader's
    /// wall clock).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_rests_until: Option<UnixMs>,
    /// Who that was. Once that process is heard without the bot, or known to be dead, the other login is free before its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_process: Option<ProcessId>,
}

impl Assignment {
    /// The same hold of the bot: what else is in an assignment may change under it.
    pub fn is_same_hold(&self, other: &Self) -> bool {
        (self.bot, &self.worker, self.slot, self.grant)
            == (other.bot, &other.worker, other.slot, other.grant)
    }
}

/// One process of a worker's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcessId {
    pub worker: WorkerId,
    pub nonce: Nonce,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MilestoneKind {
    /// The worker saw itself named in the epoch record.
    Activated,
    /// Its smoke test is published.
    Smoked,
    /// Every difference since the committed cursors is processed.
    CaughtUp,
    /// Conversations and the outbox go on.
    Resumed,
    /// Telegram acknowledged the first reply of this epoch.
    FirstReply,
}

/// A point on a switch's timeline, as a worker saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Milestone {
    pub epoch: Epoch,
    pub kind: MilestoneKind,
    pub worker: WorkerId,
    pub at: UnixMs,
}

/// What rings the supervisor's bell; shown in logs only, acted on by looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerNotice {
    Health,
    Smoke,
    Milestone,
}
