//! Orders: what an operator asks for, turned into the same plans that automation makes, or refused in one line that says what to do instead.
//!
//! ```text
//! order      carried out as                                                  not heeded
//! switch     a switch to that bot; should it not pass, back to who answers   pause, cool-down, bounds
//! rotate     a switch to the best standby, then the next ones, then back     the same
//! recover    what automation would do if that moves the pool, else a rotation   the same, and in the first case the pin
//! pause, resume, pin, unpin, schedule, unschedule    an override that is laid down or lifted
//! ```
//! `restore` is no plan: it is about which history a pool has (`history`), and whoever carries it out takes it before any of this.
//! Invariant: what comes back has passed `check_plan`; nobody is ordered to where he could not answer at once. An override that stands already
//! stays as it was laid.

use shared_core::{BotId, Holder, Laid, Order, Overrides, SCHEDULE_AHEAD_MS, Scheduled, UnixMs};

use crate::check::{Violation, check_plan};
use crate::decide::{Freedom, Look};
use crate::plan::{Cause, Decision, Plan, Reason, Unfit};
use crate::policy::Policy;
use crate::schedule;
use crate::snapshot::{RedisView, Snapshot};

mod remedy;

/// What an order comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ordered {
    /// The pool is moved.
    Move(Decision),
    /// These overrides are to stand.
    Lay(Overrides),
}

/// Why an order is not carried out; each in one line with what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("Redis cannot be reached: nothing can be ordered until it is back")]
    RedisDown,
    #[error("a switch is under way ({what}): order again when it is over")]
    SwitchRunning { what: String },
    #[error("{bot} is not a bot of this pool: `understudy status` names them")]
    UnknownBot { bot: BotId },
    #[error("{bot} is active already: rotate to move to the best standby")]
    ActiveAlready { bot: String },
    #[error("{bot} is not active: switch to it first")]
    NotActive { bot: String },
    #[error("no bot is active: switch to one first")]
    NobodyActive,
    #[error("pinned to {bot}: unpin first")]
    Pinned { bot: String },
    #[error("{bot} cannot take over: {unfit}; {remedy}", remedy = remedy::of(.unfit))]
    NotReady { bot: String, unfit: Unfit },
    #[error("{}", remedy::nobody(.standbys))]
    NobodyReady { standbys: Vec<(String, Unfit)> },
    #[error("a move is scheduled already ({what}): `understudy unschedule` first")]
    ScheduledAlready { what: String },
    #[error("nothing is scheduled")]
    NothingScheduled,
    #[error("that time has passed: name one that is to come, or order it without a time")]
    TimeHasPassed,
    #[error("that is more than {days} days away: schedule it later")]
    TooFarAhead { days: u64 },
    #[error("{bot} is never to be active: {remedy}", remedy = remedy::of(&Unfit::NeverPromoted))]
    NeverPromoted { bot: String },
    #[error("the plan would not be safe: {0}")]
    Unsafe(#[from] Violation),
}

/// What is to be done about an order, by the same rules of safety as ever.
pub fn ordered(
    snapshot: &Snapshot,
    policy: &Policy,
    now: UnixMs,
    order: &Order,
    by: &str,
) -> Result<Ordered, Refusal> {
    if snapshot.redis == RedisView::Down {
        return Err(Refusal::RedisDown);
    }
    let desk = Desk {
        snapshot,
        policy,
        now,
    };
    if !order.moves() {
        return desk.lay(order, by).map(Ordered::Lay);
    }
    if let Some(saga) = snapshot.running_saga() {
        let what = format!("{}: {}", saga.kind, saga.cause);
        return Err(Refusal::SwitchRunning { what });
    }
    let Decision { plan, reasons } = match order {
        Order::Switch { to } => desk.switch(*to)?,
        Order::Recover => desk.recover()?,
        _ => desk.rotate()?,
    };
    let plan = plan.because(Cause::Ordered {
        word: order.word().to_owned(),
        by: by.to_owned(),
    });
    check_plan(snapshot, policy, now, &plan)?;
    Ok(Ordered::Move(Decision { plan, reasons }))
}

struct Desk<'a> {
    snapshot: &'a Snapshot,
    policy: &'a Policy,
    now: UnixMs,
}

impl Desk<'_> {
    fn look(&self, freedom: Freedom) -> Look<'_> {
        Look::new(self.snapshot, self.policy, self.now, freedom)
    }

    fn name(&self, bot: BotId) -> String {
        self.snapshot.name(bot)
    }

    fn switch(&self, to: BotId) -> Result<Decision, Refusal> {
        if self.snapshot.bot(to).is_none() {
            return Err(Refusal::UnknownBot { bot: to });
        }
        let from = self.snapshot.holder();
        if from.is_some_and(|from| from.bot == to) {
            return Err(Refusal::ActiveAlready { bot: self.name(to) });
        }
        self.unpinned_for(to)?;
        let mut look = self.look(Freedom::ORDER);
        let (target, reach) = look.fit(to).map_err(|unfit| Refusal::NotReady {
            bot: self.name(to),
            unfit,
        })?;
        look.reasons.push(Reason::Chosen {
            bot: to,
            worker: target.worker.clone(),
            reach,
        });
        // Somebody who answers well is gone back to before anybody else is tried.
        let back = from.and_then(|from| way_back(&look, from));
        let others = look.rank(Some(to), &Cause::NobodyActive).into_iter();
        let others = others
            .map(|(other, _)| other)
            .filter(|other| from.is_none_or(|from| from.bot != other.bot));
        let then = back.into_iter().chain(others).collect();
        Ok(moved(look, from, target, then))
    }

    fn rotate(&self) -> Result<Decision, Refusal> {
        let from = self.snapshot.holder();
        if let Some(from) = from
            && let Some((pinned, _)) = &self.snapshot.overrides.pinned
            && *pinned == from.bot
        {
            return Err(Refusal::Pinned {
                bot: self.name(*pinned),
            });
        }
        let mut look = self.look(Freedom::ORDER);
        let ranked = look.ranked(from.map(|from| from.bot), &Cause::NobodyActive);
        let mut ranked = ranked.into_iter();
        let Some(target) = ranked.next() else {
            return Err(Refusal::NobodyReady {
                standbys: self.not_chosen(&look.reasons),
            });
        };
        let back = from.and_then(|from| way_back(&look, from));
        let then = ranked.chain(back).collect();
        Ok(moved(look, from, target, then))
    }

    fn recover(&self) -> Result<Decision, Refusal> {
        let mut look = self.look(Freedom::RECOVER);
        let plan = look.decide();
        if !plan.moves() {
            return self.rotate();
        }
        let mut reasons = look.reasons;
        if let Some((pinned, _)) = &self.snapshot.overrides.pinned
            && plan.targets().iter().any(|bot| bot != pinned)
        {
            reasons.push(Reason::PinSetAside(*pinned));
        }
        Ok(Decision { plan, reasons })
    }

    fn lay(&self, order: &Order, by: &str) -> Result<Overrides, Refusal> {
        let mut overrides = self.snapshot.overrides.clone();
        let laid = Laid {
            at: self.now,
            by: by.to_owned(),
        };
        match order {
            Order::Pause => {
                overrides.paused.get_or_insert(laid);
            }
            Order::Resume => overrides.paused = None,
            Order::Pin { bot } => {
                self.may_pin(*bot)?;
                overrides.pinned.get_or_insert((*bot, laid));
            }
            Order::Unpin => overrides.pinned = None,
            Order::Schedule { to, due, fires } => {
                self.may_schedule(*to, *due)?;
                overrides.scheduled = Some(Scheduled {
                    to: *to,
                    due: *due,
                    fires: *fires,
                    laid,
                });
            }
            Order::Unschedule if overrides.scheduled.is_none() => {
                return Err(Refusal::NothingScheduled);
            }
            Order::Unschedule => overrides.scheduled = None,
            Order::Switch { .. } | Order::Rotate | Order::Recover | Order::Restore { .. } => {}
        }
        Ok(overrides)
    }

    fn may_pin(&self, bot: BotId) -> Result<(), Refusal> {
        if self.snapshot.bot(bot).is_none() {
            return Err(Refusal::UnknownBot { bot });
        }
        self.unpinned_for(bot)?;
        if let Some(saga) = self.snapshot.running_saga() {
            let what = format!("{}: {}", saga.kind, saga.cause);
            return Err(Refusal::SwitchRunning { what });
        }
        match self.snapshot.holder() {
            None => Err(Refusal::NobodyActive),
            Some(holder) if holder.bot != bot => Err(Refusal::NotActive {
                bot: self.name(bot),
            }),
            Some(_) => Ok(()),
        }
    }

    /// Whether the bot is ready is asked when its time has come.
    fn may_schedule(&self, to: Option<BotId>, due: UnixMs) -> Result<(), Refusal> {
        if let Some(standing) = &self.snapshot.overrides.scheduled {
            let what = schedule::described(self.snapshot, standing);
            return Err(Refusal::ScheduledAlready { what });
        }
        if let Some(bot) = to {
            let known = self.snapshot.bot(bot).ok_or(Refusal::UnknownBot { bot })?;
            if !known.promotable {
                let bot = self.name(bot);
                return Err(Refusal::NeverPromoted { bot });
            }
        }
        if due <= self.now {
            return Err(Refusal::TimeHasPassed);
        }
        if due.since(self.now) > SCHEDULE_AHEAD_MS {
            let days = SCHEDULE_AHEAD_MS / 86_400_000;
            return Err(Refusal::TooFarAhead { days });
        }
        Ok(())
    }

    /// No pin to another bot stands in the way.
    fn unpinned_for(&self, bot: BotId) -> Result<(), Refusal> {
        match &self.snapshot.overrides.pinned {
            Some((pinned, _)) if *pinned != bot => Err(Refusal::Pinned {
                bot: self.name(*pinned),
            }),
            _ => Ok(()),
        }
    }

    fn not_chosen(&self, reasons: &[Reason]) -> Vec<(String, Unfit)> {
        let unfit = reasons.iter().filter_map(|reason| match reason {
            Reason::NotChosen(bot, unfit) => Some((self.name(*bot), unfit.clone())),
            _ => None,
        });
        unfit.collect()
    }
}

/// Who answers, if it could go on answering should nobody else pass.
fn way_back(look: &Look<'_>, from: &Holder) -> Option<Holder> {
    let (there, _) = look.fit(from.bot).ok()?;
    (there == *from).then_some(there)
}

fn moved(look: Look<'_>, from: Option<&Holder>, to: Holder, then: Vec<Holder>) -> Decision {
    let cause = Cause::NobodyActive;
    let plan = match from {
        None => Plan::FirstActivation { to, cause },
        Some(from) => Plan::Switch {
            from: from.clone(),
            to,
            cause,
            then,
        },
    };
    Decision {
        plan,
        reasons: look.reasons,
    }
}
