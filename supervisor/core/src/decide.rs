//! From a snapshot to a plan.
//!
//! ```text
//! Redis down                                   hold
//! a saga is running                            wait for it
//! nobody holds the pool                        place, then activate the best ready bot
//! the holder's bot is the trouble              switch to the best standby (token, bot or session dead; silent while its neighbours are answered)
//! the holder's worker is the trouble           takeover by another worker, the bot stays
//! the holder's line is silent, unclear whose   takeover, and a standby if that does not pass either
//! nobody is answered                           hold: Telegram or our line is down, do not burn through the pool
//! our own request is refused                   hold
//! the holder is well                           place standbys whose worker failed; away from the active bot's worker where possible
//! ```
//! Invariant: a fatal error of the active bot with a ready standby is never delayed by the cool-down, only stopped by the hourly bound.
//! Deliberately absent: failing back to a preferred bot.

mod activate;
mod place;
mod rank;

use shared_core::{Connection, Holder, UnixMs};

use crate::plan::{Cause, Decision, Hold, Plan, Reason};
use crate::policy::Policy;
use crate::saga::SwitchKind;
use crate::snapshot::{RedisView, Snapshot};
use crate::verdict::{Finding, Health, Verdicts};

pub use rank::candidates;

/// Decides what to do about one pool. Pure: equal arguments, equal decision.
pub fn decide(snapshot: &Snapshot, policy: &Policy, now: UnixMs) -> Decision {
    let verdicts = Verdicts::of(snapshot, policy);
    let mut look = Look {
        snapshot,
        policy,
        now,
        verdicts,
        reasons: Vec::new(),
    };
    let plan = look.decide();
    Decision {
        plan,
        reasons: look.reasons,
    }
}

/// One decision in the making.
struct Look<'a> {
    snapshot: &'a Snapshot,
    policy: &'a Policy,
    now: UnixMs,
    verdicts: Verdicts,
    reasons: Vec<Reason>,
}

/// What is wrong with the holder, and whose trouble it is.
enum Trouble {
    Bot(Cause),
    Worker(Cause),
    /// Its line is silent and nothing tells the bot's trouble from the worker's.
    Unclear(Cause),
    Everybody,
    Ours(String),
}

impl Look<'_> {
    fn decide(&mut self) -> Plan {
        if self.snapshot.redis == RedisView::Down {
            return Plan::Hold {
                why: Hold::RedisDown,
            };
        }
        if self.snapshot.running_saga().is_some() {
            self.reasons.push(Reason::SagaRunning);
            return Plan::Wait { for_ms: 250 };
        }
        let Some(holder) = self.snapshot.holder().cloned() else {
            return self.activate();
        };
        match self.diagnose(&holder) {
            None => self.place(Some(&holder)),
            Some(Trouble::Bot(cause)) => self.switch(&holder, cause),
            Some(Trouble::Worker(cause)) => self.takeover(&holder, cause),
            Some(Trouble::Unclear(cause)) => self.takeover_else_switch(&holder, cause),
            Some(Trouble::Everybody) => Plan::Hold {
                why: Hold::LineDown,
            },
            Some(Trouble::Ours(error)) => Plan::Hold {
                why: Hold::OurFault { error },
            },
        }
    }

    fn diagnose(&mut self, holder: &Holder) -> Option<Trouble> {
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
            others += 1;
            let Some(given) = self.snapshot.assignment(bot.bot) else {
                continue;
            };
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

    /// Was this bot answered by Telegram so lately that Telegram can be reached from its worker?
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
            })
    }

    fn switch(&mut self, holder: &Holder, cause: Cause) -> Plan {
        if let Some(waits) = self.held_back(&cause) {
            return waits;
        }
        let done = self.snapshot.moves_last_hour(SwitchKind::Switch, self.now);
        let max = self.policy.switches_per_hour;
        if done >= max {
            return Plan::Hold {
                why: Hold::SwitchBound { done, max },
            };
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

    fn takeover(&mut self, holder: &Holder, cause: Cause) -> Plan {
        if let Some(waits) = self.held_back(&cause) {
            return waits;
        }
        let done = self
            .snapshot
            .moves_last_hour(SwitchKind::Takeover, self.now);
        let max = self.policy.takeovers_per_hour;
        if done >= max {
            return Plan::Hold {
                why: Hold::SwitchBound { done, max },
            };
        }
        let Some(to) = self.takeover_worker(holder) else {
            return Plan::Hold {
                why: Hold::NoWorker,
            };
        };
        let then = self.ranked(Some(holder.bot), &cause);
        Plan::Takeover {
            bot: holder.bot,
            from: holder.worker.clone(),
            to,
            cause,
            then,
        }
    }

    /// A takeover keeps members' private chats, so it is tried first, unless it was just tried or there is nowhere to go.
    fn takeover_else_switch(&mut self, holder: &Holder, cause: Cause) -> Plan {
        match self.takeover(holder, cause.clone()) {
            Plan::Hold {
                why: Hold::NoWorker | Hold::SwitchBound { .. },
            } => self.switch(holder, cause),
            plan => plan,
        }
    }

    /// The cool-down, for causes that may turn out to be nothing.
    fn held_back(&mut self, cause: &Cause) -> Option<Plan> {
        if cause.is_certain() {
            return None;
        }
        let since = self.snapshot.since_last_move(self.now)?;
        let left_ms = self
            .policy
            .cooldown_ms
            .checked_sub(since)
            .filter(|l| *l > 0)?;
        self.reasons.push(Reason::CoolDown { left_ms });
        Some(Plan::Wait { for_ms: left_ms })
    }
}
