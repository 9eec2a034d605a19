//! The sealed logins of this worker's pools, in memory beside SQL, so that a takeover works while SQL is away.
//!
//! SQL's word wins when it answers at once; a login that was lost while SQL was away stays lost here until SQL knows it too.
//! Nothing in memory is unsealed. Deliberately absent: making logins, and deciding which one is used.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use shared_core::{BotId, LoginSlot, PoolId, UnixMs};
use shared_io::config::PoolConfig;
use shared_io::sql::{LoginRow, LoginState, Store, StoreError};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::status::lock;

/// Longer than this, a takeover does not wait for SQL if memory has the rows.
const AT_ONCE: Duration = Duration::from_millis(150);
/// How often memory is made anew.
const REFRESH: Duration = Duration::from_secs(5);

type Owner = (PoolId, BotId);

#[derive(Default)]
struct Known {
    rows: BTreeMap<Owner, Vec<LoginRow>>,
    /// Lost, and SQL does not know it: which login, by when it was made.
    unsaid: BTreeMap<(PoolId, BotId, LoginSlot), UnixMs>,
}

pub struct Vault {
    store: Store,
    known: Mutex<Known>,
}

impl Vault {
    pub fn new(store: Store) -> Self {
        Self {
            store,
            known: Mutex::default(),
        }
    }

    /// Keeps memory fresh until stopped.
    pub async fn run(&self, pools: &[PoolConfig], stop: CancellationToken) {
        loop {
            let refreshing = async {
                for pool in pools {
                    for bot in &pool.bots {
                        if let Err(error) = self.refresh(&pool.name, bot.bot()).await {
                            debug!(bot = %bot.bot(), %error, "logins in memory stay as they are");
                            break;
                        }
                    }
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = refreshing => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(REFRESH) => {}
            }
        }
    }

    /// The bot's logins, slot a first; from memory when SQL does not answer at once.
    pub async fn rows(&self, pool: &PoolId, bot: BotId) -> Result<Vec<LoginRow>, StoreError> {
        let in_memory = lock(&self.known).rows.get(&(pool.clone(), bot)).cloned();
        let Some(rows) = in_memory else {
            return self.refresh(pool, bot).await;
        };
        match tokio::time::timeout(AT_ONCE, self.refresh(pool, bot)).await {
            Ok(Ok(fresh)) => Ok(fresh),
            Ok(Err(error)) => {
                warn!(%bot, %error, "SQL does not answer; the logins in memory are used");
                Ok(rows)
            }
            Err(_) => {
                warn!(%bot, "SQL does not answer at once; the logins in memory are used");
                Ok(rows)
            }
        }
    }

    /// Adds or replaces one, in SQL first.
    pub async fn put(&self, row: &LoginRow) -> Result<(), StoreError> {
        self.store.logins().put(row).await?;
        let mut known = lock(&self.known);
        known.unsaid.remove(&(row.pool.clone(), row.bot, row.slot));
        let rows = known.rows.entry((row.pool.clone(), row.bot)).or_default();
        rows.retain(|known| known.slot != row.slot);
        rows.push(row.clone());
        rows.sort_by_key(|row| row.slot);
        Ok(())
    }

    /// Says in SQL what the slots' logins are used for, where it says something else. Best effort: who connects does not ask for it.
    pub async fn mark(&self, row: &LoginRow, state: LoginState) {
        let logins = self.store.logins();
        match logins.set_state(&row.pool, row.bot, row.slot, state).await {
            Ok(_) => self.remember(&row.pool, row.bot, row.slot, state),
            Err(error) => {
                debug!(bot = %row.bot, slot = %row.slot, %error, "a login is not marked yet")
            }
        }
    }

    /// Telegram does not take it any more. False when that was known.
    pub async fn lose(&self, pool: &PoolId, bot: BotId, slot: LoginSlot) -> bool {
        let made = {
            let mut known = lock(&self.known);
            let rows = known.rows.get(&(pool.clone(), bot));
            let row = rows.and_then(|rows| rows.iter().find(|row| row.slot == slot));
            let Some(made) = row
                .filter(|row| row.state != LoginState::Lost)
                .map(|row| row.made)
            else {
                return false;
            };
            known.unsaid.insert((pool.clone(), bot, slot), made);
            made
        };
        self.remember(pool, bot, slot, LoginState::Lost);
        if let Err(error) = self.say_lost(pool, bot, slot, made).await {
            warn!(%bot, %slot, %error, "a dead login could not be marked as lost yet");
        }
        true
    }

    async fn say_lost(
        &self,
        pool: &PoolId,
        bot: BotId,
        slot: LoginSlot,
        made: UnixMs,
    ) -> Result<(), StoreError> {
        let logins = self.store.logins();
        let stored = logins.get(pool, bot, slot).await?;
        if stored.is_some_and(|row| row.made == made && row.state != LoginState::Lost) {
            logins.set_state(pool, bot, slot, LoginState::Lost).await?;
        }
        lock(&self.known).unsaid.remove(&(pool.clone(), bot, slot));
        Ok(())
    }

    fn remember(&self, pool: &PoolId, bot: BotId, slot: LoginSlot, state: LoginState) {
        let mut known = lock(&self.known);
        let rows = known.rows.get_mut(&(pool.clone(), bot));
        if let Some(row) = rows.and_then(|rows| rows.iter_mut().find(|row| row.slot == slot)) {
            row.state = state;
        }
    }

    /// Reads SQL, and tells it first what it does not know.
    async fn refresh(&self, pool: &PoolId, bot: BotId) -> Result<Vec<LoginRow>, StoreError> {
        for slot in LoginSlot::ALL {
            let unsaid = lock(&self.known)
                .unsaid
                .get(&(pool.clone(), bot, slot))
                .copied();
            if let Some(made) = unsaid {
                self.say_lost(pool, bot, slot, made).await?;
            }
        }
        let mut rows = self.store.logins().list(pool, bot).await?;
        let mut known = lock(&self.known);
        for row in &mut rows {
            // Lost since SQL was asked.
            if known.unsaid.get(&(pool.clone(), bot, row.slot)) == Some(&row.made) {
                row.state = LoginState::Lost;
            }
        }
        known.rows.insert((pool.clone(), bot), rows.clone());
        Ok(rows)
    }
}
