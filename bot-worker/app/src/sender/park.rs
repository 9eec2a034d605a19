//! Replies to a member who cannot be written to wait until he presses Start.
//!
//! Invariant: whoever has something parked is in the tenure's set, so that his next doing, or the next message that reaches him, takes it up again.

use std::time::Duration;

use shared_core::{MemberId, OutboxEntry};
use shared_io::redis::{EpochAnswer, OutboxPosition};

use super::{After, Sender};
use crate::status::lock;

impl Sender {
    /// The member cannot be written to: his replies wait until he presses Start. Who is known to have pressed it meanwhile gets them again,
    /// once.
    pub(super) async fn park(
        &mut self,
        position: OutboxPosition,
        entry: OutboxEntry,
        member: MemberId,
    ) -> After {
        let state = self.tenure.context.state.clone();
        let first = self.tries.entry(entry.id).or_default();
        first.failures += 1;
        let again = first.failures == 1
            && state
                .reaches(self.tenure.context.lease.bot, &[member])
                .await
                .is_ok_and(|reached| reached == [true]);
        if again {
            self.hold(entry.target, Duration::from_secs(1));
            self.queue.put_back(position, entry);
            return After::GoOn;
        }
        let parked = state.park(self.tenure.stamp, position, member).await;
        // Also when it is not known whether it came through.
        lock(&self.tenure.parked).insert(member);
        let parked = parked.map(|answer| matches!(answer, EpochAnswer::Done(_)));
        self.moved_away(position, entry, parked)
    }
}
