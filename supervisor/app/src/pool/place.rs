//! Giving standbys to workers, and freeing what dead workers held.

use shared_core::{Assignment, BotId, LoginSlot, WorkerId};
use shared_io::clock;
use shared_io::redis::{BreakAnswer, LeadAnswer};
use supervisor_core::{Placement, Snapshot};

use super::{Pool, Stopped};
use crate::fleet::Fleet;

impl Pool {
    pub(super) async fn place(
        &mut self,
        snapshot: &Snapshot,
        placements: &[Placement],
        fleet: &Fleet,
    ) -> Result<(), Stopped> {
        let mut assignments = Vec::with_capacity(placements.len());
        for Placement { bot, worker, slot } in placements {
            if let Some(before) = snapshot.assignment(*bot) {
                if before.worker != *worker && before.slot == *slot {
                    // A silent process of ours would stay connected with the login that goes elsewhere.
                    let from = &before.worker;
                    self.release(*bot, from, snapshot, fleet).await?;
                } else {
                    self.free_lease(snapshot, before, fleet).await?;
                }
            }
            assignments.push(assignment(snapshot, *bot, worker, *slot, fleet));
        }
        self.assign(&assignments).await?;
        self.forget_logins(&assignments, snapshot);
        Ok(())
    }

    /// Of a login that was used until now nothing is known before its new holder says it: it may be lost.
    pub(super) fn forget_logins(&mut self, assignments: &[Assignment], snapshot: &Snapshot) {
        for given in assignments {
            let before = snapshot.assignment(given.bot).map(|before| before.slot);
            let bot = self.bots.iter_mut().find(|bot| bot.bot == given.bot);
            if let Some(bot) = bot.filter(|_| before != Some(given.slot)) {
                bot.resting_known = false;
            }
        }
    }

    pub(super) async fn assign(&self, assignments: &[Assignment]) -> Result<(), Stopped> {
        match self.state.assign(&self.shared.leader, assignments).await? {
            LeadAnswer::Done => Ok(()),
            LeadAnswer::NotLeading => Err(Stopped::NotLeading),
        }
    }

    /// Notes which bots' other logins are free before their time, under the same grants.
    pub(super) async fn free_other_logins(&self, snapshot: &mut Snapshot) -> Result<(), Stopped> {
        let now = clock::unix_now();
        let let_go = snapshot.assignments.iter().filter(|given| {
            given.other_rests_until.is_some() && snapshot.other_is_let_go(given, now)
        });
        let freed: Vec<Assignment> = let_go
            .map(|given| Assignment {
                other_rests_until: None,
                other_user: None,
                ..given.clone()
            })
            .collect();
        if freed.is_empty() {
            return Ok(());
        }
        self.assign(&freed).await?;
        for given in &mut snapshot.assignments {
            if let Some(free) = freed.iter().find(|free| free.bot == given.bot) {
                *given = free.clone();
            }
        }
        Ok(())
    }

    /// Breaks the leases that processes held which are known to be dead, so that nobody waits for them to run out.
    pub(super) async fn free_dead_leases(
        &self,
        snapshot: &Snapshot,
        fleet: &Fleet,
    ) -> Result<(), Stopped> {
        for given in &snapshot.assignments {
            self.free_lease(snapshot, given, fleet).await?;
        }
        Ok(())
    }

    async fn free_lease(
        &self,
        snapshot: &Snapshot,
        given: &Assignment,
        fleet: &Fleet,
    ) -> Result<(), Stopped> {
        let lease = snapshot.lease(given.bot);
        let lease = lease.filter(|lease| fleet.is_dead(&lease.worker, lease.nonce));
        let Some(lease) = lease else {
            return Ok(());
        };
        tracing::info!(pool = %self.name, bot = %lease.bot, worker = %lease.worker, "breaking a dead worker's lease");
        match self.state.break_lease(&self.shared.leader, lease).await? {
            BreakAnswer::Free | BreakAnswer::HeldBy(_) => Ok(()),
            BreakAnswer::NotLeading => Err(Stopped::NotLeading),
        }
    }
}

/// A new hold of the bot. Whoever had the login that is not used any more has let go of it if it is the same worker, which does so by itself,
/// or a process that is known to be dead.
pub(super) fn assignment(
    snapshot: &Snapshot,
    bot: BotId,
    worker: &WorkerId,
    slot: LoginSlot,
    fleet: &Fleet,
) -> Assignment {
    let gone = snapshot.assignment(bot).is_some_and(|before| {
        let view = snapshot.worker(&before.worker);
        before.worker == *worker || view.is_some_and(|view| fleet.is_gone(view))
    });
    let before = snapshot.assignment(bot);
    let until = snapshot.other_rests_until(bot, slot, gone, clock::unix_now());
    let user = before.and_then(|before| match before.slot == slot {
        true => before.other_user.clone(),
        false => Some(before.worker.clone()),
    });
    Assignment {
        bot,
        worker: worker.clone(),
        slot,
        grant: clock::nonce(),
        other_rests_until: until,
        other_user: user.filter(|_| until.is_some()),
    }
}
