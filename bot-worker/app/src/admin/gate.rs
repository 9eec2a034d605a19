//! Which refusals of strangers get a row of their own, so that no stranger can fill the records by repeating himself.
//!
//! The first one in a minute has its own; those after it are counted, and the count is a row when the minute is over. Bounded: when too many
//! different strangers come at once, the rest is counted together. Pure; whoever holds it asks for what is over, and records it.

use std::time::Duration;

use shared_core::{BootMs, MemberId};

/// Refusals of one stranger within this are one row, and one more that counts the rest.
pub const MINUTE: Duration = Duration::from_secs(60);
/// Strangers who are told apart.
pub const PEOPLE: usize = 256;

/// Refusals that have no row of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Whose they are, or whose the last one was.
    pub member: MemberId,
    pub times: u64,
    pub by: By,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    One,
    /// Those who came while [`PEOPLE`] others were remembered.
    Crowd,
}

#[derive(Debug)]
struct Seen {
    since: BootMs,
    held: Held,
}

#[derive(Debug, Default)]
pub struct Gate {
    seen: Vec<Seen>,
    crowd: Option<Seen>,
}

impl Gate {
    /// Has this refusal a row of its own? Else it is counted. Whose minute is over is to be asked for before.
    pub fn has_own_row(&mut self, member: MemberId, now: BootMs) -> bool {
        if let Some(seen) = self.seen.iter_mut().find(|seen| seen.held.member == member) {
            seen.held.times += 1;
            return false;
        }
        let begin = |by| Seen {
            since: now,
            held: Held {
                member,
                times: 0,
                by,
            },
        };
        if self.seen.len() < PEOPLE {
            self.seen.push(begin(By::One));
            return true;
        }
        let crowd = self.crowd.get_or_insert_with(|| begin(By::Crowd));
        crowd.held.member = member;
        crowd.held.times += 1;
        false
    }

    /// Forgets those whose minute is over, and says what was held back of them.
    pub fn over(&mut self, now: BootMs) -> Vec<Held> {
        let is_over = |seen: &Seen| now.since(seen.since) >= MINUTE;
        let gone = self.seen.extract_if(.., |seen| is_over(seen));
        let gone = gone.map(|seen| seen.held).collect();
        counted(gone, self.crowd.take_if(|crowd| is_over(crowd)))
    }

    /// Forgets everybody.
    pub fn close(&mut self) -> Vec<Held> {
        let gone = self.seen.drain(..).map(|seen| seen.held).collect();
        counted(gone, self.crowd.take())
    }
}

fn counted(mut gone: Vec<Held>, crowd: Option<Seen>) -> Vec<Held> {
    gone.extend(crowd.map(|crowd| crowd.held));
    gone.retain(|held| held.times > 0);
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> BootMs {
        BootMs(seconds * 1_000)
    }

    #[test]
    fn a_stranger_has_a_row_a_minute_and_the_rest_is_counted() {
        let mut gate = Gate::default();
        let (one, other) = (MemberId(1), MemberId(2));
        assert!(gate.has_own_row(one, at(0)));
        assert!(!gate.has_own_row(one, at(1)));
        assert!(!gate.has_own_row(one, at(59)));
        assert!(gate.has_own_row(other, at(59)));
        assert_eq!(gate.over(at(59)), []);
        let held = Held {
            member: one,
            times: 2,
            by: By::One,
        };
        assert_eq!(gate.over(at(60)), [held]);
        assert!(gate.has_own_row(one, at(60)), "another minute");
        assert_eq!(gate.over(at(200)), [], "nothing was held back");
        assert!(gate.seen.is_empty());
    }

    #[test]
    fn a_crowd_of_strangers_is_bounded_and_counted_as_one() {
        let mut gate = Gate::default();
        let own = (0..1_000)
            .filter(|member| gate.has_own_row(MemberId(*member), at(1)))
            .count();
        assert_eq!(own, PEOPLE);
        let crowd = Held {
            member: MemberId(999),
            times: 1_000 - PEOPLE as u64,
            by: By::Crowd,
        };
        assert_eq!(gate.over(at(60)), []);
        assert_eq!(gate.over(at(61)), [crowd]);
        assert_eq!(gate.close(), []);
    }

    #[test]
    fn what_is_held_back_when_the_desk_closes_is_said() {
        let mut gate = Gate::default();
        for _ in 0..3 {
            gate.has_own_row(MemberId(1), at(0));
        }
        let held = gate.close();
        assert_eq!(held.iter().map(|held| held.times).collect::<Vec<_>>(), [2]);
        assert_eq!(gate.close(), []);
    }
}
