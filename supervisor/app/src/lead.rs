//! Which supervisor acts. The lead of the deployment first, then each pool's copy of it, which is what the pools' scripts check.
//!
//! Invariant: nothing here is judged by a clock of ours: Redis says yes or no at each renewal, and every script of the leader asks again.

use std::time::Duration;

use shared_core::BootMs;
use shared_io::clock;
use shared_io::redis::{LeaderId, RedisState, StateError};

/// A leader that dies is followed within two seconds.
pub const TTL: Duration = Duration::from_millis(2000);
const RENEW: Duration = Duration::from_millis(500);

pub struct Lead {
    pub id: LeaderId,
    leads: Option<bool>,
    renew_at: BootMs,
}

impl Lead {
    pub fn new() -> Self {
        Self {
            id: LeaderId::new("supervisor", clock::nonce()),
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

    /// Redis did not answer: ask again at the next look.
    pub fn unknown(&mut self) {
        self.renew_at = BootMs(0);
    }
}
