//! The work done in one tenure, counted for the heartbeat; the pool's lasting counters are in Redis.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use shared_core::{Phase, PoolWork};
use shared_io::redis::Counter;
use tracing::debug;

use crate::tenure::Tenure;

#[derive(Debug, Default)]
pub struct Work {
    pub conversations_open: AtomicU64,
    pub outbox: AtomicU64,
    pub parked: AtomicU64,
    pub commits: AtomicU64,
    pub commits_refused: AtomicU64,
    pub duplicates: AtomicU64,
    pub sent: AtomicU64,
    updates_unknown: AtomicU64,
    files_to_resend: AtomicU64,
    maybe_repeated: AtomicU64,
}

impl Work {
    /// Counts in Redis too; a count that does not arrive is missed by a report, nothing else.
    pub fn count(&self, tenure: &Arc<Tenure>, counter: Counter, by: u64) {
        let local = match counter {
            Counter::UpdatesUnknown => Some(&self.updates_unknown),
            Counter::FilesToResend => Some(&self.files_to_resend),
            Counter::MaybeRepeated => Some(&self.maybe_repeated),
            Counter::Duplicates => Some(&self.duplicates),
            _ => None,
        };
        if let Some(local) = local {
            local.fetch_add(by, Ordering::Relaxed);
        }
        let tenure = Arc::clone(tenure);
        tokio::spawn(async move {
            let by = i64::try_from(by).unwrap_or(i64::MAX);
            if let Err(error) = tenure.context.state.count(&[(counter, by)]).await {
                debug!(?counter, %error, "not counted");
            }
        });
    }

    pub fn figures(&self, tenure: &Tenure) -> PoolWork {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        PoolWork {
            pool: tenure.context.pool.clone(),
            bot: tenure.context.lease.bot,
            epoch: tenure.stamp,
            phase: Phase::Open,
            conversations_open: get(&self.conversations_open),
            outbox: get(&self.outbox),
            commits: get(&self.commits),
            commits_refused: get(&self.commits_refused),
            duplicates: get(&self.duplicates),
            sent: get(&self.sent),
            updates_unknown: get(&self.updates_unknown),
            files_to_resend: get(&self.files_to_resend),
            maybe_repeated: get(&self.maybe_repeated),
            parked: get(&self.parked),
        }
    }
}
