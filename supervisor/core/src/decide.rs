//! From a snapshot to a plan.
//!
//! ```text
//! Redis down                                   hold
//! a saga is running                            wait for it
//! nobody holds the pool                        place, then activate the best ready bot
//! the holder's session is dead                 relogin with its resting login, else switch to the best standby
//! its line is silent, its neighbours' is not   the same
//! its token or the bot itself is dead          switch to the best standby
//! the configuration does not name it any more  the same
//! the holder's worker is the trouble           takeover by another worker, the bot stays; with the resting login if it may be used
//! the holder is connected and not at work      renew: the same holder under another epoch
//! its worker's name is another process' now    takeover by another worker, or relogin on that one, with the resting login; else a standby
//! the holder's bot is assigned elsewhere       takeover by whoever it is assigned to
//! the holder's line is silent, unclear whose   takeover, and a standby if that does not pass either
//! nobody is answered                           hold: Telegram or our line is down, do not burn through the pool
//! our own request is refused                   hold
//! the holder is well                           place standbys whose worker failed; away from the active bot's worker where possible
//! paused by an operator                        hold where the pool would be moved
//! whatever does not move the pool              place standbys that have no worker, or whose session is dead and whose other login rests
//! ```
//! What an order may set aside is a [`Freedom`].
//! Invariant: a fatal error of the active bot with a ready standby is never delayed by the cool-down, only stopped by the hourly bound.
//! Deliberately absent: failing back to a preferred bot.

mod activate;
mod logins;
mod place;
mod rank;
mod renew;

use shared_core::{BotId, Connection, Holder, UnixMs};

use crate::plan::{Cause, Decision, Hold, Plan, Reason};
use crate::policy::Policy;
use crate::saga::SwitchKind;
use crate::snapshot::{RedisView, Snapshot};
use crate::verdict::{Finding, Health, Verdicts};

use logins::Login;
pub use rank::candidates;

/// Decides what to do about one pool. Pure: equal arguments, equal decision.
pub fn decide(snapshot: &Snapshot, policy: &Policy, now: UnixMs) -> Decision {
    let mut look = Look::new(snapshot, policy, now, Freedom::AUTOMATION);
    let plan = look.decide();
    Decision {
        plan,
        reasons: look.reasons,
    }
}

/// One decision in the making.
pub(crate) struct Look<'a> {
    snapshot: &'a Snapshot,
    policy: &'a Policy,
    now: UnixMs,
    freedom: Freedom,
    verdicts: Verdicts,
    pub(crate) reasons: Vec<Reason>,
}

/// What a decision heeds besides safety. Only an order may set some of it aside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Freedom {
    pub pause: bool,
    pub pin: bool,
    /// Cool-downs, bounds per hour, and the rest of those that failed a moment ago.
    pub bounds: bool,
}

impl Freedom {
    const AUTOMATION: Self = Self {
        pause: true,
        pin: true,
        bounds: true,
    };
    /// A person has named where to go.
    pub const ORDER: Self = Self {
        pause: false,
        pin: true,
        bounds: false,
    };
    /// A person wants whatever helps.
    pub const RECOVER: Self = Self {
        pause: false,
        pin: false,
        bounds: false,
    };
}

/// What is wrong with the holder, and whose trouble it is.
enum Trouble {
    Bot(Cause),
    Worker(Cause),
    /// It is connected, and its process will not do this epoch's work.
    Idle(Cause),
    /// Another worker is the better bet, and the other login where there is none.
    Unclear(Cause),
    Everybody,
    Ours(String),
}

impl<'a> Look<'a> {
    pub(crate) fn new(
        snapshot: &'a Snapshot,
        policy: &'a Policy,
        now: UnixMs,
        freedom: Freedom,
    ) -> Self {
        Self {
            snapshot,
            policy,
            now,
            freedom,
            verdicts: Verdicts::of(snapshot, policy),
            reasons: Vec::new(),
        }
    }

    pub(crate) fn decide(&mut self) -> Plan {
        if self.snapshot.redis == RedisView::Down {
            return Plan::Hold {
                why: Hold::RedisDown,
            };
        }
        if self.snapshot.running_saga().is_some() {
            self.reasons.push(Reason::SagaRunning);
            return Plan::Wait { for_ms: 250 };
        }
        let holder = self.snapshot.holder().cloned();
        let wanted = match &holder {
            Some(holder) => self.serve(holder),
            None => self.activate(),
        };
        let plan = self.unless_paused(wanted);
        let idle = matches!(plan, Plan::Wait { .. } | Plan::Hold { .. });
        match idle.then(|| self.placements(holder.as_ref())) {
            Some(placements) if !placements.is_empty() => Plan::PlaceStandbys(placements),
            _ => plan,
        }
    }

    /// What the pool's holder needs.
    fn serve(&mut self, holder: &Holder) -> Plan {
        // A write of the leader's own that was given up and came late does this; no step of a switch leaves it so.
        let given = self.snapshot.assignment(holder.bot);
        let known = self.snapshot.bot(holder.bot).is_some();
        if let Some(given) = given.filter(|given| known && given.worker != holder.worker) {
            return self.follow(holder, given);
        }
        match self.diagnose(holder) {
            None => self.place(Some(holder)),
            Some(Trouble::Bot(cause)) => self.relogin_else_switch(holder, cause),
            Some(Trouble::Worker(cause)) => self.takeover(holder, cause),
            Some(Trouble::Idle(cause)) => self.renew(holder, cause),
            Some(Trouble::Unclear(cause)) => self.takeover_else_switch(holder, cause),
            Some(Trouble::Everybody) => Plan::Hold {
                why: Hold::LineDown,
            },
            Some(Trouble::Ours(error)) => Plan::Hold {
                why: Hold::OurFault { error },
            },
        }
    }

    fn unless_paused(&mut self, plan: Plan) -> Plan {
        match &self.snapshot.overrides.paused {
            Some(laid) if self.freedom.pause && plan.moves() => {
                self.reasons.push(Reason::WouldBe(Box::new(plan)));
                Plan::Hold {
                    why: Hold::Paused {
                        by: laid.by.clone(),
                    },
                }
            }
            _ => plan,
        }
    }

    fn diagnose(&mut self, holder: &Holder) -> Option<Trouble> {
        if self.snapshot.bot(holder.bot).is_none() {
            return Some(Trouble::Bot(Cause::BotRemoved));
        }
        let bot = self.verdicts.bot(holder.bot).cloned();
        let worker = self.verdicts.worker(&holder.worker).cloned();
        if let Some((verdict, finding)) = bot.and_then(|v| v.finding.clone().map(|f| (v, f))) {
            self.reasons
                .push(Reason::Bot(holder.bot, verdict.health, finding.clone()));
            match (verdict.health, finding) {
                (Health::Failed, Finding::Fatal { class, name }) => {
                    return Some(Trouble::Bot(Cause::BotFatal { class, error: name }));
                }
                (Health::Failed, Finding::LineSilent { silent_ms }) => {
                    return Some(self.whose_silence(holder, silent_ms));
                }
                (Health::Failed, Finding::NotServed { for_ms }) => {
                    return Some(Trouble::Worker(Cause::NotServed { for_ms }));
                }
                (Health::Failed, Finding::NotWorking { for_ms }) => {
                    return Some(Trouble::Idle(Cause::NotWorking { for_ms }));
                }
                (Health::Failed, Finding::Orphaned) => {
                    return Some(Trouble::Unclear(Cause::Orphaned));
                }
                (_, Finding::Ours { name }) => return Some(Trouble::Ours(name)),
                _ => {}
            }
        }
        let verdict = match worker {
            // Nobody has heard of the holder's worker for as long as heartbeats are kept, or Redis has just come back.
            None if self.redis_for_ms() < self.policy.worker_silent_ms => return None,
            None => return Some(Trouble::Worker(Cause::WorkerGone)),
            Some(verdict) => verdict,
        };
        let finding = verdict.finding?;
        self.reasons.push(Reason::Worker(
            holder.worker.clone(),
            verdict.health,
            finding.clone(),
        ));
        match finding {
            Finding::ProcessDead => Some(Trouble::Worker(Cause::WorkerDead)),
            Finding::WorkerSilent { age_ms } => {
                Some(Trouble::Worker(Cause::WorkerSilent { age_ms }))
            }
            _ => None,
        }
    }

    fn redis_for_ms(&self) -> u64 {
        match self.snapshot.redis {
            RedisView::Up { for_ms } => for_ms,
            RedisView::Down => 0,
        }
    }

    /// The active bot's line is silent: who else is answered tells whose trouble it is.
    fn whose_silence(&self, holder: &Holder, silent_ms: u64) -> Trouble {
        let cause = Cause::LineSilent { silent_ms };
        let mut elsewhere = false;
        let mut others = 0;
        for bot in self.snapshot.bots.iter().filter(|b| b.bot != holder.bot) {
            let Some(given) = self.snapshot.assignment(bot.bot) else {
                continue;
            };
            // Dead, it is not answered whatever becomes of Telegram.
            if self.is_fatal(bot.bot) {
                continue;
            }
            others += 1;
            if !self.is_witness(given) {
                continue;
            }
            if given.worker == holder.worker {
                return Trouble::Bot(cause);
            }
            elsewhere = true;
        }
        if elsewhere || others == 0 {
            Trouble::Unclear(cause)
        } else {
            Trouble::Everybody
        }
    }

    /// Was this bot answered by Telegram so lately that Telegram can be reached from its worker, and for as long as the silent one had to be answered as
    /// well? Of a silence of everybody that ends, one line hears first.
    fn is_witness(&self, given: &shared_core::Assignment) -> bool {
        if !self.verdicts.worker_fit(&given.worker) {
            return false;
        }
        self.snapshot
            .health(given.bot, &given.worker)
            .is_some_and(|health| {
                health.connection == Connection::Ready
                    && health
                        .last_ok_ago_ms
                        .is_some_and(|ago| ago <= self.policy.witness_ms)
                    && health
                        .answered_for_ms
                        .is_none_or(|time| time >= self.policy.line_silent_ms)
            })
    }

    fn switch(&mut self, holder: &Holder, cause: Cause) -> Plan {
        if let Some(waits) = self.held_back(&cause) {
            return waits;
        }
        if let Some(bound) = self.used_up(SwitchKind::Switch, self.policy.switches_per_hour) {
            return bound;
        }
        let mut ranked = self.ranked(Some(holder.bot), &cause).into_iter();
        match ranked.next() {
            Some(to) => Plan::Switch {
                from: holder.clone(),
                to,
                cause,
                then: ranked.collect(),
            },
            None => self.nobody(),
        }
    }

    /// The cool-down, for causes that may turn out to be nothing: after a few moves on a guess the next one waits. What was certain, or
    /// ordered, or the first activation says nothing about flapping.
    fn held_back(&mut self, cause: &Cause) -> Option<Plan> {
        if cause.is_certain() || !self.freedom.bounds {
            return None;
        }
        let window_ms = self.policy.cooldown_ms;
        let (guesses, left_ms) = self.snapshot.guesses_within(window_ms, self.now);
        if guesses < self.policy.guesses {
            return None;
        }
        self.reasons.push(Reason::CoolDown { left_ms });
        Some(Plan::Wait { for_ms: left_ms })
    }

    /// The bound on moves of this kind, if it is reached.
    fn used_up(&self, kind: SwitchKind, max: u32) -> Option<Plan> {
        let done = self.snapshot.moves_last_hour(kind, self.now);
        let why = Hold::SwitchBound { done, max };
        (self.freedom.bounds && done >= max).then_some(Plan::Hold { why })
    }

    /// The bot to which the pool is pinned, where that counts.
    fn pin(&self) -> Option<BotId> {
        let pinned = self.snapshot.overrides.pinned.as_ref()?;
        self.freedom.pin.then_some(pinned.0)
    }
}
