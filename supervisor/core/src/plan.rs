//! Plans and their reasons. A plan leaves no meaningful choice to whoever executes it; its reasons are read by people and by tests.

use std::fmt;

use serde::{Deserialize, Serialize};
use shared_core::{BotId, ErrorClass, Holder, WorkerId};

use crate::verdict::{Finding, Health};

/// A bot that is to be held by a worker, without being active.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    pub bot: BotId,
    pub worker: WorkerId,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    Nothing,
    /// Look again when this much time has passed, or something changes.
    Wait {
        for_ms: u64,
    },
    /// Nobody holds the pool: name the first, or the next one after a switch that found nobody.
    FirstActivation {
        to: Holder,
        cause: Cause,
    },
    /// The same bot on another worker. When it does not pass there, `then` are tried in order.
    Takeover {
        bot: BotId,
        from: WorkerId,
        to: WorkerId,
        cause: Cause,
        then: Vec<Holder>,
    },
    /// Another bot. When it does not pass, `then` are tried in order.
    Switch {
        from: Holder,
        to: Holder,
        cause: Cause,
        then: Vec<Holder>,
    },
    PlaceStandbys(Vec<Placement>),
    Hold {
        why: Hold,
    },
}

/// Why the pool is moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum Cause {
    NobodyActive,
    BotFatal {
        class: ErrorClass,
        error: String,
    },
    LineSilent {
        silent_ms: u64,
    },
    NotServed {
        for_ms: u64,
    },
    WorkerDead,
    WorkerSilent {
        age_ms: u64,
    },
    /// Its last heartbeat has expired.
    WorkerGone,
}

impl Cause {
    /// A short stable word for reports.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NobodyActive => "nobody_active",
            Self::BotFatal { class, .. } => match class {
                ErrorClass::TokenDead => "token_dead",
                ErrorClass::BotDead => "bot_dead",
                _ => "session_dead",
            },
            Self::LineSilent { .. } => "line_silent",
            Self::NotServed { .. } => "not_served",
            Self::WorkerDead => "worker_dead",
            Self::WorkerSilent { .. } => "worker_silent",
            Self::WorkerGone => "worker_gone",
        }
    }

    /// Is it certain, so that waiting could not improve the judgement?
    pub fn is_certain(&self) -> bool {
        match self {
            Self::NobodyActive
            | Self::BotFatal { .. }
            | Self::WorkerDead
            | Self::WorkerSilent { .. }
            | Self::WorkerGone => true,
            Self::LineSilent { .. } | Self::NotServed { .. } => false,
        }
    }
}

/// Why nothing is done although something is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hold {
    RedisDown,
    /// No bot of the pool is answered: Telegram or our line is down, another bot would not help.
    LineDown,
    /// Telegram refuses our api_id or our requests: it hits every bot alike.
    OurFault {
        error: String,
    },
    NobodyReady,
    NoWorker,
    SwitchBound {
        done: u32,
        max: u32,
    },
}

/// Why a standby was not chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    Verdict(Health, Option<Finding>),
    Worker(WorkerId),
    NotReady,
    NoLease,
    NoWitness { last_ok_ms: Option<u64> },
    FailedRecently { left_ms: u64 },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    Bot(BotId, Health, Finding),
    Worker(WorkerId, Health, Finding),
    NotChosen(BotId, Unfit),
    Chosen {
        bot: BotId,
        worker: WorkerId,
        reach: u64,
    },
    CoolDown {
        left_ms: u64,
    },
    WaitsForWorker(WorkerId),
    WaitsForBot(BotId),
    SagaRunning,
    SharesActiveWorker(BotId),
}

/// A plan with everything that led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub plan: Plan,
    pub reasons: Vec<Reason>,
}

impl Plan {
    /// Does it change who answers?
    pub fn moves(&self) -> bool {
        matches!(
            self,
            Self::FirstActivation { .. } | Self::Takeover { .. } | Self::Switch { .. }
        )
    }
}

/// `b2@w1`: how a holder reads in reasons and reports.
pub(crate) struct Shown<'a>(pub &'a Holder);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.0.bot, self.0.worker)
    }
}

fn list(f: &mut fmt::Formatter<'_>, then: &[Holder]) -> fmt::Result {
    for (at, holder) in then.iter().enumerate() {
        write!(
            f,
            "{} {}",
            if at == 0 { ", else" } else { "," },
            Shown(holder)
        )?;
    }
    Ok(())
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => write!(f, "nothing"),
            Self::Wait { for_ms } => write!(f, "wait {for_ms} ms"),
            Self::FirstActivation { to, cause } => write!(f, "activate {} ({cause})", Shown(to)),
            Self::Takeover {
                bot,
                from,
                to,
                cause,
                then,
            } => {
                write!(f, "takeover {bot} {from} -> {to} ({cause})")?;
                list(f, then)
            }
            Self::Switch {
                from,
                to,
                cause,
                then,
            } => {
                write!(f, "switch {} -> {} ({cause})", Shown(from), Shown(to))?;
                list(f, then)
            }
            Self::PlaceStandbys(placements) => {
                write!(f, "place")?;
                for placement in placements {
                    write!(f, " {}@{}", placement.bot, placement.worker)?;
                }
                Ok(())
            }
            Self::Hold { why } => write!(f, "hold: {why}"),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NobodyActive => write!(f, "nobody is active"),
            Self::BotFatal { error, .. } => write!(f, "{error}"),
            Self::LineSilent { silent_ms } => write!(f, "line silent for {silent_ms} ms"),
            Self::NotServed { for_ms } => write!(f, "not served for {for_ms} ms"),
            Self::WorkerDead => write!(f, "worker process dead"),
            Self::WorkerSilent { age_ms } => write!(f, "worker silent for {age_ms} ms"),
            Self::WorkerGone => write!(f, "worker not heard of any more"),
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RedisDown => write!(f, "Redis cannot be reached"),
            Self::LineDown => write!(f, "no bot is answered: Telegram or our line is down"),
            Self::OurFault { error } => write!(f, "Telegram refuses our own request: {error}"),
            Self::NobodyReady => write!(f, "no standby is ready"),
            Self::NoWorker => write!(f, "no other worker is well"),
            Self::SwitchBound { done, max } => {
                write!(f, "{done} moves in the last hour, {max} are allowed")
            }
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verdict(health, None) => write!(f, "{health}"),
            Self::Verdict(health, Some(finding)) => write!(f, "{health}, {finding}"),
            Self::Worker(worker) => write!(f, "worker {worker} is not well"),
            Self::NotReady => write!(f, "not connected"),
            Self::NoLease => write!(f, "its lease is not held"),
            Self::NoWitness { last_ok_ms: None } => write!(f, "never answered"),
            Self::NoWitness {
                last_ok_ms: Some(ago),
            } => write!(f, "last answered {ago} ms ago"),
            Self::FailedRecently { left_ms } => {
                write!(f, "failed its smoke test, rests for {left_ms} ms")
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bot(bot, health, finding) => write!(f, "bot {bot} {health}: {finding}"),
            Self::Worker(worker, health, finding) => {
                write!(f, "worker {worker} {health}: {finding}")
            }
            Self::NotChosen(bot, unfit) => write!(f, "{bot} not chosen: {unfit}"),
            Self::Chosen { bot, worker, reach } => {
                write!(f, "{bot}@{worker} chosen: ready, reach {reach}")
            }
            Self::CoolDown { left_ms } => write!(f, "cool-down, {left_ms} ms left"),
            Self::WaitsForWorker(worker) => write!(f, "worker {worker} is starting"),
            Self::WaitsForBot(bot) => write!(f, "{bot} is preferred and still connecting"),
            Self::SagaRunning => write!(f, "a switch is in progress"),
            Self::SharesActiveWorker(bot) => write!(f, "{bot} shares the active bot's worker"),
        }
    }
}
