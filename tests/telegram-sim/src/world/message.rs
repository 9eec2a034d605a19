//! Messages as the world keeps them. One body is stored once; what differs per viewer (number, `out`, hashes, file references) is
//! made when somebody looks. A private or basic-group message has a copy, with its own number, in each account's box;
//! a channel message has one number for all.

use grammers_tl_types as tl;
use tl::{enums, types};

use super::Now;
use super::files::FileId;
use super::ids::{ChannelId, MessageId, UserId};

/// Index of a private or basic-group message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ContentId(pub usize);

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Media {
    Document(FileId),
    Photo(FileId),
    Contact(types::MessageMediaContact),
}

#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub author: UserId,
    pub text: String,
    pub entities: Option<Vec<enums::MessageEntity>>,
    pub markup: Option<enums::ReplyMarkup>,
    pub media: Option<Media>,
    pub grouped_id: Option<i64>,
    pub forward: Option<types::MessageFwdHeader>,
    /// A service message: joined, created, ...
    pub action: Option<enums::MessageAction>,
    pub silent: bool,
    pub noforwards: bool,
    pub date: i32,
    pub at_ms: u64,
    pub edited: Option<Edited>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edited {
    pub date: i32,
    pub at_ms: u64,
}

impl Body {
    /// About how many bytes it takes on the wire: generous for everything but the text.
    pub fn weight(&self) -> usize {
        let entities = self.entities.as_ref().map_or(0, Vec::len);
        let keyboard = if self.markup.is_some() { 2_048 } else { 0 };
        512 + self.text.len() + entities * 32 + keyboard
    }

    pub fn has_inline_keyboard(&self) -> bool {
        matches!(self.markup, Some(enums::ReplyMarkup::ReplyInlineMarkup(_)))
    }
}

/// Whose conversation a message with copies belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    Pair(UserId, UserId),
    Group(ChannelId),
}

#[derive(Debug)]
pub(crate) struct CopiedMessage {
    pub body: Body,
    pub home: Home,
    pub reply_to: Option<ContentId>,
    /// Number of this message in each box that holds it.
    pub copies: Vec<(UserId, MessageId)>,
}

impl CopiedMessage {
    pub fn number_for(&self, viewer: UserId) -> Option<MessageId> {
        self.copies
            .iter()
            .find(|(account, _)| *account == viewer)
            .map(|(_, id)| *id)
    }
}

#[derive(Debug)]
pub(crate) struct ChannelMessage {
    pub body: Body,
    pub reply_to: Option<MessageId>,
}

/// A message that is about to be sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    pub text: String,
    pub entities: Option<Vec<enums::MessageEntity>>,
    pub markup: Option<enums::ReplyMarkup>,
    pub media: Option<Media>,
    pub grouped_id: Option<i64>,
    pub forward: Option<types::MessageFwdHeader>,
    pub action: Option<enums::MessageAction>,
    /// As the sender numbers it.
    pub reply_to: Option<MessageId>,
    pub random_id: Option<i64>,
    pub silent: bool,
    pub noforwards: bool,
}

impl Draft {
    pub fn into_body(self, author: UserId, now: Now) -> Body {
        Body {
            author,
            text: self.text,
            entities: self.entities.filter(|entities| !entities.is_empty()),
            markup: self.markup,
            media: self.media,
            grouped_id: self.grouped_id,
            forward: self.forward,
            action: self.action,
            silent: self.silent,
            noforwards: self.noforwards,
            date: now.date(),
            at_ms: now.mono_ms,
            edited: None,
        }
    }
}

/// What an edit puts in place of the old content.
#[derive(Clone, Debug)]
pub(crate) struct Revision {
    /// Text with its entities; `None` leaves both.
    pub text: Option<(String, Option<Vec<enums::MessageEntity>>)>,
    pub media: Option<Media>,
    pub markup: Option<enums::ReplyMarkup>,
}

impl Revision {
    /// False when the message would look as it did.
    pub fn apply(self, body: &mut Body, now: Now) -> bool {
        let (text, entities) = match self.text {
            Some((text, entities)) => (text, entities.filter(|entities| !entities.is_empty())),
            None => (body.text.clone(), body.entities.clone()),
        };
        let media = self.media.or_else(|| body.media.clone());
        let same = text.trim() == body.text.trim()
            && entities == body.entities
            && media == body.media
            && self.markup == body.markup;
        if same {
            return false;
        }
        body.text = text;
        body.entities = entities;
        body.media = media;
        body.markup = self.markup;
        body.edited = Some(Edited {
            date: now.date(),
            at_ms: now.mono_ms,
        });
        true
    }
}
