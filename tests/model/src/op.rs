//! Operations: what members do, what breaks, and how much happens in between.
//!
//! Each carries its own numbers, so that taking one out of a history leaves the others as they are. A fault that lasts ends by itself. Invariant: an
//! operation never leaves the world without a bot that can be revived.

use std::rc::Rc;

use shared_core::{LoginSlot, Order};

use crate::fixed::{BOTS, MEMBERS, SUPERVISORS, WORKERS};
use crate::sim::Sim;
use crate::sim::net::Server;
use crate::sim::rng::Rng;
use crate::sim::tasks::Proc;
use crate::supervisor::Supervisor;
use crate::telegram::{Act, Place, Pushed};
use crate::worker::{Worker, push};

/// How the parts are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setup {
    pub workers: usize,
    /// The first supervisor starts the workers; else each is a service of its own.
    pub local: bool,
    /// Faults begin once members are served.
    pub warm: bool,
}

impl Setup {
    pub fn draw(rng: &mut Rng) -> Self {
        Self {
            workers: rng.pick(2) + 2,
            local: rng.chance(50),
            warm: rng.chance(80),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// So many events.
    Events(u8),
    /// So many milliseconds.
    Time(u16),
    Say {
        who: u8,
        group: bool,
        pick: u32,
    },
    Start {
        who: u8,
        bot: u8,
    },
    KillWorker {
        host: u8,
        back: u16,
    },
    StopWorker {
        host: u8,
        back: u16,
    },
    KillSupervisor {
        which: u8,
        back: u16,
    },
    StopSupervisor {
        which: u8,
        back: u16,
    },
    CutRedis {
        host: u8,
        back: u16,
    },
    CutTelegram {
        host: u8,
        back: u16,
    },
    SpoilRedis {
        host: u8,
        percent: u8,
        back: u16,
    },
    SpoilTelegram {
        host: u8,
        percent: u8,
        back: u16,
    },
    RedisDown {
        back: u16,
    },
    CutCopy {
        back: u16,
    },
    FailOver {
        catches_up: bool,
    },
    SqlDown {
        back: u16,
    },
    Silence {
        bot: u8,
        back: u16,
    },
    Revoke {
        bot: u8,
        tells: bool,
    },
    KillKey {
        bot: u8,
        tells: bool,
    },
    DropLines {
        bot: u8,
    },
    /// An admin wants another bot (the first of them: the best standby), or whatever helps.
    Order {
        to: u8,
    },
}

/// Kinds of faults, for drawing.
const FAULTS: u64 = 19;

impl Op {
    /// The kinds of faults that a history has: a few, so that they meet often.
    pub fn faults(rng: &mut Rng) -> Vec<u64> {
        let count = rng.range(1, 5);
        (0..count).map(|_| rng.below(FAULTS)).collect()
    }

    pub fn draw(rng: &mut Rng, faults: &[u64]) -> Self {
        match rng.below(100) {
            0..=24 => Self::Events(byte(rng, 40)),
            25..=44 => Self::Time(short(rng)),
            45..=79 => Self::Say {
                who: byte(rng, MEMBERS as u64),
                group: rng.chance(40),
                pick: u32::try_from(rng.below(1 << 31)).unwrap_or(0),
            },
            80..=83 => Self::Start {
                who: byte(rng, MEMBERS as u64),
                bot: byte(rng, BOTS.len() as u64),
            },
            _ => {
                let kind = faults[rng.pick(faults.len())];
                Self::fault(rng, kind)
            }
        }
    }

    fn fault(rng: &mut Rng, kind: u64) -> Self {
        let host = byte(rng, WORKERS as u64);
        let any_host = byte(rng, (WORKERS + SUPERVISORS) as u64);
        let which = byte(rng, SUPERVISORS as u64);
        let bot = byte(rng, BOTS.len() as u64);
        let (back, tells) = (long(rng), rng.chance(50));
        let percent = 10 + byte(rng, 50);
        match kind {
            0 | 1 => Self::KillWorker { host, back },
            2 | 3 => Self::StopWorker { host, back },
            4 => Self::KillSupervisor { which, back },
            5 => Self::StopSupervisor { which, back },
            6 => Self::CutRedis {
                host: any_host,
                back,
            },
            7 => Self::CutTelegram { host, back },
            8 => Self::SpoilRedis {
                host: any_host,
                percent,
                back,
            },
            9 => Self::SpoilTelegram {
                host,
                percent,
                back,
            },
            10 => Self::RedisDown { back },
            11 => Self::FailOver { catches_up: tells },
            12 if tells => Self::CutCopy { back },
            12 => Self::FailOver { catches_up: false },
            13 => Self::SqlDown { back },
            14 => Self::Silence { bot, back },
            15 => Self::Revoke { bot, tells },
            17 | 18 => Self::Order { to: byte(rng, 5) },
            _ if rng.chance(30) => Self::DropLines { bot },
            _ => Self::KillKey { bot, tells },
        }
    }

    pub fn apply(self, stage: &mut Stage) {
        let sim = Rc::clone(&stage.sim);
        match self {
            Self::Events(_) | Self::Time(_) => {}
            Self::Say { who, group, pick } => {
                let place = if group { Place::Group } else { Place::Private };
                let act =
                    sim.telegram
                        .borrow_mut()
                        .does(who.into(), place, pick.into(), sim.unix());
                give_out(&sim, act);
            }
            Self::Start { who, bot } => {
                let updates = sim
                    .telegram
                    .borrow_mut()
                    .starts(who.into(), bot.into(), sim.unix());
                updates.iter().for_each(|update| push(&sim, update));
            }
            Self::KillWorker { host, back } => stage.kill_worker(host.into(), back.into()),
            Self::StopWorker { host, back } => {
                if let Some((proc, _)) = &sim.workers.borrow()[usize::from(host)] {
                    stop(&sim, proc, back.into());
                }
            }
            Self::KillSupervisor { which, back } => {
                stage.kill_supervisor(which.into(), back.into())
            }
            Self::StopSupervisor { which, back } => {
                let proc = Rc::clone(&stage.supervisors.borrow()[usize::from(which)]);
                stop(&sim, &proc, back.into());
            }
            Self::CutRedis { host, back } => cut(&sim, host.into(), Server::Redis, back.into()),
            Self::CutTelegram { host, back } => {
                cut(&sim, host.into(), Server::Telegram, back.into())
            }
            Self::SpoilRedis {
                host,
                percent,
                back,
            } => {
                spoil(
                    &sim,
                    host.into(),
                    Server::Redis,
                    percent.into(),
                    back.into(),
                );
            }
            Self::SpoilTelegram {
                host,
                percent,
                back,
            } => {
                spoil(
                    &sim,
                    host.into(),
                    Server::Telegram,
                    percent.into(),
                    back.into(),
                );
            }
            Self::RedisDown { back } => {
                sim.net.borrow_mut().redis_down = true;
                sim.at(sim.now() + u64::from(back), |sim| {
                    sim.net.borrow_mut().redis_down = false
                });
            }
            Self::CutCopy { back } => {
                sim.redis.borrow_mut().copy_is_cut = true;
                sim.at(sim.now() + u64::from(back), |sim| {
                    sim.redis.borrow_mut().copy_is_cut = false
                });
            }
            Self::FailOver { catches_up } => fail_over(&sim, catches_up),
            Self::SqlDown { back } => {
                sim.net.borrow_mut().sql_down = true;
                sim.at(sim.now() + u64::from(back), |sim| {
                    sim.net.borrow_mut().sql_down = false
                });
            }
            Self::Silence { bot, back } => {
                let until = sim.now() + u64::from(back) * 2;
                sim.telegram
                    .borrow_mut()
                    .silence(BOTS[usize::from(bot)], until);
            }
            Self::Revoke { bot, tells } => revoke(&sim, bot.into(), tells),
            Self::KillKey { bot, tells } => kill_key(&sim, bot.into(), tells),
            Self::Order { to } => {
                let order = match to {
                    0 | 1 => Order::Rotate,
                    2 => Order::Recover,
                    _ => Order::Switch {
                        to: BOTS[usize::from(to) % BOTS.len()],
                    },
                };
                sim.redis.borrow_mut().state().order = Some(order);
                sim.ring_supervisors();
            }
            Self::DropLines { bot } => sim.telegram.borrow_mut().drop_lines(BOTS[usize::from(bot)]),
        }
    }
}

fn byte(rng: &mut Rng, below: u64) -> u8 {
    u8::try_from(rng.below(below)).unwrap_or(0)
}

/// Mostly less than what a step takes, sometimes as long as a lease.
fn short(rng: &mut Rng) -> u16 {
    let ms = match rng.below(8) {
        0..=3 => rng.range(1, 40),
        4..=6 => rng.range(20, 400),
        _ => rng.range(300, 1_500),
    };
    u16::try_from(ms).unwrap_or(0)
}

/// From a moment to longer than anybody waits.
fn long(rng: &mut Rng) -> u16 {
    let ms = match rng.below(8) {
        0..=1 => rng.range(5, 200),
        2..=5 => rng.range(200, 2_000),
        _ => rng.range(1_500, 6_000),
    };
    u16::try_from(ms).unwrap_or(0)
}

fn give_out(sim: &Sim, act: Act) {
    match act {
        Act::Wrote(updates) => updates.iter().for_each(|update| push(sim, update)),
        Act::Pressed(bot, press) => {
            let r#box = shared_core::BoxId::Private(bot);
            let listeners = sim.telegram.borrow().listeners(r#box, sim.now());
            for (line, host) in listeners {
                let at = sim.now() + sim.net.borrow_mut().push_latency(host);
                let press = Rc::clone(&press);
                sim.at(at, move |sim| {
                    if sim.net.borrow().passes(host, Server::Telegram) {
                        line.inbox.borrow_mut().push_back(Pushed::Press(press));
                        line.bell.ring();
                    }
                });
            }
        }
    }
}

fn stop(sim: &Sim, proc: &Rc<Proc>, back: u64) {
    proc.stopped.set(true);
    let proc = Rc::clone(proc);
    sim.at(sim.now() + back, move |sim| {
        // Whatever it has open pings by itself, before anybody looks at a lease.
        if proc.stopped.replace(false) && !proc.dead.get() {
            let mut ghost = sim.ghost.borrow_mut();
            sim.telegram
                .borrow_mut()
                .pings(&mut ghost, proc.host, sim.now());
        }
        sim.tasks.thaw();
    });
}

fn cut(sim: &Sim, host: usize, server: Server, back: u64) {
    sim.net.borrow_mut().cut(host, server, true);
    sim.at(sim.now() + back, move |sim| {
        sim.net.borrow_mut().cut(host, server, false)
    });
}

fn spoil(sim: &Sim, host: usize, server: Server, percent: u64, back: u64) {
    sim.net.borrow_mut().spoil(host, server, percent);
    sim.at(sim.now() + back, move |sim| {
        sim.net.borrow_mut().spoil(host, server, 0)
    });
}

fn fail_over(sim: &Sim, catches_up: bool) {
    let mut redis = sim.redis.borrow_mut();
    if catches_up {
        redis.replicate();
    }
    if redis.lags() {
        sim.ghost.borrow_mut().set_back = true;
    }
    redis.fail_over();
}

/// The last bot that lives is left alone.
fn revoke(sim: &Sim, bot: usize, tells: bool) {
    let mut telegram = sim.telegram.borrow_mut();
    let others = telegram
        .revoked
        .iter()
        .enumerate()
        .filter(|(at, revoked)| *at != bot && !**revoked);
    if others.count() > 0 {
        telegram.revoke(BOTS[bot], tells);
    }
}

fn kill_key(sim: &Sim, bot: usize, tells: bool) {
    let given = sim
        .redis
        .borrow()
        .live
        .assign
        .get(&BOTS[bot])
        .map(|given| given.slot);
    let slot = given.unwrap_or(LoginSlot::A);
    let key = sim.sql.borrow().login(BOTS[bot], slot).key;
    sim.telegram.borrow_mut().kill_key(key, tells);
}

/// Who runs, outside of what the product itself starts.
pub struct Stage {
    sim: Sim,
    setup: Setup,
    supervisors: Rc<std::cell::RefCell<Vec<Rc<Proc>>>>,
}

impl Stage {
    pub fn new(sim: &Sim, setup: Setup) -> Self {
        know_reach(sim);
        let supervisors = (0..SUPERVISORS).map(|which| start_supervisor(sim, setup, which));
        let stage = Self {
            sim: Rc::clone(sim),
            setup,
            supervisors: Rc::new(std::cell::RefCell::new(supervisors.collect())),
        };
        if !setup.local {
            (0..setup.workers).for_each(|host| start_worker(sim, host));
        }
        stage
    }

    fn kill_worker(&mut self, host: usize, back: u64) {
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

    fn kill_supervisor(&mut self, which: usize, back: u64) {
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

/// A service manager starts it again.
fn revive(sim: &Sim, host: usize) {
    let is_dead = sim.workers.borrow()[host]
        .as_ref()
        .is_some_and(|(proc, _)| proc.dead.get());
    if is_dead {
        start_worker(sim, host);
    }
}
