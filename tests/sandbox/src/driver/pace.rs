//! How fast the members talk: so that the answers that they cause stay below Telegram's published limits.
//!
//! The limits are on in the simulator and the worker obeys them; members who asked for more than that would only measure the queue.
//! Pure: time comes in.

use crate::course::Input;
use crate::member::Member;

/// Answers a second in private; Telegram takes about 30 of a bot.
const PRIVATE_PER_SECOND: f64 = 20.0;
/// One group or channel takes 20 a minute; the worker keeps to 18.
const CHANNEL_PER_SECOND: f64 = 16.0 / 60.0;
const CHANNEL_BURST: f64 = 3.0;

#[derive(Debug, Clone)]
pub struct Bucket {
    per_ms: f64,
    burst: f64,
    tokens: f64,
    at_ms: i64,
}

impl Bucket {
    pub fn new(per_second: f64, burst: f64) -> Self {
        Self {
            per_ms: per_second / 1_000.0,
            burst,
            tokens: burst,
            at_ms: 0,
        }
    }

    pub fn has(&mut self, now_ms: i64) -> bool {
        let passed = (now_ms - self.at_ms).clamp(0, 3_600_000) as f64;
        self.tokens = (self.tokens + passed * self.per_ms).min(self.burst);
        self.at_ms = now_ms;
        self.tokens >= 1.0
    }

    /// May go below zero: what was sent at once is made up for afterwards.
    pub fn take(&mut self) {
        self.tokens -= 1.0;
    }
}

#[derive(Debug, Clone)]
pub struct Pace {
    private: Bucket,
    group: Bucket,
    /// Files go on into the storage channel.
    files: Bucket,
    /// Submissions go on into the broadcast channel.
    posts: Bucket,
    /// `/start` with the standbys; each of them has limits of its own.
    pub starts: Bucket,
}

impl Default for Pace {
    fn default() -> Self {
        Self::new(PRIVATE_PER_SECOND, CHANNEL_PER_SECOND)
    }
}

impl Pace {
    /// Answers a second in private, and in each group or channel.
    pub fn new(private_per_second: f64, channel_per_second: f64) -> Self {
        let channel = || Bucket::new(channel_per_second, CHANNEL_BURST);
        Self {
            private: Bucket::new(private_per_second, 4.0),
            group: channel(),
            files: channel(),
            posts: channel(),
            starts: Bucket::new(2.0 * PRIVATE_PER_SECOND, 4.0),
        }
    }

    /// Takes what this input costs, or says that it has to wait.
    pub fn admit(&mut self, member: &Member, input: &Input, now_ms: i64) -> bool {
        let mut needed = self.needed(member, input);
        if !needed.iter_mut().all(|bucket| bucket.has(now_ms)) {
            return false;
        }
        needed.into_iter().for_each(Bucket::take);
        true
    }

    /// Takes what this input costs, whether it is there or not.
    pub fn force(&mut self, member: &Member, input: &Input) {
        self.needed(member, input)
            .into_iter()
            .for_each(Bucket::take);
    }

    fn needed(&mut self, member: &Member, input: &Input) -> Vec<&mut Bucket> {
        let own = if member.is_private() {
            &mut self.private
        } else {
            &mut self.group
        };
        match input {
            // Shown by an edit, which is not counted with the sends.
            Input::ToggleTag(_) => Vec::new(),
            Input::File(_) => vec![own, &mut self.files],
            Input::Submit => vec![own, &mut self.posts],
            _ => vec![own],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let mut bucket = Bucket::new(2.0, 3.0);
        let mut given = 0;
        for now in 0..=2_000 {
            if bucket.has(now) {
                bucket.take();
                given += 1;
            }
        }
        assert_eq!(given, 3 + 4);
    }

    #[test]
    fn what_was_taken_ahead_is_made_up_for() {
        let mut bucket = Bucket::new(1.0, 1.0);
        bucket.take();
        bucket.take();
        assert!(!bucket.has(1_000));
        assert!(bucket.has(2_000));
    }
}
