//! The lease guard: one loop renews all of this worker's login leases, and everyone else asks a [`LeaseCell`].
//!
//! Invariant: a cell holds only while the last confirmed renewal's deadline, counted from when it was *sent*, has not passed. A
//! renewal that hangs or fails makes cells run out by themselves; nobody has to notice. Acquiring and renewing are one script, which
//! refuses whoever the assignment does not name. A tenancy belongs to one history of Redis, and ends with it. A lease that ran out is told apart from one that Redis denies: only the latter's connection
//! has to go.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use shared_core::{BootMs, BotId, LeaseClock, LeaseTiming, LoginLease, Nonce, PoolId};
use shared_io::clock;
use shared_io::redis::{History, LeaseAnswer, LeaseClaim, PoolState, Renewed};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::status::lock;

/// What was last heard of a lease from Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    /// It is ours, or nothing yet. When it ran out after that, this process was asleep or has only begun.
    Ours,
    /// Redis did not answer a renewal.
    Nothing,
    /// It is somebody else's, we are not assigned, or we have given it back.
    NotOurs,
}

/// How a lease that does not hold stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It is held (again).
    Held,
    /// Redis says that it is not ours.
    NotOurs,
}

/// One bot's lease as its tasks see it.
#[derive(Debug)]
pub struct LeaseCell {
    lease: Mutex<Lease>,
    heard: Mutex<Heard>,
    changed: Notify,
}

#[derive(Debug)]
struct Lease {
    clock: LeaseClock,
    tenancy: Tenancy,
}

/// One unbroken time of holding a lease, in one history of Redis. Who began in one does not go on in the next: a process that slept past its
/// deadline may find the lease renewed before it notices, and a server that has become the primary may lack what the one before it had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tenancy {
    number: u64,
    pub history: History,
}

impl LeaseCell {
    fn new() -> Self {
        Self {
            lease: Mutex::new(Lease {
                clock: LeaseClock::not_held(),
                tenancy: Tenancy {
                    number: 0,
                    history: History::default(),
                },
            }),
            heard: Mutex::new(Heard::Ours),
            changed: Notify::new(),
        }
    }

    pub fn holds(&self, tenancy: Tenancy) -> bool {
        // A tenancy and whether it holds are one reading.
        let lease = lock(&self.lease);
        lease.tenancy == tenancy && lease.clock.holds(clock::boot_now())
    }

    fn is_held(&self) -> bool {
        lock(&self.lease).clock.holds(clock::boot_now())
    }

    /// Waits until the lease is held.
    pub async fn held(&self) -> Tenancy {
        loop {
            let changed = self.changed.notified();
            let tenancy = lock(&self.lease).tenancy;
            if self.holds(tenancy) {
                return tenancy;
            }
            changed.await;
        }
    }

    /// Waits until this tenancy is over: the lease was taken by another, given back, or ran out, if only for a moment.
    pub async fn ended(&self, tenancy: Tenancy) {
        loop {
            let changed = self.changed.notified();
            if !self.holds(tenancy) {
                return;
            }
            let Some(left) = self.left() else { return };
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep(left) => {}
            }
        }
    }

    /// Waits until a lease that ran out is held again, or is known not to be ours.
    pub async fn settled(&self) -> Settled {
        loop {
            let changed = self.changed.notified();
            if self.is_held() {
                return Settled::Held;
            }
            if *lock(&self.heard) == Heard::NotOurs {
                return Settled::NotOurs;
            }
            changed.await;
        }
    }

    /// Did it run out because Redis does not answer? False also while that is not known yet.
    pub fn redis_is_away(&self) -> bool {
        !self.is_held() && *lock(&self.heard) == Heard::Nothing
    }

    /// How long it still holds.
    fn left(&self) -> Option<Duration> {
        let now = clock::boot_now();
        let deadline = lock(&self.lease).clock.deadline()?;
        (deadline > now).then(|| deadline.since(now))
    }

    fn renewed(&self, sent_at: BootMs, timing: &LeaseTiming, history: History) {
        let mut lease = lock(&self.lease);
        if !lease.clock.holds(clock::boot_now()) || lease.tenancy.history != history {
            lease.tenancy = Tenancy {
                number: lease.tenancy.number + 1,
                history,
            };
        }
        lease.clock.renewed(sent_at, timing);
        drop(lease);
        *lock(&self.heard) = Heard::Ours;
        self.changed.notify_waiters();
    }

    fn lost(&self) {
        lock(&self.lease).clock.lost();
        *lock(&self.heard) = Heard::NotOurs;
        self.changed.notify_waiters();
    }

    /// Redis did not answer: the lease stands as long as it lives.
    fn unanswered(&self) {
        let mut heard = lock(&self.heard);
        if *heard == Heard::Ours {
            *heard = Heard::Nothing;
            drop(heard);
            self.changed.notify_waiters();
        }
    }
}

struct Wanted {
    claim: LeaseClaim,
    cell: Arc<LeaseCell>,
}

struct PoolLeases {
    state: PoolState,
    wanted: BTreeMap<BotId, Wanted>,
}

/// All leases that this worker wants to hold.
pub struct Guard {
    timing: LeaseTiming,
    pools: Mutex<BTreeMap<PoolId, PoolLeases>>,
    changed: Notify,
}

impl Guard {
    pub fn new(timing: LeaseTiming) -> Self {
        Self {
            timing,
            pools: Mutex::new(BTreeMap::new()),
            changed: Notify::new(),
        }
    }

    /// Starts to acquire and renew the lease, at once.
    pub fn want(
        &self,
        pool: &PoolId,
        state: &PoolState,
        lease: LoginLease,
        grant: Nonce,
    ) -> Arc<LeaseCell> {
        let cell = Arc::new(LeaseCell::new());
        let bot = lease.bot;
        let wanted = Wanted {
            claim: LeaseClaim { lease, grant },
            cell: Arc::clone(&cell),
        };
        let mut pools = lock(&self.pools);
        let entry = pools.entry(pool.clone()).or_insert_with(|| PoolLeases {
            state: state.clone(),
            wanted: BTreeMap::new(),
        });
        if let Some(before) = entry.wanted.insert(bot, wanted) {
            before.cell.lost();
        }
        drop(pools);
        self.changed.notify_one();
        cell
    }

    /// Stops renewing. The caller releases the lease in Redis after its connection is closed.
    pub fn drop_lease(&self, pool: &PoolId, bot: BotId, cell: &Arc<LeaseCell>) {
        cell.lost();
        if let Some(entry) = lock(&self.pools).get_mut(pool)
            && entry
                .wanted
                .get(&bot)
                .is_some_and(|wanted| Arc::ptr_eq(&wanted.cell, cell))
        {
            entry.wanted.remove(&bot);
        }
    }

    /// Renews until stopped.
    pub async fn run(&self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            self.renew_all().await;
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.changed.notified() => {}
                () = tokio::time::sleep(self.timing.renew_every) => {}
            }
        }
    }

    async fn renew_all(&self) {
        let batches: Vec<_> = {
            let pools = lock(&self.pools);
            pools
                .values()
                .filter(|entry| !entry.wanted.is_empty())
                .map(|entry| {
                    let claims: Vec<_> = entry.wanted.values().map(|w| w.claim.clone()).collect();
                    let cells: Vec<_> =
                        entry.wanted.values().map(|w| Arc::clone(&w.cell)).collect();
                    (entry.state.clone(), claims, cells)
                })
                .collect()
        };
        let renewals = batches.iter().map(|(state, claims, cells)| async move {
            let sent_at = clock::boot_now();
            let answer =
                tokio::time::timeout(self.timing.ttl, state.renew_leases(claims, self.timing.ttl))
                    .await;
            match answer {
                Ok(Ok(renewed)) => self.take_answers(sent_at, claims, cells, &renewed),
                Ok(Err(error)) => {
                    warn!(%error, "login leases could not be renewed");
                    cells.iter().for_each(|cell| cell.unanswered());
                }
                Err(_) => {
                    warn!("renewing login leases took longer than they live");
                    cells.iter().for_each(|cell| cell.unanswered());
                }
            }
        });
        futures_util::future::join_all(renewals).await;
    }

    fn take_answers(
        &self,
        sent_at: BootMs,
        claims: &[LeaseClaim],
        cells: &[Arc<LeaseCell>],
        renewed: &Renewed,
    ) {
        let answers = renewed.answers.iter();
        for ((claim, cell), answer) in claims.iter().zip(cells).zip(answers) {
            match answer {
                LeaseAnswer::Held => cell.renewed(sent_at, &self.timing, renewed.history),
                other => {
                    debug!(bot = %claim.lease.bot, ?other, "login lease not ours");
                    cell.lost();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing() -> LeaseTiming {
        LeaseTiming {
            ttl: Duration::from_millis(60),
            renew_every: Duration::from_millis(20),
            margin: Duration::from_millis(10),
        }
    }

    #[tokio::test]
    async fn a_lease_that_ran_out_is_not_a_lease_that_is_denied() {
        let cell = LeaseCell::new();
        cell.renewed(clock::boot_now(), &timing(), History::default());
        let tenancy = cell.held().await;
        cell.unanswered();
        assert!(!cell.redis_is_away(), "it still lives");
        cell.ended(tenancy).await;
        assert!(cell.redis_is_away());
        cell.lost();
        assert!(!cell.redis_is_away());
        assert_eq!(cell.settled().await, Settled::NotOurs);
    }

    #[tokio::test]
    async fn who_slept_past_his_lease_does_not_blame_redis_and_begins_a_new_tenancy() {
        let cell = LeaseCell::new();
        cell.renewed(clock::boot_now(), &timing(), History::default());
        let tenancy = cell.held().await;
        cell.ended(tenancy).await;
        assert!(!cell.redis_is_away());
        cell.renewed(clock::boot_now(), &timing(), History::default());
        assert_eq!(cell.settled().await, Settled::Held);
        assert!(!cell.holds(tenancy));
    }

    #[tokio::test]
    async fn a_lease_that_is_renewed_in_another_history_is_another_tenancy() {
        let cell = LeaseCell::new();
        let here = History::default();
        cell.renewed(clock::boot_now(), &timing(), here);
        let tenancy = cell.held().await;
        cell.renewed(clock::boot_now(), &timing(), here);
        assert_eq!(cell.held().await, tenancy, "unbroken");
        cell.renewed(clock::boot_now(), &timing(), here.next());
        assert!(!cell.holds(tenancy));
        cell.ended(tenancy).await;
        assert_eq!(cell.settled().await, Settled::Held);
        assert_eq!(cell.held().await.history, here.next());
    }
}
