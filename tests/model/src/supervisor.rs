//! A supervisor's process: it leads or follows, looks, decides, and carries out.
//!
//! The glue of `supervisor/app` (`lead.rs`, `world.rs`, `pool.rs`, `pool/adopt.rs`), written small; what decides is the product's (`supervisor-core`).
//! Left out: orders, overrides, the copy in SQL and restoring from it, notes, boards. Invariants: what is executed has passed `check_plan`; whatever a
//! script refuses makes this forget what it believed and read everything anew.

mod drive;
mod fleet;
mod place;

use std::cell::Cell;
use std::rc::Rc;

use shared_core::{
    Assignment, BootMs, Epoch, EpochBlock, EpochRecord, EpochStamp, Nonce, Order, OtherLogin,
    Overrides, Phase, SwitchId,
};
use supervisor_core::{
    Arrivals, Checked, FailedAttempt, Ordered, Origin, PastMove, Plan, PoolBot, RedisView, Saga,
    SagaSeed, Snapshot, WorkerView, check_plan, decide, ordered,
};

use crate::bug::Bug;
use crate::fixed::BOTS;
use crate::redis::{Lead, Leading};
use crate::sim::net::Server;
use crate::sim::tasks::{Proc, Scope};
use crate::sim::wait::Bell;
use crate::sim::{Away, Ctx, Sim};
use drive::Running;
use fleet::Fleet;

const TTL: u64 = 2_000;
const RENEW: u64 = 400;
const ASK: u64 = 250;
const TICK: u64 = 250;
const TICK_WITHOUT_REDIS: u64 = 50;

/// Why a step was not finished. The next look tries again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    Away(Away),
    NotLeading,
    Overtaken,
    NoEpoch,
}

impl From<Away> for Stopped {
    fn from(away: Away) -> Self {
        Self::Away(away)
    }
}

/// What is only known once this supervisor leads.
struct Held {
    tenure: Nonce,
    block: EpochBlock,
    seen: Epoch,
    saga: Option<Running>,
    past: Vec<PastMove>,
    opened: Option<(EpochStamp, u64)>,
    failed: Vec<FailedAttempt>,
}

pub struct Supervisor {
    ctx: Ctx,
    id: Nonce,
    fleet: Fleet,
    arrivals: Arrivals,
    up_since: Option<u64>,
    renew_at: u64,
    history: u64,
    bots: Vec<PoolBot>,
    held: Option<Held>,
    /// What an admin asked for, as of the last look.
    order: Option<Order>,
    /// Epochs whose switch SQL has.
    recorded: Rc<std::cell::RefCell<Vec<SwitchId>>>,
}

impl Supervisor {
    /// Starts a process on this host; `children`: the hosts whose workers are its own.
    pub fn start(sim: &Sim, host: usize, children: &[usize]) -> Rc<Proc> {
        let proc = Rc::new(Proc {
            host,
            dead: Cell::new(false),
            stopped: Cell::new(false),
        });
        let scope = Scope::of(Rc::clone(&proc));
        let ctx = Ctx {
            sim: Rc::clone(sim),
            scope: scope.clone(),
        };
        let bell = Rc::new(Bell::default());
        sim.supervisor_bells
            .borrow_mut()
            .push((scope, Rc::clone(&bell)));
        let bots = BOTS.iter().zip(0..).map(|(bot, priority)| PoolBot {
            bot: *bot,
            name: String::new(),
            priority,
            promotable: true,
            resting_known: false,
        });
        let supervisor = Self {
            id: sim.nonce(),
            fleet: Fleet::new(ctx.clone(), children),
            arrivals: Arrivals::default(),
            up_since: None,
            renew_at: 0,
            history: 0,
            bots: bots.collect(),
            held: None,
            order: None,
            recorded: Rc::default(),
            ctx: ctx.clone(),
        };
        ctx.spawn(async move { supervisor.run(bell).await });
        proc
    }

    fn lead(&self) -> Lead {
        Lead {
            id: self.id,
            bug: self.ctx.sim.bug,
        }
    }

    fn held_to(&self) -> Option<u64> {
        Some(self.history)
    }

    async fn run(mut self, bell: Rc<Bell>) {
        loop {
            self.turn().await;
            let tick = match self.up_since {
                Some(_) => TICK,
                None => TICK_WITHOUT_REDIS,
            };
            let due = self.renew_at.saturating_sub(self.ctx.sim.now()).max(1);
            self.ctx.rung_within(&bell, tick.min(due)).await;
        }
    }

    async fn turn(&mut self) {
        let sim = Rc::clone(&self.ctx.sim);
        if sim.now() >= self.renew_at {
            match self.renew_lead().await {
                Ok(()) => {}
                Err(stopped) => self.renew_at = self.after(stopped),
            }
        }
        let asked = sim.boot();
        let beats = self
            .ctx
            .redis(None, |redis, sim| redis.heartbeats(sim.now()))
            .await;
        let Ok(beats) = beats else {
            self.up_since = None;
            return;
        };
        let seen = beats.iter().map(|(beat, age)| ((**beat).clone(), *age));
        let heard = self.arrivals.take(seen, asked, sim.boot());
        self.up_since.get_or_insert(sim.now());
        self.fleet.look(&heard).await;
        if self.held.is_none() {
            return;
        }
        let workers = self.fleet.views(&heard);
        if let Err(stopped) = self.look_and_act(workers).await {
            sim.say(|| format!("supervisor {} stops: {stopped:?}", self.id));
            let forgets = matches!(
                stopped,
                Stopped::NotLeading | Stopped::Overtaken | Stopped::Away(Away::Replaced)
            );
            if forgets {
                self.held = None;
                self.renew_at = 0;
            }
        }
    }

    /// When the lead is asked for again after it was not had.
    fn after(&self, _stopped: Stopped) -> u64 {
        self.ctx.sim.now() + TICK_WITHOUT_REDIS
    }

    async fn renew_lead(&mut self) -> Result<(), Stopped> {
        let sim = Rc::clone(&self.ctx.sim);
        let (id, tenure) = (self.id, sim.nonce());
        let renewed = self.ctx.copied(None, move |redis, sim| {
            redis.take_lead(id, TTL, tenure, sim.now())
        });
        let (answer, history) = renewed.await?;
        self.renew_at = sim.now() + RENEW;
        if history != self.history {
            self.history = history;
            self.held = None;
        }
        match answer {
            Leading::Another { left } => {
                self.held = None;
                self.renew_at = sim.now() + left.min(ASK) + 2;
            }
            Leading::Ours { since } => {
                let known = self.held.as_ref().is_some_and(|held| held.tenure == since);
                if !known {
                    self.held = None;
                    self.held = Some(self.take_over(since).await?);
                    sim.say(|| format!("supervisor {} leads", self.id));
                }
            }
        }
        Ok(())
    }

    /// `pool/adopt.rs`: epochs of our own first, then what is known.
    async fn take_over(&mut self, tenure: Nonce) -> Result<Held, Stopped> {
        let held_to = self.held_to();
        let looked = self.ctx.redis(held_to, |redis, _| {
            let state = &redis.live;
            (
                state.epoch.clone(),
                state.assign.clone(),
                state.saga.clone(),
            )
        });
        let (epoch, assign, saga) = looked.await?;
        let seen = epoch.as_ref().map_or(Epoch(0), |record| record.stamp.epoch);
        let given: Vec<Assignment> = assign.into_values().collect();
        let asked = given.clone();
        let known = self.ctx.call(Server::Sql, move |sim| {
            let mut sql = sim.sql.borrow_mut();
            let block = sql.reserve(seen);
            let rests = asked
                .iter()
                .map(|it| (it.bot, !sql.login(it.bot, it.slot.other()).lost));
            (block, rests.collect::<Vec<_>>(), sql.moves())
        });
        let (mut block, rests, past) = known.await.map_err(|_| Stopped::NoEpoch)?;
        if self.ctx.sim.has(Bug::EpochsUnreserved) {
            block.next = Epoch(seen.0 + 1);
        }
        for bot in &mut self.bots {
            bot.resting_known = rests
                .iter()
                .any(|(known, rests)| *known == bot.bot && *rests);
        }
        let now = self.ctx.sim.now();
        Ok(Held {
            tenure,
            block,
            seen,
            saga: saga.map(|saga| Running::found((*saga).clone(), now)),
            past,
            opened: None,
            failed: Vec::new(),
        })
    }

    async fn look(&mut self, workers: Vec<WorkerView>) -> Result<Snapshot, Stopped> {
        let held_to = self.held_to();
        let looked = self.ctx.redis(held_to, |redis, sim| {
            let state = &redis.live;
            let given: Vec<Assignment> = state.assign.values().cloned().collect();
            let leases = BOTS.iter().filter_map(|bot| redis.lease(*bot, sim.now()));
            (
                state.epoch.clone(),
                given,
                leases.collect::<Vec<_>>(),
                state.order.clone(),
            )
        });
        let (epoch, assignments, leases, order) = looked.await?;
        self.order = order;
        self.hear_of_logins(&workers, &assignments);
        let (sim, bots) = (Rc::clone(&self.ctx.sim), self.bots.clone());
        let Some(held) = &mut self.held else {
            return Err(Stopped::NotLeading);
        };
        if let Some(record) = &epoch {
            held.seen = held.seen.max(record.stamp.epoch);
        }
        let open_for_ms = held.open_for_ms(epoch.as_ref(), sim.now());
        let for_ms = self.up_since.map_or(0, |since| sim.now() - since);
        Ok(Snapshot {
            pool: sim.fixed.pool.clone(),
            redis: RedisView::Up { for_ms },
            database_ok: !sim.net.borrow().sql_down,
            epoch,
            open_for_ms,
            bots,
            workers,
            assignments,
            leases,
            // Two live processes of one name are not modelled.
            orphaned: Vec::new(),
            saga: held.saga.as_ref().map(|running| running.saga.clone()),
            past: held.past.clone(),
            failed: held.failed.clone(),
            overrides: Overrides::default(),
        })
    }

    /// Keeps what the assigned worker last said of the login that is not used.
    fn hear_of_logins(&mut self, workers: &[WorkerView], assignments: &[Assignment]) {
        let pool = &self.ctx.sim.fixed.pool;
        for bot in &mut self.bots {
            let given = assignments.iter().find(|given| given.bot == bot.bot);
            let said = given.and_then(|given| {
                let view = workers.iter().find(|view| view.worker == given.worker)?;
                let health = view.beat.as_ref()?.0.bot(pool, bot.bot)?;
                (health.slot == given.slot).then_some(health.other_login)
            });
            match said {
                Some(OtherLogin::Resting) => bot.resting_known = true,
                Some(OtherLogin::Missing | OtherLogin::Lost) => bot.resting_known = false,
                Some(OtherLogin::Unknown) | None => {}
            }
        }
    }

    async fn look_and_act(&mut self, workers: Vec<WorkerView>) -> Result<(), Stopped> {
        let mut snapshot = self.look(workers).await?;
        if snapshot.running_saga().is_some() {
            return self.go_on(&snapshot).await;
        }
        self.free_other_logins(&mut snapshot).await?;
        self.close_saga().await?;
        match self.order.take() {
            Some(order) => self.carry_out(&snapshot, &order).await?,
            None => self.decide_and_act(&snapshot).await?,
        }
        if self.saga().is_some_and(Saga::is_running) {
            return Ok(());
        }
        self.free_dead_leases(&snapshot).await
    }

    async fn decide_and_act(&mut self, snapshot: &Snapshot) -> Result<(), Stopped> {
        let sim = Rc::clone(&self.ctx.sim);
        let (policy, now) = (sim.fixed.policy, sim.unix());
        let decision = decide(snapshot, &policy, now);
        let Ok(checked) = check_plan(snapshot, &policy, now, &decision.plan) else {
            return Ok(());
        };
        if !matches!(decision.plan, Plan::Nothing | Plan::Wait { .. }) {
            sim.say(|| {
                let reasons: Vec<String> =
                    decision.reasons.iter().map(ToString::to_string).collect();
                format!(
                    "supervisor {} decides: {} ({})",
                    self.id,
                    decision.plan,
                    reasons.join("; ")
                )
            });
        }
        self.note_doubts(&decision.reasons);
        let origin = Origin {
            id: SwitchId(sim.nonce().0),
            reasons: Vec::new(),
            detected_at: now,
        };
        self.act(snapshot, &checked, origin).await
    }

    /// `pool/orders.rs`, without its book-keeping: taken once, then carried out or refused.
    async fn carry_out(&mut self, snapshot: &Snapshot, order: &Order) -> Result<(), Stopped> {
        let sim = Rc::clone(&self.ctx.sim);
        self.ctx
            .redis(self.held_to(), |redis, _| redis.state().order = None)
            .await?;
        let (policy, now) = (sim.fixed.policy, sim.unix());
        let Ok(Ordered::Move(decision)) = ordered(snapshot, &policy, now, order, "admin") else {
            return Ok(());
        };
        let Ok(checked) = check_plan(snapshot, &policy, now, &decision.plan) else {
            return Ok(());
        };
        sim.say(|| {
            format!(
                "supervisor {} is ordered to {order:?}: {}",
                self.id, decision.plan
            )
        });
        self.note_doubts(&decision.reasons);
        let origin = Origin {
            id: SwitchId(sim.nonce().0),
            reasons: Vec::new(),
            detected_at: now,
        };
        self.act(snapshot, &checked, origin).await
    }

    async fn act(
        &mut self,
        snapshot: &Snapshot,
        plan: &Checked,
        origin: Origin,
    ) -> Result<(), Stopped> {
        if let Plan::PlaceStandbys(placements) = plan.plan() {
            return self.place(snapshot, placements).await;
        }
        let policy = self.ctx.sim.fixed.policy;
        match SagaSeed::of(plan, snapshot, &policy, origin) {
            Some(seed) => self.begin(seed, snapshot).await,
            None => Ok(()),
        }
    }

    fn saga(&self) -> Option<&Saga> {
        let running = self.held.as_ref()?.saga.as_ref()?;
        Some(&running.saga)
    }

    fn boot(&self) -> BootMs {
        self.ctx.sim.boot()
    }
}

impl Held {
    fn open_for_ms(&mut self, record: Option<&EpochRecord>, now: u64) -> u64 {
        let open = record.filter(|record| record.phase == Phase::Open);
        let Some(stamp) = open.map(|record| record.stamp) else {
            self.opened = None;
            return 0;
        };
        let since = match self.opened {
            Some((known, since)) if known == stamp => since,
            _ => now,
        };
        self.opened = Some((stamp, since));
        now - since
    }
}
