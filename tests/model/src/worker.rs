//! A worker's process: its name, its leases, its heartbeat, its view of the pool, a task for each bot that is assigned to it.
//!
//! The glue of `bot-worker/app`, written small; what decides is the product's (`bot-worker-core`, `shared-core`). Each file says which of the
//! product's it stands for. What is left out: admins, hints, announcements, records, timers, the inbox (`post` has that one), damage.

mod active;
mod aside;
mod bot;
mod calls;
mod cursors;
mod deliver;
mod doubt;
mod feed;
mod guard;
mod lane;
mod load;
mod parked;
mod resume;
mod sender;
mod session;
mod smoke;
mod standby;
mod tenure;
mod turn;
mod view;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use bot_worker_core::Dialogue;
use shared_core::{
    BotHealth, BotId, BotRole, Connection, ConversationKey, Envelope, EpochStamp, ErrorClass,
    ErrorSeen, Heartbeat, LatencySummary, LoginSlot, Nonce, OtherLogin, Phase, PoolWork, UnixMs,
    WorkerId,
};

use crate::redis::Name;
use crate::sim::tasks::{Proc, Scope};
use crate::sim::wait::Bell;
use crate::sim::{Away, Ctx, Sim};
use crate::stage;
use bot::Bot;
pub use calls::push;
use guard::Guard;
use view::View;

/// `heartbeat.rs`: at least so often.
const BEAT: u64 = 250;
/// `status.rs`: answers that are not further apart follow one another without a break.
const UNBROKEN: u64 = 2_500;

/// What a worker says of a bot (`status.rs`).
pub struct Status {
    slot: LoginSlot,
    connection: Connection,
    role: BotRole,
    answered_at: Option<u64>,
    /// Since when without a gap.
    answered_since: Option<u64>,
    error: Option<(ErrorClass, u64)>,
    lease_held: bool,
    settled_since: Option<u64>,
    other: OtherLogin,
    reach: u64,
}

impl Status {
    fn is_answered(&mut self, now: u64) {
        let goes_on = self.answered_at.is_some_and(|last| now - last <= UNBROKEN);
        if !goes_on {
            self.answered_since = Some(now);
        }
        self.answered_at = Some(now);
    }
}

pub struct Worker {
    ctx: Ctx,
    pub id: WorkerId,
    pub nonce: Nonce,
    /// Whoever started it vouches that its predecessor is dead.
    vouched: bool,
    started: UnixMs,
    guard: Guard,
    view: RefCell<View>,
    view_bell: Rc<Bell>,
    pool_bell: Rc<Bell>,
    beat_bell: Rc<Bell>,
    statuses: RefCell<BTreeMap<BotId, Rc<RefCell<Status>>>>,
    bots: RefCell<Vec<Rc<Bot>>>,
    /// The epoch whose work this process does.
    works: Cell<Option<(EpochStamp, BotId)>>,
    /// Logins that this process has found dead (`login/vault.rs`).
    lost_keys: RefCell<BTreeSet<u64>>,
    /// The epoch in which this process has shown everybody where he stands; asked by the model alone.
    pub showed: Cell<Option<EpochStamp>>,
    /// How far each box was heard; for the bug that starts from there.
    heard: RefCell<BTreeMap<BotId, i32>>,
    /// For the bug that keeps conversations beyond their epoch.
    old_cache: RefCell<Option<BTreeMap<ConversationKey, Envelope<Dialogue>>>>,
}

impl Worker {
    /// Starts a process on this host.
    pub fn start(sim: &Sim, host: usize, nonce: Nonce, vouched: bool) -> (Rc<Proc>, Rc<Self>) {
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
        let worker = Rc::new(Self {
            id: sim.fixed.workers[host].clone(),
            nonce,
            vouched,
            started: sim.unix(),
            guard: Guard::default(),
            view: RefCell::default(),
            view_bell: Rc::default(),
            pool_bell: Rc::default(),
            beat_bell: Rc::default(),
            statuses: RefCell::default(),
            bots: RefCell::default(),
            works: Cell::new(None),
            lost_keys: RefCell::default(),
            showed: Cell::new(None),
            heard: RefCell::default(),
            old_cache: RefCell::default(),
            ctx: ctx.clone(),
        });
        sim.started.borrow_mut().push(Rc::downgrade(&worker));
        let bells = (scope, Rc::clone(&worker.view_bell));
        sim.worker_bells.borrow_mut().push(bells);
        let main = Rc::clone(&worker);
        ctx.spawn(async move { main.run().await });
        (proc, worker)
    }

    /// Its bots hold it, and it holds them.
    pub fn clear(&self) {
        self.bots.borrow_mut().clear();
    }

    async fn run(self: Rc<Self>) {
        if !self.claim_name().await {
            return self.exit();
        }
        let sim = &self.ctx.sim;
        sim.say(|| format!("{} starts as {}", self.id, self.nonce));
        let guard = Rc::clone(&self);
        self.ctx.spawn(async move { guard::run(&guard).await });
        let beat = Rc::clone(&self);
        self.ctx.spawn(async move { beat.beat().await });
        let follow = Rc::clone(&self);
        self.ctx.spawn(async move { view::follow(&follow).await });
        bot::reconcile(&self).await;
    }

    /// The process ends by itself.
    fn exit(&self) {
        let proc = self.ctx.scope.proc();
        proc.dead.set(true);
        let (sim, host) = (&self.ctx.sim, proc.host);
        sim.telegram.borrow_mut().close_all_of(host);
        stage::ended(sim, host);
    }

    /// `name.rs`: of two live processes with one name the later one ends before it has touched a lease.
    async fn claim_name(&self) -> bool {
        const LOOK: u64 = 100;
        const PATIENCE: u64 = 10_000;
        let sim = &self.ctx.sim;
        let silent = sim.fixed.policy.worker_silent_ms;
        let until = sim.now() + silent + PATIENCE;
        let mut seen: Option<(Name, u64)> = None;
        loop {
            let now = sim.now();
            let gone = seen.filter(|(_, since)| now - since >= silent);
            let (id, nonce) = (self.id.clone(), self.nonce);
            let gone = gone.map(|(name, _)| name);
            let claim = move |redis: &mut crate::redis::Redis, sim: &crate::sim::World| {
                redis.claim_name(&id, nonce, gone, sim.now())
            };
            match self.ctx.redis(None, claim).await {
                Ok(None) => return true,
                Ok(Some(held)) => match seen {
                    Some((before, _)) if (before.nonce, before.seq) == (held.nonce, held.seq) => {}
                    Some((before, _)) if before.nonce == held.nonce => return false,
                    Some(_) | None => seen = Some((held, now)),
                },
                Err(_) => seen = None,
            }
            if now >= until {
                return false;
            }
            self.ctx.sleep(LOOK).await;
        }
    }

    /// `heartbeat.rs`
    async fn beat(self: Rc<Self>) {
        let mut seq = 0;
        let mut urgent = true;
        loop {
            seq += 1;
            let beat = Rc::new(self.compose(seq));
            let beaten = self.ctx.call(crate::sim::net::Server::Redis, move |sim| {
                let taken = sim.redis.borrow_mut().beat(beat, sim.now());
                if urgent && taken {
                    sim.ring_supervisors();
                }
                taken
            });
            if let Ok(false) = beaten.await {
                self.ctx
                    .sim
                    .say(|| format!("{} finds its name taken", self.id));
                return self.exit();
            }
            urgent = self.ctx.rung_within(&self.beat_bell, BEAT).await;
        }
    }

    fn compose(&self, seq: u64) -> Heartbeat {
        let sim = &self.ctx.sim;
        let statuses = self.statuses.borrow();
        let bots = statuses.iter().map(|(bot, status)| {
            let status = status.borrow();
            self.health(*bot, &status)
        });
        let work = self.works.get().map(|(epoch, bot)| PoolWork {
            pool: sim.fixed.pool.clone(),
            bot,
            epoch,
            phase: Phase::Open,
            conversations_open: 0,
            outbox: 0,
            commits: 0,
            commits_refused: 0,
            duplicates: 0,
            sent: 0,
            updates_unknown: 0,
            files_to_resend: 0,
            maybe_repeated: 0,
            parked: 0,
        });
        Heartbeat {
            worker: self.id.clone(),
            nonce: self.nonce,
            pid: 0,
            seq,
            sent: sim.unix(),
            started: self.started,
            version: String::new(),
            bots: bots.collect(),
            pools: work.into_iter().collect(),
            seen: std::collections::BTreeMap::new(),
            redis_us: 0,
            sql_ok: !sim.net.borrow().sql_down,
        }
    }

    fn health(&self, bot: BotId, status: &Status) -> BotHealth {
        let now = self.ctx.sim.now();
        BotHealth {
            pool: self.ctx.sim.fixed.pool.clone(),
            bot,
            username: String::new(),
            slot: status.slot,
            role: status.role,
            connection: status.connection,
            last_ok_ago_ms: status.answered_at.map(|at| now - at),
            answered_for_ms: status.answered_since.map(|at| now - at),
            probe: LatencySummary::default(),
            last_error: status.error.map(|(class, at)| ErrorSeen {
                class,
                name: String::new(),
                ago_ms: now - at,
            }),
            flood_wait_s: None,
            lease_held: status.lease_held,
            settled_ms: status.settled_since.map(|at| now - at),
            other_login: status.other,
            channels: Vec::new(),
            reach: status.reach,
        }
    }

    fn with_status(&self, status: &Rc<RefCell<Status>>, change: impl FnOnce(&mut Status)) {
        let mut it = status.borrow_mut();
        let before = (
            it.connection,
            it.lease_held,
            it.error.map(|(class, _)| class),
        );
        change(&mut it);
        let ready = it.connection == Connection::Ready && it.lease_held;
        it.settled_since = match ready {
            true => it.settled_since.or(Some(self.ctx.sim.now())),
            false => None,
        };
        if before
            != (
                it.connection,
                it.lease_held,
                it.error.map(|(class, _)| class),
            )
        {
            self.beat_bell.ring();
        }
    }

    /// Which bots this process believes it may act for, at this moment; asked by the model alone.
    pub fn believes_in(&self, bot: BotId) -> bool {
        self.guard.believes_in(bot, self.ctx.sim.boot())
    }

    /// Is this process at this epoch's work with this bot?
    pub fn works_for(&self, stamp: EpochStamp, bot: BotId) -> bool {
        self.works.get() == Some((stamp, bot))
    }

    /// Something that every session has to look at has changed.
    fn ring_bots(&self) {
        for bot in self.bots.borrow().iter() {
            bot.bell.ring();
        }
    }
}

/// Does the error say that Redis could not be asked, so that asking again makes sense?
fn is_connection(away: Away) -> bool {
    matches!(away, Away::Lost)
}
