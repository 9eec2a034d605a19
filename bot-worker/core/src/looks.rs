//! Looking through the open conversations, the latest active first, while their members go on: until nobody can have been passed over.
//!
//! ```text
//! first look        everybody who was active lately, portion by portion
//! meanwhile         whoever does something moves to the front, past what has been looked at; most are served by that, and who only asked for help is not
//! another look      who was active since the last one began; again, until one portion is all of it
//! ```
//! Invariant: when it is over, everybody who was active lately when it began has been in a portion. It reads nothing and sends nothing; who asks has
//! the list in Redis. Times are wall clock: what a commit notes of its conversation.

use std::time::Duration;

use shared_core::UnixMs;

/// A wall clock may be set back by this much meanwhile.
const CLOCK_SLACK_MS: i64 = 1_000;

#[derive(Debug, Clone)]
pub struct Looks {
    portion: usize,
    /// Who was last active before this is of no interest.
    down_to: UnixMs,
    began: UnixMs,
    portions: u32,
    first: bool,
}

/// What follows a portion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Follows {
    /// The next portion of this look.
    Next,
    /// Another look, from the front.
    Again,
    /// Nobody was passed over.
    Over,
}

impl Looks {
    /// `portion`: how many are asked for at once. `lately`: who has done nothing for longer is left alone.
    pub fn new(portion: usize, lately: Duration, now: UnixMs) -> Self {
        let lately = i64::try_from(lately.as_millis()).unwrap_or(i64::MAX);
        Self {
            portion,
            down_to: UnixMs(now.0.saturating_sub(lately)),
            began: now,
            portions: 0,
            first: true,
        }
    }

    /// Is it the first one, in which nobody comes twice?
    pub fn is_first(&self) -> bool {
        self.first
    }

    /// Is somebody who was last active then looked at?
    pub fn wants(&self, active: UnixMs) -> bool {
        active >= self.down_to
    }

    /// A portion of which so many were wanted.
    pub fn had(&mut self, wanted: usize, now: UnixMs) -> Follows {
        self.portions += 1;
        if wanted >= self.portion {
            return Follows::Next;
        }
        if !self.first && self.portions == 1 {
            return Follows::Over;
        }
        self.down_to = UnixMs(self.began.0.saturating_sub(CLOCK_SLACK_MS));
        self.began = now;
        self.portions = 0;
        self.first = false;
        Follows::Again
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LATELY: Duration = Duration::from_secs(1_800);

    #[test]
    fn a_calm_pool_is_looked_at_once_more() {
        let mut looks = Looks::new(2, LATELY, UnixMs(10_000_000));
        assert!(looks.wants(UnixMs(8_200_000)) && !looks.wants(UnixMs(8_199_999)));
        assert!(looks.is_first());
        assert_eq!(looks.had(2, UnixMs(10_000_100)), Follows::Next);
        assert_eq!(looks.had(1, UnixMs(10_000_200)), Follows::Again);
        assert!(!looks.is_first());
        assert!(looks.wants(UnixMs(9_999_500)) && !looks.wants(UnixMs(9_998_000)));
        assert_eq!(looks.had(0, UnixMs(10_000_250)), Follows::Over);
    }

    proptest! {
        /// Members do something between the portions, which moves them to the front.
        #[test]
        fn nobody_is_passed_over(
            portion in 1_usize..5,
            members in 1_usize..30,
            moves in prop::collection::vec(prop::collection::vec(0_usize..30, 0..4), 0..40),
        ) {
            let mut now = 100_000;
            // Each was active at another moment: the list is in that order.
            let mut active: Vec<i64> = (0..members).map(|it| now - 1 - it as i64).collect();
            let mut looks = Looks::new(portion, LATELY, UnixMs(now));
            let mut looked = vec![false; members];
            let mut below = i64::MAX;
            let mut moves = moves.into_iter();
            loop {
                let mut page: Vec<usize> = (0..members).filter(|it| active[*it] < below).collect();
                page.sort_by_key(|it| -active[*it]);
                page.truncate(portion);
                below = page.last().map_or(below, |it| active[*it]);
                page.retain(|it| looks.wants(UnixMs(active[*it])));
                page.iter().for_each(|it| looked[*it] = true);
                now += 1;
                match looks.had(page.len(), UnixMs(now)) {
                    Follows::Next => {}
                    Follows::Again => below = i64::MAX,
                    Follows::Over => break,
                }
                for who in moves.next().unwrap_or_default() {
                    now += 1;
                    active[who % members] = now;
                }
                // In the end they come to rest, far enough apart for the slack.
                if moves.len() == 0 {
                    now += CLOCK_SLACK_MS + 1;
                }
            }
            prop_assert_eq!(looked, vec![true; members]);
        }
    }
}
