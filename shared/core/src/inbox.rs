//! What reaches a conversation without its member doing anything: words of another conversation, and its own timers.
//!
//! ```text
//! caused by          stands as                                  delivered by the holder of the epoch as   gone from there
//! Tell, of a step    an entry of the pool's inbox (`Letter`)      an event of the receiver                   in the commit of the receiver
//! the sender         the same, to whom the reply was for        an event of that conversation              in the commit of that event
//! a member's silence (conversation, timer) -> when it was due   an event of the same conversation          in the commit of that event
//! ```
//! Delivered at least once, applied once: what is delivered is taken out of its place by the very script that commits the receiver's step, so
//! within one history of Redis it cannot be applied twice, however often and by whom it is delivered, and a crash at any moment leaves it
//! either where it was or applied. Ids follow from what caused them; the receiver's watermarks remember the last of them, for the case
//! that a store is put together from parts of different moments and an entry is made a second time (`watermark.rs`).
//! A timer has one place per conversation and kind, made when it is due: nobody sets it, when it is due follows from what is stored anyway. What
//! the member does meanwhile takes it out, and an event that was delivered for it is of nothing when it is to be committed. Whether its
//! time has come is Redis' clock's business alone.
//! Not here: what an event means to its receiver (`bot-worker-core`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::outbox::framed_hash;
use crate::{ConversationKey, EventId, IdError, PoolId, UnixMs, UpdateId};

/// What one conversation tells another, or hears of what it sent itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "tell", rename_all = "snake_case")]
pub enum Telling {
    /// The sender has handed in a course.
    CourseSubmitted { title: String },
    /// Telegram refused a reply of this conversation for good.
    Unsaid,
    /// The file with this number of this conversation was moved aside: the storage channel does not take it.
    FileLost { file: u32 },
}

/// An entry of the pool's inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    pub id: EventId,
    pub to: ConversationKey,
    pub from: ConversationKey,
    /// When it was committed, by the committing worker's wall clock.
    pub since: UnixMs,
    #[serde(flatten)]
    pub what: Telling,
}

/// The timers that a conversation may have, one of each. When one is due is a rule of `due_timers` (`shared-io`, `redis/timers.rs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// The member has left something open and said nothing for a while.
    Reminder,
}

impl Timer {
    pub const ALL: &'static [Self] = &[Self::Reminder];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reminder => "reminder",
        }
    }
}

impl FromStr for Timer {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let found = Self::ALL.iter().find(|known| known.as_str() == text);
        found.copied().ok_or(IdError::Malformed {
            what: "Timer",
            expected: "a timer that this program knows",
        })
    }
}

/// Names a timer of a conversation: `reminder@c8:m5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerKey {
    pub conversation: ConversationKey,
    pub timer: Timer,
}

impl fmt::Display for TimerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.timer.as_str(), self.conversation)
    }
}

impl FromStr for TimerKey {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let (timer, conversation) = text.split_once('@').ok_or(IdError::Malformed {
            what: "TimerKey",
            expected: "`<timer>@<conversation>`",
        })?;
        Ok(Self {
            timer: timer.parse()?,
            conversation: conversation.parse()?,
        })
    }
}

/// A timer whose time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DueTimer {
    pub key: TimerKey,
    /// With the key it tells this timer from any other of the conversation: a reminder's is so much later than its silence began.
    pub due: UnixMs,
}

impl DueTimer {
    /// The event's id: the same whenever and by whomever the timer is found.
    pub fn event(&self, pool: &PoolId) -> EventId {
        event_id(
            b"understudy/timer/1",
            &[
                pool.as_str().as_bytes(),
                self.key.to_string().as_bytes(),
                &self.due.0.to_be_bytes(),
            ],
        )
    }
}

/// The id of what the `index`-th effect of one update on `from` tells `to`.
pub fn told_id(
    pool: &PoolId,
    from: &ConversationKey,
    update: &UpdateId,
    index: u32,
    to: &ConversationKey,
) -> EventId {
    event_id(
        b"understudy/told/1",
        &[
            pool.as_str().as_bytes(),
            from.to_string().as_bytes(),
            update.to_string().as_bytes(),
            &index.to_be_bytes(),
            to.to_string().as_bytes(),
        ],
    )
}

fn event_id(domain: &[u8], parts: &[&[u8]]) -> EventId {
    let digest = framed_hash(domain, parts);
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    EventId(id)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{ChannelId, MemberId, QueryId};

    fn key(member: i64) -> ConversationKey {
        ConversationKey::private(MemberId(member))
    }

    #[test]
    fn what_is_told_reads_back() {
        let title = "Bread".into();
        for what in [
            Telling::CourseSubmitted { title },
            Telling::Unsaid,
            Telling::FileLost { file: 3 },
        ] {
            let told = Letter {
                id: EventId([1; 16]),
                to: key(5),
                from: ConversationKey::group(ChannelId(8), MemberId(6)),
                since: UnixMs(7),
                what,
            };
            let json = serde_json::to_string(&told).unwrap();
            assert_eq!(serde_json::from_str::<Letter>(&json).unwrap(), told);
        }
    }

    #[test]
    fn timers_have_a_name_a_conversation_and_kind() {
        for timer in Timer::ALL {
            for conversation in [key(5), ConversationKey::group(ChannelId(8), MemberId(5))] {
                let timer = TimerKey {
                    conversation,
                    timer: *timer,
                };
                assert_eq!(timer.to_string().parse::<TimerKey>().unwrap(), timer);
            }
        }
        for bad in ["", "reminder", "alarm@m5", "reminder@x"] {
            assert!(bad.parse::<TimerKey>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_id_depends_on_each_of_its_inputs_and_on_nothing_else() {
        let pool = PoolId::new("main").unwrap();
        let press = UpdateId::Press { query: QueryId(1) };
        let id = told_id(&pool, &key(5), &press, 0, &key(6));
        assert_eq!(id, told_id(&pool, &key(5), &press, 0, &key(6)));
        for other in [
            told_id(&PoolId::new("other").unwrap(), &key(5), &press, 0, &key(6)),
            told_id(&pool, &key(7), &press, 0, &key(6)),
            told_id(
                &pool,
                &key(5),
                &UpdateId::Press { query: QueryId(2) },
                0,
                &key(6),
            ),
            told_id(&pool, &key(5), &press, 1, &key(6)),
            told_id(&pool, &key(5), &press, 0, &key(7)),
        ] {
            assert_ne!(other, id);
        }
        let due = |ms| DueTimer {
            key: TimerKey {
                conversation: key(5),
                timer: Timer::Reminder,
            },
            due: UnixMs(ms),
        };
        assert_eq!(due(1).event(&pool), due(1).event(&pool));
        assert_ne!(
            due(1).event(&pool),
            due(2).event(&pool),
            "after another silence it is another event"
        );
    }
}
