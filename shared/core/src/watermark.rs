//! Duplicate protection inside a conversation: what it has already taken in, without a key per update.
//!
//! ```text
//! what         remembered as                     how many                            what else turns a repetition away
//! messages     highest id per box                20 boxes                            nothing; this has to be exact
//! presses      query ids                         64 of one prompt, 4 of those before the prompt's number in each button
//! edits        message and edit date             16                                  only messages of what is open are listened to
//! own events   first half of the id              16                                  an outcome leaves the outbox with its commit
//! told         first half of the id, a ring      16                                  what is told leaves the inbox with its commit,
//!              of its own                                                            a timer is moved or gone
//! ```
//! Invariant: once [`Watermarks::admit`] has said `New` and the result is committed, the same identity is `Duplicate` for as long as it can
//! do harm. For messages that is as long as the conversation is remembered at all. Presses of a prompt are all remembered until the
//! next prompt, which makes their buttons dead; a few are kept so that a press that was taken in is not answered as a dead one. What is
//! told is taken out of the inbox by the receiver's commit, so its ring is no more than a second net, for a store that was put together
//! from parts of different moments; it is apart from the conversation's own events, so that nobody who tells it much can push those out.
//! [`Watermarks::rest`] forgets what can do no harm to a conversation that has ended.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::{BoxId, EventId, IdError, MessageId, QueryId, UpdateId};

/// How many edits, own events and told ones are remembered, each. An album, the largest burst of own events, has at most ten items.
const REMEMBERED: usize = 16;

/// Presses of one prompt: more than its buttons may have been tapped in the time for which a cursor can be behind.
const PRESSES: usize = 64;

/// Presses of earlier prompts: a member has one keyboard in front of him at a time.
const PRESSES_BEFORE: usize = 4;

/// How many boxes are remembered: a group conversation has one, a private one has one per bot it was led with.
/// 20 bots a pool is Telegram's limit per owner.
const BOXES: usize = 20;

/// The first half of an event's id: enough to tell a few dozen apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct EventMark([u8; 8]);

impl From<EventId> for EventMark {
    fn from(event: EventId) -> Self {
        let mut mark = [0; 8];
        mark.copy_from_slice(&event.0[..8]);
        // An outcome's ids differ in their last byte alone.
        mark[7] ^= event.0[15];
        Self(mark)
    }
}

impl From<EventMark> for String {
    fn from(mark: EventMark) -> String {
        hex::encode(mark.0)
    }
}

impl TryFrom<String> for EventMark {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        let mut mark = [0; 8];
        hex::decode_to_slice(text, &mut mark).map_err(|_| IdError::Malformed {
            what: "EventMark",
            expected: "8 bytes in hex",
        })?;
        Ok(Self(mark))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    New,
    Duplicate,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Watermarks {
    /// Highest message id taken in, per box, 0 where there was none; the box of the latest step or message is last.
    #[serde(default, skip_serializing_if = "Vec::is_empty", rename = "m")]
    messages: Vec<(BoxId, MessageId)>,
    #[serde(default, skip_serializing_if = "VecDeque::is_empty", rename = "e")]
    edits: VecDeque<(BoxId, MessageId, i32)>,
    #[serde(default, skip_serializing_if = "VecDeque::is_empty", rename = "p")]
    presses: VecDeque<QueryId>,
    #[serde(default, skip_serializing_if = "VecDeque::is_empty", rename = "i")]
    events: VecDeque<EventMark>,
    #[serde(default, skip_serializing_if = "VecDeque::is_empty", rename = "t")]
    told: VecDeque<EventMark>,
}

/// As format 1 of the envelope had them: whole event ids, and all presses in one ring.
#[derive(Deserialize)]
pub(crate) struct WatermarksV1 {
    #[serde(default)]
    m: Vec<(BoxId, MessageId)>,
    #[serde(default)]
    e: VecDeque<(BoxId, MessageId, i32)>,
    #[serde(default)]
    p: VecDeque<QueryId>,
    #[serde(default)]
    i: VecDeque<EventId>,
}

impl From<WatermarksV1> for Watermarks {
    fn from(old: WatermarksV1) -> Self {
        Self {
            messages: old.m,
            edits: old.e,
            presses: old.p,
            events: old.i.into_iter().map(EventMark::from).collect(),
            told: VecDeque::new(),
        }
    }
}

impl Watermarks {
    /// Takes the update in, or says that it was taken in before. Nothing changes on `Duplicate`.
    pub fn admit(&mut self, update: &UpdateId) -> Admission {
        match *update {
            UpdateId::Message { r#box, message } => self.admit_message(r#box, message),
            UpdateId::Edit {
                r#box,
                message,
                date,
            } => remember(&mut self.edits, (r#box, message, date), REMEMBERED),
            UpdateId::Press { query } => remember(&mut self.presses, query, PRESSES),
            UpdateId::Internal { event } => remember(&mut self.events, event.into(), REMEMBERED),
            UpdateId::Told { event } => remember(&mut self.told, event.into(), REMEMBERED),
        }
    }

    fn admit_message(&mut self, r#box: BoxId, message: MessageId) -> Admission {
        let mut known = self.messages.iter().enumerate();
        if let Some((at, (_, latest))) = known.find(|(_, (known, _))| *known == r#box) {
            if message <= *latest {
                return Admission::Duplicate;
            }
            self.messages.remove(at);
        } else if self.messages.len() == BOXES {
            self.messages.remove(0);
        }
        self.messages.push((r#box, message));
        Admission::New
    }

    /// There is a new prompt, and the buttons of those before it are dead.
    pub fn prompted(&mut self) {
        let old = self.presses.len().saturating_sub(PRESSES_BEFORE);
        self.presses.drain(..old);
    }

    /// The conversation has ended: its buttons are dead, it listens to no edit, and it waits for no outcome. What stays protects what begins
    /// next: messages, the last presses, and what is told, which reaches also those who are in the middle of nothing.
    pub fn rest(&mut self) {
        self.prompted();
        self.edits.clear();
        self.events.clear();
    }

    /// A step was taken in this box, by a press or an edit too.
    pub fn stepped_in(&mut self, r#box: BoxId) {
        let known = self.messages.iter().position(|(known, _)| *known == r#box);
        let mark = match known {
            Some(at) => self.messages.remove(at),
            // Nothing has been taken in there: every message is new.
            None => (r#box, MessageId(0)),
        };
        if self.messages.len() == BOXES {
            self.messages.remove(0);
        }
        self.messages.push(mark);
    }

    /// The box in which the last step was taken, or from which something was heard since.
    pub fn home(&self) -> Option<BoxId> {
        self.messages.last().map(|(home, _)| *home)
    }

    /// Was the update taken in before?
    pub fn knows(&self, update: &UpdateId) -> bool {
        self.clone().admit(update) == Admission::Duplicate
    }

    /// The highest message id taken in from this box.
    pub fn message(&self, r#box: BoxId) -> Option<MessageId> {
        self.messages
            .iter()
            .find(|(known, _)| *known == r#box)
            .map(|(_, message)| *message)
    }
}

fn remember<T: PartialEq>(ring: &mut VecDeque<T>, id: T, at_most: usize) -> Admission {
    if ring.contains(&id) {
        return Admission::Duplicate;
    }
    if ring.len() >= at_most {
        ring.pop_front();
    }
    ring.push_back(id);
    Admission::New
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BotId, ChannelId};

    fn message(r#box: BoxId, id: i32) -> UpdateId {
        UpdateId::Message {
            r#box,
            message: MessageId(id),
        }
    }

    #[test]
    fn a_replayed_message_is_a_duplicate_in_its_box_only() {
        let (a, b) = (BoxId::Private(BotId(1)), BoxId::Private(BotId(2)));
        let mut marks = Watermarks::default();
        assert_eq!(marks.admit(&message(a, 10)), Admission::New);
        assert_eq!(marks.admit(&message(a, 10)), Admission::Duplicate);
        assert_eq!(marks.admit(&message(a, 9)), Admission::Duplicate);
        assert_eq!(
            marks.admit(&message(b, 3)),
            Admission::New,
            "another bot counts its own ids"
        );
        assert_eq!(marks.admit(&message(a, 11)), Admission::New);
        assert_eq!(marks.message(a), Some(MessageId(11)));
    }

    #[test]
    fn home_is_where_the_last_step_was_taken() {
        let [a, b, c] = [1, 2, 3].map(|bot| BoxId::Private(BotId(bot)));
        let mut marks = Watermarks::default();
        assert_eq!(marks.home(), None);
        let _ = (marks.admit(&message(a, 10)), marks.admit(&message(b, 3)));
        assert_eq!(marks.home(), Some(b));
        marks.stepped_in(a);
        assert_eq!(marks.home(), Some(a));
        assert_eq!(marks.message(a), Some(MessageId(10)));
        marks.stepped_in(c);
        assert_eq!((marks.home(), marks.messages.len()), (Some(c), 3));
        assert_eq!(marks.admit(&message(c, 1)), Admission::New);
        for bot in 0..50 {
            marks.stepped_in(BoxId::Private(BotId(bot)));
        }
        assert_eq!(marks.messages.len(), BOXES);
    }

    #[test]
    fn presses_edits_and_events_are_remembered_by_id() {
        let group = BoxId::Channel(ChannelId(1));
        let mut marks = Watermarks::default();
        for update in [
            UpdateId::Press { query: QueryId(-5) },
            UpdateId::Edit {
                r#box: group,
                message: MessageId(4),
                date: 100,
            },
            UpdateId::Internal {
                event: EventId([1; 16]),
            },
            UpdateId::Told {
                event: EventId([1; 16]),
            },
        ] {
            assert_eq!(marks.admit(&update), Admission::New);
            assert_eq!(marks.admit(&update), Admission::Duplicate);
        }
        let later = UpdateId::Edit {
            r#box: group,
            message: MessageId(4),
            date: 101,
        };
        assert_eq!(marks.admit(&later), Admission::New);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut marks = Watermarks::default();
        for id in 0..1000 {
            marks.admit(&UpdateId::Press { query: QueryId(id) });
            marks.admit(&message(BoxId::Private(BotId(id)), 1));
        }
        assert_eq!(marks.presses.len(), PRESSES);
        assert_eq!(marks.messages.len(), BOXES);
    }

    #[test]
    fn a_new_prompt_keeps_the_last_presses_only() {
        let press = |id| UpdateId::Press { query: QueryId(id) };
        let mut marks = Watermarks::default();
        for id in 0..50 {
            assert_eq!(marks.admit(&press(id)), Admission::New);
        }
        assert_eq!(marks.admit(&press(0)), Admission::Duplicate);
        marks.prompted();
        assert_eq!(marks.presses.len(), PRESSES_BEFORE);
        assert_eq!(marks.admit(&press(49)), Admission::Duplicate);
    }

    #[test]
    fn who_is_told_much_forgets_nothing_of_his_own() {
        let own = UpdateId::Internal {
            event: EventId([7; 16]),
        };
        let mut marks = Watermarks::default();
        assert_eq!(marks.admit(&own), Admission::New);
        for number in 0..100 {
            let event = EventId([number; 16]);
            assert_eq!(marks.admit(&UpdateId::Told { event }), Admission::New);
        }
        assert_eq!(marks.admit(&own), Admission::Duplicate);
        assert_eq!(marks.told.len(), REMEMBERED);
    }

    #[test]
    fn both_outcomes_of_an_entry_are_told_apart() {
        let mut marks = Watermarks::default();
        let mut other = [3; 16];
        other[15] ^= 1;
        for event in [EventId([3; 16]), EventId(other)] {
            assert_eq!(marks.admit(&UpdateId::Internal { event }), Admission::New);
        }
    }

    #[test]
    fn at_rest_only_what_can_still_do_harm_is_kept() {
        let group = BoxId::Channel(ChannelId(1));
        let mut marks = Watermarks::default();
        marks.admit(&message(group, 5));
        for id in 0..40 {
            let event = EventId([u8::try_from(id).unwrap_or(0); 16]);
            marks.admit(&UpdateId::Press { query: QueryId(id) });
            marks.admit(&UpdateId::Internal { event });
            marks.admit(&UpdateId::Told { event });
        }
        marks.rest();
        assert_eq!(marks.admit(&message(group, 5)), Admission::Duplicate);
        let last = EventId([39; 16]);
        assert_eq!(
            marks.admit(&UpdateId::Told { event: last }),
            Admission::Duplicate
        );
        assert_eq!(marks.events.len() + marks.edits.len(), 0);
        assert_eq!(marks.presses.len(), PRESSES_BEFORE);
    }
}
