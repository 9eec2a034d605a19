//! The world of one history: a clock that is only ever set forward, what is due, who runs, and the servers.
//!
//! Discrete events: the next thing due is done, then every task that is ready goes on until it waits. Between two events nothing is half
//! done, so an operation of the history (a kill, a cut) may come between any two steps of anybody. Invariant: a history follows from its
//! seed and its operations; nothing here asks the machine for time or chance.

pub mod net;
pub mod rng;
pub mod tasks;
pub mod wait;

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::Future;
use std::rc::{Rc, Weak};
use std::task::{Poll, Waker};

use shared_core::{BootMs, Nonce, UnixMs};

use crate::bug::Bug;
use crate::fixed::{Fixed, WORKERS};
use crate::ghost::Ghost;
use crate::redis::Redis;
use crate::sql::Sql;
use crate::telegram::Telegram;
use crate::worker::Worker;
use net::{Net, Server};
use tasks::{Proc, Scope, Tasks};
use wait::{Bell, Slot};

enum What {
    Wake(Waker),
    Do(Box<dyn FnOnce(&Sim)>),
}

struct Due {
    at: u64,
    seq: u64,
    what: What,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.seq) == (other.at, other.seq)
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.seq).cmp(&(other.at, other.seq))
    }
}

pub struct World {
    now: Cell<u64>,
    seq: Cell<u64>,
    queue: RefCell<BinaryHeap<Reverse<Due>>>,
    nonces: Cell<u64>,
    pub tasks: Tasks,
    pub net: RefCell<Net>,
    pub redis: RefCell<Redis>,
    pub telegram: RefCell<Telegram>,
    pub sql: RefCell<Sql>,
    pub ghost: RefCell<Ghost>,
    /// What runs on each worker's host.
    pub workers: RefCell<Vec<Option<Running>>>,
    /// Every worker that was ever started.
    pub started: RefCell<Vec<Weak<Worker>>>,
    /// Who listens to the workers' bell and to the supervisors'.
    pub worker_bells: RefCell<Vec<(Scope, Rc<Bell>)>>,
    pub supervisor_bells: RefCell<Vec<(Scope, Rc<Bell>)>>,
    /// Workers are started by service managers, not by the supervisor.
    pub has_service_manager: Cell<bool>,
    pub bug: Option<Bug>,
    pub fixed: Rc<Fixed>,
    pub trace: Option<RefCell<Vec<String>>>,
}

pub type Sim = Rc<World>;

/// A worker's process and the worker.
pub type Running = (Rc<Proc>, Rc<Worker>);

/// Wall time at the world's beginning: clocks do not differ in the model.
const EPOCH_MS: i64 = 1_700_000_000_000;

impl World {
    pub fn new(seed: u64, bug: Option<Bug>, fixed: Rc<Fixed>, trace: bool) -> Sim {
        Rc::new(Self {
            now: Cell::new(1_000),
            seq: Cell::new(0),
            queue: RefCell::default(),
            nonces: Cell::new(0),
            tasks: Tasks::default(),
            net: RefCell::new(Net::new(seed)),
            redis: RefCell::default(),
            telegram: RefCell::new(Telegram::new(seed)),
            sql: RefCell::new(Sql::new()),
            ghost: RefCell::default(),
            workers: RefCell::new((0..WORKERS).map(|_| None).collect()),
            started: RefCell::default(),
            worker_bells: RefCell::default(),
            supervisor_bells: RefCell::default(),
            has_service_manager: Cell::new(false),
            bug,
            fixed,
            trace: trace.then(RefCell::default),
        })
    }

    pub fn now(&self) -> u64 {
        self.now.get()
    }

    pub fn boot(&self) -> BootMs {
        BootMs(self.now.get())
    }

    pub fn unix(&self) -> UnixMs {
        self.unix_at(self.now())
    }

    pub fn unix_at(&self, at: u64) -> UnixMs {
        UnixMs(EPOCH_MS.saturating_add(i64::try_from(at).unwrap_or(i64::MAX)))
    }

    /// A number that nobody else has.
    pub fn nonce(&self) -> Nonce {
        self.nonces.set(self.nonces.get() + 1);
        Nonce(self.nonces.get().to_be_bytes())
    }

    pub fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// One line of the trace; made only where somebody reads it.
    pub fn say(&self, line: impl FnOnce() -> String) {
        if let Some(trace) = &self.trace {
            trace
                .borrow_mut()
                .push(format!("{:>7} {}", self.now.get(), line()));
        }
    }

    fn push(&self, at: u64, what: What) {
        let seq = self.seq.get();
        self.seq.set(seq + 1);
        let at = at.max(self.now.get());
        self.queue.borrow_mut().push(Reverse(Due { at, seq, what }));
    }

    pub fn at(&self, at: u64, what: impl FnOnce(&Sim) + 'static) {
        self.push(at, What::Do(Box::new(what)));
    }

    pub fn wake_at(&self, at: u64, waker: Waker) {
        self.push(at, What::Wake(waker));
    }

    /// Rings for everybody who listens, as far as the ring comes through.
    pub fn ring(self: &Rc<Self>, bells: &RefCell<Vec<(Scope, Rc<Bell>)>>) {
        let mut bells = bells.borrow_mut();
        bells.retain(|(scope, _)| !scope.is_over());
        for (scope, bell) in bells.iter() {
            let host = scope.proc().host;
            let mut net = self.net.borrow_mut();
            let bad = net.bad(host, Server::Redis);
            if !net.passes(host, Server::Redis) || net.chance(host, bad) {
                continue;
            }
            let at = self.now() + net.push_latency(host);
            let bell = Rc::clone(bell);
            self.at(at, move |_| bell.ring());
        }
    }

    pub fn ring_workers(self: &Rc<Self>) {
        self.ring(&self.worker_bells);
    }

    pub fn ring_supervisors(self: &Rc<Self>) {
        self.ring(&self.supervisor_bells);
    }

    /// Does the next thing that is due, no later than `until`. False: nothing is due before.
    pub fn step(self: &Rc<Self>, until: u64) -> bool {
        self.tasks.run_ready();
        let due = {
            let mut queue = self.queue.borrow_mut();
            match queue.peek() {
                Some(Reverse(due)) if due.at <= until => queue.pop(),
                _ => None,
            }
        };
        let Some(Reverse(due)) = due else {
            self.now.set(self.now.get().max(until));
            return false;
        };
        self.now.set(due.at);
        match due.what {
            What::Wake(waker) => waker.wake(),
            What::Do(what) => what(self),
        }
        self.tasks.run_ready();
        true
    }

    /// Breaks the circles that hold the world.
    pub fn clear(&self) {
        self.tasks.clear();
        let started = std::mem::take(&mut *self.started.borrow_mut());
        for worker in started.iter().filter_map(Weak::upgrade) {
            worker.clear();
        }
        self.workers.borrow_mut().clear();
        self.queue.borrow_mut().clear();
        self.worker_bells.borrow_mut().clear();
        self.supervisor_bells.borrow_mut().clear();
    }
}

/// Why a call brought nothing. What was asked may have been done all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Away {
    /// No answer.
    Lost,
    /// Redis has another history than the one that this caller is held to.
    Replaced,
    /// Done, but no copy has it.
    Uncopied,
}

/// Where a task runs, and from where it calls.
#[derive(Clone)]
pub struct Ctx {
    pub sim: Sim,
    pub scope: Scope,
}

impl Ctx {
    pub fn in_scope(&self, scope: &Scope) -> Self {
        Self {
            sim: Rc::clone(&self.sim),
            scope: scope.clone(),
        }
    }

    pub fn child(&self) -> Self {
        self.in_scope(&self.scope.child())
    }

    pub fn host(&self) -> usize {
        self.scope.proc().host
    }

    pub fn spawn(&self, work: impl Future<Output = ()> + 'static) {
        self.sim.tasks.spawn(&self.scope, work);
    }

    pub async fn sleep(&self, ms: u64) {
        let until = self.sim.now() + ms;
        let mut asked = false;
        std::future::poll_fn(|cx| {
            if self.sim.now() >= until {
                return Poll::Ready(());
            }
            if !std::mem::replace(&mut asked, true) {
                self.sim.wake_at(until, cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    /// Waits for the bell, at most so long.
    pub async fn rung_within(&self, bell: &Bell, ms: u64) -> bool {
        wait::race(bell.rung(), self.sleep(ms)).await.is_ok()
    }

    pub async fn within<T>(&self, ms: u64, work: impl Future<Output = T>) -> Option<T> {
        wait::race(work, self.sleep(ms)).await.ok()
    }

    /// Asks a server: `f` is carried out when the request arrives there.
    pub fn call<T: 'static>(
        &self,
        server: Server,
        f: impl FnOnce(&Sim) -> T + 'static,
    ) -> Slot<Result<T, Away>> {
        let slot = Slot::new();
        let (host, now) = (self.host(), self.sim.now());
        let fate = self.sim.net.borrow_mut().fate(host, server, now);
        let gives_up = fate.gives_up;
        let is_sure = |at: u64| at <= gives_up && fate.answer.is_some();
        if !fate.arrives.is_some_and(is_sure) {
            let slot = slot.clone();
            self.sim.at(gives_up, move |_| slot.fill(Err(Away::Lost)));
        }
        if let Some(arrives) = fate.arrives {
            let answers = slot.clone();
            self.sim.at(arrives, move |sim| {
                if !sim.net.borrow().passes(host, server) {
                    return sim.at(gives_up, move |_| answers.fill(Err(Away::Lost)));
                }
                let answer = f(sim);
                let Some(back) = fate.answer else { return };
                sim.at(sim.now() + back, move |sim| {
                    if sim.net.borrow().passes(host, server) {
                        answers.fill(Ok(answer));
                    } else {
                        sim.at(gives_up, move |_| answers.fill(Err(Away::Lost)));
                    }
                });
            });
        }
        slot
    }

    /// Asks Redis, in whatever history it has or in this one only.
    pub async fn redis<T: 'static>(
        &self,
        held_to: Option<u64>,
        f: impl FnOnce(&mut Redis, &World) -> T + 'static,
    ) -> Result<T, Away> {
        let answer = self.call(Server::Redis, move |sim| {
            let mut redis = sim.redis.borrow_mut();
            if held_to.is_some_and(|held| held != redis.history) && !sim.has(Bug::HistoryIgnored) {
                return Err(Away::Replaced);
            }
            Ok(f(&mut redis, sim))
        });
        answer.await?
    }

    /// The same, and it counts only once the copy has it; with the history that has it.
    pub async fn copied<T: 'static>(
        &self,
        held_to: Option<u64>,
        f: impl FnOnce(&mut Redis, &World) -> T + 'static,
    ) -> Result<(T, u64), Away> {
        let answer = self.call(Server::Redis, move |sim| {
            let mut redis = sim.redis.borrow_mut();
            if held_to.is_some_and(|held| held != redis.history) && !sim.has(Bug::HistoryIgnored) {
                return Err(Away::Replaced);
            }
            let answer = f(&mut redis, sim);
            match redis.replicate() || sim.has(Bug::CopyNotAwaited) {
                true => Ok((answer, redis.history)),
                false => Err(Away::Uncopied),
            }
        });
        answer.await?
    }
}
