//! Which history a pool goes on with: the one in Redis, the one in SQL's checkpoint, or neither before a person has decided.
//!
//! Both stores have a mark of the Redis history. SQL never knows a checkpoint turn that Redis does not, unless Redis lost its end.
//! ```text
//! in Redis              in SQL               checkpoint    what is done
//! restoring             any                  whole         restore: it was cut short
//! mark m                mark m               turn known    go on
//! mark m                mark m               turn unknown  restore: Redis was rolled back
//! no mark               mark                 whole         restore: Redis was lost
//! no mark, nothing      mark                 not whole     begin anew: there is nothing to give back, Telegram sends what it has
//! an earlier mark       mark                 whole         restore: an older copy was put in its place
//! no mark, nothing      no mark              none          begin: the first start; but hold while somebody alive has seen an epoch of the pool:
//!                                                          then both were lost, and who begins is decided by a person
//! mark                  no mark              none          adopt: the database is new, Redis has everything
//! anything else         ...                  ...           hold: nobody can know which of the two is right
//! ```
//! Behind Sentinels SQL knows a turn only once copies have it, so a copy that takes over without the last commits knows every turn that SQL does and
//! goes on; one that does not is older than the checkpoint (`shared-io`, `checkpoint.rs`).
//! Invariants: two histories are never mixed: after a restoring Redis has what the checkpoint has and nothing else; a Redis with somebody else's
//! mark, or without one while it has state, is neither served nor written before a person has said which one counts ([`Take`]).

use std::fmt;

use shared_core::{Epoch, Take};

/// What is known of the two stores.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Histories {
    pub redis: Option<String>,
    pub sql: Option<String>,
    /// A restoring was begun in Redis and not finished.
    pub restoring: bool,
    /// Redis has state of the pool, whatever its mark.
    pub redis_has_state: bool,
    /// The mark in Redis is one that SQL knows the pool to have had.
    pub was_ours: bool,
    /// The last turn that Redis knows.
    pub redis_turn: Option<u64>,
    pub checkpoint: Checkpoint,
    /// The highest epoch of the pool that somebody alive remembers: a worker, or this supervisor.
    pub remembered: Epoch,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Checkpoint {
    /// Nothing has ever been copied.
    #[default]
    None,
    /// Something is there, and not everything.
    Partial,
    Whole {
        turn: u64,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    GoOn,
    /// Redis keeps its state and its mark, which SQL takes over.
    Adopt,
    /// A new mark over what is there.
    Begin(Beginning),
    Restore(Lost),
    Hold(Undecided),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    First,
    /// Redis' data is lost and there is no checkpoint.
    Nothing,
    /// A person lets what Redis has count.
    Ordered,
}

/// Why Redis is given the checkpoint's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    Emptied,
    RolledBack { redis: u64, sql: u64 },
    OlderCopy,
    CutShort,
    Ordered,
}

/// What only a person can decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undecided {
    Foreign,
    MarkLost,
    DatabaseWithoutMark,
    NeitherMark,
    NothingToRestore,
    BothLost,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Emptied => f.write_str("Redis has lost its data"),
            Self::RolledBack { redis, sql } => write!(
                f,
                "Redis was rolled back: it is at checkpoint {redis}, the database at {sql}"
            ),
            Self::OlderCopy => f.write_str("an older copy was put in Redis' place"),
            Self::CutShort => f.write_str("an earlier restoring was cut short"),
            Self::Ordered => f.write_str("it was ordered"),
        }
    }
}

impl fmt::Display for Undecided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Foreign => {
                "Redis has the mark of a history that this database does not know: one of the two belongs to another deployment, or is much older"
            }
            Self::MarkLost => {
                "Redis has state without a mark, and the database has no whole checkpoint"
            }
            Self::DatabaseWithoutMark => {
                "the database has a checkpoint and no mark for the history that Redis has"
            }
            Self::NeitherMark => "there is state, and neither Redis nor the database knows its history",
            Self::NothingToRestore => {
                "a restoring was cut short and the database has no whole checkpoint"
            }
            Self::BothLost => {
                "this pool has been served, and neither Redis nor the database knows of it any more: both have lost their data; \
                 put a backup of one of them back, or let members begin anew with `understudy restore conversations --take redis`"
            }
        })?;
        if *self == Self::BothLost {
            return Ok(());
        }
        f.write_str(
            "; look with `understudy restore conversations --dry-run`, then decide with --take database or --take redis",
        )
    }
}

impl Histories {
    /// What is done by itself.
    pub fn course(&self) -> Course {
        let whole = match self.checkpoint {
            Checkpoint::Whole { turn } => Some(turn),
            Checkpoint::None | Checkpoint::Partial => None,
        };
        if self.restoring {
            return match whole {
                Some(_) => Course::Restore(Lost::CutShort),
                None => Course::Hold(Undecided::NothingToRestore),
            };
        }
        match (&self.redis, &self.sql, whole) {
            (Some(redis), Some(sql), whole) if redis == sql => match whole {
                Some(turn) if self.redis_turn.unwrap_or(0) < turn => {
                    Course::Restore(Lost::RolledBack {
                        redis: self.redis_turn.unwrap_or(0),
                        sql: turn,
                    })
                }
                _ => Course::GoOn,
            },
            (Some(_), Some(_), Some(_)) if self.was_ours => Course::Restore(Lost::OlderCopy),
            (Some(_), Some(_), _) => Course::Hold(Undecided::Foreign),
            (None, Some(_), Some(_)) => Course::Restore(Lost::Emptied),
            (None, Some(_), None) if self.redis_has_state => Course::Hold(Undecided::MarkLost),
            (None, Some(_), None) => Course::Begin(Beginning::Nothing),
            (Some(_), None, _) if self.checkpoint == Checkpoint::None => Course::Adopt,
            (Some(_), None, _) => Course::Hold(Undecided::DatabaseWithoutMark),
            (None, None, _) if self.redis_has_state || self.checkpoint != Checkpoint::None => {
                Course::Hold(Undecided::NeitherMark)
            }
            (None, None, _) if self.remembered > Epoch(0) => Course::Hold(Undecided::BothLost),
            (None, None, _) => Course::Begin(Beginning::First),
        }
    }

    /// What is done when a person says which side counts; `None` when there is nothing on that side.
    pub fn ordered(&self, take: Take) -> Option<Course> {
        match take {
            Take::Database => matches!(self.checkpoint, Checkpoint::Whole { .. })
                .then_some(Course::Restore(Lost::Ordered)),
            // What was being restored is there by half.
            Take::Redis => (self.redis_has_state && !self.restoring || self.is_lost_everywhere())
                .then_some(Course::Begin(Beginning::Ordered)),
        }
    }
}

impl Histories {
    fn is_lost_everywhere(&self) -> bool {
        self.course() == Course::Hold(Undecided::BothLost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(redis: Option<&str>, sql: Option<&str>, checkpoint: Checkpoint) -> Histories {
        Histories {
            redis: redis.map(str::to_owned),
            sql: sql.map(str::to_owned),
            redis_has_state: redis.is_some(),
            redis_turn: Some(7),
            checkpoint,
            ..Histories::default()
        }
    }

    const WHOLE: Checkpoint = Checkpoint::Whole { turn: 7 };

    #[test]
    fn the_same_history_goes_on_unless_redis_lost_its_end() {
        let same = known(Some("m"), Some("m"), WHOLE);
        assert_eq!(same.course(), Course::GoOn);
        let behind = Histories {
            redis_turn: Some(6),
            ..same.clone()
        };
        let lost = Lost::RolledBack { redis: 6, sql: 7 };
        assert_eq!(behind.course(), Course::Restore(lost));
        let never = Histories {
            redis_turn: None,
            checkpoint: Checkpoint::Partial,
            ..same
        };
        assert_eq!(
            never.course(),
            Course::GoOn,
            "the first whole copy is under way"
        );
    }

    #[test]
    fn what_is_lost_is_restored_and_what_never_was_begins() {
        let lost = known(None, Some("m"), WHOLE);
        assert_eq!(lost.course(), Course::Restore(Lost::Emptied));
        let nothing = known(None, Some("m"), Checkpoint::None);
        assert_eq!(nothing.course(), Course::Begin(Beginning::Nothing));
        let first = known(None, None, Checkpoint::None);
        assert_eq!(first.course(), Course::Begin(Beginning::First));
        let new_database = known(Some("m"), None, Checkpoint::None);
        assert_eq!(new_database.course(), Course::Adopt);
    }

    #[test]
    fn an_older_copy_of_ours_gives_way_and_somebody_elses_waits_for_a_person() {
        let foreign = known(Some("x"), Some("m"), WHOLE);
        assert_eq!(foreign.course(), Course::Hold(Undecided::Foreign));
        let ours = Histories {
            was_ours: true,
            ..foreign.clone()
        };
        assert_eq!(ours.course(), Course::Restore(Lost::OlderCopy));
        let restore = Some(Course::Restore(Lost::Ordered));
        assert_eq!(foreign.ordered(Take::Database), restore);
        let keep = Some(Course::Begin(Beginning::Ordered));
        assert_eq!(foreign.ordered(Take::Redis), keep);
        let line = Undecided::Foreign.to_string();
        assert!(line.contains("--take database"), "{line}");
    }

    #[test]
    fn state_without_a_history_is_held() {
        let in_redis = Histories {
            redis_has_state: true,
            ..known(None, None, Checkpoint::None)
        };
        assert_eq!(in_redis.course(), Course::Hold(Undecided::NeitherMark));
        assert_eq!(in_redis.ordered(Take::Database), None);
        let in_sql = known(None, None, WHOLE);
        assert_eq!(in_sql.course(), Course::Hold(Undecided::NeitherMark));
        assert_eq!(in_sql.ordered(Take::Redis), None);
        let unmarked = Histories {
            redis_has_state: true,
            ..known(None, Some("m"), Checkpoint::Partial)
        };
        assert_eq!(unmarked.course(), Course::Hold(Undecided::MarkLost));
        let other_database = known(Some("m"), None, WHOLE);
        assert_eq!(
            other_database.course(),
            Course::Hold(Undecided::DatabaseWithoutMark)
        );
    }

    #[test]
    fn a_restoring_that_was_cut_short_is_begun_again_and_never_served() {
        let half = Histories {
            restoring: true,
            ..known(Some("m"), Some("m"), WHOLE)
        };
        assert_eq!(half.course(), Course::Restore(Lost::CutShort));
        assert_eq!(half.ordered(Take::Redis), None, "it is there by half");
        let hopeless = Histories {
            checkpoint: Checkpoint::Partial,
            ..half
        };
        assert_eq!(hopeless.course(), Course::Hold(Undecided::NothingToRestore));
    }

    #[test]
    fn a_pool_that_somebody_remembers_is_not_begun_as_if_it_were_new() {
        let lost = Histories {
            remembered: Epoch(7),
            ..known(None, None, Checkpoint::None)
        };
        assert_eq!(lost.course(), Course::Hold(Undecided::BothLost));
        let anew = Some(Course::Begin(Beginning::Ordered));
        assert_eq!(lost.ordered(Take::Redis), anew, "a person decides");
        assert_eq!(lost.ordered(Take::Database), None);
        let back = Histories {
            sql: Some("m".to_owned()),
            checkpoint: WHOLE,
            ..lost
        };
        assert_eq!(back.course(), Course::Restore(Lost::Emptied), "a backup");
    }
}
