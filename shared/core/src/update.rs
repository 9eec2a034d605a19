//! What makes an update the same update, whichever connection, difference or bot brought it.
//!
//! A message is (box, message id); an edit adds its edit date; a press is its query id; an event of our own has its own id.
//! A box is a sequence of updates with its own `pts` (`docs/telegram.md`, Identity): a bot's private box, or a channel's, which all bots share.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{BotId, ChannelId, EventId, IdError, MessageId, QueryId};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum BoxId {
    Private(BotId),
    Channel(ChannelId),
}

impl fmt::Display for BoxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Private(bot) => bot.fmt(f),
            Self::Channel(channel) => channel.fmt(f),
        }
    }
}

impl FromStr for BoxId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let malformed = IdError::Malformed {
            what: "BoxId",
            expected: "`b<bot>` or `c<channel>`",
        };
        match text.as_bytes().first() {
            Some(b'b') => text.parse().map(Self::Private),
            Some(b'c') => text.parse().map(Self::Channel),
            _ => Err(malformed),
        }
    }
}

impl TryFrom<String> for BoxId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<BoxId> for String {
    fn from(id: BoxId) -> String {
        id.to_string()
    }
}

/// An update's identity. Its `Display` goes into the hash of the replies it causes, so it must never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum UpdateId {
    Message {
        r#box: BoxId,
        message: MessageId,
    },
    Edit {
        r#box: BoxId,
        message: MessageId,
        date: i32,
    },
    Press {
        query: QueryId,
    },
    /// An outcome of the conversation's own, or a change of bots.
    Internal {
        event: EventId,
    },
    /// Told by another conversation, or a timer of its own (`inbox.rs`).
    Told {
        event: EventId,
    },
}

impl fmt::Display for UpdateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message { r#box, message } => write!(f, "{box}{message}"),
            Self::Edit {
                r#box,
                message,
                date,
            } => write!(f, "{box}{message}@{date}"),
            Self::Press { query } => query.fmt(f),
            Self::Internal { event } => write!(f, "i{event}"),
            Self::Told { event } => write!(f, "t{event}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn identities_print_as_they_are_hashed() {
        let private = BoxId::Private(BotId(5));
        assert_eq!(
            UpdateId::Message {
                r#box: private,
                message: MessageId(9)
            }
            .to_string(),
            "b5#9"
        );
        let group = BoxId::Channel(ChannelId(8));
        assert_eq!(
            UpdateId::Edit {
                r#box: group,
                message: MessageId(9),
                date: 77
            }
            .to_string(),
            "c8#9@77"
        );
        assert_eq!("c8".parse::<BoxId>().unwrap(), group);
    }
}
