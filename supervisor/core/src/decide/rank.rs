//! Who may become active, best first: ready with a held lease on a worker that is well, healthy before degraded, then by priority, then by reach.

use std::cmp::Reverse;

use shared_core::{BotId, Connection, Holder, UnixMs, WorkerId};

use super::{Freedom, Look};
use crate::plan::{Cause, Hold, Plan, Reason, Unfit};
use crate::policy::Policy;
use crate::snapshot::Snapshot;
use crate::verdict::Health;

/// The standbys that could take the pool over, best first, without a particular cause: for status and for a saga that goes on.
pub fn candidates(snapshot: &Snapshot, policy: &Policy, now: UnixMs) -> Vec<Holder> {
    let freedom = Freedom {
        pin: false,
        ..Freedom::AUTOMATION
    };
    let mut look = Look::new(snapshot, policy, now, freedom);
    let active = snapshot.holder().map(|holder| holder.bot);
    look.ranked(active, &Cause::NobodyActive)
}

impl Look<'_> {
    /// The bots that could be active, best first, each on the worker it is assigned to; says why the others could not.
    pub(crate) fn ranked(&mut self, except: Option<BotId>, cause: &Cause) -> Vec<Holder> {
        let fit = self.rank(except, cause);
        if let Some((holder, reach)) = fit.first() {
            self.reasons.push(Reason::Chosen {
                bot: holder.bot,
                worker: holder.worker.clone(),
                reach: *reach,
            });
        }
        fit.into_iter().map(|(holder, _)| holder).collect()
    }

    /// The same, each with its reach; nobody is chosen yet.
    pub(crate) fn rank(&mut self, except: Option<BotId>, cause: &Cause) -> Vec<(Holder, u64)> {
        let mut fit = Vec::new();
        for (order, bot) in self.snapshot.bots.iter().enumerate() {
            if Some(bot.bot) == except {
                continue;
            }
            let allowed = match self.pin() {
                Some(pinned) if pinned != bot.bot => Err(Unfit::PinnedTo(pinned)),
                _ => Ok(()),
            };
            match allowed.and_then(|()| self.fitness(bot.bot, cause)) {
                Ok((health, holder, reach)) => {
                    fit.push(((health, bot.priority, Reverse(reach), order), holder));
                }
                Err(unfit) => self.reasons.push(Reason::NotChosen(bot.bot, unfit)),
            }
        }
        fit.sort_by_key(|(key, _)| *key);
        let fit = fit.into_iter();
        fit.map(|((_, _, Reverse(reach), _), holder)| (holder, reach))
            .collect()
    }

    /// Could this bot answer at once? With its reach.
    pub(crate) fn fit(&self, bot: BotId) -> Result<(Holder, u64), Unfit> {
        let (_, holder, reach) = self.fitness(bot, &Cause::NobodyActive)?;
        Ok((holder, reach))
    }

    fn fitness(&self, bot: BotId, cause: &Cause) -> Result<(Health, Holder, u64), Unfit> {
        if self
            .snapshot
            .bot(bot)
            .is_some_and(|known| !known.promotable)
        {
            return Err(Unfit::NeverPromoted);
        }
        let verdict = self.verdicts.bot(bot);
        let health = verdict.map_or(Health::Unknown, |v| v.health);
        let no_good = Unfit::Verdict(health, verdict.and_then(|v| v.finding.clone()));
        if !matches!(health, Health::Healthy | Health::Degraded) {
            return Err(no_good);
        }
        let Some(given) = self.snapshot.assignment(bot) else {
            return Err(no_good);
        };
        if !self.verdicts.worker_fit(&given.worker) {
            return Err(Unfit::Worker(given.worker.clone()));
        }
        let Some(said) = self.snapshot.health(bot, &given.worker) else {
            return Err(Unfit::NotReady);
        };
        if said.connection != Connection::Ready {
            return Err(Unfit::NotReady);
        }
        if !said.lease_held {
            return Err(Unfit::NoLease);
        }
        let silent_line = matches!(cause, Cause::LineSilent { .. });
        let answered = said
            .last_ok_ago_ms
            .is_some_and(|ago| ago <= self.policy.witness_ms);
        if silent_line && !answered {
            return Err(Unfit::NoWitness {
                last_ok_ms: said.last_ok_ago_ms,
            });
        }
        let holder = Holder {
            bot,
            worker: given.worker.clone(),
        };
        match self.rests_for(&holder) {
            Some(left_ms) => Err(Unfit::FailedRecently { left_ms }),
            None => Ok((health, holder, said.reach)),
        }
    }

    /// How long a holder that failed its smoke test is still left alone.
    pub(super) fn rests_for(&self, holder: &Holder) -> Option<u64> {
        if !self.freedom.bounds {
            return None;
        }
        self.snapshot
            .failed
            .iter()
            // One of the future was before the clock was set back.
            .filter(|failed| failed.holder == *holder && failed.at <= self.now)
            .filter_map(|failed| {
                let since = self.now.since(failed.at);
                self.policy
                    .retry_failed_ms
                    .checked_sub(since)
                    .filter(|left| *left > 0)
            })
            .max()
    }

    /// The worker that takes the bot over: well, another one, not just tried in vain, with the fewest bots.
    pub(super) fn takeover_worker(&self, holder: &Holder) -> Option<WorkerId> {
        let fit = self.snapshot.workers.iter().filter(|view| {
            let there = Holder {
                bot: holder.bot,
                worker: view.worker.clone(),
            };
            view.worker != holder.worker
                && self.verdicts.worker_fit(&view.worker)
                && self.rests_for(&there).is_none()
        });
        fit.min_by_key(|view| (self.snapshot.load(&view.worker), view.worker.clone()))
            .map(|view| view.worker.clone())
    }

    /// Nobody can be chosen: wait if that may change by itself soon, else hold.
    pub(super) fn nobody(&self) -> Plan {
        let rests = self.reasons.iter().filter_map(|reason| match reason {
            Reason::NotChosen(_, Unfit::FailedRecently { left_ms }) => Some(*left_ms),
            _ => None,
        });
        let on_its_way = self.reasons.iter().any(|reason| {
            matches!(
                reason,
                Reason::NotChosen(_, Unfit::Verdict(Health::Unknown, _))
            )
        });
        let pinned_to = self.reasons.iter().find_map(|reason| match reason {
            Reason::NotChosen(_, Unfit::PinnedTo(bot)) => Some(*bot),
            _ => None,
        });
        match (rests.min(), pinned_to) {
            (Some(for_ms), _) => Plan::Wait { for_ms },
            (None, _) if on_its_way => Plan::Wait { for_ms: 250 },
            (None, Some(bot)) => Plan::Hold {
                why: Hold::Pinned { bot },
            },
            (None, None) => Plan::Hold {
                why: Hold::NobodyReady,
            },
        }
    }
}
