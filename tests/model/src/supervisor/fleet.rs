//! `fleet.rs`, `fleet/*.rs`: this supervisor's own workers, started again when they die, ended when they hang; and who is known to be dead.
//!
//! Invariants: of a worker of ours only the heartbeats of our own process count; a dead worker stays dead in what is seen until its
//! successor is started.

use std::collections::BTreeSet;
use std::rc::Rc;

use shared_core::{Heartbeat, Nonce, WorkerId};
use supervisor_core::{Process, WorkerView};

use crate::sim::Ctx;
use crate::worker::Worker;

const RESTART: u64 = 300;
/// Between two looks at the heartbeats; after a longer gap silence is counted anew.
const GAP: u64 = 1_000;

struct Child {
    host: usize,
    worker: WorkerId,
    state: State,
    heard: Option<u64>,
}

enum State {
    Running { nonce: Nonce, since: u64 },
    Dead { again_at: u64 },
}

pub struct Fleet {
    ctx: Ctx,
    children: Vec<Child>,
    dead: BTreeSet<(WorkerId, Nonce)>,
    unreported: Vec<(WorkerId, Nonce)>,
    watched: Option<(u64, u64)>,
}

impl Fleet {
    /// Starts or adopts the workers on these hosts.
    pub fn new(ctx: Ctx, hosts: &[usize]) -> Self {
        let mut fleet = Self {
            children: Vec::new(),
            dead: BTreeSet::new(),
            unreported: Vec::new(),
            watched: None,
            ctx,
        };
        for host in hosts {
            let worker = fleet.ctx.sim.fixed.workers[*host].clone();
            let state = fleet.bring_up(*host, &worker);
            fleet.children.push(Child {
                host: *host,
                worker,
                state,
                heard: None,
            });
        }
        fleet
    }

    fn bring_up(&mut self, host: usize, worker: &WorkerId) -> State {
        let sim = Rc::clone(&self.ctx.sim);
        let now = sim.now();
        let running = sim.workers.borrow()[host]
            .as_ref()
            .map(|(proc, it)| (proc.dead.get(), it.nonce));
        match running {
            Some((false, nonce)) => return State::Running { nonce, since: now },
            // Whoever sat there before is dead, or the seat would not be free.
            Some((true, before)) => self.saw(worker, before),
            None => {}
        }
        let nonce = sim.nonce();
        let started = Worker::start(&sim, host, nonce, true);
        sim.workers.borrow_mut()[host] = Some(started);
        State::Running { nonce, since: now }
    }

    fn saw(&mut self, worker: &WorkerId, nonce: Nonce) {
        let dead = (worker.clone(), nonce);
        if self.dead.insert(dead.clone()) {
            self.unreported.push(dead);
        }
    }

    fn is_alive(&self, host: usize, nonce: Nonce) -> bool {
        let workers = self.ctx.sim.workers.borrow();
        let running = workers[host].as_ref();
        running.is_some_and(|(proc, it)| it.nonce == nonce && !proc.dead.get())
    }

    /// Notes deaths, starts the dead again, ends those that hang, and exchanges what is known.
    pub async fn look(&mut self, heard: &[(Heartbeat, u64)]) {
        let now = self.ctx.sim.now();
        for at in 0..self.children.len() {
            let (host, worker) = (self.children[at].host, self.children[at].worker.clone());
            match self.children[at].state {
                State::Running { nonce, .. } if !self.is_alive(host, nonce) => {
                    self.saw(&worker, nonce);
                    let again_at = now + RESTART;
                    self.children[at].state = State::Dead { again_at };
                }
                State::Dead { again_at, .. } if again_at <= now => {
                    self.children[at].state = self.bring_up(host, &worker);
                    self.children[at].heard = None;
                }
                State::Running { .. } | State::Dead { .. } => {}
            }
        }
        self.end_hung(heard, now);
        self.exchange().await;
    }

    /// `fleet/hung.rs`
    fn end_hung(&mut self, heard: &[(Heartbeat, u64)], now: u64) {
        let policy = &self.ctx.sim.fixed.policy;
        let (silent_ms, start_ms) = (policy.worker_silent_ms * 2, policy.start_grace_ms + 5_000);
        let unbroken = self.watched.filter(|(_, last)| now - last <= GAP);
        let since = unbroken.map_or(now, |(since, _)| since);
        self.watched = Some((since, now));
        let mut hung = Vec::new();
        for child in &mut self.children {
            let State::Running {
                nonce,
                since: started,
            } = child.state
            else {
                continue;
            };
            let beat = heard
                .iter()
                .find(|(beat, _)| beat.worker == child.worker && beat.nonce == nonce);
            if let Some((_, age)) = beat {
                let at = now.saturating_sub(*age);
                child.heard = Some(child.heard.map_or(at, |known| known.max(at)));
            }
            let (from, limit) = match child.heard {
                Some(heard) => (heard, silent_ms),
                None => (started, start_ms),
            };
            if now - from.max(since).min(now) >= limit {
                hung.push(child.worker.clone());
            }
        }
        hung.iter().for_each(|worker| self.kill(worker));
    }

    /// Ends one of ours at once.
    pub fn kill(&self, worker: &WorkerId) {
        let Some(child) = self.children.iter().find(|child| child.worker == *worker) else {
            return;
        };
        let sim = &self.ctx.sim;
        if let Some((proc, _)) = &sim.workers.borrow()[child.host] {
            sim.say(|| format!("{worker} is killed by its supervisor"));
            proc.dead.set(true);
            sim.telegram.borrow_mut().close_all_of(child.host);
        }
    }

    async fn exchange(&mut self) {
        while let Some((worker, nonce)) = self.unreported.last().cloned() {
            let reporting = self
                .ctx
                .redis(None, move |redis, _| redis.report_death(&worker, nonce));
            if reporting.await.is_err() {
                return;
            }
            self.unreported.pop();
        }
        if let Ok(told) = self
            .ctx
            .redis(None, |redis, _| redis.live.deaths.clone())
            .await
        {
            self.dead.extend(told);
        }
    }

    pub fn is_ours(&self, worker: &WorkerId) -> bool {
        self.children.iter().any(|child| child.worker == *worker)
    }

    /// Is this very process certainly dead?
    pub fn is_dead(&self, worker: &WorkerId, nonce: Nonce) -> bool {
        let ours = self.children.iter().find(|child| child.worker == *worker);
        let just_died = ours.is_some_and(|child| {
            matches!(child.state, State::Running { nonce: known, .. } if known == nonce)
                && !self.is_alive(child.host, nonce)
        });
        just_died || self.dead.contains(&(worker.clone(), nonce))
    }

    pub fn is_gone(&self, view: &WorkerView) -> bool {
        view.process == Process::Dead
    }

    /// All workers as they are seen.
    pub fn views(&self, heard: &[(Heartbeat, u64)]) -> Vec<WorkerView> {
        let now = self.ctx.sim.now();
        let ours = self.children.iter().map(|child| {
            let (process, nonce) = match child.state {
                State::Running { nonce, .. } if !self.is_alive(child.host, nonce) => {
                    (Process::Dead, None)
                }
                State::Running { nonce, since } => (
                    Process::Running {
                        for_ms: now - since,
                    },
                    Some(nonce),
                ),
                State::Dead { .. } => (Process::Dead, None),
            };
            let beat = heard.iter().find(|(beat, _)| {
                beat.worker == child.worker && nonce.is_none_or(|nonce| nonce == beat.nonce)
            });
            WorkerView {
                worker: child.worker.clone(),
                process,
                beat: beat.cloned(),
            }
        });
        let others = heard
            .iter()
            .filter(|(beat, _)| !self.is_ours(&beat.worker))
            .map(|(beat, age)| {
                let dead = self.dead.contains(&(beat.worker.clone(), beat.nonce));
                WorkerView {
                    worker: beat.worker.clone(),
                    process: if dead {
                        Process::Dead
                    } else {
                        Process::Elsewhere
                    },
                    beat: Some((beat.clone(), *age)),
                }
            });
        ours.chain(others).collect()
    }
}
