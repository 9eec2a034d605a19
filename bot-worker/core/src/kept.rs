//! A private message that a bot kept while another one answered: is it still an answer to something when it is taken up?
//!
//! Invariant: what was written after the conversation's last step is never outdated. Pure; three clocks meet here, so each is taken for what it is good for.

use shared_core::UnixMs;

/// By how much the clocks of two hosts may differ.
const CLOCKS_MS: i64 = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Telegram's date: whole seconds, rounded down.
    pub written: UnixMs,
    /// By Redis' clock; much later than it was written where the bot had to fetch it first.
    pub kept: UnixMs,
}

impl Kept {
    /// The conversation's last step, by a worker's clock, was another bot's and came later. `followed`: when this bot followed that one; what it has
    /// done itself since outdates nothing.
    pub fn is_outdated(self, stepped: UnixMs, followed: UnixMs) -> bool {
        let later = stepped.0 >= self.written.0.saturating_add(1_000)
            || stepped.0 > self.kept.0.saturating_add(CLOCKS_MS);
        stepped < followed && later
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outdated(written: i64, kept: i64, stepped: i64) -> bool {
        let [written, kept, stepped, followed] = [written, kept, stepped, 9_500].map(UnixMs);
        Kept { written, kept }.is_outdated(stepped, followed)
    }

    #[test]
    fn the_other_bots_step_outdates_what_was_written_before_it() {
        assert!(outdated(3_000, 3_400, 5_200), "it went on after that");
        assert!(!outdated(7_000, 7_300, 5_200), "it is his last word");
        assert!(!outdated(3_000, 3_400, 9_600), "taken up just before");
    }

    #[test]
    fn within_the_second_that_telegram_rounds_away_it_counts_when_it_was_kept() {
        assert!(outdated(5_000, 5_360, 5_950), "he turned to the other bot");
        assert!(!outdated(5_000, 5_850, 5_900), "clocks differ");
        assert!(!outdated(5_000, 5_990, 5_900), "he came back from it");
        assert!(!outdated(5_000, 8_000, 5_900), "nobody knows");
        assert!(outdated(5_000, 8_000, 6_100), "it was fetched late");
    }
}
