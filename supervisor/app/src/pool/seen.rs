//! What a look at a pool brings: everything that is decided by, as of one moment.
//!
//! Invariant: nothing of another Redis history than the one that this supervisor holds is ever part of it. Not here: what follows from it.

use shared_core::{Assignment, BotId, OtherLogin};
use shared_io::clock;
use shared_io::redis::SeenRequest;
use supervisor_core::Snapshot;

use super::{Pool, Stopped, history};
use crate::world::World;

/// What a look brought.
pub(super) struct Seen {
    pub snapshot: Snapshot,
    /// Those that are not over.
    pub orders: Vec<SeenRequest>,
}

/// How far back moves count for the policy's bounds, with room for its cool-down.
const PAST_MS: u64 = 2 * 3_600_000;

impl Pool {
    pub(super) async fn look(&mut self, world: &World) -> Result<Option<Seen>, Stopped> {
        let ids: Vec<BotId> = self.bots.iter().map(|bot| bot.bot).collect();
        let (view, leases, orders, overrides, lineage) = tokio::join!(
            self.state.look(),
            self.state.leases(&ids),
            self.state.open_orders(),
            self.state.overrides(),
            self.state.lineage()
        );
        let (view, leases, orders, lineage) = (view?, leases?, orders?, lineage?);
        let is_ours = self.held.as_ref().is_some_and(|held| {
            Some(&held.lineage) == lineage.as_ref() && !held.copying.has_ended()
        });
        if !is_ours {
            return Err(Stopped::AnotherHistory);
        }
        let overrides = self.settle_overrides(overrides).await?;
        self.hear_of_logins(world, &view.assignments);
        let Some(held) = &mut self.held else {
            return Ok(None);
        };
        if let Some(record) = &view.epoch {
            held.seen = held.seen.max(record.stamp.epoch);
        }
        // A worker that remembers a later epoch, of a history that was lost before anybody heard of it, acts on none below that.
        let beats = world.workers.iter().filter_map(|it| it.beat.as_ref());
        let remembered = history::remembered(beats.map(|(beat, _)| beat), &self.name);
        held.seen = held.seen.max(remembered);
        let open_for_ms = held.open_for_ms(view.epoch.as_ref());
        let now = clock::unix_now();
        held.past.retain(|past| now.since(past.at) < PAST_MS);
        held.failed.retain(|failed| now.since(failed.at) < PAST_MS);
        let snapshot = Snapshot {
            pool: self.name.clone(),
            redis: world.redis,
            database_ok: world.database_ok,
            epoch: view.epoch,
            open_for_ms,
            bots: self.bots.clone(),
            workers: world.workers.clone(),
            assignments: view.assignments,
            leases: leases.into_iter().flatten().collect(),
            // Who is dead is the fleet's to know.
            orphaned: Vec::new(),
            saga: held.saga.as_ref().map(|running| running.saga.clone()),
            past: held.past.clone(),
            failed: held.failed.clone(),
            overrides,
        };
        Ok(Some(Seen { snapshot, orders }))
    }

    /// Keeps what the assigned worker last said of the login that is not used, for when it cannot say it any more.
    fn hear_of_logins(&mut self, world: &World, assignments: &[Assignment]) {
        for bot in &mut self.bots {
            let given = assignments.iter().find(|given| given.bot == bot.bot);
            let said = given.and_then(|given| {
                let mut views = world.workers.iter();
                let view = views.find(|view| view.worker == given.worker)?;
                let health = view.beat.as_ref()?.0.bot(&self.name, bot.bot)?;
                (health.slot == given.slot).then_some(health.other_login)
            });
            match said {
                Some(OtherLogin::Resting) => bot.resting_known = true,
                Some(OtherLogin::Missing | OtherLogin::Lost) => bot.resting_known = false,
                Some(OtherLogin::Unknown) | None => {}
            }
        }
    }
}
