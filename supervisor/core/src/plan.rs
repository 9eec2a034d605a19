//! Plans and their reasons. A plan leaves no meaningful choice to whoever executes it; its reasons are read by people and by tests.

mod show;

use serde::{Deserialize, Serialize};
use shared_core::{BotId, ErrorClass, Holder, LoginSlot, WorkerId};

use crate::verdict::{Finding, Health};

pub(crate) use show::Shown;

/// A bot that is to be held by a worker with one of its logins, without being active.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    pub bot: BotId,
    pub worker: WorkerId,
    pub slot: LoginSlot,
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
        slot: LoginSlot,
        cause: Cause,
        then: Vec<Holder>,
    },
    /// The same bot on the same worker with its other login. When it does not pass, `then` are tried in order.
    Relogin {
        bot: BotId,
        worker: WorkerId,
        slot: LoginSlot,
        cause: Cause,
        then: Vec<Holder>,
    },
    /// The same bot on the same worker with the same login, under another epoch. When it does not pass, `then` are tried in order.
    Renew {
        holder: Holder,
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
    /// Connected, and not at the work of its epoch: it will not begin with it by itself.
    NotWorking {
        for_ms: u64,
    },
    WorkerDead,
    WorkerSilent {
        age_ms: u64,
    },
    /// Its last heartbeat has expired.
    WorkerGone,
    /// The bot is assigned to another worker than the one that holds its epoch: neither can do its work.
    AssignedElsewhere {
        worker: WorkerId,
    },
    /// The configuration does not name the active bot any more.
    BotRemoved,
    /// A person wants it: no cool-down, bound or pause holds it back.
    Ordered {
        word: String,
        by: String,
    },
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
            Self::NotWorking { .. } => "not_working",
            Self::WorkerDead => "worker_dead",
            Self::WorkerSilent { .. } => "worker_silent",
            Self::WorkerGone => "worker_gone",
            Self::AssignedElsewhere { .. } => "assigned_elsewhere",
            Self::BotRemoved => "bot_removed",
            Self::Ordered { .. } => "ordered",
        }
    }

    /// Is it certain, so that waiting could not improve the judgement?
    pub fn is_certain(&self) -> bool {
        match self {
            Self::NobodyActive
            | Self::BotFatal { .. }
            | Self::NotWorking { .. }
            | Self::WorkerDead
            | Self::WorkerSilent { .. }
            | Self::WorkerGone
            | Self::AssignedElsewhere { .. }
            | Self::BotRemoved
            | Self::Ordered { .. } => true,
            Self::LineSilent { .. } | Self::NotServed { .. } => false,
        }
    }

    pub fn is_ordered(&self) -> bool {
        matches!(self, Self::Ordered { .. })
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
    /// An operator has paused automation.
    Paused {
        by: String,
    },
    /// An operator keeps this bot active, and it cannot be helped.
    Pinned {
        bot: BotId,
    },
}

/// Why a standby was not chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    Verdict(Health, Option<Finding>),
    Worker(WorkerId),
    NotReady,
    NoLease,
    NoWitness {
        last_ok_ms: Option<u64>,
    },
    FailedRecently {
        left_ms: u64,
    },
    /// The pool is pinned to another bot.
    PinnedTo(BotId),
    /// The configuration says that it is never to be active.
    NeverPromoted,
}

/// Why a bot is not logged in again with its other login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRelogin {
    /// There is no other login, it is lost, or somebody may still be connected with it.
    NotAtRest,
    FailedRecently {
        left_ms: u64,
    },
    /// The last relogin is so fresh that the sessions are not the trouble.
    JustDone {
        left_ms: u64,
    },
    Bound {
        done: u32,
        max: u32,
    },
    /// Its worker cannot read the login.
    WithoutDatabase,
}

impl NoRelogin {
    /// It could work out all the same; only somebody else is the better bet.
    pub(crate) fn is_a_guess(self) -> bool {
        matches!(self, Self::JustDone { .. } | Self::WithoutDatabase)
    }
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
    NoRelogin(BotId, NoRelogin),
    /// Its login is dead and its other one is used.
    OtherLogin(BotId, LoginSlot),
    /// Its old worker is not known to be dead and may still be connected with this login.
    LoginInDoubt(BotId, LoginSlot),
    /// That login all the same, because nothing else is left.
    LoginAllTheSame(BotId, LoginSlot),
    /// What automation would do if it were not paused.
    WouldBe(Box<Plan>),
    /// The order sets the pin to this bot aside.
    PinSetAside(BotId),
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
        self.cause().is_some()
    }

    /// Why it moves the pool; `None` if it does not.
    pub fn cause(&self) -> Option<&Cause> {
        match self {
            Self::FirstActivation { cause, .. }
            | Self::Takeover { cause, .. }
            | Self::Relogin { cause, .. }
            | Self::Renew { cause, .. }
            | Self::Switch { cause, .. } => Some(cause),
            Self::Nothing | Self::Wait { .. } | Self::PlaceStandbys(_) | Self::Hold { .. } => None,
        }
    }

    /// The bots that would be active, in the order in which they are tried.
    pub fn targets(&self) -> Vec<BotId> {
        let (first, then): (BotId, &[Holder]) = match self {
            Self::FirstActivation { to, .. } => (to.bot, &[]),
            Self::Takeover { bot, then, .. } | Self::Relogin { bot, then, .. } => (*bot, then),
            Self::Renew { holder, then, .. } => (holder.bot, then),
            Self::Switch { to, then, .. } => (to.bot, then),
            Self::Nothing | Self::Wait { .. } | Self::PlaceStandbys(_) | Self::Hold { .. } => {
                return Vec::new();
            }
        };
        let then = then.iter().map(|holder| holder.bot);
        std::iter::once(first).chain(then).collect()
    }

    /// The same plan for another cause.
    pub(crate) fn because(mut self, of: Cause) -> Self {
        match &mut self {
            Self::FirstActivation { cause, .. }
            | Self::Takeover { cause, .. }
            | Self::Relogin { cause, .. }
            | Self::Renew { cause, .. }
            | Self::Switch { cause, .. } => *cause = of,
            Self::Nothing | Self::Wait { .. } | Self::PlaceStandbys(_) | Self::Hold { .. } => {}
        }
        self
    }
}
