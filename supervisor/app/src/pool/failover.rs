//! Another server has become Redis' primary: what this leader believed is read anew, and what was lost is said.
//!
//! Everything that a leader holds in memory (the switch under way, the highest epoch, past boards) was read from the primary before and may be ahead
//! of what the one after it has. So it is dropped, and the lead is taken over as if from somebody else: the switch goes on where *this* Redis has it,
//! and epochs are minted above everything that SQL ever reserved. An epoch below one that was seen is no reason to hold: its holder does not act
//! on it (`bot-worker`, `epoch_watch`) and is renewed under one above both.
//!
//! What was lost is counted by who committed it; the leader writes it down as an event. Invariant: nothing is decided by these counts.

use shared_core::{BootMs, Epoch};
use shared_io::clock;
use shared_io::redis::{Counter, History};
use shared_io::sql::EventKind;

use super::Pool;

/// Workers have started over long before; what they count later is not this failover's.
const COUNTED_WITHIN_MS: u128 = 60_000;

#[derive(Default)]
pub(super) struct Failover {
    history: History,
    /// The highest epoch of the history that was left.
    left_at: Option<Epoch>,
    happened: Option<BootMs>,
    /// Lost commits that were written down.
    lost: i64,
}

impl Pool {
    /// Drops what belongs to a history that is over. True: it did.
    pub(super) fn leave_history(&mut self) -> bool {
        if self.redis.history() == self.failover.history {
            return false;
        }
        self.failover.history = self.redis.history();
        let seen = self.held.take().map(|held| held.seen);
        self.failover.left_at = self.failover.left_at.max(seen);
        seen.is_some()
    }

    /// Leads again, in a history that stands at this epoch.
    pub(super) async fn arrived(&mut self, found: Epoch) {
        let Some(left_at) = self.failover.left_at.take() else {
            // The first time: what was lost before is written down already.
            self.failover.lost = self.lost_commits().await.unwrap_or(self.failover.lost);
            return;
        };
        self.failover.happened = Some(clock::boot_now());
        if left_at > found {
            tracing::error!(pool = %self.name, epoch = %found, "Redis has failed over to a copy that lacks {left_at}; going on above it");
        } else {
            tracing::warn!(pool = %self.name, epoch = %found, "Redis has failed over to a copy");
        }
        let details = serde_json::json!({ "epoch_before": left_at.0, "epoch_found": found.0 });
        let (name, chronicle) = (&self.name, &self.shared.chronicle);
        chronicle.event(
            Some(name),
            EventKind::RedisFailedOver,
            name.as_str(),
            details,
        );
    }

    /// Writes down what workers have found lost since the failover.
    pub(super) async fn watch_tail(&mut self) {
        let recent = self.failover.happened.is_some_and(|happened| {
            clock::boot_now().since(happened).as_millis() < COUNTED_WITHIN_MS
        });
        if !recent {
            return;
        }
        let Some(lost) = self.lost_commits().await else {
            return;
        };
        let more = lost - self.failover.lost;
        if more <= 0 {
            return;
        }
        self.failover.lost = lost;
        let details = serde_json::json!({ "commits": more });
        let (name, chronicle) = (&self.name, &self.shared.chronicle);
        chronicle.event(Some(name), EventKind::TailLost, name.as_str(), details);
    }

    async fn lost_commits(&self) -> Option<i64> {
        let counters = self.state.counters().await.ok()?;
        Some(counters.get(Counter::LostTail))
    }
}
