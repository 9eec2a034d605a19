//! `pool/drive.rs`: carrying a switch out, and what is observed of it.
//!
//! A step's script stores the saga as it is *after* the step. When a script's answer is lost, the saga stays where it was and the step is repeated.

use std::collections::VecDeque;
use std::rc::Rc;

use shared_core::{EpochStamp, Holder, MintRefused, UnixMs};
use supervisor_core::{
    Action, Advanced, FailedAttempt, Observation, PastMove, Saga, SagaSeed, SagaState, Snapshot,
};

use super::place::assignment;
use super::{Stopped, Supervisor};
use crate::bug::Bug;
use crate::redis::{Fence, Step};
use crate::sim::net::Server;

/// The switch under way, and since when it is in its state.
pub struct Running {
    pub saga: Saga,
    since: u64,
}

impl Running {
    pub fn found(saga: Saga, now: u64) -> Self {
        Self { saga, since: now }
    }
}

impl Supervisor {
    pub(super) async fn begin(
        &mut self,
        seed: SagaSeed,
        snapshot: &Snapshot,
    ) -> Result<(), Stopped> {
        let Advanced { saga, actions } = Saga::start(seed);
        let saga = match self.saga() {
            Some(unrecorded) => saga.after(unrecorded),
            None => saga,
        };
        let now = self.ctx.sim.now();
        if let Some(held) = &mut self.held {
            held.saga = Some(Running::found(saga, now));
        }
        self.perform(actions, snapshot).await
    }

    /// What has happened to the switch since the last look.
    pub(super) async fn go_on(&mut self, snapshot: &Snapshot) -> Result<(), Stopped> {
        let Some(saga) = self.saga().cloned() else {
            return Ok(());
        };
        let policy = self.ctx.sim.fixed.policy;
        let observation = match saga.lost(snapshot, &policy) {
            Some(why) => Some(Observation::HolderLost { why }),
            None => self.outcome_of_smoke_test(&saga, snapshot).await?,
        };
        let now = self.ctx.sim.unix();
        let actions = match observation {
            Some(observation) => self.adopt(saga.advance(observation, now)),
            None => saga.resume(),
        };
        self.perform(actions, snapshot).await
    }

    async fn outcome_of_smoke_test(
        &self,
        saga: &Saga,
        snapshot: &Snapshot,
    ) -> Result<Option<Observation>, Stopped> {
        let SagaState::Activated { to, stamp } = &saga.state else {
            return Ok(None);
        };
        let bot = to.bot;
        let report = self.ctx.redis(self.held_to(), move |redis, _| {
            redis.live.smoke.get(&bot).cloned()
        });
        let report = report.await?;
        let any = self.ctx.sim.has(Bug::AnyReportCounts);
        let ours = report.filter(|it| (it.epoch == stamp.epoch && it.worker == to.worker) || any);
        let ms = self.waited_ms();
        Ok(Some(match ours {
            Some(mut report) => {
                if any {
                    (report.epoch, report.worker) = (stamp.epoch, to.worker.clone());
                }
                Observation::Smoked(report)
            }
            None => Observation::Waited {
                ms,
                again: saga.again(snapshot, ms, self.ctx.sim.unix()),
            },
        }))
    }

    fn waited_ms(&self) -> u64 {
        let running = self.held.as_ref().and_then(|held| held.saga.as_ref());
        running.map_or(0, |running| self.ctx.sim.now() - running.since)
    }

    async fn perform(&mut self, actions: Vec<Action>, snapshot: &Snapshot) -> Result<(), Stopped> {
        let mut left = VecDeque::from(actions);
        while let Some(action) = left.pop_front() {
            self.ctx
                .sim
                .say(|| format!("supervisor {}: {action}", self.id));
            let follow = match action {
                Action::Fence => self.fence().await?,
                Action::Release { bot, worker } => {
                    self.release(bot, &worker, snapshot).await?;
                    Vec::new()
                }
                Action::Assign { bot, worker, slot } => {
                    let now = self.ctx.sim.unix();
                    let grant = self.ctx.sim.nonce();
                    let given = [assignment(
                        snapshot,
                        bot,
                        &worker,
                        slot,
                        &self.fleet,
                        now,
                        grant,
                    )];
                    self.assign(&given).await?;
                    self.forget_logins(&given, snapshot);
                    Vec::new()
                }
                Action::Activate { to, stamp } => self.activate(&to, stamp).await?,
                Action::Open { stamp, .. } => self.open(stamp).await?,
                Action::Record => {
                    self.record();
                    Vec::new()
                }
                Action::Clear => {
                    self.clear().await?;
                    Vec::new()
                }
            };
            left.extend(follow);
        }
        Ok(())
    }

    async fn fence(&mut self) -> Result<Vec<Action>, Stopped> {
        let stamp = self.mint().await?;
        let Some(saga) = self.saga().cloned() else {
            return Ok(Vec::new());
        };
        let (now, lead) = (self.ctx.sim.unix(), self.lead());
        let after = saga.clone().advance(Observation::Fenced { stamp }, now);
        let stored = Rc::new(after.saga.clone());
        let fencing = self.ctx.copied(self.held_to(), move |redis, sim| {
            redis.fence(
                &mut sim.ghost.borrow_mut(),
                &lead,
                stamp,
                now,
                stored,
                sim.now(),
            )
        });
        let (answer, _) = fencing.await?;
        self.ctx.sim.ring_workers();
        match answer {
            Fence::Fenced => Ok(self.adopt(after)),
            Fence::Behind(seen) => {
                if let Some(held) = &mut self.held {
                    held.seen = held.seen.max(shared_core::Epoch(seen));
                }
                Ok(self.adopt(saga.advance(Observation::FenceRefused, now)))
            }
            Fence::NotLeading => Err(Stopped::NotLeading),
        }
    }

    async fn mint(&mut self) -> Result<EpochStamp, Stopped> {
        let nonce = self.ctx.sim.nonce();
        for _ in 0..2 {
            let Some(held) = &mut self.held else {
                return Err(Stopped::NotLeading);
            };
            match held.block.mint(held.seen) {
                Ok(epoch) => return Ok(EpochStamp { epoch, nonce }),
                Err(MintRefused::BlockUsedUp { .. } | MintRefused::Overtaken { .. }) => {
                    let seen = held.seen;
                    let reserved = self
                        .ctx
                        .call(Server::Sql, move |sim| sim.sql.borrow_mut().reserve(seen));
                    let block = reserved.await.map_err(|_| Stopped::NoEpoch)?;
                    if let Some(held) = &mut self.held {
                        held.block = block;
                    }
                }
            }
        }
        Err(Stopped::Overtaken)
    }

    async fn activate(&mut self, to: &Holder, stamp: EpochStamp) -> Result<Vec<Action>, Stopped> {
        let Some(saga) = self.saga().cloned() else {
            return Ok(Vec::new());
        };
        let (now, lead, to) = (self.ctx.sim.unix(), self.lead(), to.clone());
        let after = saga.advance(Observation::Activated, now);
        let stored = Rc::new(after.saga.clone());
        let activating = self.ctx.copied(self.held_to(), move |redis, sim| {
            redis.activate(&lead, stamp, &to, now, stored, sim.now())
        });
        let (answer, _) = activating.await?;
        self.ctx.sim.ring_workers();
        self.stepped(answer, after)
    }

    async fn open(&mut self, stamp: EpochStamp) -> Result<Vec<Action>, Stopped> {
        let Some(saga) = self.saga().cloned() else {
            return Ok(Vec::new());
        };
        let (now, lead): (UnixMs, _) = (self.ctx.sim.unix(), self.lead());
        let after = saga.advance(Observation::Opened, now);
        let stored = Rc::new(after.saga.clone());
        let opening = self.ctx.copied(self.held_to(), move |redis, sim| {
            redis.open(
                &mut sim.ghost.borrow_mut(),
                &lead,
                stamp,
                now,
                stored,
                sim.now(),
            )
        });
        let (answer, _) = opening.await?;
        self.ctx.sim.ring_workers();
        self.stepped(answer, after)
    }

    fn stepped(&mut self, answer: Step, after: Advanced) -> Result<Vec<Action>, Stopped> {
        match answer {
            Step::Done => Ok(self.adopt(after)),
            Step::NotLeading => Err(Stopped::NotLeading),
            Step::Elsewhere => Err(Stopped::Overtaken),
        }
    }

    /// Takes a step's result as what is; says what it means for later decisions.
    fn adopt(&mut self, advanced: Advanced) -> Vec<Action> {
        let Advanced { saga, actions } = advanced;
        let (now, unix) = (self.ctx.sim.now(), self.ctx.sim.unix());
        let Some(held) = &mut self.held else {
            return actions;
        };
        let Some(running) = &mut held.saga else {
            return actions;
        };
        for tried in saga.tried.iter().skip(running.saga.tried.len()) {
            held.failed.push(FailedAttempt {
                holder: tried.holder.clone(),
                at: tried.at,
            });
        }
        if saga.state != running.saga.state {
            running.since = now;
            if let SagaState::Opened { .. } = saga.state {
                held.past.push(PastMove {
                    kind: saga.kind,
                    at: unix,
                    on_a_guess: !saga.cause.is_certain(),
                });
            }
        }
        running.saga = saga;
        actions
    }

    /// Hands everything that has ended to SQL; members do not wait for it.
    fn record(&self) {
        let Some(saga) = self.saga() else { return };
        let records: Vec<_> = saga
            .unrecorded
            .iter()
            .cloned()
            .chain(saga.record())
            .collect();
        let (ctx, recorded) = (self.ctx.clone(), Rc::clone(&self.recorded));
        self.ctx.spawn(async move {
            for record in records {
                let (id, kind, guess) = (record.id, record.kind, !record.cause.is_certain());
                let Some(epoch) = record.epoch else {
                    recorded.borrow_mut().push(id);
                    continue;
                };
                let at = record.timeline.opened_at.unwrap_or_default();
                let noted = ctx.call(Server::Sql, move |sim| {
                    sim.sql.borrow_mut().record(epoch.0, kind, at, guess);
                });
                if noted.await.is_ok() {
                    recorded.borrow_mut().push(id);
                }
            }
        });
    }

    /// A switch that has ended stays in Redis until SQL has it.
    pub(super) async fn close_saga(&mut self) -> Result<(), Stopped> {
        let Some(saga) = self.saga() else {
            return Ok(());
        };
        let all_there = {
            let known = self.recorded.borrow();
            let mut ids = saga.unrecorded.iter().map(|record| record.id);
            known.contains(&saga.id) && ids.all(|id| known.contains(&id))
        };
        if all_there || saga.state == SagaState::Recorded {
            let after = saga
                .clone()
                .advance(Observation::Recorded, self.ctx.sim.unix());
            self.adopt(after);
            return self.clear().await;
        }
        self.record();
        Ok(())
    }

    async fn clear(&mut self) -> Result<(), Stopped> {
        let lead = self.lead();
        let clearing = self.ctx.redis(self.held_to(), move |redis, sim| {
            redis.clear_saga(&lead, sim.now())
        });
        if !clearing.await? {
            return Err(Stopped::NotLeading);
        }
        if let Some(held) = &mut self.held {
            held.saga = None;
        }
        Ok(())
    }
}
