//! Conversations kept in memory, so that going on with one costs no look at Redis.
//!
//! Two generations: what is used moves into the young one; when that is full it becomes the old one, and what was old and not used since is
//! forgotten. So the cache never holds more than two generations, and is never empty at once. Invariant: a conversation is in one of them at most;
//! nobody else writes conversations while the epoch is ours, and the cache ends with it.

use std::collections::HashMap;

use bot_worker_core::Dialogue;
use shared_core::{ConversationKey, Envelope};

/// Conversations in a generation.
const GENERATION: usize = 10_000;

type Kept = HashMap<ConversationKey, Envelope<Dialogue>>;

#[derive(Default)]
pub struct Cache {
    young: Kept,
    old: Kept,
}

impl Cache {
    /// Takes it out: who goes on with it puts back what becomes of it.
    pub fn take(&mut self, key: &ConversationKey) -> Option<Envelope<Dialogue>> {
        self.young.remove(key).or_else(|| self.old.remove(key))
    }

    pub fn keep(&mut self, key: ConversationKey, envelope: Envelope<Dialogue>) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, envelope);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared_core::MemberId;

    fn key(number: usize) -> ConversationKey {
        let member = i64::try_from(number).map_or(0, |number| number);
        ConversationKey::private(MemberId(member))
    }

    #[test]
    fn what_is_used_stays_and_what_is_not_goes_a_generation_at_a_time() {
        let mut cache = Cache::default();
        for number in 0..GENERATION {
            cache.keep(key(number), Envelope::default());
        }
        // One is used while the next generation fills up.
        for number in GENERATION..2 * GENERATION {
            let used = cache.take(&key(7));
            assert!(used.is_some(), "{number}");
            cache.keep(key(7), Envelope::default());
            cache.keep(key(number), Envelope::default());
            assert!(cache.young.len() + cache.old.len() <= 2 * GENERATION);
        }
        assert!(cache.take(&key(7)).is_some());
        assert!(cache.take(&key(7)).is_none(), "it was taken out");
        assert!(cache.take(&key(2 * GENERATION - 1)).is_some());
        for number in 2 * GENERATION..3 * GENERATION + 1 {
            cache.keep(key(number), Envelope::default());
        }
        assert!(cache.take(&key(8)).is_none(), "nobody has used it for long");
    }
}
