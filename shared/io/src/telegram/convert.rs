//! From Telegram's updates to the project's words: one update in, at most one [`Incoming`] out. Pure.
//!
//! Our own messages yield an [`Echo`] instead. What yields nothing: service messages, every other bot, anonymous administrators and others' channel posts (there is
//! no member behind them), basic groups, channels that do not matter, edits that nobody can see, presses without readable data.
//! Invariant: the identity of an item never depends on how the update came (live or in a difference).
//!
//! *Addressed* in a group: a command (bare, or naming one of our bots), a mention of one of our bots, or a reply to a message that is
//! known to be one of our bots'. Messages of other bots are not delivered to a bot, so after a switch the new bot does not know what
//! the old one wrote: `Incoming`'s `reply_to` is there for whoever does.

mod addressees;
mod ours;

use std::collections::HashSet;

use grammers_client::tl;
use shared_core::{
    BoxId, Button, ChannelId, Document, Echo, Incoming, IncomingKind, Keyboard, MemberId,
    MessageId, Place, Print, QueryId, SendTarget, UnixMs,
};

use super::peers::Peers;

pub(super) use addressees::Addressees;
pub(super) use ours::Ours;

/// Longer file names are cut.
const MAX_FILE_NAME_CHARS: usize = 255;

/// What the conversion needs to know besides the update.
pub(super) struct Context<'a> {
    pub ours: &'a Ours,
    pub groups: &'a HashSet<ChannelId>,
    /// Channels where our own posts matter, and nothing else.
    pub posts: &'a HashSet<ChannelId>,
    pub addressees: &'a Addressees,
    pub peers: &'a Peers,
    pub received: UnixMs,
}

impl Context<'_> {
    pub(super) fn update(&self, update: &tl::enums::Update) -> Option<Incoming> {
        match update {
            tl::enums::Update::NewMessage(it) => self.message(&it.message),
            tl::enums::Update::NewChannelMessage(it) => self.message(&it.message),
            tl::enums::Update::EditMessage(it) => self.edit(&it.message),
            tl::enums::Update::EditChannelMessage(it) => self.edit(&it.message),
            tl::enums::Update::BotCallbackQuery(it) => self.press(it),
            tl::enums::Update::BotStopped(it) => self.stopped(it),
            _ => None,
        }
    }

    pub(super) fn message(&self, message: &tl::enums::Message) -> Option<Incoming> {
        let message = said(message)?;
        let (place, member) = self.origin(message)?;
        let reply_to = reply_target(message);
        let addressed = match place {
            Place::Private => true,
            Place::Group(channel) => self.is_addressed(message, channel, reply_to),
        };
        let what = IncomingKind::Message {
            message: MessageId(message.id),
            text: message.message.clone(),
            document: message.media.as_ref().and_then(document),
            album: message.grouped_id,
            reply_to,
            addressed,
        };
        Some(self.incoming(
            place,
            member,
            UnixMs::from_telegram_date(message.date),
            what,
        ))
    }

    /// The channel in which this bot was made something else than it was: given or denied rights, let in or put out.
    pub(super) fn standing(&self, update: &tl::enums::Update) -> Option<ChannelId> {
        match update {
            tl::enums::Update::ChannelParticipant(it) if it.user_id == self.ours.me().0 => {
                Some(ChannelId(it.channel_id))
            }
            _ => None,
        }
    }

    /// A new message of our own, live.
    pub(super) fn own(&self, update: &tl::enums::Update) -> Option<Echo> {
        match update {
            tl::enums::Update::NewMessage(it) => self.echo(&it.message),
            tl::enums::Update::NewChannelMessage(it) => self.echo(&it.message),
            _ => None,
        }
    }

    /// The message, if it is our own and in a chat that matters.
    pub(super) fn echo(&self, message: &tl::enums::Message) -> Option<Echo> {
        let message = said(message).filter(|message| message.out)?;
        let chat = match &message.peer_id {
            tl::enums::Peer::Channel(peer) if message.post => {
                let channel = ChannelId(peer.channel_id);
                SendTarget::Channel(self.posts.get(&channel).copied()?)
            }
            peer => match (self.place(peer)?, peer) {
                (Place::Group(channel), _) => SendTarget::Channel(channel),
                (Place::Private, tl::enums::Peer::User(peer)) => {
                    SendTarget::Member(MemberId(peer.user_id))
                }
                (Place::Private, _) => return None,
            },
        };
        let keyboard = message.reply_markup.as_ref().and_then(keyboard);
        Some(Echo {
            chat,
            message: MessageId(message.id),
            date: UnixMs::from_telegram_date(message.date),
            print: Print::of(&message.message, keyboard.as_ref()),
        })
    }

    fn edit(&self, message: &tl::enums::Message) -> Option<Incoming> {
        let message = said(message)?;
        let edit_date = message.edit_date.filter(|_| !message.edit_hide)?;
        let (place, member) = self.origin(message)?;
        let what = IncomingKind::Edit {
            message: MessageId(message.id),
            text: message.message.clone(),
            edit_date,
        };
        Some(self.incoming(place, member, UnixMs::from_telegram_date(edit_date), what))
    }

    fn press(&self, press: &tl::types::UpdateBotCallbackQuery) -> Option<Incoming> {
        let place = self.place(&press.peer)?;
        let member = self.member(press.user_id)?;
        let what = IncomingKind::Press {
            query: QueryId(press.query_id),
            message: MessageId(press.msg_id),
            data: String::from_utf8(press.data.clone()?).ok()?,
        };
        Some(self.incoming(place, member, self.received, what))
    }

    fn stopped(&self, it: &tl::types::UpdateBotStopped) -> Option<Incoming> {
        let member = self.member(it.user_id)?;
        let what = IncomingKind::Stopped {
            stopped: it.stopped,
        };
        Some(self.incoming(
            Place::Private,
            member,
            UnixMs::from_telegram_date(it.date),
            what,
        ))
    }

    fn incoming(
        &self,
        place: Place,
        member: MemberId,
        date: UnixMs,
        what: IncomingKind,
    ) -> Incoming {
        let name = self.peers.user(member.0).map(|user| user.name.clone());
        Incoming {
            r#box: match place {
                Place::Private => BoxId::Private(self.ours.me()),
                Place::Group(channel) => BoxId::Channel(channel),
            },
            place,
            member,
            name: name.unwrap_or_default(),
            date,
            what,
        }
    }

    /// Where a message was said and by which member; `None` when it is none of a member's.
    fn origin(&self, message: &tl::types::Message) -> Option<(Place, MemberId)> {
        if message.out || message.post {
            return None;
        }
        let place = self.place(&message.peer_id)?;
        let sender = match (&message.from_id, &message.peer_id) {
            (Some(tl::enums::Peer::User(from)), _) => from.user_id,
            (None, tl::enums::Peer::User(peer)) => peer.user_id,
            _ => return None,
        };
        Some((place, self.member(sender)?))
    }

    fn place(&self, peer: &tl::enums::Peer) -> Option<Place> {
        match peer {
            tl::enums::Peer::User(_) => Some(Place::Private),
            tl::enums::Peer::Channel(peer) => {
                let channel = ChannelId(peer.channel_id);
                self.groups
                    .contains(&channel)
                    .then_some(Place::Group(channel))
            }
            tl::enums::Peer::Chat(_) => None,
        }
    }

    /// The member behind a user id, unless it is a bot.
    fn member(&self, user: i64) -> Option<MemberId> {
        let is_bot = self.ours.has(user) || self.peers.user(user).is_some_and(|user| user.is_bot);
        (!is_bot).then_some(MemberId(user))
    }

    fn is_addressed(
        &self,
        message: &tl::types::Message,
        channel: ChannelId,
        reply_to: Option<MessageId>,
    ) -> bool {
        let named = message
            .entities
            .iter()
            .flatten()
            .any(|entity| match entity {
                tl::enums::MessageEntity::MentionName(it) => self.ours.has(it.user_id),
                _ => false,
            });
        // Telegram sets `mentioned` for this account, on a reply to it too.
        message.mentioned
            || named
            || reply_to.is_some_and(|reply| self.addressees.wrote(channel, reply))
            || self.addressees.are_named_in(&message.message)
    }
}

/// The file of a message. A photo is a file too; Telegram gives it no name.
pub(super) fn document(media: &tl::enums::MessageMedia) -> Option<Document> {
    match media {
        tl::enums::MessageMedia::Document(media) => match media.document.as_ref()? {
            tl::enums::Document::Document(it) => Some(Document {
                name: file_name(&it.attributes),
                mime: it.mime_type.clone(),
                bytes: u64::try_from(it.size).unwrap_or(0),
            }),
            tl::enums::Document::Empty(_) => None,
        },
        tl::enums::MessageMedia::Photo(media) => match media.photo.as_ref()? {
            tl::enums::Photo::Photo(it) => Some(Document {
                name: "photo.jpg".into(),
                mime: "image/jpeg".into(),
                bytes: largest(&it.sizes)?,
            }),
            tl::enums::Photo::Empty(_) => None,
        },
        _ => None,
    }
}

/// The bytes of a photo's largest size that can be fetched.
fn largest(sizes: &[tl::enums::PhotoSize]) -> Option<u64> {
    let sizes = sizes.iter().filter_map(|size| match size {
        tl::enums::PhotoSize::Size(it) => Some(it.size),
        tl::enums::PhotoSize::Progressive(it) => it.sizes.iter().max().copied(),
        _ => None,
    });
    u64::try_from(sizes.max()?).ok()
}

fn said(message: &tl::enums::Message) -> Option<&tl::types::Message> {
    match message {
        tl::enums::Message::Message(message) => Some(message),
        tl::enums::Message::Service(_) | tl::enums::Message::Empty(_) => None,
    }
}

fn reply_target(message: &tl::types::Message) -> Option<MessageId> {
    let Some(tl::enums::MessageReplyHeader::Header(reply)) = &message.reply_to else {
        return None;
    };
    // A message in a forum's topic points at the topic's first message without replying to it.
    let only_in_topic = reply.forum_topic && reply.reply_to_top_id.is_none();
    let elsewhere = reply.reply_to_peer_id.is_some();
    if only_in_topic || elsewhere {
        return None;
    }
    reply.reply_to_msg_id.map(MessageId)
}

/// The buttons that the project knows how to make; a message of ours has no others.
fn keyboard(markup: &tl::enums::ReplyMarkup) -> Option<Keyboard> {
    let tl::enums::ReplyMarkup::ReplyInlineMarkup(markup) = markup else {
        return None;
    };
    let button = |button: &tl::enums::KeyboardInlineButton| {
        let tl::enums::KeyboardInlineButton::Button(button) = button;
        let text = button.text.clone();
        match &button.r#type {
            tl::enums::InlineButtonType::Callback(it) => Some(Button::Press {
                text,
                data: String::from_utf8_lossy(&it.data).into_owned(),
            }),
            tl::enums::InlineButtonType::Url(it) => Some(Button::Link {
                text,
                url: it.url.clone(),
            }),
            _ => None,
        }
    };
    let rows = markup.rows.iter().map(|row| {
        let tl::enums::KeyboardInlineButtonRow::Row(row) = row;
        row.buttons.iter().filter_map(button).collect()
    });
    Some(Keyboard(rows.collect()))
}

fn file_name(attributes: &[tl::enums::DocumentAttribute]) -> String {
    let name = attributes.iter().find_map(|attribute| match attribute {
        tl::enums::DocumentAttribute::Filename(it) => Some(&it.file_name),
        _ => None,
    });
    match name {
        Some(name) if !name.is_empty() => name.chars().take(MAX_FILE_NAME_CHARS).collect(),
        _ => "file".into(),
    }
}

#[cfg(test)]
mod tests;
