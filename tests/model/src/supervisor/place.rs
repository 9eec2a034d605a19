//! `pool/place.rs`: giving standbys to workers, and freeing what dead workers held.

use shared_core::{Assignment, BotId, LoginSlot, Nonce, ProcessId, UnixMs, WorkerId};
use supervisor_core::{Placement, Reason, Snapshot};

use super::fleet::Fleet;
use super::{Stopped, Supervisor};
use crate::bug::Bug;

/// How old the answer that we lead may be before a kill.
const LEAD_KNOWN_FOR: u64 = 400;

impl Supervisor {
    pub(super) async fn place(
        &mut self,
        snapshot: &Snapshot,
        placements: &[Placement],
    ) -> Result<(), Stopped> {
        let mut given = Vec::with_capacity(placements.len());
        for Placement { bot, worker, slot } in placements {
            if let Some(before) = snapshot.assignment(*bot) {
                if before.worker != *worker && before.slot == *slot {
                    if !snapshot.lets_go(
                        *bot,
                        &before.worker,
                        self.ctx.sim.fixed.policy.worker_silent_ms,
                    ) {
                        self.ctx.sim.ghost.borrow_mut().in_doubt.insert(*bot);
                    }
                    let from = before.worker.clone();
                    self.release(*bot, &from, snapshot).await?;
                } else {
                    self.free_lease(snapshot, before).await?;
                }
            }
            let (now, grant) = (self.ctx.sim.unix(), self.ctx.sim.nonce());
            given.push(assignment(
                snapshot,
                *bot,
                worker,
                *slot,
                &self.fleet,
                now,
                grant,
            ));
        }
        self.assign(&given).await?;
        self.forget_logins(&given, snapshot);
        Ok(())
    }

    /// Of a login that was used until now nothing is known before its new holder says it.
    pub(super) fn forget_logins(&mut self, given: &[Assignment], snapshot: &Snapshot) {
        for given in given {
            let before = snapshot.assignment(given.bot).map(|before| before.slot);
            let bot = self.bots.iter_mut().find(|bot| bot.bot == given.bot);
            if let Some(bot) = bot.filter(|_| before != Some(given.slot)) {
                bot.resting_known = false;
            }
        }
    }

    pub(super) async fn assign(&self, given: &[Assignment]) -> Result<(), Stopped> {
        let (lead, given) = (self.lead(), given.to_vec());
        let assigning = self.ctx.redis(self.held_to(), move |redis, sim| {
            redis.assign(&lead, &given, sim.now())
        });
        let done = assigning.await?;
        self.ctx.sim.ring_workers();
        if done {
            Ok(())
        } else {
            Err(Stopped::NotLeading)
        }
    }

    /// Notes which bots' other logins are free before their time, under the same grants.
    pub(super) async fn free_other_logins(&self, snapshot: &mut Snapshot) -> Result<(), Stopped> {
        let now = self.ctx.sim.unix();
        let let_go = snapshot.assignments.iter().filter(|given| {
            let user = given.other_process.as_ref();
            let is_dead = user.is_some_and(|user| self.fleet.is_dead(&user.worker, user.nonce));
            given.other_rests_until.is_some() && (is_dead || snapshot.other_is_let_go(given, now))
        });
        let freed: Vec<Assignment> = let_go
            .map(|given| Assignment {
                other_rests_until: None,
                other_process: None,
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

    /// Breaks the leases of processes that are known to be dead.
    pub(super) async fn free_dead_leases(&self, snapshot: &Snapshot) -> Result<(), Stopped> {
        for given in &snapshot.assignments {
            self.free_lease(snapshot, given).await?;
        }
        Ok(())
    }

    async fn free_lease(&self, snapshot: &Snapshot, given: &Assignment) -> Result<(), Stopped> {
        let lease = snapshot.lease(given.bot);
        let Some(lease) = lease.filter(|lease| self.fleet.is_dead(&lease.worker, lease.nonce))
        else {
            return Ok(());
        };
        let (lead, lease) = (self.lead(), lease.clone());
        let breaking = self.ctx.redis(self.held_to(), move |redis, sim| {
            redis.break_lease(&lead, &lease, sim.now())
        });
        breaking.await?.ok_or(Stopped::NotLeading)
    }

    /// Sees to it that the old worker holds nothing of the bot any more, if that can be known.
    pub(super) async fn release(
        &mut self,
        bot: BotId,
        worker: &WorkerId,
        snapshot: &Snapshot,
    ) -> Result<(), Stopped> {
        let silent_ms = self.ctx.sim.fixed.policy.worker_silent_ms;
        let silent = snapshot.worker(worker).is_none_or(|view| {
            let age = view.beat.as_ref().map(|(_, age_ms)| *age_ms);
            age.is_none_or(|age_ms| age_ms >= silent_ms)
        });
        if self.fleet.is_ours(worker) && silent {
            self.kill(worker).await?;
        }
        let lease = self
            .ctx
            .redis(self.held_to(), move |redis, sim| {
                redis.lease(bot, sim.now())
            })
            .await?;
        let breaks = self.ctx.sim.has(Bug::LiveLeaseBroken);
        let dead = lease.filter(|lease| {
            lease.worker == *worker && (self.fleet.is_dead(&lease.worker, lease.nonce) || breaks)
        });
        let Some(lease) = dead else {
            return Ok(());
        };
        let lead = self.lead();
        let breaking = self.ctx.redis(self.held_to(), move |redis, sim| {
            redis.break_lease(&lead, &lease, sim.now())
        });
        breaking.await?.ok_or(Stopped::NotLeading)
    }

    /// No script can kill, so Redis is asked just before.
    async fn kill(&mut self, worker: &WorkerId) -> Result<(), Stopped> {
        let (lead, asked) = (self.lead(), self.boot());
        let leads = self
            .ctx
            .redis(self.held_to(), move |redis, sim| {
                redis.live.leads(&lead, sim.now())
            })
            .await?;
        if !leads || self.boot().0 - asked.0 > LEAD_KNOWN_FOR {
            return Err(Stopped::NotLeading);
        }
        self.fleet.kill(worker);
        Ok(())
    }

    /// The model is told where somebody may still be connected, because the product said so.
    pub(super) fn note_doubts(&self, reasons: &[Reason]) {
        let mut ghost = self.ctx.sim.ghost.borrow_mut();
        for reason in reasons {
            if let Reason::LoginInDoubt(bot, _) | Reason::LoginAllTheSame(bot, _) = reason {
                ghost.in_doubt.insert(*bot);
            }
        }
    }
}

/// A new hold of the bot.
pub(super) fn assignment(
    snapshot: &Snapshot,
    bot: BotId,
    worker: &WorkerId,
    slot: LoginSlot,
    fleet: &Fleet,
    now: UnixMs,
    grant: Nonce,
) -> Assignment {
    let before = snapshot.assignment(bot);
    let gone = before.is_some_and(|before| {
        let view = snapshot.worker(&before.worker);
        before.worker == *worker || view.is_some_and(|view| fleet.is_gone(view))
    });
    let until = snapshot.other_rests_until(bot, slot, gone, now);
    let user = before.and_then(|before| match before.slot == slot {
        true => before.other_process.clone(),
        false => before.process.map(|nonce| ProcessId {
            worker: before.worker.clone(),
            nonce,
        }),
    });
    let process = snapshot.worker(worker).and_then(|view| view.beat.as_ref());
    Assignment {
        bot,
        worker: worker.clone(),
        slot,
        grant,
        process: process.map(|(beat, _)| beat.nonce),
        other_rests_until: until,
        other_process: user.filter(|_| until.is_some()),
    }
}
