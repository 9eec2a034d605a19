//! This worker's name: claimed before anything else, kept by the heartbeat, given back at an orderly end.
//!
//! A name is free when nobody has it, when its process is known to be dead, or when that process has not beaten for as long as makes a worker silent
//! (`policy.worker_silent_ms`) while we looked on.
//! Invariant: of two live processes with one name the later one ends before it has touched a lease. One that was silent for so long that another took
//! its name is told with its next heartbeat, and ends; its leases were lost before.

use std::time::Duration;

use anyhow::Context;
use shared_core::{BootMs, Nonce, WorkerId};
use shared_io::clock;
use shared_io::redis::{NameAnswer, NameHolder, RedisState};

/// Whoever started us may report meanwhile that our predecessor is dead.
const LOOK: Duration = Duration::from_millis(100);
/// Beyond that: Redis may go away and come back while we wait.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
#[error(
    "another live process is worker {worker} of this deployment; give this one another name (--name, or workers.name for those that a supervisor starts)"
)]
pub struct NameTaken {
    pub worker: WorkerId,
}

/// Waits until the name is ours. `silent`: after how long without a heartbeat a worker is taken for failed.
pub async fn claim(
    redis: &RedisState,
    worker: &WorkerId,
    nonce: Nonce,
    silent: Duration,
) -> anyhow::Result<()> {
    let until = clock::boot_now().plus(silent).plus(PATIENCE);
    let mut seen: Option<(NameHolder, BootMs)> = None;
    loop {
        let now = clock::boot_now();
        let gone = seen.filter(|(_, since)| now.since(*since) >= silent);
        let gone = gone.map(|(holder, _)| holder);
        match redis.claim_name(worker, nonce, gone).await {
            Ok(NameAnswer::Ours) => return Ok(()),
            Ok(NameAnswer::Held(holder)) => match seen {
                Some((before, _)) if before == holder => {}
                Some((before, _)) if before.nonce == holder.nonce => {
                    let worker = worker.clone();
                    return Err(NameTaken { worker }.into());
                }
                Some(_) | None => seen = Some((holder, now)),
            },
            Err(error) if error.is_connection() && now < until => seen = None,
            Err(error) => return Err(error).context("claiming the worker's name"),
        }
        if now >= until {
            // It changes hands again and again.
            let worker = worker.clone();
            return Err(NameTaken { worker }.into());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Says that whatever this process held is let go, as if it were dead; the name is free with that. Should it fail, the name runs out by itself.
pub async fn release(redis: &RedisState, worker: &WorkerId, nonce: Nonce) {
    let _runs_out = redis.report_death(worker, nonce).await;
}
