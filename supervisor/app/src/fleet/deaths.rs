//! Who is known to be dead: our own children by their pidfd, other supervisors' children because they reported it.
//!
//! Invariant: a report names a process by its nonce, so it stays true whatever runs under the worker's name later, and whoever saw the death need not
//! lead to report it. Reports that Redis did not take are repeated until it does.

use std::collections::BTreeSet;

use shared_core::{Nonce, WorkerId};
use shared_io::redis::{RedisState, StateError};

/// More than Redis keeps.
const KNOWN: usize = 1024;

#[derive(Debug, Default)]
pub struct Deaths {
    known: BTreeSet<(WorkerId, Nonce)>,
    unreported: Vec<(WorkerId, Nonce)>,
}

impl Deaths {
    /// One of ours; told to the others with the next [`Deaths::exchange`].
    pub fn saw(&mut self, worker: &WorkerId, nonce: Nonce) {
        let dead = (worker.clone(), nonce);
        if self.known.insert(dead.clone()) {
            self.unreported.push(dead);
        }
    }

    pub fn knows(&self, worker: &WorkerId, nonce: Nonce) -> bool {
        self.known.contains(&(worker.clone(), nonce))
    }

    /// Reports what we saw and hears what others did. What was heard is remembered when Redis forgets it.
    pub async fn exchange(&mut self, redis: &RedisState) -> Result<(), StateError> {
        while let Some((worker, nonce)) = self.unreported.last() {
            redis.report_death(worker, *nonce).await?;
            self.unreported.pop();
        }
        let told = redis.deaths().await?;
        if self.known.len() > KNOWN {
            self.known.clear();
        }
        for (worker, nonce) in told {
            if self.known.insert((worker.clone(), nonce)) {
                tracing::info!(%worker, %nonce, "another supervisor has seen this worker's process end");
            }
        }
        Ok(())
    }
}
