//! A switch as a state machine; its data is in its state.
//!
//! ```text
//! state      observation                     next       actions
//! (start)                                    Decided    fence
//! Decided    Fenced{stamp}                   Fenced     [release the old worker*, assign], activate     in a takeover or a relogin; * in a takeover
//! Decided    FenceRefused                    Decided    fence (the app mints a higher number)
//! Fenced     Activated                       Activated  -
//! Activated  Smoked, passed                  Smoked     open
//! Activated  Smoked, failed                  Decided    fence, for the next holder; Exhausted if nobody is left
//! the same, nobody is left, rights alone failed  Decided    fence, for the one that lacks least, who need not pass in its channels; each once, not in a
//!                                                       first activation
//! Activated  Waited beyond the time-out      Decided    the same
//! Activated  the same, and `again`           Decided    fence, for the same holder over another connection; once in a saga
//! Decided..Smoked HolderLost                 Decided    the same
//! Exhausted  Fenced                          Held       record
//! Exhausted  FenceRefused                    Exhausted  fence
//! Smoked     Opened                          Opened     record
//! Opened     Recorded                        Recorded   clear
//! Held       Recorded                        Recorded   clear
//! ```
//! Anything else changes nothing: observations may come late or twice. Invariants: each holder is tried once, and one of them once more if its line
//! fell silent during the test; every attempt has its own epoch; nothing is opened without a passed smoke test of the very epoch that is opened, or,
//! where every candidate lacks a right in some channel, one in which nothing but rights failed: that members are answered matters more.
//!
//! The saga is stored by the script that executes each step, as it is *after* the step; [`Saga::resume`] says what a next leader does first.

mod attempts;
mod record;
mod seed;
mod show;
mod watch;

use serde::{Deserialize, Serialize};
use shared_core::{BotId, EpochStamp, Holder, LoginSlot, SmokeReport, SwitchId, UnixMs, WorkerId};

use crate::plan::Cause;

pub use attempts::GaveUp;
pub use record::{Outcome, SwitchRecord, Timeline, Tried};
pub use seed::{Origin, SagaSeed};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SwitchKind {
    /// The pool had nobody to continue from.
    First,
    /// The bot changes.
    Switch,
    /// The worker changes, the bot stays; or both stay and the epoch alone is another one.
    Takeover,
    /// The login changes, bot and worker stay.
    Relogin,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum SagaState {
    Decided {
        to: Holder,
    },
    Fenced {
        to: Holder,
        stamp: EpochStamp,
    },
    Activated {
        to: Holder,
        stamp: EpochStamp,
    },
    Smoked {
        to: Holder,
        stamp: EpochStamp,
    },
    Opened {
        to: Holder,
        stamp: EpochStamp,
    },
    /// Nobody is left to try; the last one is to be fenced off.
    Exhausted,
    /// The pool is fenced and nobody holds it.
    Held,
    Recorded,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saga {
    pub id: SwitchId,
    pub kind: SwitchKind,
    pub cause: Cause,
    pub reasons: Vec<String>,
    pub from: Option<Holder>,
    pub previous_bot: Option<BotId>,
    pub state: SagaState,
    /// Whoever is tried next, best first.
    pub then: Vec<Holder>,
    pub tried: Vec<Tried>,
    /// Set until the target has been assigned to its worker.
    pub assign: Option<LoginSlot>,
    pub smoke_timeout_ms: u64,
    /// Nobody has all rights: the target need not either.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rights_waived: bool,
    pub timeline: Timeline,
    /// Finished ones before this that SQL does not know yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unrecorded: Vec<SwitchRecord>,
}

/// What the app saw or did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    Fenced {
        stamp: EpochStamp,
    },
    FenceRefused,
    Activated,
    Smoked(SmokeReport),
    /// Milliseconds since this leader first saw the saga in its state, by a clock that does not jump.
    Waited {
        ms: u64,
        /// See [`Saga::again`].
        again: Option<LoginSlot>,
    },
    HolderLost {
        why: String,
    },
    Opened,
    Recorded,
}

/// What the app is to do. `Fence`, `Activate` and `Open` are reported back, and store the saga as it is after them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Fence,
    /// End whatever the old worker still holds of this bot: break its lease if its process is known to be dead, kill it first if it is ours.
    Release {
        bot: BotId,
        worker: WorkerId,
    },
    Assign {
        bot: BotId,
        worker: WorkerId,
        slot: LoginSlot,
    },
    Activate {
        to: Holder,
        stamp: EpochStamp,
    },
    Open {
        to: Holder,
        stamp: EpochStamp,
    },
    /// Write the records of this saga and its predecessors to SQL; members do not wait for it.
    Record,
    Clear,
}

/// A step's outcome. It must be used: the saga that went in is gone.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advanced {
    pub saga: Saga,
    pub actions: Vec<Action>,
}

/// How many finished switches are carried while SQL cannot be reached.
const UNRECORDED: usize = 16;

impl Saga {
    pub fn start(seed: SagaSeed) -> Advanced {
        let kind = match kind(seed.previous_bot, seed.from.as_ref(), &seed.to, seed.assign) {
            // Only a renewal starts from whom it leads to.
            SwitchKind::Switch if seed.from.as_ref() == Some(&seed.to) => SwitchKind::Takeover,
            kind => kind,
        };
        let saga = Self {
            id: seed.id,
            kind,
            cause: seed.cause,
            reasons: seed.reasons,
            from: seed.from,
            previous_bot: seed.previous_bot,
            state: SagaState::Decided { to: seed.to },
            then: seed.then,
            tried: Vec::new(),
            assign: seed.assign,
            smoke_timeout_ms: seed.smoke_timeout_ms,
            rights_waived: false,
            timeline: Timeline::detected(seed.detected_at),
            unrecorded: Vec::new(),
        };
        saga.with(vec![Action::Fence])
    }

    /// Takes over what a finished predecessor has not been able to record.
    #[must_use]
    pub fn after(mut self, predecessor: &Saga) -> Self {
        let mut unrecorded = predecessor.unrecorded.clone();
        unrecorded.extend(predecessor.record());
        let surplus = unrecorded.len().saturating_sub(UNRECORDED);
        self.unrecorded = unrecorded.split_off(surplus);
        self
    }

    /// Is the pool between two holders? A saga that only has to be recorded does not stand in another one's way.
    pub fn is_running(&self) -> bool {
        !matches!(
            self.state,
            SagaState::Opened { .. } | SagaState::Held | SagaState::Recorded
        )
    }

    /// Whom the saga is about to make the holder, or has made.
    pub fn target(&self) -> Option<&Holder> {
        match &self.state {
            SagaState::Decided { to }
            | SagaState::Fenced { to, .. }
            | SagaState::Activated { to, .. }
            | SagaState::Smoked { to, .. }
            | SagaState::Opened { to, .. } => Some(to),
            SagaState::Exhausted | SagaState::Held | SagaState::Recorded => None,
        }
    }

    pub fn stamp(&self) -> Option<EpochStamp> {
        match &self.state {
            SagaState::Fenced { stamp, .. }
            | SagaState::Activated { stamp, .. }
            | SagaState::Smoked { stamp, .. }
            | SagaState::Opened { stamp, .. } => Some(*stamp),
            SagaState::Decided { .. }
            | SagaState::Exhausted
            | SagaState::Held
            | SagaState::Recorded => None,
        }
    }

    /// What is to be done first by a leader that found the saga in Redis.
    pub fn resume(&self) -> Vec<Action> {
        match &self.state {
            SagaState::Decided { .. } | SagaState::Exhausted => vec![Action::Fence],
            SagaState::Fenced { to, stamp } => self.name(to, *stamp),
            SagaState::Activated { .. } => Vec::new(),
            SagaState::Smoked { to, stamp } => vec![Action::Open {
                to: to.clone(),
                stamp: *stamp,
            }],
            SagaState::Opened { .. } | SagaState::Held => vec![Action::Record],
            SagaState::Recorded => vec![Action::Clear],
        }
    }

    /// One step. Observations that do not belong to the state change nothing.
    pub fn advance(mut self, observation: Observation, now: UnixMs) -> Advanced {
        match (self.state.clone(), observation) {
            (SagaState::Decided { to }, Observation::Fenced { stamp }) => {
                self.timeline.fenced_at.get_or_insert(now);
                let actions = self.name(&to, stamp);
                self.state = SagaState::Fenced { to, stamp };
                self.with(actions)
            }
            (SagaState::Exhausted, Observation::Fenced { .. }) => {
                self.state = SagaState::Held;
                self.with(vec![Action::Record])
            }
            (SagaState::Decided { .. } | SagaState::Exhausted, Observation::FenceRefused) => {
                self.with(vec![Action::Fence])
            }
            (SagaState::Fenced { to, stamp }, Observation::Activated) => {
                self.timeline.activated_at = Some(now);
                self.assign = None;
                self.state = SagaState::Activated { to, stamp };
                self.with(Vec::new())
            }
            (SagaState::Activated { to, stamp }, Observation::Smoked(report)) => {
                self.smoked(to, stamp, &report, now)
            }
            (SagaState::Activated { to, .. }, Observation::Waited { ms, again })
                if ms >= self.smoke_timeout_ms =>
            {
                match again.filter(|_| !self.fell_silent()) {
                    Some(slot) => self.once_more(to, slot, ms, now),
                    None => self.next(GaveUp::TimedOut { after_ms: ms }, now),
                }
            }
            (
                SagaState::Decided { .. }
                | SagaState::Fenced { .. }
                | SagaState::Activated { .. }
                | SagaState::Smoked { .. },
                Observation::HolderLost { why },
            ) => self.next(GaveUp::HolderLost { why }, now),
            (SagaState::Smoked { to, stamp }, Observation::Opened) => {
                self.timeline.opened_at = Some(now);
                self.state = SagaState::Opened { to, stamp };
                self.with(vec![Action::Record])
            }
            (SagaState::Opened { .. } | SagaState::Held, Observation::Recorded) => {
                self.state = SagaState::Recorded;
                self.with(vec![Action::Clear])
            }
            _ => self.with(Vec::new()),
        }
    }

    fn smoked(
        mut self,
        to: Holder,
        stamp: EpochStamp,
        report: &SmokeReport,
        now: UnixMs,
    ) -> Advanced {
        let ours =
            report.epoch == stamp.epoch && report.bot == to.bot && report.worker == to.worker;
        if !ours {
            return self.with(Vec::new());
        }
        let only_rights = report.only_rights_missing();
        let passes = report.passed() || self.rights_waived && only_rights > 0;
        if !passes {
            let failures = report.failures();
            let why = GaveUp::SmokeFailed {
                failures,
                only_rights,
            };
            return self.next(why, now);
        }
        self.timeline.verified_at = Some(now);
        self.state = SagaState::Smoked {
            to: to.clone(),
            stamp,
        };
        self.with(vec![Action::Open { to, stamp }])
    }

    /// What names `to` the holder of a fenced pool.
    fn name(&self, to: &Holder, stamp: EpochStamp) -> Vec<Action> {
        let mut actions = Vec::new();
        if let Some(slot) = self.assign {
            // The same worker gives its lease back by itself, and must not be ended for it.
            let old = self.from.as_ref().filter(|from| from.bot == to.bot);
            if let Some(from) = old.filter(|from| from.worker != to.worker) {
                actions.push(Action::Release {
                    bot: from.bot,
                    worker: from.worker.clone(),
                });
            }
            actions.push(Action::Assign {
                bot: to.bot,
                worker: to.worker.clone(),
                slot,
            });
        }
        actions.push(Action::Activate {
            to: to.clone(),
            stamp,
        });
        actions
    }

    fn with(self, actions: Vec<Action>) -> Advanced {
        Advanced {
            saga: self,
            actions,
        }
    }
}

/// What a move from `from` to `to` is called. An ordered switch that came back to who held the pool before is still a switch.
fn kind(
    previous_bot: Option<BotId>,
    from: Option<&Holder>,
    to: &Holder,
    assign: Option<LoginSlot>,
) -> SwitchKind {
    match previous_bot {
        None => SwitchKind::First,
        Some(previous) if previous != to.bot => SwitchKind::Switch,
        Some(_) if from != Some(to) => SwitchKind::Takeover,
        Some(_) if assign.is_some() => SwitchKind::Relogin,
        Some(_) => SwitchKind::Switch,
    }
}
