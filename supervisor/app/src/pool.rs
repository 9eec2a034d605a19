//! One pool under its leader: look, decide, check, act; or take the switch that is under way one step further.
//!
//! Invariants: at most one switch at a time; what is executed has passed `check_plan`; a switch is stored with each of its steps, by the same
//! script. Whatever a script refuses (not the leader, epoch overtaken) makes this forget what it believed and read everything anew.
//!
//! Races that are tolerated: everything seen is old by the time it is acted on. The scripts refuse what has been overtaken.

mod adopt;
mod board;
mod checkpoint;
mod drive;
mod failover;
mod health;
mod history;
mod orders;
mod overrides;
mod place;
mod schedule;
mod seen;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use shared_core::{
    BootMs, BotId, Connection, Epoch, EpochBlock, EpochRecord, EpochStamp, Holder, MemberId, Nonce,
    Overrides, Phase, PoolId,
};
use shared_io::checkpoint::CheckpointError;
use shared_io::clock;
use shared_io::config::{Config, PolicyConfig, PoolConfig};
use shared_io::redis::{LeaderId, Leadership, PoolState, RedisState, StateError};
use shared_io::sql::{self, Store, StoreError, SwitchRow};
use supervisor_core::{
    Checked, Decision, FailedAttempt, Origin, PastMove, Plan, Policy, PoolBot, Saga, SagaSeed,
    Snapshot, check_plan, decide,
};

use crate::chronicle::{Chronicle, Note};
use crate::fleet::Fleet;
use crate::world::World;
use seen::Seen;

/// What all pools of a supervisor use.
#[derive(Clone)]
pub struct Shared {
    pub leader: LeaderId,
    pub store: Store,
    pub chronicle: Chronicle,
}

/// Why a step was not finished. The next look tries again.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    #[error(transparent)]
    State(#[from] StateError),
    #[error("another supervisor leads this pool")]
    NotLeading,
    #[error("another switch has overtaken this one")]
    Overtaken,
    #[error("Redis does not have the history that it had: everything is read anew")]
    AnotherHistory,
    #[error("no epoch can be minted")]
    NoEpoch(#[source] StoreError),
    #[error("reading what is known of the pool")]
    Store(#[from] StoreError),
    #[error("the switch cannot be written down")]
    Unwritable(#[source] serde_json::Error),
    #[error("restoring the pool")]
    Restore(#[source] CheckpointError),
    #[error("an admin has the pool restored")]
    Restoring,
}

pub struct Pool {
    name: PoolId,
    bots: Vec<PoolBot>,
    /// Whose orders through a bot count, by this supervisor's configuration.
    admins: BTreeSet<MemberId>,
    policy: Policy,
    /// In whatever history Redis has.
    redis: PoolState,
    /// In the one in which `held` was read; refused in any other.
    state: PoolState,
    failover: failover::Failover,
    shared: Shared,
    /// What is only known once this supervisor leads the pool.
    held: Option<Held>,
    /// The highest epoch that this supervisor has seen in any of its leads.
    newest: Epoch,
    /// What is to be settled before that.
    settling: history::Settling,
    /// The last decision that was said, so that it is not said four times a second.
    said: Option<Plan>,
    failures: health::Failures,
    /// What Telegram calls the bots, as far as SQL knew.
    usernames: BTreeMap<BotId, String>,
    /// Counts the boards of this process.
    seq: u64,
    /// After how long a silence its members are reminded.
    remind_after: Option<Duration>,
}

struct Held {
    /// The lead under which all of this was read.
    tenure: Nonce,
    block: EpochBlock,
    /// The highest epoch seen in Redis.
    seen: Epoch,
    /// The mark of the Redis history that all of this belongs to.
    lineage: String,
    saga: Option<drive::Running>,
    past: Vec<PastMove>,
    /// The epoch that is open, and since when this supervisor has seen it so.
    opened: Option<(EpochStamp, BootMs)>,
    failed: Vec<FailedAttempt>,
    overrides: Overrides,
    /// The last switch that SQL knew of.
    last: Option<SwitchRow>,
    published: Option<board::Published>,
    /// When orders that are over were last looked through.
    swept: BootMs,
    copying: checkpoint::Copying,
}

impl Held {
    /// Counted by a clock that does not jump, so that nobody is taken for idle because a wall clock did.
    fn open_for_ms(&mut self, record: Option<&EpochRecord>) -> u64 {
        let open = record.filter(|record| record.phase == Phase::Open);
        let Some(stamp) = open.map(|record| record.stamp) else {
            self.opened = None;
            return 0;
        };
        let now = clock::boot_now();
        let since = match self.opened {
            Some((known, since)) if known == stamp => since,
            _ => now,
        };
        self.opened = Some((stamp, since));
        u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX)
    }
}

impl Pool {
    pub fn new(config: &Config, pool: &PoolConfig, redis: &RedisState, shared: Shared) -> Self {
        let bots = pool.bots.iter().zip(0..);
        Self {
            name: pool.name.clone(),
            bots: bots
                .map(|(bot, priority)| PoolBot {
                    bot: bot.bot(),
                    name: bot.name.clone(),
                    priority,
                    promotable: bot.promote,
                    resting_known: false,
                })
                .collect(),
            admins: pool.admins.clone(),
            policy: policy(&config.policy),
            redis: redis.pool(&pool.name),
            state: redis.pool(&pool.name),
            failover: failover::Failover::default(),
            shared,
            held: None,
            newest: Epoch::default(),
            settling: history::Settling::default(),
            said: None,
            failures: health::Failures::default(),
            usernames: BTreeMap::new(),
            seq: 0,
            remind_after: pool.upload.remind_after(),
        }
    }

    pub fn name(&self) -> &PoolId {
        &self.name
    }

    /// Has every bot's first attempt to connect come to an end?
    pub fn is_settled(&self, world: &World) -> bool {
        self.bots.iter().all(|bot| {
            let mut beats = world.workers.iter().filter_map(|view| view.beat.as_ref());
            beats.any(|(beat, _)| {
                beat.bot(&self.name, bot.bot).is_some_and(|health| {
                    !matches!(
                        health.connection,
                        Connection::Absent | Connection::Connecting
                    )
                })
            })
        })
    }

    /// Takes or renews the lead of this pool; everything is read anew when it was not ours without a break. How long another has it, if one has.
    pub async fn renew_lead(&mut self, redis: &RedisState) -> Result<Option<Duration>, Stopped> {
        let leadership = self
            .redis
            .take_lead_of_pool(&self.shared.leader, crate::lead::TTL)
            .await?;
        self.leave_history();
        match (leadership, &self.held) {
            (Leadership::Another { left }, _) => {
                self.forget();
                self.settling = history::Settling::default();
                return Ok(Some(left));
            }
            (Leadership::Ours { since }, Some(held)) if held.tenure == since => {}
            (Leadership::Ours { since }, _) => {
                self.forget();
                self.state = self.redis.held_to(self.redis.history());
                self.settle_history(since, redis).await?;
            }
        }
        Ok(None)
    }

    /// What was read under a lead that is over; that there was one stays known.
    fn forget(&mut self) {
        if let Some(held) = self.held.take() {
            self.newest = self.newest.max(held.seen);
        }
    }

    pub async fn release_lead(&self) {
        // Should it fail, the lead runs out by itself.
        let _released = self.redis.release_lead_of_pool(&self.shared.leader).await;
    }

    /// One look, and what follows from it. The holder of an open epoch, if there is one, is returned.
    pub async fn step(&mut self, world: &World, fleet: &Fleet) -> Result<Option<Holder>, Stopped> {
        if self.leave_history() {
            return Err(Stopped::AnotherHistory);
        }
        if self.held.is_none() || !self.is_let_go(world) {
            return Ok(None);
        }
        let result = self.look_and_act(world, fleet).await;
        if let Err(
            Stopped::NotLeading | Stopped::Overtaken | Stopped::AnotherHistory | Stopped::Restoring,
        ) = &result
        {
            self.forget();
        }
        result
    }

    async fn look_and_act(
        &mut self,
        world: &World,
        fleet: &Fleet,
    ) -> Result<Option<Holder>, Stopped> {
        let Some(Seen {
            mut snapshot,
            orders,
        }) = self.look(world).await?
        else {
            return Ok(None);
        };
        snapshot.orphaned =
            snapshot.find_orphaned(|process| fleet.is_dead(&process.worker, process.nonce));
        self.tell_of_failures(&snapshot);
        self.publish(&snapshot, world).await?;
        self.heed_schedule(&mut snapshot).await?;
        if snapshot.running_saga().is_some() {
            self.go_on(&snapshot, fleet).await?;
            self.follow_orders(&orders).await?;
            let _none_moves = self.take_orders(&mut snapshot, &orders, true).await?;
            return Ok(None);
        }
        self.correct_assignments(&mut snapshot, fleet).await?;
        // Before the saga is cleared: it says how its order ended.
        self.follow_orders(&orders).await?;
        self.close_saga().await?;
        match self.take_orders(&mut snapshot, &orders, false).await? {
            Some(taken) => {
                self.act(&snapshot, &taken.plan, taken.origin, fleet)
                    .await?;
            }
            None => self.decide_and_act(&snapshot, world, fleet).await?,
        }
        if self.saga().is_some_and(Saga::is_running) {
            return Ok(None);
        }
        self.free_dead_leases(&snapshot, fleet).await?;
        self.refill().await?;
        self.sweep_orders().await?;
        Ok(snapshot.holder().cloned())
    }

    async fn decide_and_act(
        &mut self,
        snapshot: &Snapshot,
        world: &World,
        fleet: &Fleet,
    ) -> Result<(), Stopped> {
        let decision = decide(snapshot, &self.policy, clock::unix_now());
        let is_another = self.say(&decision);
        let now = clock::unix_now();
        match check_plan(snapshot, &self.policy, now, &decision.plan) {
            Ok(checked) => {
                let origin = Origin {
                    id: clock::switch_id(),
                    reasons: decision.reasons.iter().map(ToString::to_string).collect(),
                    detected_at: world.seen_at,
                };
                self.act(snapshot, &checked, origin, fleet).await?;
            }
            Err(violation) if is_another => {
                tracing::error!(pool = %self.name, plan = %decision.plan, %violation, "a plan did not pass the audit and is not executed");
            }
            Err(_) => {}
        }
        Ok(())
    }

    async fn act(
        &mut self,
        snapshot: &Snapshot,
        plan: &Checked,
        origin: Origin,
        fleet: &Fleet,
    ) -> Result<(), Stopped> {
        if let Plan::PlaceStandbys(placements) = plan.plan() {
            return self.place(snapshot, placements, fleet).await;
        }
        match SagaSeed::of(plan, snapshot, &self.policy, origin) {
            Some(seed) => self.begin(seed, snapshot, fleet).await,
            None => Ok(()),
        }
    }

    /// Logs a decision when it is another one, and has those recorded that do something. True: it is another one.
    fn say(&mut self, decision: &Decision) -> bool {
        let said_before = match (&self.said, &decision.plan) {
            (Some(Plan::Wait { .. }), Plan::Wait { .. }) => true,
            (Some(said), plan) => said == plan,
            (None, _) => false,
        };
        if said_before {
            return false;
        }
        self.said = Some(decision.plan.clone());
        let reasons: Vec<String> = decision.reasons.iter().map(ToString::to_string).collect();
        let why = reasons.join("; ");
        match &decision.plan {
            Plan::Nothing => tracing::info!(pool = %self.name, why, "all is as it should be"),
            Plan::Wait { .. } => {
                tracing::debug!(pool = %self.name, why, plan = %decision.plan, "waiting")
            }
            Plan::Hold { .. } => tracing::warn!(pool = %self.name, why, "{}", decision.plan),
            plan => tracing::info!(pool = %self.name, why, "decided: {plan}"),
        }
        if !matches!(decision.plan, Plan::Nothing | Plan::Wait { .. }) {
            self.shared.chronicle.note(Note::Decision(sql::Decision {
                id: clock::nonce(),
                pool: self.name.clone(),
                at: clock::unix_now(),
                plan: serde_json::Value::String(decision.plan.to_string()),
                reasons,
            }));
        }
        true
    }

    fn saga(&self) -> Option<&Saga> {
        let running = self.held.as_ref()?.saga.as_ref()?;
        Some(&running.saga)
    }
}

/// What the configuration says, over the defaults of `supervisor-core`.
pub fn policy(config: &PolicyConfig) -> Policy {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let defaults = Policy::default();
    let smoke_timeout_ms = millis(config.smoke_timeout);
    Policy {
        worker_silent_ms: millis(config.worker_silent),
        line_silent_ms: millis(config.line_silent),
        smoke_timeout_ms,
        takeover_smoke_ms: defaults.takeover_smoke_ms.min(smoke_timeout_ms),
        witness_ms: defaults.witness_ms.min(millis(config.line_silent)),
        cooldown_ms: millis(config.cooldown),
        switches_per_hour: config.switches_per_hour,
        takeovers_per_hour: config.takeovers_per_hour,
        ..defaults
    }
}

/// The epoch in which the record stands, zero for none.
fn epoch_of(record: Option<&EpochRecord>) -> shared_core::Epoch {
    record.map_or(shared_core::Epoch(0), |record| record.stamp.epoch)
}
