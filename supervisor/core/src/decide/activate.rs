//! A pool that nobody holds: the best ready bot is named; while there is none, every bot gets a worker.
//!
//! A pool that was given its state back names the bot that answered last, ahead of all priorities: members' keyboards are its own, and what it
//! sent at the end would be sent again by another.

use shared_core::{BotId, Holder};

use super::Look;
use crate::plan::{Cause, Plan, Reason};
use crate::verdict::{Finding, Health};

impl Look<'_> {
    pub(super) fn activate(&mut self) -> Plan {
        let ranked = self.rank(None, &Cause::NobodyActive);
        let answered = self.answered_last();
        let of_last = ranked.iter().find(|(to, _)| Some(to.bot) == answered);
        let Some((to, reach)) = of_last.or(ranked.first()).cloned() else {
            return match self.place(None) {
                Plan::Nothing => self.nobody_active(),
                placing => placing,
            };
        };
        self.reasons.push(Reason::Chosen {
            bot: to.bot,
            worker: to.worker.clone(),
            reach,
        });
        match self.preferred_that_connects(&to) {
            Some((bot, for_ms)) => {
                self.reasons.push(Reason::WaitsForBot(bot));
                Plan::Wait { for_ms }
            }
            None => Plan::FirstActivation {
                to,
                cause: Cause::NobodyActive,
            },
        }
    }

    /// Who answered before the pool was fenced without a holder.
    fn answered_last(&self) -> Option<BotId> {
        let record = self.snapshot.epoch.as_ref()?;
        record.previous_bot.filter(|_| record.holder.is_none())
    }

    /// A bot that would be named before this one and is still on its way, for as long as waiting for it is worth it.
    fn preferred_that_connects(&self, to: &Holder) -> Option<(BotId, u64)> {
        let answered = self.answered_last();
        let rank = |bot: BotId, priority| (Some(bot) != answered, priority);
        let chosen = rank(to.bot, self.snapshot.bot(to.bot)?.priority);
        let better = self.snapshot.bots.iter();
        let better = better.filter(|bot| bot.promotable && rank(bot.bot, bot.priority) < chosen);
        for bot in better {
            let on_its_way = self
                .verdicts
                .bot(bot.bot)
                .is_some_and(|v| v.health == Health::Unknown);
            let worker = self
                .snapshot
                .assignment(bot.bot)
                .and_then(|given| self.snapshot.worker(&given.worker));
            let up_for = worker.and_then(|view| view.up_for_ms());
            // Whatever it held before Redis came back it has let go of since.
            let up_for = up_for.map(|up| up.min(self.redis_for_ms()));
            let left = up_for.and_then(|up| self.policy.first_wait_ms.checked_sub(up));
            if let (true, Some(left_ms)) = (on_its_way, left.filter(|l| *l > 0)) {
                return Some((bot.bot, left_ms));
            }
        }
        None
    }

    fn nobody_active(&mut self) -> Plan {
        for (bot, verdict) in &self.verdicts.bots {
            if let Some(Finding::Ours { name }) = &verdict.finding {
                let reason =
                    Reason::Bot(*bot, verdict.health, Finding::Ours { name: name.clone() });
                self.reasons.push(reason);
                return Plan::Hold {
                    why: crate::plan::Hold::OurFault {
                        error: name.clone(),
                    },
                };
            }
        }
        self.nobody()
    }
}
