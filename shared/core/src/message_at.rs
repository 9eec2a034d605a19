//! A message that a stored conversation remembers, written without its box where that is the conversation's home: the box in which it took its
//! last step. A box's name is as long as a title, and a member in private has but one most of the time.
//!
//! Invariant: outside the stored form every message has its box. [`crate::Envelope`] takes it off when it writes and puts it on when it reads,
//! and its marks, which stand beside it in the same value, say which box it is.

use serde::{Deserialize, Serialize};

use crate::{BoxId, MessageId};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MessageAt {
    In(BoxId, MessageId),
    /// In the stored form alone.
    Home(MessageId),
}

impl From<(BoxId, MessageId)> for MessageAt {
    fn from((r#box, message): (BoxId, MessageId)) -> Self {
        Self::In(r#box, message)
    }
}

impl PartialEq<(BoxId, MessageId)> for MessageAt {
    fn eq(&self, (r#box, message): &(BoxId, MessageId)) -> bool {
        *self == Self::In(*r#box, *message)
    }
}

impl MessageAt {
    /// The message with its box; `None` in the stored form alone.
    pub fn whole(self) -> Option<(BoxId, MessageId)> {
        match self {
            Self::In(r#box, message) => Some((r#box, message)),
            Self::Home(_) => None,
        }
    }

    pub(crate) fn shorten(&mut self, home: BoxId) {
        if let Self::In(r#box, message) = *self
            && r#box == home
        {
            *self = Self::Home(message);
        }
    }

    /// False when it is at home and there is none.
    pub(crate) fn lengthen(&mut self, home: Option<BoxId>) -> bool {
        match (*self, home) {
            (Self::In(..), _) => true,
            (Self::Home(message), Some(home)) => {
                *self = Self::In(home, message);
                true
            }
            (Self::Home(_), None) => false,
        }
    }
}

/// A state that an envelope stores.
pub trait Remembers {
    /// Goes over every message that it remembers; most states remember none.
    fn each_message(&mut self, _visit: &mut dyn FnMut(&mut MessageAt)) {}
}

impl Remembers for String {}
