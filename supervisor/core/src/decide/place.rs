//! Which worker holds which standby: spread over the workers, away from the active bot's where possible.
//!
//! A bot is moved only if it has no worker, its worker has failed, or it shares the active bot's worker while another one is well and things
//! have been calm; the last kind one at a time, because a bot that moves cannot take over meanwhile.

use std::collections::BTreeMap;

use shared_core::{BotId, Holder, WorkerId};

use super::Look;
use crate::plan::{Placement, Plan, Reason};
use crate::snapshot::Process;
use crate::verdict::{Finding, Health};

impl Look<'_> {
    /// Places whoever needs a place; `holder` stays where it is.
    pub(super) fn place(&mut self, holder: Option<&Holder>) -> Plan {
        let homeless: Vec<BotId> = self
            .snapshot
            .bots
            .iter()
            .map(|bot| bot.bot)
            .filter(|bot| holder.is_none_or(|h| h.bot != *bot) && self.is_homeless(*bot))
            .collect();
        if homeless.is_empty() {
            return holder.map_or(Plan::Nothing, |holder| self.spread(holder));
        }
        if let Some((worker, for_ms)) = self.starting_worker() {
            self.reasons.push(Reason::WaitsForWorker(worker));
            return Plan::Wait { for_ms };
        }
        let placements = self.give_homes(&homeless, holder);
        if placements.is_empty() {
            return match holder {
                Some(_) => Plan::Nothing,
                None => Plan::Hold {
                    why: crate::plan::Hold::NoWorker,
                },
            };
        }
        Plan::PlaceStandbys(placements)
    }

    fn is_homeless(&self, bot: BotId) -> bool {
        let Some(given) = self.snapshot.assignment(bot) else {
            return true;
        };
        if self.is_fatal(bot) {
            return false;
        }
        match self.verdicts.worker(&given.worker) {
            None => true,
            Some(verdict) => verdict.health == Health::Failed,
        }
    }

    /// A bot whose token or session is dead gains nothing by moving.
    fn is_fatal(&self, bot: BotId) -> bool {
        self.verdicts
            .bot(bot)
            .is_some_and(|v| matches!(v.finding, Some(Finding::Fatal { .. })))
    }

    /// A worker whose process has just been started and that has not been heard yet.
    fn starting_worker(&self) -> Option<(WorkerId, u64)> {
        self.snapshot.workers.iter().find_map(|view| {
            let Process::Running { for_ms } = view.process else {
                return None;
            };
            let left = self.policy.start_grace_ms.checked_sub(for_ms)?;
            let silent = self
                .verdicts
                .worker(&view.worker)
                .is_some_and(|v| v.finding == Some(Finding::NoHeartbeat));
            (silent && left > 0).then(|| (view.worker.clone(), left))
        })
    }

    fn give_homes(&self, homeless: &[BotId], holder: Option<&Holder>) -> Vec<Placement> {
        let mut loads: BTreeMap<WorkerId, usize> = self
            .snapshot
            .workers
            .iter()
            .filter(|view| self.verdicts.worker_fit(&view.worker))
            .map(|view| (view.worker.clone(), self.snapshot.load(&view.worker)))
            .collect();
        // Without a holder, the first bot's worker will be the active one's.
        let mut active = holder.map(|holder| holder.worker.clone());
        let mut placements = Vec::new();
        for bot in homeless {
            let best = loads
                .iter()
                .min_by_key(|(worker, load)| (Some(*worker) == active.as_ref(), **load))
                .map(|(worker, _)| worker.clone());
            let Some(worker) = best else {
                return placements;
            };
            if let Some(load) = loads.get_mut(&worker) {
                *load += 1;
            }
            active.get_or_insert_with(|| worker.clone());
            placements.push(Placement { bot: *bot, worker });
        }
        placements
    }

    /// Moves one standby away from the active bot's worker, if all is calm.
    fn spread(&mut self, holder: &Holder) -> Plan {
        let calm = self
            .snapshot
            .since_last_move(self.now)
            .is_none_or(|since| since >= self.policy.settle_ms);
        let others_busy = self.snapshot.bots.iter().any(|bot| {
            let health = self.verdicts.bot(bot.bot).map(|v| v.health);
            !self.is_fatal(bot.bot) && matches!(health, Some(Health::Unknown | Health::Failed))
        });
        if !calm || others_busy {
            return Plan::Nothing;
        }
        let target = self
            .snapshot
            .workers
            .iter()
            .filter(|view| {
                view.worker != holder.worker
                    && self.verdicts.worker_fit(&view.worker)
                    && view
                        .up_for_ms()
                        .is_some_and(|up| up >= self.policy.settle_ms)
            })
            .min_by_key(|view| (self.snapshot.load(&view.worker), view.worker.clone()));
        let shares = self.snapshot.bots.iter().find(|bot| {
            bot.bot != holder.bot
                && !self.is_fatal(bot.bot)
                && self
                    .snapshot
                    .assignment(bot.bot)
                    .is_some_and(|given| given.worker == holder.worker)
        });
        match (target, shares) {
            (Some(target), Some(bot)) => {
                self.reasons.push(Reason::SharesActiveWorker(bot.bot));
                Plan::PlaceStandbys(vec![Placement {
                    bot: bot.bot,
                    worker: target.worker.clone(),
                }])
            }
            _ => Plan::Nothing,
        }
    }
}
