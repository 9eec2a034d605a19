//! Giving standbys to workers, and freeing what dead workers held.

use shared_core::{Assignment, LoginSlot};
use shared_io::clock;
use shared_io::redis::{BreakAnswer, LeadAnswer};
use supervisor_core::{Placement, Snapshot};

use super::{Pool, Stopped};
use crate::fleet::Fleet;

impl Pool {
    pub(super) async fn place(
        &self,
        snapshot: &Snapshot,
        placements: &[Placement],
        fleet: &Fleet,
    ) -> Result<(), Stopped> {
        let mut assignments = Vec::with_capacity(placements.len());
        for Placement { bot, worker } in placements {
            let before = snapshot.assignment(*bot);
            if let Some(before) = before {
                self.free_lease(snapshot, before, fleet).await?;
            }
            assignments.push(Assignment {
                bot: *bot,
                worker: worker.clone(),
                slot: before.map_or(LoginSlot::A, |before| before.slot),
                grant: clock::nonce(),
                other_rests_until: None,
            });
        }
        self.assign(&assignments).await
    }

    pub(super) async fn assign(&self, assignments: &[Assignment]) -> Result<(), Stopped> {
        match self.state.assign(&self.shared.leader, assignments).await? {
            LeadAnswer::Done => Ok(()),
            LeadAnswer::NotLeading => Err(Stopped::NotLeading),
        }
    }

    /// Breaks the leases that processes of ours held when they died, so that nobody waits for them to run out.
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
        let lease = snapshot.lease(given.bot).filter(|lease| {
            // Of a live worker's predecessor nothing can be alive either: they share a seat.
            fleet.dead_nonce(&lease.worker) == Some(lease.nonce)
                || fleet
                    .live_nonce(&lease.worker)
                    .is_some_and(|live| live != lease.nonce)
        });
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
