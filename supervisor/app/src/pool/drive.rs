//! Carrying a switch out: the actions of `supervisor-core`'s saga, and what is observed of them.
//!
//! A step's script stores the saga as it is *after* the step. When a script's answer is lost, the saga stays where it was and the step is
//! repeated at the next look: scripts may be repeated, and a fence that was repeated has a higher epoch.

use std::collections::VecDeque;
use std::time::Duration;

use shared_core::{BootMs, BotId, EpochStamp, Holder, LoginSlot, MintRefused, WorkerId};
use shared_io::clock;
use shared_io::redis::{BreakAnswer, FenceAnswer, LeadAnswer, StepAnswer};
use shared_io::sql::EventKind;
use supervisor_core::{
    Action, Advanced, FailedAttempt, Observation, Outcome, PastMove, Saga, SagaSeed, SagaState,
    Snapshot,
};

use super::place::assignment;
use super::{Pool, Stopped};
use crate::chronicle::{Note, counts_as_past};
use crate::fleet::Fleet;

/// How old the answer that we lead may be: a lead that was ours then may have a quarter of its time left.
const LEAD_KNOWN_FOR: Duration = Duration::from_millis(400);
/// A note that SQL has not confirmed is handed over again after this long.
const NOTE_AGAIN_MS: u128 = 10_000;

/// The switch under way, and since when by our clock it is in its state.
pub(super) struct Running {
    pub saga: Saga,
    since: BootMs,
    noted: Option<BootMs>,
}

impl Running {
    pub fn found(saga: Saga) -> Self {
        Self {
            saga,
            since: clock::boot_now(),
            noted: None,
        }
    }
}

impl Pool {
    pub(super) async fn begin(
        &mut self,
        seed: SagaSeed,
        snapshot: &Snapshot,
        fleet: &Fleet,
    ) -> Result<(), Stopped> {
        let Advanced { saga, actions } = Saga::start(seed);
        let saga = match self.saga() {
            Some(unrecorded) => saga.after(unrecorded),
            None => saga,
        };
        if let Some(held) = &mut self.held {
            held.saga = Some(Running::found(saga));
        }
        self.perform(actions, snapshot, fleet).await
    }

    /// What has happened to the switch since the last look.
    pub(super) async fn go_on(
        &mut self,
        snapshot: &Snapshot,
        fleet: &Fleet,
    ) -> Result<(), Stopped> {
        let Some(saga) = self.saga().cloned() else {
            return Ok(());
        };
        let observation = match saga.lost(snapshot, &self.policy) {
            Some(why) => Some(Observation::HolderLost { why }),
            None => self.outcome_of_smoke_test(&saga, snapshot).await?,
        };
        let actions = match observation {
            Some(observation) => self.adopt(saga.advance(observation, clock::unix_now())),
            None => saga.resume(),
        };
        self.perform(actions, snapshot, fleet).await
    }

    /// Its report if there is one, else how long it has been waited for; `None` when it is not the smoke test's turn.
    async fn outcome_of_smoke_test(
        &self,
        saga: &Saga,
        snapshot: &Snapshot,
    ) -> Result<Option<Observation>, Stopped> {
        let SagaState::Activated { to, stamp } = &saga.state else {
            return Ok(None);
        };
        let report = self.state.smoke(to.bot).await?;
        let ours = report.filter(|r| r.epoch == stamp.epoch && r.worker == to.worker);
        let ms = self.waited_ms();
        Ok(Some(match ours {
            Some(report) => Observation::Smoked(report),
            None => Observation::Waited {
                ms,
                again: saga.again(snapshot, ms, clock::unix_now()),
            },
        }))
    }

    fn waited_ms(&self) -> u64 {
        let running = self.held.as_ref().and_then(|held| held.saga.as_ref());
        let waited = running.map(|running| clock::boot_now().since(running.since));
        waited.map_or(0, |waited| {
            u64::try_from(waited.as_millis()).unwrap_or(u64::MAX)
        })
    }

    async fn perform(
        &mut self,
        actions: Vec<Action>,
        snapshot: &Snapshot,
        fleet: &Fleet,
    ) -> Result<(), Stopped> {
        let mut left = VecDeque::from(actions);
        while let Some(action) = left.pop_front() {
            tracing::debug!(pool = %self.name, "switch: {action}");
            let follow = match action {
                Action::Fence => self.fence().await?,
                Action::Release { bot, worker } => {
                    self.release(bot, &worker, snapshot, fleet).await?;
                    Vec::new()
                }
                Action::Assign { bot, worker, slot } => {
                    self.assign_target(bot, &worker, slot, snapshot, fleet)
                        .await?;
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
        let now = clock::unix_now();
        let after = saga.clone().advance(Observation::Fenced { stamp }, now);
        let text = written(&after.saga)?;
        let answer = self
            .state
            .fence(&self.shared.leader, stamp, now, &text)
            .await?;
        match answer {
            FenceAnswer::Fenced => Ok(self.adopt(after)),
            FenceAnswer::Behind { seen } => {
                if let Some(held) = &mut self.held {
                    held.seen = held.seen.max(seen);
                }
                Ok(self.adopt(saga.advance(Observation::FenceRefused, now)))
            }
            FenceAnswer::NotLeading => Err(Stopped::NotLeading),
        }
    }

    async fn mint(&mut self) -> Result<EpochStamp, Stopped> {
        for _ in 0..2 {
            let Some(held) = &mut self.held else {
                return Err(Stopped::NotLeading);
            };
            match held.block.mint(held.seen) {
                Ok(epoch) => {
                    return Ok(EpochStamp {
                        epoch,
                        nonce: clock::nonce(),
                    });
                }
                Err(MintRefused::BlockUsedUp { .. } | MintRefused::Overtaken { .. }) => {
                    self.reserve().await?;
                }
            }
        }
        // A block above everything seen was just reserved, so somebody else mints as well.
        Err(Stopped::Overtaken)
    }

    async fn activate(&mut self, to: &Holder, stamp: EpochStamp) -> Result<Vec<Action>, Stopped> {
        let Some(saga) = self.saga().cloned() else {
            return Ok(Vec::new());
        };
        let now = clock::unix_now();
        let after = saga.advance(Observation::Activated, now);
        let text = written(&after.saga)?;
        let leader = &self.shared.leader;
        let answer = self.state.activate(leader, stamp, to, now, &text).await?;
        self.stepped(answer, after)
    }

    async fn open(&mut self, stamp: EpochStamp) -> Result<Vec<Action>, Stopped> {
        let Some(saga) = self.saga().cloned() else {
            return Ok(Vec::new());
        };
        let now = clock::unix_now();
        let after = saga.advance(Observation::Opened, now);
        let text = written(&after.saga)?;
        let leader = &self.shared.leader;
        let answer = self.state.open_epoch(leader, stamp, now, &text).await?;
        self.stepped(answer, after)
    }

    fn stepped(&mut self, answer: StepAnswer, after: Advanced) -> Result<Vec<Action>, Stopped> {
        match answer {
            StepAnswer::Done => Ok(self.adopt(after)),
            StepAnswer::NotLeading => Err(Stopped::NotLeading),
            StepAnswer::Elsewhere { .. } => Err(Stopped::Overtaken),
        }
    }

    /// Takes a step's result as what is; says what it means for later decisions.
    fn adopt(&mut self, advanced: Advanced) -> Vec<Action> {
        let Advanced { saga, actions } = advanced;
        let Some(held) = &mut self.held else {
            return actions;
        };
        let Some(running) = &mut held.saga else {
            return actions;
        };
        for tried in saga.tried.iter().skip(running.saga.tried.len()) {
            let holder = &tried.holder;
            tracing::warn!(pool = %self.name, bot = %holder.bot, worker = %holder.worker, why = %tried.why, "did not pass");
            held.failed.push(FailedAttempt {
                holder: holder.clone(),
                at: tried.at,
            });
        }
        if saga.state != running.saga.state {
            running.since = clock::boot_now();
            announce(&self.name, &saga);
            match saga.state {
                SagaState::Opened { .. } if counts_as_past(saga.kind, &saga.cause) => {
                    held.past.push(PastMove {
                        kind: saga.kind,
                        at: clock::unix_now(),
                        on_a_guess: !saga.cause.is_certain(),
                    });
                }
                SagaState::Held => {
                    let details = serde_json::json!({ "cause": saga.cause.to_string() });
                    let (name, chronicle) = (&self.name, &self.shared.chronicle);
                    chronicle.event(Some(name), EventKind::PoolHeld, name.as_str(), details);
                }
                _ => {}
            }
        }
        running.saga = saga;
        actions
    }

    /// Sees to it that the old worker holds nothing of the bot any more, if that can be known; else its lease runs out.
    pub(super) async fn release(
        &self,
        bot: BotId,
        worker: &WorkerId,
        snapshot: &Snapshot,
        fleet: &Fleet,
    ) -> Result<(), Stopped> {
        let silent = snapshot.worker(worker).is_none_or(|view| {
            let age = view.beat.as_ref().map(|(_, age_ms)| *age_ms);
            age.is_none_or(|age_ms| age_ms >= self.policy.worker_silent_ms)
        });
        if fleet.is_ours(worker) && silent {
            self.kill(worker, fleet).await?;
        }
        // Its lease as it is now: the snapshot may be from before its death.
        let lease = self
            .state
            .leases(&[bot])
            .await?
            .into_iter()
            .flatten()
            .next();
        let dead = lease
            .filter(|lease| lease.worker == *worker && fleet.is_dead(&lease.worker, lease.nonce));
        let Some(lease) = dead else {
            return Ok(());
        };
        match self.state.break_lease(&self.shared.leader, &lease).await? {
            BreakAnswer::Free | BreakAnswer::HeldBy(_) => Ok(()),
            BreakAnswer::NotLeading => Err(Stopped::NotLeading),
        }
    }

    /// No script can kill, so Redis is asked just before: a leader that slept must not kill what its successor relies on.
    async fn kill(&self, worker: &WorkerId, fleet: &Fleet) -> Result<(), Stopped> {
        let asked = clock::boot_now();
        let leads = self.state.is_led_by(&self.shared.leader).await?;
        // An answer that we slept over says nothing.
        if !leads || clock::boot_now().since(asked) > LEAD_KNOWN_FOR {
            return Err(Stopped::NotLeading);
        }
        fleet.kill(worker).await;
        Ok(())
    }

    async fn assign_target(
        &mut self,
        bot: BotId,
        worker: &WorkerId,
        slot: LoginSlot,
        snapshot: &Snapshot,
        fleet: &Fleet,
    ) -> Result<(), Stopped> {
        let given = [assignment(snapshot, bot, worker, slot, fleet)];
        self.assign(&given).await?;
        self.forget_logins(&given, snapshot);
        Ok(())
    }

    /// Hands everything that has ended to the chronicle.
    fn record(&mut self) {
        let Some(running) = self.held.as_mut().and_then(|held| held.saga.as_mut()) else {
            return;
        };
        running.noted = Some(clock::boot_now());
        let records = running.saga.unrecorded.iter().cloned();
        for record in records.chain(running.saga.record()) {
            let note = Note::Switch(self.name.clone(), record);
            self.shared.chronicle.note(note);
        }
    }

    /// A switch that has ended stays in Redis until SQL has it.
    pub(super) async fn close_saga(&mut self) -> Result<(), Stopped> {
        let Some(running) = self.held.as_ref().and_then(|held| held.saga.as_ref()) else {
            return Ok(());
        };
        let chronicle = &self.shared.chronicle;
        let mut ids = running.saga.unrecorded.iter().map(|record| record.id);
        let all_there = chronicle.has(running.saga.id) && ids.all(|id| chronicle.has(id));
        if all_there || running.saga.state == SagaState::Recorded {
            let saga = running.saga.clone();
            let after = saga.advance(Observation::Recorded, clock::unix_now());
            self.adopt(after);
            return self.clear().await;
        }
        let overdue = running
            .noted
            .is_none_or(|at| clock::boot_now().since(at).as_millis() > NOTE_AGAIN_MS);
        if overdue {
            self.record();
        }
        Ok(())
    }

    async fn clear(&mut self) -> Result<(), Stopped> {
        match self.state.set_saga(&self.shared.leader, None).await? {
            LeadAnswer::Done => {
                if let Some(held) = &mut self.held {
                    held.saga = None;
                }
                Ok(())
            }
            LeadAnswer::NotLeading => Err(Stopped::NotLeading),
        }
    }
}

fn written(saga: &Saga) -> Result<String, Stopped> {
    serde_json::to_string(saga).map_err(Stopped::Unwritable)
}

fn announce(pool: &shared_core::PoolId, saga: &Saga) {
    let took_ms = clock::unix_now().since(saga.timeline.detected_at);
    match saga.record().map(|record| record.outcome) {
        Some(Outcome::Opened) => {
            tracing::info!(%pool, took_ms, kind = %saga.kind, cause = %saga.cause, "members are served again: {}", saga.state);
        }
        Some(Outcome::Held) => {
            tracing::error!(%pool, took_ms, cause = %saga.cause, "nobody is left to try, the pool is held");
        }
        None => tracing::info!(%pool, took_ms, "switch: {}", saga.state),
    }
}
