//! The sealed logins of this worker's pools, in memory beside SQL, so that a takeover works while SQL is away; and in a file ([`Kept`]) for a
//! worker that starts then.
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

use super::kept::{Kept, Owner, Rows};
use crate::status::lock;

/// Longer than this, a takeover does not wait for SQL if memory has the rows.
const AT_ONCE: Duration = Duration::from_millis(150);
/// How often memory is made anew.
const REFRESH: Duration = Duration::from_secs(5);

#[derive(Default)]
struct Known {
    rows: Rows,
    /// Lost, and SQL does not know it: which login, by when it was made.
    unsaid: BTreeMap<(PoolId, BotId, LoginSlot), UnixMs>,
}

pub struct Vault {
    store: Store,
    known: Mutex<Known>,
    kept: Kept,
}

impl Vault {
    pub fn new(store: Store, kept: Kept) -> Self {
        Self {
            store,
            known: Mutex::default(),
            kept,
        }
    }

    /// With what the file has, for a worker that starts while SQL is away. `None` when there is nothing in it to start with.
    pub fn from_kept(store: Store, kept: Kept) -> Option<Self> {
        let rows = kept.read()?;
        let vault = Self::new(store, kept);
        lock(&vault.known).rows = rows;
        Some(vault)
    }

    /// Keeps memory fresh until stopped.
    pub async fn run(&self, pools: &[PoolConfig], stop: CancellationToken) {
        let mut written = self.kept.read().unwrap_or_default();
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
            self.keep(|owner| is_among(pools, owner), &mut written);
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(REFRESH) => {}
            }
        }
    }

    /// Writes the file when something else is known than it says. What SQL does not have any more, or was not asked for yet, stays in it: a database that was
    /// emptied and is about to be restored takes nobody's logins away.
    fn keep(&self, is_ours: impl Fn(&Owner) -> bool, written: &mut Rows) {
        let mut rows = written.clone();
        let known = lock(&self.known).rows.clone();
        rows.extend(known.into_iter().filter(|(_, rows)| !rows.is_empty()));
        rows.retain(|owner, _| is_ours(owner));
        if rows == *written {
            return;
        }
        match self.kept.write(&rows) {
            Ok(()) => *written = rows,
            Err(error) => {
                warn!(%error, "the logins could not be kept for a start while SQL is away")
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

    /// What is known without asking SQL.
    pub fn in_memory(&self, pool: &PoolId, bot: BotId) -> Vec<LoginRow> {
        let known = lock(&self.known);
        let rows = known.rows.get(&(pool.clone(), bot));
        rows.cloned().unwrap_or_default()
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

/// Is it a bot of one of these pools?
fn is_among(pools: &[PoolConfig], (pool, bot): &Owner) -> bool {
    let mut pools = pools.iter().filter(|known| known.name == *pool);
    pools.any(|pool| pool.bots.iter().any(|known| known.bot() == *bot))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use shared_core::{Secret, WorkerId};
    use shared_io::sql::BotRow;

    use super::*;

    const BOT: BotId = BotId(7);

    fn pool() -> PoolId {
        PoolId::new("main").unwrap()
    }

    fn login(slot: LoginSlot, made: i64) -> LoginRow {
        LoginRow {
            pool: pool(),
            bot: BOT,
            slot,
            sealed_key: "sealed1:AAAA".into(),
            dc_id: 2,
            dc_addr: None,
            made: UnixMs(made),
            state: LoginState::Live,
        }
    }

    async fn store(folder: &std::path::Path) -> Store {
        let url = format!("sqlite://{}?mode=rwc", folder.join("test.db").display());
        let store = Store::open(&Secret::new(url), folder).await.unwrap();
        let bot = BotRow {
            pool: pool(),
            bot: BOT,
            name: "first".into(),
            username: None,
            priority: 0,
            sealed_token: "sealed1:AAAA".into(),
            added: UnixMs(0),
            retired: None,
        };
        store.bots().put(&bot).await.unwrap();
        store
    }

    fn kept(folder: &tempfile::TempDir) -> Kept {
        Kept::new(folder.path(), &WorkerId::new("w1").unwrap())
    }

    /// One turn of what `run` does.
    async fn look(vault: &Vault) {
        vault.refresh(&pool(), BOT).await.unwrap();
        let mut written = vault.kept.read().unwrap_or_default();
        vault.keep(|_| true, &mut written);
    }

    fn states(rows: &[LoginRow]) -> Vec<LoginState> {
        rows.iter().map(|row| row.state).collect()
    }

    #[tokio::test]
    async fn while_sql_is_away_memory_answers_and_a_loss_is_not_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path()).await;
        let vault = Vault::new(store.clone(), kept(&folder));
        vault.put(&login(LoginSlot::A, 1)).await.unwrap();
        vault.put(&login(LoginSlot::B, 2)).await.unwrap();
        store.close().await;
        assert!(store.ping().await.is_err(), "SQL is away");
        let rows = vault.rows(&pool(), BOT).await.unwrap();
        assert_eq!(states(&rows), [LoginState::Live, LoginState::Live]);
        assert!(vault.lose(&pool(), BOT, LoginSlot::A).await);
        assert!(
            !vault.lose(&pool(), BOT, LoginSlot::A).await,
            "it was known"
        );
        let rows = vault.rows(&pool(), BOT).await.unwrap();
        assert_eq!(states(&rows), [LoginState::Lost, LoginState::Live]);
    }

    #[tokio::test]
    async fn who_starts_while_sql_is_away_has_what_was_known_last() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path()).await;
        assert!(Vault::from_kept(store.clone(), kept(&folder)).is_none());
        let before = Vault::new(store.clone(), kept(&folder));
        before.put(&login(LoginSlot::A, 1)).await.unwrap();
        look(&before).await;
        before.put(&login(LoginSlot::B, 2)).await.unwrap();
        look(&before).await;
        store.close().await;

        let vault = Vault::from_kept(store, kept(&folder)).unwrap();
        let rows = vault.rows(&pool(), BOT).await.unwrap();
        assert_eq!(rows, [login(LoginSlot::A, 1), login(LoginSlot::B, 2)]);
    }

    #[tokio::test]
    async fn a_database_that_was_emptied_takes_nothing_out_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let before = Vault::new(store(folder.path()).await, kept(&folder));
        before.put(&login(LoginSlot::A, 1)).await.unwrap();
        look(&before).await;

        let empty = tempfile::tempdir().unwrap();
        let vault = Vault::new(store(empty.path()).await, kept(&folder));
        look(&vault).await;
        assert!(vault.in_memory(&pool(), BOT).is_empty());
        let file = kept(&folder).read().unwrap();
        assert_eq!(file[&(pool(), BOT)], [login(LoginSlot::A, 1)]);
        // But for a bot that is none of the pool's any more.
        let mut written = file;
        vault.keep(|_| false, &mut written);
        assert!(kept(&folder).read().is_none());
    }

    #[tokio::test]
    async fn a_login_that_another_worker_made_is_seen_and_never_taken_for_the_lost_one() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path()).await;
        let vault = Vault::new(store.clone(), kept(&folder));
        vault.put(&login(LoginSlot::A, 1)).await.unwrap();
        store.logins().put(&login(LoginSlot::A, 5)).await.unwrap();
        assert!(vault.lose(&pool(), BOT, LoginSlot::A).await);
        let rows = vault.rows(&pool(), BOT).await.unwrap();
        assert_eq!((rows[0].made, rows[0].state), (UnixMs(5), LoginState::Live));
        let stored = store.logins().get(&pool(), BOT, LoginSlot::A).await;
        assert_eq!(stored.unwrap().unwrap().state, LoginState::Live);
    }
}
