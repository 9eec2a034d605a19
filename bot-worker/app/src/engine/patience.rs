//! How long an item goes on with a conversation that it cannot commit to.
//!
//! ```text
//! what it met                                     what it does
//! no answer, or Redis refuses                     waits, as long as it takes
//! somebody committed since                        reads again
//! the same, and the same version as before        moves the conversation aside: readers and the script see another version in it
//! what follows breaks a rule, twice               moves it aside: once may be what was kept in memory
//! answers that make no sense, [`SENSELESS`] times moves it aside
//! any of these again behind that                  leaves it alone: not the conversation is the trouble
//! ```
//! Invariant: however odd a stored value or an answer is, an item ends; else its ticket would hold up the cursor of everybody. It only counts: the lane
//! reads, waits and moves.

use shared_io::redis::StateError;

/// How often an answer that makes no sense is asked for again.
const SENSELESS: u32 = 3;

/// Why a conversation is moved aside that could be read. Never says what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Hopeless {
    #[error("the stored conversation has version {version}, and no commit finds it there")]
    Stale { version: u64 },
    #[error("no commit can follow the stored conversation")]
    Misuse,
    #[error("Redis' answers about the stored conversation make no sense")]
    Senseless,
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    GoOn,
    MoveAside(Hopeless),
    LeaveAlone(Hopeless),
}

#[derive(Debug, Default)]
pub struct Patience {
    senseless: u32,
    misuses: u32,
    stale: Option<u64>,
    hopeless: Option<Hopeless>,
    is_fresh: bool,
}

impl Patience {
    /// A commit found this version, and not the one that it followed.
    pub fn stale(&mut self, version: u64) {
        if self.stale.replace(version) == Some(version) {
            self.hopeless = Some(Hopeless::Stale { version });
        }
    }

    pub fn failed(&mut self, error: &StateError) {
        match error {
            StateError::Misuse { .. } => {
                self.misuses += 1;
                if self.misuses > 1 {
                    self.hopeless = Some(Hopeless::Misuse);
                }
            }
            StateError::Unreadable { .. } => {
                self.senseless += 1;
                if self.senseless > SENSELESS {
                    self.hopeless = Some(Hopeless::Senseless);
                }
            }
            // A Redis that refuses (full, read-only, no access) is waited for.
            _ => {}
        }
    }

    /// A fresh conversation stands there: what was met belongs to the one before.
    pub fn starts_over(&mut self) {
        *self = Self {
            is_fresh: true,
            ..Self::default()
        };
    }

    pub fn verdict(&self) -> Verdict {
        // Moving aside may meet answers that make no sense as well.
        let is_over = self.is_fresh || self.senseless > 2 * SENSELESS;
        match self.hopeless {
            None => Verdict::GoOn,
            Some(why) if is_over => Verdict::LeaveAlone(why),
            Some(why) => Verdict::MoveAside(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn misuse() -> StateError {
        StateError::Misuse {
            doing: String::new(),
            why: "",
        }
    }

    fn senseless() -> StateError {
        StateError::Unreadable {
            doing: String::new(),
            why: String::new(),
        }
    }

    #[test]
    fn who_finds_one_version_twice_and_never_commits_moves_it_aside() {
        let mut patience = Patience::default();
        for version in [7, 8, 9] {
            patience.stale(version);
            assert_eq!(patience.verdict(), Verdict::GoOn, "somebody goes on there");
        }
        patience.stale(9);
        let why = Hopeless::Stale { version: 9 };
        assert_eq!(patience.verdict(), Verdict::MoveAside(why));
    }

    #[test]
    fn what_breaks_a_rule_is_read_once_more_before_it_is_moved_aside() {
        let mut patience = Patience::default();
        patience.failed(&misuse());
        assert_eq!(patience.verdict(), Verdict::GoOn);
        patience.failed(&misuse());
        assert_eq!(patience.verdict(), Verdict::MoveAside(Hopeless::Misuse));
    }

    #[test]
    fn no_answer_is_waited_for_and_a_senseless_one_only_so_often() {
        let mut patience = Patience::default();
        for _ in 0..1000 {
            patience.failed(&StateError::Unreachable {
                doing: String::new(),
                why: String::new(),
            });
        }
        for _ in 0..SENSELESS {
            patience.failed(&senseless());
            assert_eq!(patience.verdict(), Verdict::GoOn);
        }
        patience.failed(&senseless());
        let aside = Verdict::MoveAside(Hopeless::Senseless);
        assert_eq!(patience.verdict(), aside);
        // It cannot be moved aside either.
        for _ in 0..SENSELESS {
            patience.failed(&senseless());
        }
        let alone = Verdict::LeaveAlone(Hopeless::Senseless);
        assert_eq!(patience.verdict(), alone);
    }

    #[test]
    fn one_conversation_an_item_is_moved_aside() {
        let mut patience = Patience::default();
        patience.stale(9);
        patience.stale(9);
        patience.starts_over();
        assert_eq!(patience.verdict(), Verdict::GoOn);
        patience.stale(10);
        assert_eq!(patience.verdict(), Verdict::GoOn);
        patience.stale(10);
        let alone = Verdict::LeaveAlone(Hopeless::Stale { version: 10 });
        assert_eq!(patience.verdict(), alone);
    }
}
