//! One epoch of one bot: what the engine, the sender and their helpers share for as long as it lasts.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use shared_core::{BotId, EpochStamp, Milestone, MilestoneKind};
use shared_io::clock;
use shared_io::redis::RedisState;
use shared_io::telegram::Calls;
use tokio::sync::Notify;
use tracing::debug;

use crate::context::BotContext;
use crate::work::Work;

/// What the tasks of one epoch share.
pub struct Tenure {
    pub context: Arc<BotContext>,
    pub calls: Calls,
    pub stamp: EpochStamp,
    pub previous_bot: Option<BotId>,
    pub previous_username: Option<String>,
    /// Usernames of all bots of the pool that are known.
    pub usernames: Vec<String>,
    /// Something may be in the outbox.
    pub outbox: Notify,
    /// Something may be waiting for SQL.
    pub records: Notify,
    /// Entries that the sender has loaded and not finished.
    pub waiting: AtomicUsize,
    pub work: Work,
}

impl Tenure {
    pub fn redis(&self) -> &RedisState {
        &self.context.shared.redis
    }

    /// Did another bot answer before? A takeover by another worker is no change for members.
    pub fn bot_changed(&self) -> bool {
        self.previous_bot
            .is_some_and(|before| before != self.context.lease.bot)
    }

    /// Publishes a point of the timeline; best effort.
    pub async fn milestone(&self, kind: MilestoneKind) {
        let milestone = Milestone {
            epoch: self.stamp.epoch,
            kind,
            worker: self.context.shared.worker.clone(),
            at: clock::unix_now(),
        };
        if let Err(error) = self.context.state.milestone(&milestone).await {
            debug!(?kind, %error, "milestone not published");
        }
        self.redis().ring_supervisor().await;
    }
}
