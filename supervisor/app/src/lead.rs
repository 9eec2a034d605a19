//! Which supervisor acts. The lead of the deployment first, then each pool's copy of it, which is what the pools' scripts check.
//!
//! Invariant: nothing here is judged by a clock of ours: Redis says yes or no at each renewal, and every script of the leader asks again.

use std::time::Duration;

use shared_core::{BootMs, Nonce};
use shared_io::clock;
use shared_io::config::Config;
use shared_io::redis::{LeaderId, RedisState, StateError};

use crate::folder::Folder;

/// A leader that dies is followed within two seconds.
pub const TTL: Duration = Duration::from_millis(2000);
const RENEW: Duration = Duration::from_millis(500);
const NAME: &str = "supervisor";
/// The lead of a supervisor that died runs out within this.
const RUNS_OUT: Duration = Duration::from_millis(2500);
const POLL: Duration = Duration::from_millis(100);

pub struct Lead {
    pub id: LeaderId,
    leads: Option<bool>,
    renew_at: BootMs,
}

impl Lead {
    pub fn new(nonce: Nonce) -> Self {
        Self {
            id: LeaderId::new(NAME, nonce),
            leads: None,
            renew_at: BootMs(0),
        }
    }

    /// Is it time to renew? The pools are renewed in the same turn.
    pub fn is_due(&self) -> bool {
        clock::boot_now() >= self.renew_at
    }

    pub fn leads(&self) -> bool {
        self.leads == Some(true)
    }

    pub async fn renew(&mut self, redis: &RedisState) -> Result<bool, StateError> {
        let leads = redis.take_lead(&self.id, TTL).await?;
        self.renew_at = clock::boot_now().plus(RENEW);
        match (self.leads, leads) {
            (Some(true), true) | (Some(false), false) => {}
            (_, true) => tracing::info!(leader = %self.id, "this supervisor leads"),
            (_, false) => tracing::info!("another supervisor leads, or has died just before"),
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

    /// Redis did not answer: ask again at the next look.
    pub fn unknown(&mut self) {
        self.renew_at = BootMs(0);
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
