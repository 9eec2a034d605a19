//! Send limits of bots, as token buckets: per chat, per group and in bulk. A send takes from all of them or from none; when
//! one is empty the answer is how long to wait. Edits and press answers have a bucket of their own. The real thresholds
//! are unpublished; what matters is that a client meets waits and obeys them.

use std::collections::HashMap;

use super::ids::{ChatRef, UserId};
use super::settings::Limits;

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at_ms: u64,
}

/// Rate per millisecond and size of one kind of bucket.
#[derive(Clone, Copy)]
struct Rule {
    per_ms: f64,
    burst: f64,
}

impl Rule {
    fn per_second(rate: f64, burst: u32) -> Self {
        Self {
            per_ms: rate / 1_000.0,
            burst: f64::from(burst.max(1)),
        }
    }
}

impl Bucket {
    fn refill(&mut self, rule: Rule, now_ms: u64) {
        let passed = now_ms.saturating_sub(self.at_ms) as f64;
        self.tokens = (self.tokens + passed * rule.per_ms).min(rule.burst);
        self.at_ms = now_ms;
    }

    /// Milliseconds until `cost` tokens are there. What costs more than the bucket holds waits for a full one.
    fn wait_ms(&self, rule: Rule, cost: f64) -> u64 {
        let missing = cost.min(rule.burst) - self.tokens;
        if missing <= 0.0 {
            0
        } else if rule.per_ms <= 0.0 {
            // A rate of nothing: "not within a day".
            86_400_000
        } else {
            (missing / rule.per_ms).ceil() as u64
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Chat(UserId, ChatRef),
    Group(UserId, ChatRef),
    Bulk(UserId),
    Other(UserId),
}

/// State of all buckets.
#[derive(Debug, Default)]
pub(crate) struct SendLimits {
    buckets: HashMap<Key, Bucket>,
}

/// What is about to leave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub bot: UserId,
    pub chat: ChatRef,
    pub messages: u32,
}

impl SendLimits {
    /// Takes the tokens, or says how many milliseconds to wait.
    pub fn send(&mut self, limits: &Limits, load: Load, now_ms: u64) -> Result<(), u64> {
        if !limits.enabled {
            return Ok(());
        }
        let messages = f64::from(load.messages);
        let chat = Rule::per_second(limits.per_chat_per_second, limits.per_chat_burst);
        let bulk = Rule::per_second(limits.bulk_per_second, limits.bulk_burst);
        let group = Rule::per_second(limits.per_group_per_minute / 60.0, limits.per_group_burst);
        // An album is one send to its chat, but as many messages as it has in bulk and for a group.
        let mut wanted = vec![
            (Key::Chat(load.bot, load.chat), chat, 1.0),
            (Key::Bulk(load.bot), bulk, messages),
        ];
        if matches!(load.chat, ChatRef::Channel(_)) {
            wanted.push((Key::Group(load.bot, load.chat), group, messages));
        }
        self.take(&wanted, now_ms)
    }

    /// Edits and press answers.
    pub fn other(&mut self, limits: &Limits, bot: UserId, now_ms: u64) -> Result<(), u64> {
        if !limits.enabled {
            return Ok(());
        }
        let rule = Rule::per_second(limits.other_per_second, limits.other_burst);
        self.take(&[(Key::Other(bot), rule, 1.0)], now_ms)
    }

    /// Full buckets again: other limits hold from here on.
    pub fn reset(&mut self) {
        self.buckets.clear();
    }

    fn take(&mut self, wanted: &[(Key, Rule, f64)], now_ms: u64) -> Result<(), u64> {
        let mut wait = 0;
        for (key, rule, cost) in wanted {
            let full = || Bucket {
                tokens: rule.burst,
                at_ms: now_ms,
            };
            let bucket = self.buckets.entry(*key).or_insert_with(full);
            bucket.refill(*rule, now_ms);
            wait = wait.max(bucket.wait_ms(*rule, *cost));
        }
        if wait > 0 {
            return Err(wait);
        }
        for (key, _, cost) in wanted {
            if let Some(bucket) = self.buckets.get_mut(key) {
                bucket.tokens -= cost;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::ids::ChannelId;
    use super::*;

    const BOT: UserId = UserId(1);

    fn to(member: i64) -> Load {
        Load {
            bot: BOT,
            chat: ChatRef::User(UserId(member)),
            messages: 1,
        }
    }

    fn limits() -> Limits {
        Limits {
            per_chat_burst: 2,
            bulk_burst: 5,
            ..Limits::default()
        }
    }

    #[test]
    fn a_short_burst_to_a_chat_passes_then_waits() {
        let mut state = SendLimits::default();
        assert_eq!(state.send(&limits(), to(1), 0), Ok(()));
        assert_eq!(state.send(&limits(), to(1), 0), Ok(()));
        assert_eq!(state.send(&limits(), to(1), 0), Err(1_000));
        assert_eq!(state.send(&limits(), to(1), 400), Err(600));
        assert_eq!(state.send(&limits(), to(1), 1_000), Ok(()));
    }

    #[test]
    fn bulk_is_per_bot_over_all_chats_and_a_refusal_takes_nothing() {
        let mut state = SendLimits::default();
        for member in 1..=5 {
            assert_eq!(state.send(&limits(), to(member), 0), Ok(()));
        }
        assert_eq!(state.send(&limits(), to(6), 0), Err(34));
        let other_bot = Load {
            bot: UserId(2),
            ..to(6)
        };
        assert_eq!(state.send(&limits(), other_bot, 0), Ok(()));
        // Member 6's own bucket is still full.
        assert_eq!(state.send(&limits(), to(6), 100), Ok(()));
        assert_eq!(state.send(&limits(), to(6), 100), Ok(()));
    }

    #[test]
    fn a_group_takes_twenty_a_minute() {
        let mut state = SendLimits::default();
        let limits = Limits {
            per_chat_burst: 100,
            ..Limits::default()
        };
        let group = Load {
            bot: BOT,
            chat: ChatRef::Channel(ChannelId(1)),
            messages: 1,
        };
        let sent = (0..30)
            .filter(|_| state.send(&limits, group, 0).is_ok())
            .count();
        assert_eq!(sent, 20);
        assert_eq!(state.send(&limits, group, 0), Err(3_000));
    }

    #[test]
    fn switched_off_nothing_waits() {
        let mut state = SendLimits::default();
        let limits = Limits {
            enabled: false,
            ..limits()
        };
        assert!((0..1_000).all(|_| state.send(&limits, to(1), 0).is_ok()));
    }
}
