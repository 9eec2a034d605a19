//! The task that copies a pool's state to SQL for as long as this supervisor leads it.
//!
//! Invariant: nothing waits for it. While SQL is away it tries again with growing pauses; what has changed is marked in Redis meanwhile. It ends when
//! another leader writes, or when Redis has another history, which is the leader's to settle.

use std::time::Duration;

use shared_core::BotId;
use shared_io::checkpoint::{CheckpointError, Checkpointer};
use shared_io::redis::{LeaderId, PoolState};
use shared_io::retry::{Backoff, RetryPolicy};
use shared_io::sql::Store;

use crate::task::AbortOnDrop;

/// Between two turns: what is acknowledged is in SQL within this and the turn itself.
const EVERY: Duration = Duration::from_millis(250);
const AGAIN: RetryPolicy = RetryPolicy::forever(Duration::from_millis(250), Duration::from_secs(3));

pub(super) struct Copying {
    task: AbortOnDrop<CheckpointError>,
}

impl Copying {
    pub fn start(
        state: PoolState,
        store: Store,
        leader: LeaderId,
        lineage: String,
        bots: Vec<BotId>,
        writer: u64,
    ) -> Self {
        let copy = async move {
            let mut troubles = Troubles::new(&state);
            let mut checkpointer = loop {
                let opened = Checkpointer::open(
                    state.clone(),
                    store.clone(),
                    leader.clone(),
                    lineage.clone(),
                    bots.clone(),
                    writer,
                );
                match opened.await {
                    Ok(checkpointer) => break checkpointer,
                    Err(error) if error.is_over() => return error,
                    Err(error) => troubles.wait(&error).await,
                }
            };
            loop {
                match checkpointer.turn().await {
                    Ok(_) => {
                        troubles.over();
                        tokio::time::sleep(EVERY).await;
                    }
                    Err(error) if error.is_over() => return error,
                    Err(error) => troubles.wait(&error).await,
                }
            }
        };
        Self {
            task: AbortOnDrop::new(tokio::spawn(copy)),
        }
    }

    /// It never ends by itself while this leader leads this history.
    pub fn has_ended(&self) -> bool {
        self.task.is_finished()
    }
}

struct Troubles {
    pool: shared_core::PoolId,
    backoff: Backoff,
    said: bool,
}

impl Troubles {
    fn new(state: &PoolState) -> Self {
        Self {
            pool: state.id().clone(),
            backoff: Backoff::new(AGAIN),
            said: false,
        }
    }

    async fn wait(&mut self, error: &CheckpointError) {
        if !std::mem::replace(&mut self.said, true) {
            tracing::error!(pool = %self.pool, %error, "the checkpoint falls behind");
        }
        let pause = self.backoff.next_delay().unwrap_or(AGAIN.max);
        tokio::time::sleep(pause).await;
    }

    fn over(&mut self) {
        if std::mem::take(&mut self.said) {
            tracing::info!(pool = %self.pool, "the checkpoint follows again");
        }
        self.backoff.reset();
    }
}
