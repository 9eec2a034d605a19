//! Who answers in each pool, as last read from Redis: by every supervisor for itself, whether it leads or not.
//!
//! Invariant: a look that fails changes nothing, so what was known last is known on; how long ago it was read is counted on our own clock.
//! The epoch record says which bot is active; its name is the board's word, or SQL's.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use shared_core::{BootMs, BotId, Phase, PoolId};
use shared_io::clock;
use shared_io::config::Config;
use shared_io::redis::{PoolState, PoolView, RedisState};
use shared_io::sql::Store;
use tokio::sync::watch;
use tokio::task::JoinHandle;

const LOOK: Duration = Duration::from_millis(250);
/// A switch takes some tens of milliseconds; who asks in between waits for its end.
const SWITCH: Duration = Duration::from_millis(1500);
/// What was read longer ago is marked: Redis has not answered since.
const FRESH: Duration = Duration::from_secs(3);

/// What the last look saw.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// The active bot's username, without `@`.
    pub active: Option<String>,
    /// When Redis was last read.
    pub at: Option<BootMs>,
}

impl Seen {
    /// Whole seconds since Redis was last read, when that is too long ago for it to be well.
    pub fn stale_for(&self, now: BootMs) -> Option<u64> {
        let age = now.since(self.at?);
        (age > FRESH).then_some(age.as_secs())
    }
}

pub struct Known {
    pools: BTreeMap<PoolId, watch::Receiver<Seen>>,
    looking: Vec<JoinHandle<()>>,
}

impl Known {
    pub fn start(config: &Config, redis: &RedisState, store: &Store) -> Self {
        let mut known = Self {
            pools: BTreeMap::new(),
            looking: Vec::new(),
        };
        for pool in &config.pools {
            let (seen, watched) = watch::channel(Seen::default());
            let state = redis.pool(&pool.name);
            let look = look(state, store.clone(), seen);
            known.looking.push(tokio::spawn(look));
            known.pools.insert(pool.name.clone(), watched);
        }
        known
    }

    /// How the pool stands; one in which nobody answers gets a moment to end its switch. `None`: there is no such pool.
    pub async fn of(&self, pool: &PoolId) -> Option<Seen> {
        let mut watched = self.pools.get(pool)?.clone();
        let answers = watched.wait_for(|seen| seen.active.is_some());
        let seen = match tokio::time::timeout(SWITCH, answers).await {
            Ok(Ok(seen)) => Some(seen.clone()),
            Ok(Err(_)) | Err(_) => None,
        };
        Some(seen.unwrap_or_else(|| watched.borrow().clone()))
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        for looking in &self.looking {
            looking.abort();
        }
    }
}

async fn look(state: PoolState, store: Store, seen: watch::Sender<Seen>) {
    let mut names = BTreeMap::new();
    loop {
        if let Ok(view) = state.look().await {
            let active = match active(&view) {
                Some(bot) => username(&state, &store, &view, bot, &mut names).await,
                None => None,
            };
            let at = Some(clock::boot_now());
            seen.send_replace(Seen { active, at });
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn active(view: &PoolView) -> Option<BotId> {
    let record = view
        .epoch
        .as_ref()
        .filter(|record| record.phase == Phase::Open)?;
    record.holder.as_ref().map(|holder| holder.bot)
}

async fn username(
    state: &PoolState,
    store: &Store,
    view: &PoolView,
    bot: BotId,
    names: &mut BTreeMap<BotId, String>,
) -> Option<String> {
    let boards = view.board.iter().flat_map(|board| &board.bots);
    for known in boards.filter(|known| !known.username.is_empty()) {
        names.insert(known.bot, known.username.clone());
    }
    if let Entry::Vacant(unknown) = names.entry(bot) {
        // The leader has not laid down a board yet.
        let row = store.bots().get(state.id(), bot).await.ok().flatten();
        if let Some(name) = row.and_then(|row| row.username) {
            unknown.insert(name.trim_start_matches('@').to_owned());
        }
    }
    names.get(&bot).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_long_ago_is_marked() {
        let seen = |at| Seen { active: None, at };
        let now = BootMs(20_000);
        assert_eq!(seen(None).stale_for(now), None, "never read, nothing known");
        assert_eq!(seen(Some(BootMs(17_500))).stale_for(now), None);
        assert_eq!(seen(Some(BootMs(8_000))).stale_for(now), Some(12));
    }
}
