//! What was left for this bot before its epoch: messages that it kept while it stood by.
//!
//! A kept message goes through its conversation's lane like any other; one that is too old is not acted on, but its member hears of it, once. Invariant: what is
//! taken up here is settled by its lane or by name, so that a crash in between leaves it for the next epoch.

use std::collections::HashMap;
use std::time::Duration;

use bot_worker_core::kept::Kept;
use shared_core::{ConversationKey, Incoming};
use shared_io::redis::{Counter, HeldPosition};
use tracing::warn;

use super::{Engine, Item, Origin};

/// A message that a standby kept longer than this is not acted on: its sender was told whom to write to, and is shown where he stands.
const HELD_FOR: Duration = Duration::from_secs(15 * 60);

impl Engine {
    pub(super) fn take_held(&mut self, held: Vec<(HeldPosition, Incoming)>) {
        let now = shared_io::clock::unix_now();
        let (fresh, stale): (Vec<_>, Vec<_>) = held
            .into_iter()
            .partition(|(_, incoming)| u128::from(now.since(incoming.date)) < HELD_FOR.as_millis());
        if !stale.is_empty() {
            let count = u64::try_from(stale.len()).unwrap_or(u64::MAX);
            warn!(
                count,
                "messages that a standby kept for too long are not acted on"
            );
            self.tenure
                .work
                .count(&self.tenure, Counter::HeldDropped, count);
        }
        let last: HashMap<ConversationKey, HeldPosition> = stale
            .iter()
            .map(|(position, incoming)| (incoming.conversation(), *position))
            .collect();
        for (position, incoming) in stale {
            let key = incoming.conversation();
            // He is told once, of the latest.
            match last.get(&key) == Some(&position) {
                true => {
                    let item = Item::NotTaken(incoming, position);
                    self.push(key, item, Origin::Held(position));
                }
                false => self.settle(Origin::Held(position)),
            }
        }
        for (position, incoming) in fresh {
            self.push(
                incoming.conversation(),
                Item::Held(incoming, position),
                Origin::Held(position),
            );
        }
    }
}

pub(super) fn kept(incoming: &Incoming, position: HeldPosition) -> Kept {
    Kept {
        written: incoming.date,
        kept: position.kept_at(),
    }
}
