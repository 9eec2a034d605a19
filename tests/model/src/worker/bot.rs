//! `pool.rs` and `bot.rs`: a task for each assigned bot, which leads sessions one after the other while the lease is held.
//!
//! Invariants: a bot's task runs while an assignment names this worker with the same grant; its socket is closed before the lease is given back.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use shared_core::{
    Assignment, BotId, BotRole, Connection, EpochStamp, ErrorClass, LoginLease, OtherLogin,
};

use super::guard::LeaseCell;
use super::session::{Ended, Session};
use super::{Status, Worker};
use crate::sim::net::Server;
use crate::sim::wait::Bell;
use crate::sim::{Away, Ctx};

/// An orderly end waits so long for what is in flight.
const END: u64 = 1000;

pub struct Bot {
    pub ctx: Ctx,
    pub worker: Rc<Worker>,
    pub given: Assignment,
    pub lease: LoginLease,
    pub cell: Rc<LeaseCell>,
    pub status: Rc<RefCell<Status>>,
    /// Held by a predecessor of the worker's name, who may be alive.
    pub inherited: Option<EpochStamp>,
    pub bell: Rc<Bell>,
    pub stop: Cell<bool>,
    /// It is to stop, or has stopped.
    over: Bell,
    ended: Cell<bool>,
}

/// The stamp under which a predecessor of this name held the pool.
fn inherited(worker: &Worker) -> Option<EpochStamp> {
    if worker.vouched {
        return None;
    }
    let view = worker.view.borrow();
    let record = view.epoch.as_ref()?;
    let holder = record.holder.as_ref()?;
    (holder.worker == worker.id).then_some(record.stamp)
}

/// Keeps one task per assigned bot.
pub async fn reconcile(worker: &Rc<Worker>) {
    let mut at_start: Option<Option<EpochStamp>> = None;
    loop {
        if !worker.view.borrow().known {
            worker.pool_bell.rung().await;
            continue;
        }
        let inherited = *at_start.get_or_insert_with(|| inherited(worker));
        let given = worker.view.borrow().assignments.clone();
        let mine: Vec<&Assignment> = given.iter().filter(|it| it.worker == worker.id).collect();
        let bots = worker.bots.borrow().clone();
        let over = bots.into_iter().filter(|bot| {
            let same = mine.iter().any(|given| given.is_same_hold(&bot.given));
            !same || bot.ended.get()
        });
        for bot in over.collect::<Vec<_>>() {
            bot.stop.set(true);
            bot.bell.ring();
            bot.over.ring();
            while !bot.ended.get() {
                worker.ctx.sleep(1).await;
            }
            worker.bots.borrow_mut().retain(|it| !Rc::ptr_eq(it, &bot));
        }
        for given in mine {
            let known = worker
                .bots
                .borrow()
                .iter()
                .any(|bot| bot.lease.bot == given.bot);
            if !known {
                begin(worker, given, inherited);
            }
        }
        worker.pool_bell.rung().await;
    }
}

fn begin(worker: &Rc<Worker>, given: &Assignment, inherited: Option<EpochStamp>) {
    let sim = &worker.ctx.sim;
    sim.say(|| format!("{} is assigned {} ({})", worker.id, given.bot, given.slot));
    let lease = LoginLease {
        bot: given.bot,
        slot: given.slot,
        worker: worker.id.clone(),
        nonce: worker.nonce,
    };
    let bell = Rc::new(Bell::default());
    let cell = worker
        .guard
        .want(lease.clone(), given.grant, Rc::clone(&bell), sim.bug);
    let status = Rc::new(RefCell::new(Status {
        slot: given.slot,
        connection: Connection::Absent,
        role: BotRole::Standby,
        answered_at: None,
        answered_since: None,
        error: None,
        lease_held: false,
        settled_since: None,
        other: OtherLogin::Unknown,
        reach: 0,
    }));
    worker
        .statuses
        .borrow_mut()
        .insert(given.bot, Rc::clone(&status));
    let bot = Rc::new(Bot {
        ctx: worker.ctx.child(),
        worker: Rc::clone(worker),
        given: given.clone(),
        lease,
        cell,
        status,
        inherited,
        bell,
        stop: Cell::new(false),
        over: Bell::default(),
        ended: Cell::new(false),
    });
    worker.bots.borrow_mut().push(Rc::clone(&bot));
    worker.beat_bell.ring();
    worker.ctx.spawn(async move { bot.run().await });
}

impl Bot {
    pub fn id(&self) -> BotId {
        self.lease.bot
    }

    pub fn status(&self, change: impl FnOnce(&mut Status)) {
        self.worker.with_status(&self.status, change);
    }

    pub fn connection(&self, connection: Connection) {
        self.status(|status| {
            status.connection = connection;
            if connection == Connection::Ready {
                status.error = None;
            }
        });
    }

    pub fn error(&self, class: ErrorClass) {
        let now = self.ctx.sim.now();
        self.status(|status| status.error = Some((class, now)));
    }

    async fn run(self: Rc<Self>) {
        let worker = Rc::clone(&self.worker);
        let leading = Rc::clone(&self);
        let done = Rc::new(Cell::new(false));
        let is_done = Rc::clone(&done);
        self.ctx.spawn(async move {
            leading.lead_sessions().await;
            is_done.set(true);
            leading.over.ring();
        });
        // The product bounds an orderly end from when it is asked for.
        let mut asked = None;
        while !done.get() {
            if !self.stop.get() {
                self.over.rung().await;
                continue;
            }
            let until = *asked.get_or_insert(worker.ctx.sim.now() + END);
            let now = worker.ctx.sim.now();
            if now >= until {
                break;
            }
            worker.ctx.rung_within(&self.over, until - now).await;
        }
        self.ctx.scope.end();
        self.close_lines();
        worker.guard.drop_lease(self.id(), &self.cell);
        let lease = self.lease.clone();
        let released = worker
            .ctx
            .redis(None, move |redis, _| redis.release_lease(&lease));
        // Should it not come through, the lease runs out.
        let _ = released.await;
        let mut statuses = worker.statuses.borrow_mut();
        if statuses
            .get(&self.id())
            .is_some_and(|it| Rc::ptr_eq(it, &self.status))
        {
            statuses.remove(&self.id());
        }
        drop(statuses);
        worker.beat_bell.ring();
        self.ended.set(true);
        worker.pool_bell.ring();
    }

    /// Whatever this task had open is closed with it.
    fn close_lines(&self) {
        if self
            .worker
            .works
            .get()
            .is_some_and(|(_, bot)| bot == self.id())
        {
            self.worker.works.set(None);
        }
        self.ctx
            .sim
            .telegram
            .borrow_mut()
            .close_of(self.ctx.host(), self.id());
    }

    async fn lead_sessions(self: &Rc<Self>) {
        let (mut lost, mut fatal) = (50, 5_000);
        let sim = &self.ctx.sim;
        while !self.stop.get() {
            self.status(|status| status.lease_held = false);
            let Some(tenancy) = self.cell.tenancy(sim.boot()) else {
                self.bell.rung().await;
                continue;
            };
            self.status(|status| status.lease_held = true);
            let ended = Session::lead(self, tenancy).await;
            sim.say(|| {
                format!(
                    "{} on {}: session over, {ended:?}",
                    self.id(),
                    self.worker.id
                )
            });
            let pause = match ended {
                Ended::Stopped => return,
                Ended::LeaseOver => {
                    self.connection(Connection::Absent);
                    continue;
                }
                Ended::Regained => {
                    self.connection(Connection::Connecting);
                    continue;
                }
                Ended::Demoted => {
                    (lost, fatal) = (50, 5_000);
                    continue;
                }
                Ended::LineLost { was_ready } => {
                    self.connection(Connection::Shaky);
                    if was_ready {
                        lost = 50;
                    }
                    lost = (lost * 2).min(5_000);
                    lost / 2
                }
                Ended::Fatal(class) => {
                    self.status(|status| status.connection = Connection::Failed);
                    if matches!(class, ErrorClass::SessionDead(_)) {
                        self.lose_login().await;
                    }
                    fatal = (fatal * 2).min(900_000);
                    fatal / 2
                }
            };
            let until = sim.now() + pause;
            while sim.now() < until && !self.stop.get() {
                self.ctx.rung_within(&self.bell, until - sim.now()).await;
            }
        }
    }

    /// `login.rs`, `lose`: said in SQL, if SQL can be told.
    async fn lose_login(&self) {
        let (bot, slot) = (self.id(), self.lease.slot);
        let key = self.ctx.sim.sql.borrow().login(bot, slot).key;
        if self.ctx.sim.telegram.borrow().is_dead(bot, key) {
            self.worker.lost_keys.borrow_mut().insert(key);
        }
        let told = self.ctx.call(Server::Sql, move |sim| {
            let mut sql = sim.sql.borrow_mut();
            let key = sql.login(bot, slot).key;
            // The vault knows which key it was; one that was made meanwhile is left alone.
            if sim.telegram.borrow().is_dead(bot, key) {
                sql.lose(bot, slot, key);
            }
        });
        let _: Result<(), Away> = told.await;
    }
}
