//! What an admin asks for, from the command line or from Telegram, on its way to the leader and back.
//!
//! ```text
//! state      who writes it                next
//! waiting    whoever asks, once per id    refused | running | done
//! running    leader                       done | failed
//! refused, done, failed                   (the end; forgotten after a while)
//! ```
//! Invariants: an id is carried out at most once, however often it is submitted; the leader checks everything again, whatever
//! the asker was shown; an order that nobody took within [`ORDER_LIVES_MS`] is refused, so that nothing happens out of the blue when a
//! supervisor comes back. Ages are Redis' own: no two machines' clocks are compared.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{BotId, IdError, MemberId, MessageId, Nonce, SwitchId, UnixMs};

/// An order that the leader sees later than this after it was submitted is refused (milliseconds).
pub const ORDER_LIVES_MS: u64 = 30_000;

/// A scheduled move that no leader has begun so long after its time is given up (milliseconds): whoever planned it is not there any more.
pub const SCHEDULE_LIVES_MS: u64 = 600_000;

/// A move is scheduled at most so far ahead (milliseconds): thirty days.
pub const SCHEDULE_AHEAD_MS: u64 = 30 * 86_400_000;

/// A confirmation is asked for at most so long after its plan was shown (milliseconds).
pub const CONFIRM_WITHIN_MS: u64 = 120_000;

/// Names a plan by its content: the same plan on the same holder and epoch has the same id, any other one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlanId(pub Nonce);

impl fmt::Display for PlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for PlanId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        text.parse().map(Self)
    }
}

/// Names an order. Whoever asks makes it: at random, or from what he answers, so that a replay is the same order.
pub type OrderId = Nonce;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum Order {
    /// To a named bot, also while automation is paused.
    Switch {
        to: BotId,
    },
    /// To the best standby.
    Rotate,
    /// Whatever helps now: what automation would do, without its pauses and bounds; else a rotation.
    Recover,
    /// No automatic switch, takeover or relogin until resumed.
    Pause,
    Resume,
    /// Automation keeps this bot active: other workers and logins are tried, another bot is not.
    Pin {
        bot: BotId,
    },
    Unpin,
    /// The move that is to happen by itself at a time: to a named bot, or to the best standby. `fires` is the id of the order that it
    /// becomes then.
    Schedule {
        to: Option<BotId>,
        due: UnixMs,
        fires: OrderId,
    },
    Unschedule,
    /// Give the pool the state of one of the two stores, under a new epoch.
    Restore {
        take: Take,
    },
}

/// Which store's state of a pool counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Take {
    /// What the database's checkpoint has replaces what Redis has.
    Database,
    /// What Redis has stays, and the checkpoint begins anew.
    Redis,
}

impl fmt::Display for Take {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Database => "database",
            Self::Redis => "redis",
        })
    }
}

impl Order {
    /// The word of the command line.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Switch { .. } => "switch",
            Self::Rotate => "rotate",
            Self::Recover => "recover",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Pin { .. } => "pin",
            Self::Unpin => "unpin",
            Self::Schedule { .. } => "schedule",
            Self::Unschedule => "unschedule",
            Self::Restore { .. } => "restore",
        }
    }

    /// Does it change who answers?
    pub fn moves(&self) -> bool {
        matches!(self, Self::Switch { .. } | Self::Rotate | Self::Recover)
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Switch { to: bot } | Self::Pin { bot } => write!(f, "{} {bot}", self.word()),
            Self::Schedule { to: Some(bot), .. } => write!(f, "schedule switch {bot}"),
            Self::Schedule { to: None, .. } => f.write_str("schedule rotate"),
            Self::Restore { take } => write!(f, "{} {take}", self.word()),
            _ => f.write_str(self.word()),
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Requester {
    /// The operating system's user name.
    Cli { user: String },
    /// An admin in a private chat with `bot`, who is shown the progress in `message`.
    Admin {
        member: MemberId,
        bot: BotId,
        message: Option<MessageId>,
    },
    /// The leader itself, because somebody had scheduled it.
    Schedule { by: String },
}

impl fmt::Display for Requester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cli { user } => write!(f, "cli:{user}"),
            Self::Admin { member, .. } => member.fmt(f),
            Self::Schedule { by } => f.write_str(by),
        }
    }
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Progress {
    Waiting,
    Refused {
        why: String,
    },
    /// A switch is under way; `step` is for a person.
    Running {
        switch: SwitchId,
        step: String,
    },
    Done {
        outcome: String,
        /// From the order to members being served again, or to its effect; milliseconds.
        took_ms: u64,
        /// The checks of the smoke test that let the new holder in; empty when there was none.
        smoke: Vec<String>,
    },
    Failed {
        why: String,
    },
}

impl Progress {
    pub fn is_over(&self) -> bool {
        !matches!(self, Self::Waiting | Self::Running { .. })
    }
}

/// An order as it stands in Redis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub id: OrderId,
    #[serde(flatten)]
    pub order: Order,
    pub by: Requester,
    /// The plan that was shown and confirmed; carried out only while it is still the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanId>,
    /// By the asker's wall clock; shown, never judged by.
    pub at: UnixMs,
    pub progress: Progress,
}

/// What an operator has laid down for a pool.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Overrides {
    pub paused: Option<Laid>,
    pub pinned: Option<(BotId, Laid)>,
    pub scheduled: Option<Scheduled>,
}

/// A move that is to happen by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduled {
    /// `None`: to whichever standby is best then.
    pub to: Option<BotId>,
    /// By the leader's wall clock: it is a time that a person has named.
    pub due: UnixMs,
    /// The order that it becomes. An order is carried out once, so a leader that dies in between repeats nothing.
    pub fires: OrderId,
    #[serde(flatten)]
    pub laid: Laid,
}

impl Scheduled {
    /// The order that is given when it is due.
    pub fn order(&self) -> Order {
        match self.to {
            Some(to) => Order::Switch { to },
            None => Order::Rotate,
        }
    }
}

/// When and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Laid {
    pub at: UnixMs,
    pub by: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_request_reads_back() {
        let request = Request {
            id: Nonce([1; 8]),
            order: Order::Switch { to: BotId(2) },
            by: Requester::Admin {
                member: MemberId(5),
                bot: BotId(3),
                message: Some(MessageId(9)),
            },
            plan: Some(PlanId(Nonce([2; 8]))),
            at: UnixMs(10),
            progress: Progress::Running {
                switch: SwitchId([3; 8]),
                step: "fenced".into(),
            },
        };
        let json = serde_json::to_string(&request).unwrap();
        assert_eq!(serde_json::from_str::<Request>(&json).unwrap(), request);
        assert_eq!(request.order.to_string(), "switch b2");
        assert!(!request.progress.is_over());
    }

    #[test]
    fn no_overrides_are_an_empty_object() {
        assert_eq!(
            serde_json::from_str::<Overrides>("{}").unwrap(),
            Overrides::default()
        );
    }
}
