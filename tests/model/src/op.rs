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
use crate::stage::Stage;
use crate::telegram::{Act, Place, Pushed};
use crate::worker::push;

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
