//! Looking through the open conversations, the latest active first, while their members go on: until nobody can have been passed over.
//!
//! ```text
//! first look        everybody who was active lately, portion by portion
//! meanwhile         whoever does something moves to the front, past what has been looked at; most are served by that, and who only asked for help is not
//! another look      who was active since the last one began; until one portion is all of it, so that nobody could move past it
//! ```
//! Each is handed over once. So that it ends in a busy pool, a portion of a later look is to be larger than what is active within a second.
//!
//! Invariant: when it is over, everybody who was active lately when it began has been handed over, however he moved. It reads nothing and sends nothing;
//! who asks has the list in Redis. Times are wall clock: what a commit notes of its conversation.

use std::collections::HashSet;
use std::hash::Hash;
use std::time::Duration;

use shared_core::UnixMs;

/// More chats than this wait for something: prompts wait, but not for ever.
const BUSY: usize = 16;
/// However busy it is: who is to be shown where he stands may have had an answer left out for that.
const AT_LEAST_EVERY: Duration = Duration::from_secs(1);

/// What may be handed over now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    None,
    /// It is busy all the time: so much that answers are slowed down little.
    Little,
    Portion,
}

impl Room {
    /// `waiting`: chats that something waits for; `since`: the last portion, or the beginning.
    pub fn now(waiting: usize, since: Duration) -> Self {
        match (waiting <= BUSY, since >= AT_LEAST_EVERY) {
            (true, _) => Self::Portion,
            (false, true) => Self::Little,
            (false, false) => Self::None,
        }
    }
}

/// A wall clock may be set back by this much meanwhile.
const CLOCK_SLACK_MS: i64 = 1_000;

/// `K` names a conversation.
#[derive(Debug, Clone)]
pub struct Looks<K> {
    handed: HashSet<K>,
    /// Who was last active before this is of no interest.
    down_to: UnixMs,
    began: UnixMs,
    first: bool,
    /// Of this look.
    portions: u32,
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

impl<K: Copy + Eq + Hash> Looks<K> {
    /// `lately`: who has done nothing for longer is left alone.
    pub fn new(lately: Duration, now: UnixMs) -> Self {
        let lately = i64::try_from(lately.as_millis()).unwrap_or(i64::MAX);
        Self {
            handed: HashSet::new(),
            down_to: UnixMs(now.0.saturating_sub(lately)),
            began: now,
            first: true,
            portions: 0,
        }
    }

    /// Whom a portion of the list brings. Nothing is remembered of it before [`Looks::had`].
    pub fn fresh(&self, page: &[(K, UnixMs)]) -> Vec<K> {
        let wanted = page.iter().filter(|(_, active)| self.wants(*active));
        let keys = wanted.map(|(key, _)| *key);
        keys.filter(|key| !self.handed.contains(key)).collect()
    }

    /// These are handed over, out of a portion that was asked for with this limit.
    pub fn had(&mut self, fresh: &[K], page: &[(K, UnixMs)], limit: usize, now: UnixMs) -> Follows {
        self.handed.extend(fresh);
        self.portions += 1;
        let goes_on = page.len() >= limit && page.iter().all(|(_, active)| self.wants(*active));
        if goes_on {
            return Follows::Next;
        }
        if !self.first && self.portions == 1 {
            return Follows::Over;
        }
        self.down_to = UnixMs(self.began.0.saturating_sub(CLOCK_SLACK_MS));
        self.began = now;
        self.first = false;
        self.portions = 0;
        Follows::Again
    }

    /// Is it the first look?
    pub fn is_first(&self) -> bool {
        self.first
    }

    fn wants(&self, active: UnixMs) -> bool {
        active >= self.down_to
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LATELY: Duration = Duration::from_secs(1_800);
    const NOW: UnixMs = UnixMs(10_000_000);

    #[test]
    fn prompts_wait_for_answers_and_not_for_ever() {
        let [soon, late] = [50, 1_000].map(Duration::from_millis);
        assert_eq!(Room::now(BUSY, soon), Room::Portion);
        assert_eq!(Room::now(BUSY + 1, soon), Room::None);
        assert_eq!(Room::now(usize::MAX, late), Room::Little);
    }

    fn look(looks: &mut Looks<u8>, page: &[(u8, i64)], now: i64) -> (Vec<u8>, Follows) {
        let page: Vec<_> = page.iter().map(|(key, at)| (*key, UnixMs(*at))).collect();
        let fresh = looks.fresh(&page);
        let follows = looks.had(&fresh, &page, 2, UnixMs(now));
        (fresh, follows)
    }

    #[test]
    fn a_calm_pool_is_looked_at_once_more() {
        let mut looks = Looks::new(LATELY, NOW);
        let page = [(1, 9_999_900), (2, 8_200_000)];
        let first = look(&mut looks, &page, 10_000_100);
        assert_eq!(first, (vec![1, 2], Follows::Next));
        let long_ago = look(&mut looks, &[(3, 8_199_999)], 10_000_200);
        assert_eq!(long_ago, (vec![], Follows::Again));
        assert!(!looks.is_first());
        let again = look(&mut looks, &page, 10_000_250);
        assert_eq!(again, (vec![], Follows::Over));
    }

    #[test]
    fn who_moved_past_a_look_is_found_by_the_next_one() {
        let mut looks = Looks::new(LATELY, NOW);
        let at = NOW.0;
        assert_eq!(
            look(&mut looks, &[(1, at - 1), (2, at - 2)], at + 50).1,
            Follows::Next
        );
        // The third one has moved to the front, where both of the others are as well.
        assert_eq!(look(&mut looks, &[], at + 100).1, Follows::Again);
        let front = [(1, at + 110), (2, at + 105)];
        assert_eq!(look(&mut looks, &front, at + 150), (vec![], Follows::Next));
        let behind = look(&mut looks, &[(3, at + 60)], at + 200);
        assert_eq!(behind, (vec![3], Follows::Again));
        // Whoever does something all the time is no reason to go on.
        let busy = look(&mut looks, &[(1, at + 240)], at + 250);
        assert_eq!(busy, (vec![], Follows::Over));
    }

    proptest! {
        /// Members do something between the portions, which moves them to the front.
        #[test]
        fn nobody_is_passed_over(
            portion in 1_usize..5,
            members in 1_usize..30,
            moves in prop::collection::vec(prop::collection::vec(0_usize..30, 0..4), 0..60),
        ) {
            let mut now = NOW.0;
            // Each was active at another moment: the list is in that order.
            let mut active: Vec<i64> = (0..members).map(|it| now - 1 - it as i64).collect();
            let mut looks = Looks::new(LATELY, UnixMs(now));
            let mut handed: Vec<usize> = Vec::new();
            let mut below = i64::MAX;
            // In the end they come to rest.
            for moves in moves.into_iter().chain(std::iter::repeat(Vec::new())) {
                let mut page: Vec<_> = (0..members).map(|it| (it, UnixMs(active[it]))).collect();
                page.retain(|(_, at)| at.0 < below);
                page.sort_by_key(|(_, at)| -at.0);
                page.truncate(portion);
                below = page.last().map_or(below, |(_, at)| at.0);
                let fresh = looks.fresh(&page);
                handed.extend(&fresh);
                now += 700;
                match looks.had(&fresh, &page, portion, UnixMs(now)) {
                    Follows::Next => {}
                    Follows::Again => below = i64::MAX,
                    Follows::Over => break,
                }
                for who in moves {
                    now += 1;
                    active[who % members] = now;
                }
            }
            handed.sort_unstable();
            prop_assert_eq!(handed, (0..members).collect::<Vec<_>>());
        }
    }
}
