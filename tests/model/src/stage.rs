//! Who runs, outside of what the product itself starts: service managers, and whoever mends things once faults stop.
//!
//! Invariant: what is started here is what a deployment starts; the product's own children are left to it.

use std::cell::RefCell;
use std::rc::Rc;

use crate::fixed::{BOTS, SUPERVISORS, WORKERS};
use crate::op::Setup;
use crate::sim::Sim;
use crate::sim::tasks::Proc;
use crate::supervisor::Supervisor;
use crate::worker::Worker;

/// `RestartSec` of the service.
const RESTART: u64 = 1_000;

/// Who runs, outside of what the product itself starts.
pub struct Stage {
    pub sim: Sim,
    setup: Setup,
    pub supervisors: Rc<RefCell<Vec<Rc<Proc>>>>,
}

impl Stage {
    pub fn new(sim: &Sim, setup: Setup) -> Self {
        know_reach(sim);
        let supervisors = (0..SUPERVISORS).map(|which| start_supervisor(sim, setup, which));
        let stage = Self {
            sim: Rc::clone(sim),
            setup,
            supervisors: Rc::new(RefCell::new(supervisors.collect())),
        };
        sim.has_service_manager.set(!setup.local);
        if !setup.local {
            (0..setup.workers).for_each(|host| start_worker(sim, host));
        }
        stage
    }

    pub fn kill_worker(&mut self, host: usize, back: u64) {
        let workers = self.sim.workers.borrow();
        let Some((proc, _)) = &workers[host] else {
            return;
        };
        proc.dead.set(true);
        self.sim.telegram.borrow_mut().close_all_of(host);
        // Its pidfd tells whoever started it.
        self.sim.ring_supervisors();
        if !self.setup.local {
            self.sim
                .at(self.sim.now() + 100 + back, move |sim| revive(sim, host));
        }
    }

    pub fn kill_supervisor(&mut self, which: usize, back: u64) {
        let supervisors = Rc::clone(&self.supervisors);
        supervisors.borrow()[which].dead.set(true);
        let setup = self.setup;
        self.sim.at(self.sim.now() + 50 + back, move |sim| {
            let is_dead = supervisors.borrow()[which].dead.get();
            if is_dead {
                let started = start_supervisor(sim, setup, which);
                supervisors.borrow_mut()[which] = started;
            }
        });
    }

    /// Faults stop: lines and servers are well, whoever is down is started again.
    pub fn heal(&mut self) {
        let sim = &self.sim;
        sim.net.borrow_mut().heal();
        sim.telegram.borrow_mut().heal();
        sim.redis.borrow_mut().copy_is_cut = false;
        for which in 0..SUPERVISORS {
            let proc = Rc::clone(&self.supervisors.borrow()[which]);
            proc.stopped.set(false);
            if proc.dead.get() {
                let started = start_supervisor(sim, self.setup, which);
                self.supervisors.borrow_mut()[which] = started;
            }
        }
        for host in 0..self.setup.workers {
            if let Some((proc, _)) = &sim.workers.borrow()[host] {
                proc.stopped.set(false);
            }
            if !self.setup.local {
                revive(sim, host);
            }
        }
        sim.tasks.thaw();
    }
}

/// Whoever started a bot before the history begins is known.
fn know_reach(sim: &Sim) {
    let (mut redis, telegram) = (sim.redis.borrow_mut(), sim.telegram.borrow());
    for bot in BOTS {
        let started = telegram.people.started_by(bot).collect();
        redis.state().reach.insert(bot, started);
    }
    redis.replicate();
}

fn start_supervisor(sim: &Sim, setup: Setup, which: usize) -> Rc<Proc> {
    let children: Vec<usize> = match setup.local && which == 0 {
        true => (0..setup.workers).collect(),
        false => Vec::new(),
    };
    Supervisor::start(sim, WORKERS + which, &children)
}

fn start_worker(sim: &Sim, host: usize) {
    let started = Worker::start(sim, host, sim.nonce(), false);
    sim.workers.borrow_mut()[host] = Some(started);
}

/// A worker's process has ended by itself. Whoever started it hears of that, as of a kill.
pub fn ended(sim: &Sim, host: usize) {
    sim.ring_supervisors();
    if sim.has_service_manager.get() {
        sim.at(sim.now() + RESTART, move |sim| revive(sim, host));
    }
}

/// A service manager starts it again.
fn revive(sim: &Sim, host: usize) {
    let is_dead = sim.workers.borrow()[host]
        .as_ref()
        .is_some_and(|(proc, _)| proc.dead.get());
    if is_dead {
        start_worker(sim, host);
    }
}
