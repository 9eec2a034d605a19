//! What this worker knows of itself, gathered from its tasks for the heartbeat.
//!
//! Invariant: a change that somebody should act on (connection, error, role) wakes the heartbeat at once; mere counters do not.
//! Locks are held for a copy, never over an await.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shared_core::{
    BootMs, BotHealth, BotId, BotRole, ChannelTrouble, Connection, Epoch, ErrorClass, ErrorSeen,
    LatencySummary, LoginSlot, OtherLogin, PoolId, PoolWork,
};
use shared_io::clock;
use tokio::sync::Notify;

/// Answers that are not further apart than this follow one another without a break, whatever the probes' pace.
const UNBROKEN: Duration = Duration::from_millis(2500);

/// When a bot has been answered without a break. A line that answers slowly answers; one that was silent for as long as makes a line fail was not
/// answered meanwhile.
#[derive(Debug, Clone, Copy)]
pub struct Unbroken {
    gap: Duration,
    silence: Duration,
}

impl Unbroken {
    /// `probe`: how far apart a standby's probes are. `line_silent`: after which a line has failed.
    pub fn new(probe: Duration, line_silent: Duration) -> Self {
        Self {
            gap: UNBROKEN.max(probe * 2),
            silence: line_silent.max(probe * 2),
        }
    }

    /// Is there no break between two answers? `took`: how long the later one was waited for.
    fn holds(self, gap: Duration, took: Duration) -> bool {
        gap <= self.gap + took && gap < self.silence
    }
}

/// Everything the heartbeat needs.
#[derive(Debug, Default)]
pub struct Status {
    bots: Mutex<BTreeMap<(PoolId, BotId), Arc<BotStatus>>>,
    pools: Mutex<BTreeMap<PoolId, PoolWork>>,
    /// The highest epochs that were ever seen.
    seen: Mutex<BTreeMap<PoolId, Epoch>>,
    changed: Arc<Notify>,
    pub redis_us: AtomicU64,
    /// SQL did not answer when it was last asked.
    pub sql_away: AtomicBool,
    /// When Redis last answered anything, on the boot clock; 0: never.
    redis_answered: AtomicU64,
    /// The same of SQL.
    sql_answered: AtomicU64,
}

#[derive(Debug)]
struct Facts {
    username: String,
    role: BotRole,
    connection: Connection,
    last_ok: Option<BootMs>,
    /// Since when it has been answered without a break.
    answered: Option<BootMs>,
    unbroken: Unbroken,
    probe: LatencySummary,
    last_error: Option<(ErrorClass, String, BootMs)>,
    flood_until: Option<BootMs>,
    lease_held: bool,
    /// Since when it has been ready with its lease held.
    settled: Option<BootMs>,
    reach: u64,
    other_login: OtherLogin,
    channels: Vec<ChannelTrouble>,
}

/// One bot's part of it.
#[derive(Debug)]
pub struct BotStatus {
    pub pool: PoolId,
    pub bot: BotId,
    pub slot: LoginSlot,
    facts: Mutex<Facts>,
    changed: Arc<Notify>,
}

impl Status {
    pub fn add_bot(
        &self,
        pool: &PoolId,
        bot: BotId,
        slot: LoginSlot,
        unbroken: Unbroken,
    ) -> Arc<BotStatus> {
        let status = Arc::new(BotStatus {
            pool: pool.clone(),
            bot,
            slot,
            facts: Mutex::new(Facts {
                username: String::new(),
                role: BotRole::Standby,
                connection: Connection::Absent,
                last_ok: None,
                answered: None,
                unbroken,
                probe: LatencySummary::default(),
                last_error: None,
                flood_until: None,
                lease_held: false,
                settled: None,
                reach: 0,
                other_login: OtherLogin::Unknown,
                channels: Vec::new(),
            }),
            changed: Arc::clone(&self.changed),
        });
        lock(&self.bots).insert((pool.clone(), bot), Arc::clone(&status));
        self.changed.notify_one();
        status
    }

    pub fn remove_bot(&self, status: &Arc<BotStatus>) {
        let key = (status.pool.clone(), status.bot);
        let mut bots = lock(&self.bots);
        if bots
            .get(&key)
            .is_some_and(|known| Arc::ptr_eq(known, status))
        {
            bots.remove(&key);
        }
        self.changed.notify_one();
    }

    /// Figures of an epoch that is over may come late; they do not take the place of the current one's.
    pub fn set_pool(&self, work: PoolWork) {
        let mut pools = lock(&self.pools);
        let known = pools.get(&work.pool);
        if known.is_none_or(|known| known.epoch.epoch <= work.epoch.epoch) {
            pools.insert(work.pool.clone(), work);
        }
    }

    pub fn saw(&self, pool: &PoolId, epoch: Epoch) {
        let mut seen = lock(&self.seen);
        if seen.get(pool).is_none_or(|known| *known < epoch) {
            seen.insert(pool.clone(), epoch);
        }
    }

    pub fn seen(&self) -> BTreeMap<PoolId, Epoch> {
        lock(&self.seen).clone()
    }

    pub fn remove_pool(&self, pool: &PoolId) {
        lock(&self.pools).remove(pool);
    }

    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    pub fn bots(&self) -> Vec<BotHealth> {
        let now = clock::boot_now();
        lock(&self.bots)
            .values()
            .map(|status| status.health(now))
            .collect()
    }

    /// The work of those that are at it: what is left of a tenure that has ended is not told, or the pool would look served.
    pub fn pools(&self) -> Vec<PoolWork> {
        let works: Vec<PoolWork> = lock(&self.pools).values().cloned().collect();
        let bots = lock(&self.bots);
        let at_it = |work: &PoolWork| {
            bots.get(&(work.pool.clone(), work.bot))
                .is_some_and(|status| lock(&status.facts).role == BotRole::Active)
        };
        works.into_iter().filter(at_it).collect()
    }

    pub fn redis_took(&self, micros: u64) {
        self.redis_us.store(micros, Ordering::Relaxed);
        self.redis_answered(clock::boot_now());
    }

    pub fn redis_answered(&self, at: BootMs) {
        self.redis_answered.fetch_max(at.0, Ordering::Relaxed);
    }

    pub fn sql_answered(&self, at: BootMs) {
        self.sql_answered.fetch_max(at.0, Ordering::Relaxed);
    }

    /// How long SQL has not answered; it is asked every two seconds. `None` when it never did.
    pub fn sql_silent_for(&self, now: BootMs) -> Option<std::time::Duration> {
        let at = self.sql_answered.load(Ordering::Relaxed);
        (at > 0).then(|| now.since(BootMs(at)))
    }

    /// How long Redis has not answered; a few hundred milliseconds are between two looks. `None` when it never did.
    pub fn redis_silent_for(&self, now: BootMs) -> Option<std::time::Duration> {
        let at = self.redis_answered.load(Ordering::Relaxed);
        (at > 0).then(|| now.since(BootMs(at)))
    }
}

impl Facts {
    /// Keeps when the bot became settled; any break starts it anew.
    fn settle(&mut self) {
        self.settled = match self.connection == Connection::Ready && self.lease_held {
            true => self.settled.or_else(|| Some(clock::boot_now())),
            false => None,
        };
    }

    /// Telegram has answered something. `took`: how long it was waited for.
    fn is_answered(&mut self, took: Duration) {
        let now = clock::boot_now();
        let gap = self.last_ok.map(|last| now.since(last));
        if !gap.is_some_and(|gap| self.unbroken.holds(gap, took)) {
            self.answered = Some(now);
        }
        self.last_ok = Some(now);
    }
}

impl BotStatus {
    fn health(&self, now: BootMs) -> BotHealth {
        let facts = lock(&self.facts);
        let ago = |then: BootMs| u64::try_from(now.since(then).as_millis()).unwrap_or(u64::MAX);
        let waiting = facts.flood_until.filter(|until| *until > now);
        BotHealth {
            pool: self.pool.clone(),
            bot: self.bot,
            username: facts.username.clone(),
            slot: self.slot,
            role: facts.role,
            connection: facts.connection,
            last_ok_ago_ms: facts.last_ok.map(ago),
            answered_for_ms: facts.answered.map(ago),
            probe: facts.probe,
            last_error: facts
                .last_error
                .as_ref()
                .map(|(class, name, at)| ErrorSeen {
                    class: *class,
                    name: name.clone(),
                    ago_ms: ago(*at),
                }),
            flood_wait_s: waiting
                .map(|until| u32::try_from(until.since(now).as_secs()).unwrap_or(u32::MAX)),
            lease_held: facts.lease_held,
            settled_ms: facts.settled.map(ago),
            reach: facts.reach,
            other_login: facts.other_login,
            channels: facts.channels.clone(),
        }
    }

    /// What has failed stays failed while it is tried again, until it works or is given up: a look in between must not take it for well.
    pub fn connection(&self, connection: Connection) {
        let mut facts = lock(&self.facts);
        let tries = matches!(connection, Connection::Connecting | Connection::Shaky);
        if tries && facts.connection == Connection::Failed {
            return;
        }
        let before = std::mem::replace(&mut facts.connection, connection);
        facts.settle();
        if connection == Connection::Ready {
            // Whoever calls it ready has just been answered; before that the bot would look as if it never had been.
            facts.is_answered(Duration::ZERO);
        }
        if before != connection {
            self.changed.notify_one();
        }
    }

    pub fn role(&self, role: BotRole) {
        lock(&self.facts).role = role;
    }

    pub fn identity(&self, username: &str) {
        lock(&self.facts).username = username.to_owned();
    }

    pub fn username(&self) -> String {
        lock(&self.facts).username.clone()
    }

    pub fn lease(&self, held: bool) {
        let mut facts = lock(&self.facts);
        let before = std::mem::replace(&mut facts.lease_held, held);
        facts.settle();
        if before != held {
            self.changed.notify_one();
        }
    }

    pub fn other_login(&self, state: OtherLogin) {
        let before = std::mem::replace(&mut lock(&self.facts).other_login, state);
        if before != state {
            self.changed.notify_one();
        }
    }

    pub fn channels(&self, troubles: Vec<ChannelTrouble>) {
        let mut facts = lock(&self.facts);
        if facts.channels != troubles {
            facts.channels = troubles;
            self.changed.notify_one();
        }
    }

    pub fn reach(&self, reach: u64) {
        lock(&self.facts).reach = reach;
    }

    /// Did Telegram answer anything within this time?
    pub fn was_answered_within(&self, time: Duration) -> bool {
        let last = lock(&self.facts).last_ok;
        last.is_some_and(|last| clock::boot_now().since(last) <= time)
    }

    pub fn answered(&self, micros: u64) {
        let mut facts = lock(&self.facts);
        facts.is_answered(Duration::from_micros(micros));
        facts.probe.count += 1;
        facts.probe.last_us = micros;
        facts.probe.max_us = facts.probe.max_us.max(micros);
    }

    pub fn error(&self, class: ErrorClass, name: &str) {
        let now = clock::boot_now();
        let mut facts = lock(&self.facts);
        if let ErrorClass::Wait(seconds) = class {
            let until = now.plus(Duration::from_secs(seconds.into()));
            facts.flood_until = Some(facts.flood_until.map_or(until, |known| known.max(until)));
        }
        let was_final = facts.connection == Connection::Failed
            && facts
                .last_error
                .as_ref()
                .is_some_and(|(known, _, _)| known.is_fatal());
        if was_final && !class.is_fatal() {
            return;
        }
        facts.last_error = Some((class, name.to_owned(), now));
    }
}

/// The data behind these locks is plain: a panic elsewhere cannot leave it half-changed.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_line_is_answered_and_a_silent_one_was_not() {
        let [probe, silent] = [1_000, 3_500].map(Duration::from_millis);
        let unbroken = Unbroken::new(probe, silent);
        let holds = |gap, took| {
            let [gap, took] = [gap, took].map(Duration::from_millis);
            unbroken.holds(gap, took)
        };
        assert!(holds(1_005, 5));
        assert!(holds(3_400, 2_400), "slow");
        assert!(!holds(2_600, 5), "nothing was asked, or nothing answered");
        assert!(!holds(4_200, 3_200), "a silence that ended");
        let seldom = Unbroken::new(probe * 5, silent);
        assert!(seldom.holds(Duration::from_millis(5_010), Duration::from_millis(10)));
    }
}
