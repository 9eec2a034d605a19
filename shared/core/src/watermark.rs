//! Duplicate protection inside a conversation: what it has already taken in, without a key per update.
//!
//! One watermark per box for messages (their ids only grow within a box, and one conversation is processed in order), the
//! last few edits, presses and internal events by id. Invariant: once [`Watermarks::admit`] has said `New` and the result is
//! committed, the same identity is `Duplicate` for as long as it can come again. For messages that is for ever; for the rest the ring
//! is longer than what one conversation can have in flight.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::{BoxId, EventId, MessageId, QueryId, UpdateId};

/// How many presses, edits and internal events are remembered each. A member has one keyboard in front of him at a time, and an
/// album, the largest burst of internal events, has at most ten items.
const REMEMBERED: usize = 16;

/// How many boxes are remembered: a group conversation has one, a private one has one per bot it was led with.
/// 20 bots a pool is Telegram's limit per owner.
const BOXES: usize = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    New,
    Duplicate,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Watermarks {
    /// Highest message id taken in, per box; the latest used box is last.
    #[serde(default, skip_serializing_if = "Vec::is_empty", rename = "m")]
    messages: Vec<(BoxId, MessageId)>,
    #[serde(default, skip_serializing_if = "VecDeque::is_empty", rename = "e")]
    edits: VecDeque<(BoxId, MessageId, i32)>,
    #[serde(default, skip_serializing_if = "VecDeque::is_empty", rename = "p")]
    presses: VecDeque<QueryId>,
    #[serde(default, skip_serializing_if = "VecDeque::is_empty", rename = "i")]
    events: VecDeque<EventId>,
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
            } => remember(&mut self.edits, (r#box, message, date)),
            UpdateId::Press { query } => remember(&mut self.presses, query),
            UpdateId::Internal { event } => remember(&mut self.events, event),
        }
    }

    fn admit_message(&mut self, r#box: BoxId, message: MessageId) -> Admission {
        let known = self.messages.iter().position(|(known, _)| *known == r#box);
        if let Some(at) = known {
            if message <= self.messages[at].1 {
                return Admission::Duplicate;
            }
            self.messages.remove(at);
        } else if self.messages.len() == BOXES {
            self.messages.remove(0);
        }
        self.messages.push((r#box, message));
        Admission::New
    }

    /// The highest message id taken in from this box.
    pub fn message(&self, r#box: BoxId) -> Option<MessageId> {
        self.messages
            .iter()
            .find(|(known, _)| *known == r#box)
            .map(|(_, message)| *message)
    }
}

fn remember<T: PartialEq>(ring: &mut VecDeque<T>, id: T) -> Admission {
    if ring.contains(&id) {
        return Admission::Duplicate;
    }
    if ring.len() == REMEMBERED {
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
        assert_eq!(marks.presses.len(), REMEMBERED);
        assert_eq!(marks.messages.len(), BOXES);
    }
}
