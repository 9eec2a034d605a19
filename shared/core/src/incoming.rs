//! What a worker hears from Telegram, in the project's own words and without Telegram's types.
//!
//! The adapter makes these out of raw updates; nothing behind it knows what an `access_hash` is. What matters to nobody (service
//! messages, our own messages, other bots) is not an `Incoming` at all: the adapter drops it and the batch's cursor still moves over it.

use serde::{Deserialize, Serialize};

use crate::{BoxId, ChannelId, ConversationKey, MemberId, MessageId, QueryId, UnixMs, UpdateId};

/// Where it was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    Private,
    Group(ChannelId),
}

/// A file in a message. It is named by the message that holds it, never by a bot's file id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    pub name: String,
    pub mime: String,
    pub bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum IncomingKind {
    Message {
        message: MessageId,
        text: String,
        document: Option<Document>,
        /// Telegram's album id, when the message is part of one.
        album: Option<i64>,
        /// The message is a reply to this one.
        reply_to: Option<MessageId>,
        /// In a group: it mentions one of our bots or replies to one. In private: true.
        addressed: bool,
    },
    Edit {
        message: MessageId,
        text: String,
        edit_date: i32,
    },
    Press {
        query: QueryId,
        message: MessageId,
        data: String,
    },
    /// The member stopped (blocked) the bot, or took that back.
    Stopped { stopped: bool },
}

/// One thing that a member did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incoming {
    pub r#box: BoxId,
    pub place: Place,
    pub member: MemberId,
    /// The member's first name, for addressing him.
    pub name: String,
    /// Telegram's date of it (whole seconds), or the time of receipt where Telegram gives none (presses).
    pub date: UnixMs,
    #[serde(flatten)]
    pub what: IncomingKind,
}

impl Incoming {
    pub fn conversation(&self) -> ConversationKey {
        match self.place {
            Place::Private => ConversationKey::private(self.member),
            Place::Group(channel) => ConversationKey::group(channel, self.member),
        }
    }

    /// The update's identity; `None` for what belongs to no conversation (a member stopping the bot).
    pub fn id(&self) -> Option<UpdateId> {
        let r#box = self.r#box;
        match &self.what {
            IncomingKind::Message { message, .. } => Some(UpdateId::Message {
                r#box,
                message: *message,
            }),
            IncomingKind::Edit {
                message, edit_date, ..
            } => Some(UpdateId::Edit {
                r#box,
                message: *message,
                date: *edit_date,
            }),
            IncomingKind::Press { query, .. } => Some(UpdateId::Press { query: *query }),
            IncomingKind::Stopped { .. } => None,
        }
    }
}
