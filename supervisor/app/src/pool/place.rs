//! Giving standbys to workers, keeping what assignments say true, and freeing what dead workers held.

use shared_core::{Assignment, BotId, LoginSlot, Nonce, ProcessId, WorkerId};
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

    /// Notes, under the same grants, which bots' other logins are free before their time, and which process has a bot when it is a later one of its
    /// worker's name.
    pub(super) async fn correct_assignments(
        &self,
        snapshot: &mut Snapshot,
        fleet: &Fleet,
    ) -> Result<(), Stopped> {
        let now = clock::unix_now();
        let corrected = snapshot.assignments.iter().filter_map(|given| {
            let had = process_of(given);
            let is_gone = had.is_some_and(|had| fleet.is_dead(&had.worker, had.nonce));
            let is = Assignment {
                // Whoever comes next need not know of that death himself.
                process: holder_of(given, snapshot).or(given.process.filter(|_| !is_gone)),
                ..given.clone()
            };
            let user = given.other_process.as_ref();
            let is_dead = user.is_some_and(|user| fleet.is_dead(&user.worker, user.nonce));
            let is = match is_dead || snapshot.other_is_let_go(given, now) {
                true => Assignment {
                    other_rests_until: None,
                    other_process: None,
                    ..is
                },
                false => is,
            };
            (is != *given).then_some(is)
        });
        let corrected: Vec<Assignment> = corrected.collect();
        if corrected.is_empty() {
            return Ok(());
        }
        self.assign(&corrected).await?;
        for given in &mut snapshot.assignments {
            if let Some(is) = corrected.iter().find(|is| is.bot == given.bot) {
                *given = is.clone();
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

/// A new hold of the bot. Whoever had the login that is not used any more has let go of it if it is the same process, which does so by itself,
/// or one that is known to be dead.
pub(super) fn assignment(
    snapshot: &Snapshot,
    bot: BotId,
    worker: &WorkerId,
    slot: LoginSlot,
    fleet: &Fleet,
) -> Assignment {
    let before = snapshot.assignment(bot);
    let had = before.and_then(process_of);
    let gone = before.is_some_and(|before| {
        let view = snapshot.worker(&before.worker);
        let known = had
            .as_ref()
            .map(|had| fleet.is_dead(&had.worker, had.nonce));
        let lets_go = before.worker == *worker || view.is_some_and(|view| fleet.is_gone(view));
        known == Some(true) || lets_go && !snapshot.is_orphaned(bot)
    });
    let until = snapshot.other_rests_until(bot, slot, gone, clock::unix_now());
    let user = before.and_then(|before| match before.slot == slot {
        true => before.other_process.clone(),
        false => had,
    });
    let process = snapshot.worker(worker).and_then(|view| view.beat.as_ref());
    Assignment {
        bot,
        worker: worker.clone(),
        slot,
        grant: clock::nonce(),
        process: process.map(|(beat, _)| beat.nonce),
        other_rests_until: until,
        other_process: user.filter(|_| until.is_some()),
    }
}

/// Which process of the assigned worker says that it has the bot's lease under this assignment's login.
fn holder_of(given: &Assignment, snapshot: &Snapshot) -> Option<Nonce> {
    snapshot
        .reported(given)
        .filter(|health| health.lease_held)?;
    let (beat, _) = snapshot.worker(&given.worker)?.beat.as_ref()?;
    Some(beat.nonce)
}

/// Whom the bot was given to.
fn process_of(given: &Assignment) -> Option<ProcessId> {
    given.process.map(|nonce| ProcessId {
        worker: given.worker.clone(),
        nonce,
    })
}
