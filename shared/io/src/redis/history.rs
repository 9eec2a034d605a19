//! Which server's history a connection belongs to.
//!
//! Behind Sentinels the primary may be replaced by a copy that lacks the last writes, also acknowledged ones. What was read from the server
//! before and what is written to the one after it do not belong together: a cursor that was moved over an update whose commit is gone would lose
//! that update for good. So each connection knows the *history* that it is on, and a handle that is held to one ([`PoolState::held_to`]) is
//! refused as soon as there is another.
//!
//! ```text
//! a primary's replication id   the history
//! as known                     as known
//! another                      the next number: a copy has become primary, or the primary was started again
//! ```
//! Invariants: no command of a handle that is held to a history is carried out in another one; a history that was left never comes back
//! under its number. Numbers mean something in this process only. A single server has no replacement, and one history.
//! Source: <https://redis.io/docs/latest/operate/oss_and_stack/management/replication/>, "replication ID and offset".

use std::sync::Mutex;

use super::link::held;
use super::{PoolState, RedisState};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct History(u64);

impl History {
    /// The one after it.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// The one that is current, and how many there have been.
#[derive(Default)]
pub(super) struct Histories(Mutex<Known>);

#[derive(Default)]
struct Known {
    replid: Option<String>,
    current: History,
}

impl Histories {
    /// A connection has met a primary of this replication id. True: another history has begun.
    pub fn meet(&self, replid: &str) -> (History, bool) {
        let mut known = held(&self.0);
        let is_another = match &known.replid {
            Some(before) => before != replid,
            None => false,
        };
        if is_another {
            known.current = known.current.next();
        }
        known.replid = Some(replid.to_owned());
        (known.current, is_another)
    }

    pub fn current(&self) -> History {
        held(&self.0).current
    }
}

impl RedisState {
    /// Is there anybody who could become the primary in its place?
    pub fn may_be_replaced(&self) -> bool {
        self.link.copies() > 0
    }

    /// The history that was met last.
    pub fn history(&self) -> History {
        self.link.histories().current()
    }
}

impl PoolState {
    /// The history that was met last.
    pub fn history(&self) -> History {
        self.link.histories().current()
    }

    /// Is there anybody who could become the primary in its place?
    pub fn may_be_replaced(&self) -> bool {
        self.link.copies() > 0
    }

    /// The same pool, and refused in any other history than this one.
    pub fn held_to(&self, history: History) -> Self {
        Self {
            link: self.link.held_to(history),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_that_was_left_does_not_come_back() {
        let histories = Histories::default();
        assert_eq!(histories.meet("a"), (History(0), false), "the first one");
        assert_eq!(histories.meet("a"), (History(0), false));
        assert_eq!(histories.meet("b"), (History(1), true));
        assert_eq!(
            histories.meet("a"),
            (History(2), true),
            "the primary before, after it was a copy"
        );
        assert_eq!(histories.current(), History(2));
    }
}
