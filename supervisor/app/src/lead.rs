//! Which supervisor acts. The lead of the deployment first, then each pool's copy of it, which is what the pools' scripts check.
//!
//! ```text
//! Redis says            what follows
//! ours, as known        goes on
//! ours, another tenure  leads; the pool is read anew, since another may have led it meanwhile, also when the answer that said so first was lost
//! another's             follows; comes back when that one's time is over, so a leader that died is followed at once then
//! nothing               as before until Redis answers: whoever writes is asked by the script anyway
//! ```
//! Invariant: nothing here is judged by a clock of ours: Redis says yes or no at each renewal, and every script of the leader asks again. What no script
//! can guard is guarded otherwise: SQL by the leader that stands in it (`shared-io`, `sql/epochs.rs`), a kill by asking just before.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::future::join_all;
use shared_core::{BootMs, Nonce, PoolId, UnixMs};
use shared_io::clock;
use shared_io::config::Config;
use shared_io::redis::{LeaderId, Leadership, RedisState, StateError};

use crate::folder::Folder;

/// A leader that dies is followed within two seconds.
pub const TTL: Duration = Duration::from_millis(2000);
const RENEW: Duration = Duration::from_millis(400);
/// A follower asks this often, also when the leader's time is said to last for longer: an orderly end gives the lead back before.
const ASK: Duration = Duration::from_millis(250);
/// Redis counts whole milliseconds.
const ROUNDING: Duration = Duration::from_millis(2);
const NAME: &str = "supervisor";
/// The lead of a supervisor that died runs out within this.
const RUNS_OUT: Duration = Duration::from_millis(2500);
const POLL: Duration = Duration::from_millis(100);

pub struct Lead {
    pub id: LeaderId,
    leads: Option<bool>,
    /// When it began to lead or to follow.
    since: UnixMs,
    renew_at: BootMs,
}

impl Lead {
    pub fn new(nonce: Nonce) -> Self {
        Self {
            id: LeaderId::new(NAME, nonce),
            leads: None,
            since: clock::unix_now(),
            renew_at: BootMs(0),
        }
    }

    /// Is it time to renew? The pools are renewed in the same turn.
    pub fn is_due(&self) -> bool {
        clock::boot_now() >= self.renew_at
    }

    /// How long it is until then.
    pub fn due_in(&self) -> Duration {
        clock::until(self.renew_at)
    }

    pub fn leads(&self) -> bool {
        self.leads == Some(true)
    }

    pub fn since(&self) -> UnixMs {
        self.since
    }

    pub async fn renew(&mut self, redis: &RedisState) -> Result<bool, StateError> {
        let answer = redis.take_lead(&self.id, TTL).await?;
        self.renew_at = clock::boot_now().plus(RENEW);
        if let Leadership::Another { left } = answer {
            self.come_back_after(left.min(ASK));
        }
        let leads = answer.is_ours();
        if self.leads != Some(leads) {
            self.since = clock::unix_now();
            match leads {
                true => tracing::info!(leader = %self.id, "this supervisor leads"),
                false => tracing::info!("another supervisor leads, or has died just before"),
            }
        }
        self.leads = Some(leads);
        Ok(leads)
    }

    /// Too few copies have the renewal: a copy that takes over may know another leader, so nothing is done until they have one.
    pub fn unconfirmed(&mut self) {
        if self.leads.take() == Some(true) {
            tracing::warn!(
                "too few copies of Redis confirm this supervisor's lead: it does nothing until they do"
            );
        }
        self.unknown();
    }

    /// A pool is still led by whoever led it before: it is asked for again when that one's time is over.
    pub fn come_back_after(&mut self, left: Duration) {
        let then = clock::boot_now().plus(left).plus(ROUNDING);
        self.renew_at = self.renew_at.min(then);
    }

    /// Redis did not answer: ask again at the next look.
    pub fn unknown(&mut self) {
        self.renew_at = BootMs(0);
    }
}

/// Keeps the leads during a turn: a pool is read anew with some queries to SQL for each bot, and whoever lost its leads meanwhile would begin again,
/// for ever. What Redis answers is heard at the next turn; a lead that was somebody else's in between has another tenure then.
pub struct Keeper {
    redis: RedisState,
    id: LeaderId,
    pools: Vec<PoolId>,
}

/// A supervisor that is at one turn for longer is no good leader.
const KEPT_AT_MOST: Duration = Duration::from_secs(60);

impl Keeper {
    pub fn new(redis: &RedisState, id: &LeaderId, pools: Vec<PoolId>) -> Self {
        Self {
            redis: redis.clone(),
            id: id.clone(),
            pools,
        }
    }

    pub async fn during<T>(&self, turn: impl Future<Output = T>) -> T {
        tokio::select! {
            done = turn => done,
            never = self.keep() => match never {},
        }
    }

    async fn keep(&self) -> Infallible {
        let until = clock::boot_now().plus(KEPT_AT_MOST);
        loop {
            tokio::time::sleep(RENEW).await;
            if clock::boot_now() >= until {
                tracing::warn!(
                    "a turn takes longer than {} s: the leads are let go",
                    KEPT_AT_MOST.as_secs()
                );
                return std::future::pending().await;
            }
            let _heard_at_the_next_turn = self.redis.take_lead(&self.id, TTL).await;
            let pools = self.pools.iter().map(|pool| async move {
                let pool = self.redis.pool(pool);
                let _heard_at_the_next_turn = pool.take_lead_of_pool(&self.id, TTL).await;
            });
            join_all(pools).await;
        }
    }
}

/// Gives back what the supervisor that ran on this folder before us still leads, so that nobody waits for it to run out, and notes our own name
/// for whoever comes next. Whoever has the folder's lock knows that it is dead.
pub async fn succeed(config: &Config, folder: &Folder, redis: &RedisState, me: Nonce) {
    let file = folder.leader_file();
    let before = std::fs::read_to_string(&file).ok();
    if let Some(before) = before.and_then(|text| text.trim().parse().ok()) {
        let before = LeaderId::new(NAME, before);
        for pool in &config.pools {
            let _runs_out_by_itself = redis.pool(&pool.name).release_lead_of_pool(&before).await;
        }
        let _runs_out_by_itself = redis.release_lead(&before).await;
    }
    if let Err(error) = std::fs::write(&file, format!("{me}\n")) {
        tracing::warn!(file = %file.display(), %error, "the next supervisor will wait for this one's lead to run out");
    }
}

/// Refuses to stand beside another supervisor of a shared Redis with a database of our own: each would give out epochs and keep logins that the
/// other does not know.
pub async fn refuse_own_database(config: &Config, redis: &RedisState) -> anyhow::Result<()> {
    if config.redis.url.is_none() || config.database.url.is_some() {
        return Ok(());
    }
    let patience = clock::boot_now().plus(RUNS_OUT);
    while redis.leader().await?.is_some() {
        anyhow::ensure!(
            clock::boot_now() < patience,
            "another supervisor leads on this Redis, and this one has a database of its own: set database.url to the same database for both (PostgreSQL when they are on several hosts)"
        );
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}
