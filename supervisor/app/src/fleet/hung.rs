//! When a silent process of ours is taken for hung, and killed: whoever leads, whoever waits for it.
//!
//! Invariant: silence counts only while heartbeats are looked at without a gap, so neither a Redis that was away nor our own sleep makes a worker hung.

use std::time::Duration;

use rustix::process::Signal;
use shared_core::BootMs;
use shared_io::clock;
use shared_io::redis::SeenHeartbeat;
use supervisor_core::Policy;

use super::{Fleet, State};

#[derive(Debug, Clone, Copy)]
pub struct Patience {
    pub silent_ms: u64,
    /// For one that was never heard since it was started or adopted.
    pub start_ms: u64,
}

impl Patience {
    pub fn of(policy: &Policy) -> Self {
        Self {
            silent_ms: policy.worker_silent_ms.saturating_mul(2),
            start_ms: policy.start_grace_ms.saturating_add(5000),
        }
    }
}

/// Between two looks at the heartbeats; after a longer gap (Redis was away, or we slept) silence is counted anew.
const GAP: Duration = Duration::from_secs(1);

/// Since when heartbeats are looked at without a gap, and the last look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watched {
    since: BootMs,
    last: BootMs,
}

impl Fleet {
    /// Kills those of ours that have been silent for too long while Redis could be heard: they are started again when their end is seen.
    pub fn end_hung(&mut self, heartbeats: &[SeenHeartbeat], patience: Patience) {
        let now = clock::boot_now();
        let unbroken = self.watched.filter(|it| now.since(it.last) <= GAP);
        let watched = unbroken.map_or(now, |it| it.since);
        self.watched = Some(Watched {
            since: watched,
            last: now,
        });
        for (worker, slot) in &mut self.slots {
            let State::Running {
                process,
                nonce,
                since,
                heard,
                hung_ms,
            } = &mut slot.state
            else {
                continue;
            };
            let beat = heartbeats.iter().find(|h| h.heartbeat.worker == *worker);
            let ours = beat.filter(|h| nonce.is_none_or(|nonce| nonce == h.heartbeat.nonce));
            if let Some(age_ms) = ours.map(|h| h.age_ms) {
                let at = now.minus(Duration::from_millis(age_ms));
                *heard = Some(heard.map_or(at, |known| known.max(at)));
            }
            let (from, limit) = match *heard {
                Some(heard) => (heard, patience.silent_ms),
                None => (*since, patience.start_ms),
            };
            let silent = now.since(from.max(watched)).as_millis();
            let silent_ms = u64::try_from(silent).unwrap_or(u64::MAX);
            if silent_ms >= limit && hung_ms.is_none() && process.is_alive() {
                *hung_ms = Some(silent_ms);
                tracing::error!(%worker, pid = process.pid(), silent_ms, "worker hangs, killing it");
                process.signal(Signal::KILL);
            }
        }
    }
}
