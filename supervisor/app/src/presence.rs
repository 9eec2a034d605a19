//! What this supervisor says of itself in Redis, twice a second, for `status` and `doctor`.
//!
//! Nobody decides by it, so a word that Redis does not take is dropped: the next one is newer.

use std::time::Duration;

use shared_core::{BootMs, SupervisorBeat, UnixMs, WorkerId};
use shared_io::clock;
use shared_io::config::Config;
use shared_io::redis::{LeaderId, RedisState};

use crate::fleet;
use crate::lead::Lead;

const EVERY: Duration = Duration::from_millis(500);

pub struct Presence {
    id: LeaderId,
    host: String,
    started: UnixMs,
    workers: Vec<WorkerId>,
    database_is_local: bool,
    /// The last word, and what it said.
    said: Option<(BootMs, bool)>,
}

impl Presence {
    pub fn new(config: &Config, id: &LeaderId, workers: Vec<WorkerId>) -> Self {
        Self {
            id: id.clone(),
            host: fleet::host(),
            started: clock::unix_now(),
            workers,
            database_is_local: config.database_is_local(),
            said: None,
        }
    }

    /// Says how it stands, when that has changed or it is time again.
    pub async fn show(&mut self, redis: &RedisState, lead: &Lead) {
        let now = clock::boot_now();
        let is_fresh = self
            .said
            .is_some_and(|(at, leads)| leads == lead.leads() && now.since(at) < EVERY);
        if is_fresh {
            return;
        }
        let beat = SupervisorBeat {
            id: self.id.to_string(),
            host: self.host.clone(),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.started,
            leads: lead.leads(),
            since: lead.since(),
            workers: self.workers.clone(),
            database_is_local: self.database_is_local,
        };
        match redis.show_supervisor(&beat).await {
            Ok(()) => self.said = Some((now, beat.leads)),
            Err(error) => tracing::debug!(%error, "not shown this time"),
        }
    }
}
