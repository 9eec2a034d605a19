//! Entries that do not leave by being sent: moved aside because Telegram refuses them for good. (Those that wait for their member: `park`.)
//!
//! Whoever was to get a refused reply, or waits for a file to be stored, is not left waiting: his conversation hears of it (`bot-worker-core`,
//! `refused.rs`), by a letter that is written with the very step that moves the entry aside.

use std::time::Duration;

use bot_worker_core::refused::word_of;
use shared_core::{Nonce, OutboxEntry};
use shared_io::clock;
use shared_io::redis::{EpochAnswer, OutboxPosition, Refusal, StateError};
use shared_io::sql;
use tracing::warn;

use super::{After, Sender};
use crate::recorder;

/// One refusal in this time is told to SQL; those between are counted in the next one.
const TELL_AGAIN: Duration = Duration::from_secs(1);

impl Sender {
    pub(super) async fn refuse(
        &mut self,
        position: OutboxPosition,
        entry: OutboxEntry,
        why: String,
    ) -> After {
        warn!(entry = %entry.id, conversation = %entry.conversation, why, "a reply can never be sent; it is moved aside");
        let state = self.tenure.context.state.clone();
        let refusal = Refusal {
            position,
            why: why.clone(),
            word: word_of(&entry, clock::unix_now()),
        };
        let refused = state.refuse(self.tenure.stamp, &[refusal]).await;
        let refused = refused.map(|answer| matches!(answer, EpochAnswer::Done(_)));
        if !matches!(refused, Ok(true)) {
            return self.moved_away(position, entry, refused);
        }
        self.tell_sql(&entry, &why);
        self.tenure.inbox.notify_one();
        self.moved_away(position, entry, refused)
    }

    /// The entry was moved by a script of the epoch (`Ok(false)`: that is over); where that did not come through, it is tried again.
    pub(super) fn moved_away(
        &mut self,
        position: OutboxPosition,
        entry: OutboxEntry,
        moved: Result<bool, StateError>,
    ) -> After {
        match moved {
            Ok(true) => {
                self.queue.finish(entry.target);
                self.tries.remove(&entry.id);
                After::GoOn
            }
            Ok(false) => After::Over,
            Err(error) => {
                warn!(%error, "an entry waits");
                self.hold(entry.target, Duration::from_millis(500));
                self.queue.put_back(position, entry);
                After::GoOn
            }
        }
    }

    /// Best effort: the entry itself is in Redis with its reason.
    fn tell_sql(&mut self, entry: &OutboxEntry, why: &str) {
        self.untold += 1;
        let now = clock::boot_now();
        if self.told_at.is_some_and(|at| now.since(at) < TELL_AGAIN) {
            return;
        }
        self.told_at = Some(now);
        let count = std::mem::take(&mut self.untold);
        let context = &self.tenure.context;
        let mut id = [0; 8];
        id.copy_from_slice(&entry.id.0[..8]);
        let event = sql::Event {
            // Told again after a crash, it is one row.
            id: Nonce(id),
            pool: Some(context.pool.clone()),
            at: clock::unix_now(),
            kind: sql::EventKind::ReplyRefused,
            subject: entry.conversation.to_string(),
            details: serde_json::json!({ "why": why, "count": count, "entry": entry.id.to_string() }),
        };
        recorder::tell(context, event);
    }
}
