//! `guard.rs`: one loop renews all leases of the process, everybody else asks a cell.
//!
//! Real: `LeaseClock`, `LeaseTiming`. Invariant looked at here: whenever a renewal counts, no other process believes in the same lease.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use shared_core::{BootMs, BotId, LeaseClock, LeaseTiming, LoginLease, Nonce};

use super::Worker;
use crate::bug::Bug;
use crate::redis::{Claim, Claimed};
use crate::sim::Sim;
use crate::sim::wait::Bell;

/// What was last heard of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Ours,
    Nothing,
    NotOurs,
}

/// One unbroken time of holding a lease, in one history of Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tenancy {
    number: u64,
    pub history: u64,
}

pub struct LeaseCell {
    clock: Cell<LeaseClock>,
    tenancy: Cell<Tenancy>,
    heard: Cell<Heard>,
    /// The bot's task is told of changes.
    bell: Rc<Bell>,
    bug: Option<Bug>,
}

impl LeaseCell {
    fn new(bell: Rc<Bell>, bug: Option<Bug>) -> Self {
        Self {
            clock: Cell::new(LeaseClock::not_held()),
            tenancy: Cell::new(Tenancy {
                number: 0,
                history: 0,
            }),
            heard: Cell::new(Heard::Ours),
            bell,
            bug,
        }
    }

    pub fn holds(&self, tenancy: Tenancy, now: BootMs) -> bool {
        match self.bug {
            Some(Bug::LeaseNotAsked) => self.tenancy.get() == tenancy,
            Some(Bug::TenancyNotAsked) => self.is_held(now),
            _ => self.tenancy.get() == tenancy && self.is_held(now),
        }
    }

    pub fn is_held(&self, now: BootMs) -> bool {
        self.clock.get().holds(now)
    }

    pub fn tenancy(&self, now: BootMs) -> Option<Tenancy> {
        self.is_held(now).then(|| self.tenancy.get())
    }

    pub fn is_denied(&self) -> bool {
        self.heard.get() == Heard::NotOurs
    }

    /// Milliseconds until it runs out.
    pub fn left(&self, now: BootMs) -> Option<u64> {
        let deadline = self.clock.get().deadline()?;
        Some(deadline.0.saturating_sub(now.0))
    }

    fn renewed(&self, sent_at: BootMs, now: BootMs, history: u64) {
        let timing = LeaseTiming::default();
        let mut clock = self.clock.get();
        let known = self.tenancy.get();
        let same_history = known.history == history || self.bug == Some(Bug::HistoryIgnored);
        if !clock.holds(now) || !same_history {
            self.tenancy.set(Tenancy {
                number: known.number + 1,
                history,
            });
        }
        clock.renewed(sent_at, &timing);
        self.clock.set(clock);
        self.heard.set(Heard::Ours);
        self.bell.ring();
    }

    pub fn lost(&self) {
        let mut clock = self.clock.get();
        clock.lost();
        self.clock.set(clock);
        self.heard.set(Heard::NotOurs);
        self.bell.ring();
    }

    fn unanswered(&self) {
        if self.heard.get() == Heard::Ours {
            self.heard.set(Heard::Nothing);
            self.bell.ring();
        }
    }
}

struct Wanted {
    claim: Claim,
    cell: Rc<LeaseCell>,
}

#[derive(Default)]
pub struct Guard {
    wanted: RefCell<BTreeMap<BotId, Wanted>>,
    changed: Bell,
}

impl Guard {
    pub fn want(
        &self,
        lease: LoginLease,
        grant: Nonce,
        bell: Rc<Bell>,
        bug: Option<Bug>,
    ) -> Rc<LeaseCell> {
        let cell = Rc::new(LeaseCell::new(bell, bug));
        let wanted = Wanted {
            claim: Claim {
                lease: lease.clone(),
                grant,
            },
            cell: Rc::clone(&cell),
        };
        if let Some(before) = self.wanted.borrow_mut().insert(lease.bot, wanted) {
            before.cell.lost();
        }
        self.changed.ring();
        cell
    }

    pub fn drop_lease(&self, bot: BotId, cell: &Rc<LeaseCell>) {
        cell.lost();
        let mut wanted = self.wanted.borrow_mut();
        if wanted
            .get(&bot)
            .is_some_and(|it| Rc::ptr_eq(&it.cell, cell))
        {
            wanted.remove(&bot);
        }
    }

    pub fn believes_in(&self, bot: BotId, now: BootMs) -> bool {
        let wanted = self.wanted.borrow();
        wanted.get(&bot).is_some_and(|it| it.cell.is_held(now))
    }
}

pub async fn run(worker: &Rc<Worker>) {
    let timing = LeaseTiming::default();
    let every = u64::try_from(timing.renew_every.as_millis()).unwrap_or(250);
    loop {
        renew_all(worker, &timing).await;
        worker.ctx.rung_within(&worker.guard.changed, every).await;
    }
}

async fn renew_all(worker: &Rc<Worker>, timing: &LeaseTiming) {
    let (claims, cells): (Vec<Claim>, Vec<Rc<LeaseCell>>) = {
        let wanted = worker.guard.wanted.borrow();
        let all = wanted.values();
        all.map(|it| (it.claim.clone(), Rc::clone(&it.cell)))
            .unzip()
    };
    if claims.is_empty() {
        return;
    }
    let sim = &worker.ctx.sim;
    let (sent_at, bug) = (sim.boot(), sim.bug);
    let ttl = u64::try_from(timing.ttl.as_millis()).unwrap_or(1000);
    let asked = claims.clone();
    let renewal = worker.ctx.copied(None, move |redis, sim| {
        redis.renew_leases(&asked, ttl, sim.now(), bug)
    });
    match worker.ctx.within(ttl, renewal).await {
        Some(Ok((answers, history))) => {
            let sent_at = match sim.has(Bug::LeaseFromAnswer) {
                true => sim.boot(),
                false => sent_at,
            };
            for ((claim, cell), answer) in claims.iter().zip(&cells).zip(answers) {
                sim.say(|| {
                    format!(
                        "{} of {}: {answer:?}, asked at {}",
                        worker.id, claim.lease.bot, sent_at.0
                    )
                });
                match answer {
                    Claimed::Held => {
                        cell.renewed(sent_at, sim.boot(), history);
                        // An answer may come for a lease that was given back meanwhile; nobody acts on that one.
                        if worker.believes_in(claim.lease.bot) {
                            audit(sim, worker, claim.lease.bot);
                        }
                    }
                    Claimed::NotOurs => cell.lost(),
                }
            }
        }
        Some(Err(_)) | None => cells.iter().for_each(|cell| cell.unanswered()),
    }
}

/// No other process believes in this lease. One that is stopped believes nothing while it is.
fn audit(sim: &Sim, worker: &Rc<Worker>, bot: BotId) {
    let workers = sim.workers.borrow();
    let others = workers.iter().flatten().filter(|(proc, other)| {
        !proc.dead.get()
            && !proc.stopped.get()
            && other.nonce != worker.nonce
            && other.believes_in(bot)
    });
    if others.count() > 0 {
        sim.ghost
            .borrow_mut()
            .fail(crate::ghost::Wrong::TwoHolders(bot));
    }
}
