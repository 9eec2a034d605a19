//! Heartbeats: who is there, and how long ago each was heard, by Redis' own clock.
//!
//! Invariant: an age is a difference of two readings of one clock (Redis' `TIME`), taken at the beat and at the read. There is no search over keys:
//! `us:workers` lists who beat within a day. A heartbeat of a process that does not have its worker's name ([`super::names`]) is refused.
//! These keys and the supervisors' (`redis/supervisors.rs`) are the only ones whose scripts span slots.

use std::time::Duration;

use shared_core::Heartbeat;

use super::commit::json;
use super::error::{StateError, json_fault};
use super::names::{Beaten, beaten};
use super::{Bell, RedisState, scripts};

/// A worker that has been silent this long is not looked at any more (milliseconds).
pub(super) const HEARTBEAT_KEPT_MS: u64 = 5_000;

/// A worker that has been silent this long is forgotten (milliseconds).
const WORKER_LISTED_MS: u64 = 24 * 60 * 60 * 1000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenHeartbeat {
    pub heartbeat: Heartbeat,
    pub age_ms: u64,
}

impl RedisState {
    pub async fn beat(&self, heartbeat: &Heartbeat) -> Result<Beaten, StateError> {
        self.write_beat(heartbeat, "").await
    }

    /// Beats, and tells the supervisor to look.
    pub async fn beat_and_ring(&self, heartbeat: &Heartbeat) -> Result<Beaten, StateError> {
        self.write_beat(heartbeat, &self.root.bell).await
    }

    async fn write_beat(&self, heartbeat: &Heartbeat, bell: &str) -> Result<Beaten, StateError> {
        let op = self.op("beat as", &heartbeat.worker);
        let mut script = scripts::BEAT.prepare_invoke();
        script
            .key(self.root.worker(&heartbeat.worker))
            .key(&self.root.workers)
            .key(self.root.name(&heartbeat.worker))
            .arg(heartbeat.worker.as_str())
            .arg(json(op, heartbeat)?)
            .arg(HEARTBEAT_KEPT_MS)
            .arg(bell)
            .arg(heartbeat.nonce.to_string())
            .arg(heartbeat.seq);
        beaten(op, self.link.script(op, &script).await?)
    }

    /// All heartbeats that have not run out, by worker. One that cannot be read is logged and left out: a worker of another version must not
    /// blind the supervisor for the rest.
    pub async fn heartbeats(&self) -> Result<Vec<SeenHeartbeat>, StateError> {
        let op = self.op("read", &"the heartbeats");
        let mut script = scripts::HEARTBEATS.prepare_invoke();
        script
            .key(&self.root.workers)
            .arg(self.root.worker_prefix())
            .arg(WORKER_LISTED_MS);
        let found: Vec<(u64, Vec<u8>)> = self.link.script(op, &script).await?;
        let mut seen: Vec<SeenHeartbeat> = found
            .into_iter()
            .filter_map(|(age_ms, text)| match serde_json::from_slice(&text) {
                Ok(heartbeat) => Some(SeenHeartbeat { heartbeat, age_ms }),
                Err(error) => {
                    tracing::warn!(
                        why = json_fault("a heartbeat", &error),
                        "left out a heartbeat"
                    );
                    None
                }
            })
            .collect();
        seen.sort_by(|a, b| a.heartbeat.worker.cmp(&b.heartbeat.worker));
        Ok(seen)
    }

    /// Tells the supervisor to look. It may be lost: the supervisor polls as well.
    pub async fn ring_supervisor(&self) {
        super::bell::ring(&self.link, &self.root.bell).await;
    }

    pub async fn supervisor_bell(&self) -> Result<Bell, StateError> {
        Bell::listen(&self.link, &self.root.bell).await
    }

    /// One round trip.
    pub async fn ping(&self) -> Result<Duration, StateError> {
        let sent = tokio::time::Instant::now();
        let op = self.op("ping", &"Redis");
        let _pong: String = self.link.query(op, &::redis::cmd("PING")).await?;
        Ok(sent.elapsed())
    }
}
