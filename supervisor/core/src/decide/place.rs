//! Which worker holds which standby, with which login: spread over the workers, away from the active bot's where possible.
//!
//! A bot is moved only if it has no worker, its worker has failed, or it shares the active bot's worker while another one is well and things
//! have been calm; the last kind one at a time, because a bot that moves cannot take over meanwhile. A bot whose session is dead stays where
//! it is and gets its other login, if its worker says that it rests; a bot whose token is dead gains nothing by either.

use std::collections::BTreeMap;

use shared_core::{Assignment, BotId, ErrorClass, Holder, LoginSlot, OtherLogin, WorkerId};

use super::{Login, Look};
use crate::plan::{Hold, Placement, Plan, Reason};
use crate::snapshot::Process;
use crate::verdict::{Finding, Health};

impl Look<'_> {
    /// Places whoever needs a place; `holder` stays where it is.
    pub(super) fn place(&mut self, holder: Option<&Holder>) -> Plan {
        let placements = self.placements(holder);
        if !placements.is_empty() {
            return Plan::PlaceStandbys(placements);
        }
        if !self.standbys(holder).any(|bot| self.is_homeless(bot)) {
            return holder.map_or(Plan::Nothing, |holder| self.spread(holder));
        }
        if let Some((worker, for_ms)) = self.starting_worker() {
            self.reasons.push(Reason::WaitsForWorker(worker));
            return Plan::Wait { for_ms };
        }
        match holder {
            Some(_) => Plan::Nothing,
            None => Plan::Hold {
                why: Hold::NoWorker,
            },
        }
    }

    /// What can be done at once for those that have no worker or a dead session. While a worker is starting, the homeless wait for it, so that
    /// they are spread over all of them.
    pub(super) fn placements(&mut self, holder: Option<&Holder>) -> Vec<Placement> {
        let mut placements: Vec<Placement> = self
            .standbys(holder)
            .filter_map(|bot| self.other_login(bot))
            .collect();
        let reasons = placements
            .iter()
            .map(|placed| Reason::OtherLogin(placed.bot, placed.slot));
        self.reasons.extend(reasons);
        let orphans = self.standbys(holder).filter_map(|bot| self.adopt(bot));
        let orphans: Vec<Placement> = orphans.collect();
        let reasons = orphans
            .iter()
            .map(|placed| Reason::Bot(placed.bot, Health::Failed, Finding::Orphaned));
        self.reasons.extend(reasons);
        placements.extend(orphans);
        if self.starting_worker().is_none() {
            let homeless: Vec<BotId> = self
                .standbys(holder)
                .filter(|bot| self.is_homeless(*bot) && self.may_move(*bot))
                .collect();
            placements.extend(self.give_homes(&homeless, holder));
        }
        placements
    }

    fn standbys(&self, holder: Option<&Holder>) -> impl Iterator<Item = BotId> {
        let active = holder.map(|holder| holder.bot);
        let bots = self.snapshot.bots.iter().map(|bot| bot.bot);
        bots.filter(move |bot| Some(*bot) != active)
    }

    /// The other login for a bot whose session is dead, on a worker that is well and says itself that the other one rests: otherwise a stale
    /// word from SQL could send it to and fro.
    fn other_login(&self, bot: BotId) -> Option<Placement> {
        let given = self.snapshot.assignment(bot)?;
        let dead_session = self.is_session_dead(bot) && self.verdicts.worker_fit(&given.worker);
        let other = self.snapshot.reported(given)?.other_login;
        let slot = self.snapshot.resting(bot, self.now)?;
        (dead_session && other == OtherLogin::Resting).then(|| Placement {
            bot,
            worker: given.worker.clone(),
            slot,
        })
    }

    /// A bot whose worker is another process now: the same worker with the resting login. While there is none it waits until the earlier process
    /// has certainly let go, and is taken up by the later one then.
    fn adopt(&self, bot: BotId) -> Option<Placement> {
        let given = self.snapshot.assignment(bot)?;
        let orphaned = self.snapshot.is_orphaned(bot) && self.verdicts.worker_fit(&given.worker);
        let slot = self.snapshot.resting(bot, self.now)?;
        orphaned.then(|| Placement {
            bot,
            worker: given.worker.clone(),
            slot,
        })
    }

    /// An orphan's live login stays where it may be in use.
    fn may_move(&self, bot: BotId) -> bool {
        !self.snapshot.is_orphaned(bot) || self.snapshot.resting(bot, self.now).is_some()
    }

    fn is_homeless(&self, bot: BotId) -> bool {
        let Some(given) = self.snapshot.assignment(bot) else {
            return true;
        };
        let has_failed = match self.verdicts.worker(&given.worker) {
            None => true,
            Some(verdict) => verdict.health == Health::Failed,
        };
        has_failed && (!self.is_fatal(bot) || self.is_session_dead(bot) && self.rests(given))
    }

    fn rests(&self, given: &Assignment) -> bool {
        self.snapshot.resting(given.bot, self.now).is_some()
    }

    /// A bot whose token or session is dead gains nothing by moving.
    pub(super) fn is_fatal(&self, bot: BotId) -> bool {
        self.verdicts
            .bot(bot)
            .is_some_and(|v| matches!(v.finding, Some(Finding::Fatal { .. })))
    }

    fn is_session_dead(&self, bot: BotId) -> bool {
        let finding = self.verdicts.bot(bot).and_then(|v| v.finding.as_ref());
        matches!(
            finding,
            Some(Finding::Fatal {
                class: ErrorClass::SessionDead(_),
                ..
            })
        )
    }

    fn slot_for(&self, bot: BotId) -> LoginSlot {
        match self.snapshot.assignment(bot) {
            None => LoginSlot::A,
            // A standby that nobody holds is worse than a login that may be lost: a worker that was cut off keeps its connection for ten minutes.
            Some(given) => match self.login_for(bot, &given.worker) {
                Login::Free(slot) | Login::InDoubt(slot) => slot,
            },
        }
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
            placements.push(Placement {
                bot: *bot,
                worker,
                slot: self.slot_for(*bot),
            });
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
            let verdict = self.verdicts.bot(bot.bot);
            // One that does not come through where it is: whoever follows it there may not either.
            let shaky = verdict.is_some_and(|v| matches!(v.finding, Some(Finding::Shaky { .. })));
            let busy = matches!(
                verdict.map(|v| v.health),
                Some(Health::Unknown | Health::Failed)
            );
            !self.is_fatal(bot.bot) && (busy || shaky)
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
        let shares = self
            .standbys(Some(holder))
            .filter(|bot| !self.is_fatal(*bot))
            .filter_map(|bot| self.snapshot.assignment(bot))
            .find(|given| given.worker == holder.worker);
        match (target, shares) {
            (Some(target), Some(given)) => {
                self.reasons.push(Reason::SharesActiveWorker(given.bot));
                // Its worker is well and gives the lease back by itself, so it goes on with the same login.
                Plan::PlaceStandbys(vec![Placement {
                    bot: given.bot,
                    worker: target.worker.clone(),
                    slot: given.slot,
                }])
            }
            _ => Plan::Nothing,
        }
    }
}
