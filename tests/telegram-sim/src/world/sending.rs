//! Putting a message where it belongs: numbers, boxes, the event, and updates for the bots that see it. Whether
//! somebody *may* send is asked before (`services::messages`, `member`); here only what cannot be is refused.

use super::account::Account;
use super::boxlog::{At, Change};
use super::channel::Channel;
use super::error::RpcError;
use super::event::Event;
use super::ids::{ChannelId, ChatRef, MessageId, UserId};
use super::message::{Body, ChannelMessage, ContentId, CopiedMessage, Draft, Home};
use super::{Now, World};

/// A message in its place, as its sender numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Posted {
    pub id: MessageId,
    pub at: At,
}

impl World {
    pub(crate) fn post(
        &mut self,
        from: UserId,
        to: ChatRef,
        draft: Draft,
        now: Now,
    ) -> Result<Posted, RpcError> {
        self.messages_sent += 1;
        match to {
            ChatRef::User(peer) => self.post_private(from, peer, draft, now),
            ChatRef::Channel(id) if self.channel(id)?.is_basic() => {
                self.post_basic(from, id, draft, now)
            }
            ChatRef::Channel(id) => self.post_channel(from, id, draft, now),
        }
    }

    /// Whether an account gets this message of a group at all; people get every one.
    pub(crate) fn sees(
        &self,
        bot: UserId,
        channel: &Channel,
        body: &Body,
        reply_author: Option<UserId>,
    ) -> bool {
        if body.author == bot || channel.is_broadcast() || body.action.is_some() {
            return true;
        }
        if !self.is_bot(bot) {
            return true;
        }
        if self.is_bot(body.author) && !self.settings.doubts.bots_see_bots {
            return false;
        }
        let Ok(account) = self.account(bot) else {
            return false;
        };
        let privacy = account.bot.as_ref().is_some_and(|data| data.privacy);
        !privacy
            || channel.is_admin(bot)
            || reply_author == Some(bot)
            || addresses(account, &body.text)
    }

    /// Author of the message that a channel message answers.
    pub(crate) fn reply_author(channel: &Channel, message: &ChannelMessage) -> Option<UserId> {
        channel
            .message(message.reply_to?)
            .map(|answered| answered.body.author)
    }

    fn post_private(
        &mut self,
        from: UserId,
        to: UserId,
        draft: Draft,
        now: Now,
    ) -> Result<Posted, RpcError> {
        self.account(to)?;
        let random_id = draft.random_id;
        let reply_number = draft.reply_to;
        let reply_to = self.answered(from, ChatRef::User(to), draft.reply_to)?;
        let content = ContentId(self.copied.len());
        let body = draft.into_body(from, now);
        let home = Home::Pair(from, to);
        self.copied.push(CopiedMessage {
            body,
            home,
            reply_to,
            copies: Vec::new(),
        });
        let posted = self.put_copy(from, content, ChatRef::User(to), now)?;
        // What somebody writes to himself ("Saved Messages") lies in the box once.
        let received = if from == to {
            posted
        } else {
            self.put_copy(to, content, ChatRef::User(from), now)?
        };
        if self.is_bot(to) {
            self.account_mut(to)?.dialog_mut(ChatRef::User(from)).opened = true;
        }
        let (member, bot) = if self.is_bot(from) {
            (received.id, posted.id)
        } else {
            (posted.id, received.id)
        };
        let sides = (self.is_bot(from) != self.is_bot(to)).then_some((member, bot));
        self.record_sent(
            content,
            ChatRef::User(to),
            posted.id,
            sides,
            random_id,
            reply_number,
        );
        if from != to {
            self.push_new_copy(to, received, now);
        }
        self.tell_own_devices(from, posted, now);
        Ok(posted)
    }

    /// A person's own message on the devices that did not send it.
    fn tell_own_devices(&mut self, from: UserId, posted: Posted, now: Now) {
        if !self.is_bot(from) {
            self.push_new_copy(from, posted, now);
        }
    }

    fn post_basic(
        &mut self,
        from: UserId,
        group: ChannelId,
        draft: Draft,
        now: Now,
    ) -> Result<Posted, RpcError> {
        let chat = ChatRef::Channel(group);
        let random_id = draft.random_id;
        let reply_number = draft.reply_to;
        let reply_to = self.answered(from, chat, draft.reply_to)?;
        let reply_author = reply_to
            .and_then(|id| self.copied(id))
            .map(|answered| answered.body.author);
        let body = draft.into_body(from, now);
        let place = self.channel(group)?;
        let receivers: Vec<UserId> = place
            .members
            .keys()
            .copied()
            .filter(|user| {
                *user != from
                    && (!self.is_bot(*user) || self.sees(*user, place, &body, reply_author))
            })
            .collect();
        let content = ContentId(self.copied.len());
        self.copied.push(CopiedMessage {
            body,
            home: Home::Group(group),
            reply_to,
            copies: Vec::new(),
        });
        let posted = self.put_copy(from, content, chat, now)?;
        self.record_sent(content, chat, posted.id, None, random_id, reply_number);
        for user in receivers {
            let received = self.put_copy(user, content, chat, now)?;
            self.push_new_copy(user, received, now);
        }
        self.tell_own_devices(from, posted, now);
        Ok(posted)
    }

    fn post_channel(
        &mut self,
        from: UserId,
        id: ChannelId,
        draft: Draft,
        now: Now,
    ) -> Result<Posted, RpcError> {
        let random_id = draft.random_id;
        let reply_to = draft.reply_to;
        let channel = self.channel_mut(id)?;
        if reply_to.is_some_and(|answered| channel.message(answered).is_none()) {
            return Err(RpcError::bad_request("REPLY_MESSAGE_ID_INVALID"));
        }
        let body = draft.into_body(from, now);
        let has_keyboard = body.has_inline_keyboard();
        let has_media = body.media.is_some();
        let (text, grouped_id, is_service) =
            (body.text.clone(), body.grouped_id, body.action.is_some());
        let message_id = channel.store(ChannelMessage { body, reply_to });
        let at = channel.log.append(Change::New(message_id), now.mono_ms);
        if !is_service {
            self.record(Event::MessageSent {
                account: from,
                bot: self.is_bot(from),
                chat: ChatRef::Channel(id),
                message_id,
                member_message_id: None,
                bot_message_id: None,
                text,
                random_id,
                reply_to,
                grouped_id,
                has_keyboard,
                has_media,
            });
        }
        let posted = Posted { id: message_id, at };
        for account in self.audience(id, message_id, from)? {
            self.push_new_in_channel(account, id, posted, now);
        }
        Ok(posted)
    }

    /// Who gets updates about a channel's message: bots but for the one that caused them, and people who are logged in (whose acting
    /// connection is spared when the update is sent).
    pub(crate) fn audience(
        &self,
        channel: ChannelId,
        message: MessageId,
        except: UserId,
    ) -> Result<Vec<UserId>, RpcError> {
        let place = self.channel(channel)?;
        let Some(stored) = place.message(message) else {
            return Ok(Vec::new());
        };
        let reply_author = Self::reply_author(place, stored);
        let wanted = |bot: &UserId| {
            *bot != except
                && self.has_listener(*bot)
                && self.sees(*bot, place, &stored.body, reply_author)
        };
        let bots = place.bots.iter().copied().filter(wanted);
        Ok(bots.chain(self.listening_people(place)).collect())
    }

    /// The message that is answered, from the number by which the sender knows it.
    fn answered(
        &self,
        from: UserId,
        chat: ChatRef,
        reply_to: Option<MessageId>,
    ) -> Result<Option<ContentId>, RpcError> {
        let Some(number) = reply_to else {
            return Ok(None);
        };
        self.content_in(from, chat, number)
            .map(Some)
            .map_err(|_| RpcError::bad_request("REPLY_MESSAGE_ID_INVALID"))
    }

    /// A message of an account's own box that belongs to this conversation.
    pub(crate) fn content_in(
        &self,
        viewer: UserId,
        chat: ChatRef,
        id: MessageId,
    ) -> Result<ContentId, RpcError> {
        let invalid = || RpcError::bad_request("MESSAGE_ID_INVALID");
        let content = self.account(viewer)?.content(id).ok_or_else(invalid)?;
        let home = self.copied(content).ok_or_else(invalid)?.home;
        let same = match (home, chat) {
            (Home::Pair(a, b), ChatRef::User(peer)) => {
                (a == viewer && b == peer) || (b == viewer && a == peer)
            }
            (Home::Group(group), ChatRef::Channel(channel)) => group == channel,
            (Home::Pair(..), ChatRef::Channel(_)) | (Home::Group(_), ChatRef::User(_)) => false,
        };
        if same { Ok(content) } else { Err(invalid()) }
    }

    fn put_copy(
        &mut self,
        owner: UserId,
        content: ContentId,
        chat: ChatRef,
        now: Now,
    ) -> Result<Posted, RpcError> {
        let account = self.account_mut(owner)?;
        let id = account.store(content, chat);
        let at = account.log.append(Change::New(id), now.mono_ms);
        if let Some(message) = self.copied.get_mut(content.0) {
            message.copies.push((owner, id));
        }
        Ok(Posted { id, at })
    }

    fn record_sent(
        &mut self,
        content: ContentId,
        chat: ChatRef,
        message_id: MessageId,
        sides: Option<(MessageId, MessageId)>,
        random_id: Option<i64>,
        reply_to: Option<MessageId>,
    ) {
        let Some(message) = self.copied(content) else {
            return;
        };
        let body = &message.body;
        if body.action.is_some() {
            return;
        }
        let event = Event::MessageSent {
            account: body.author,
            bot: self.is_bot(body.author),
            chat,
            message_id,
            member_message_id: sides.map(|(member, _)| member),
            bot_message_id: sides.map(|(_, bot)| bot),
            text: body.text.clone(),
            random_id,
            reply_to,
            grouped_id: body.grouped_id,
            has_keyboard: body.has_inline_keyboard(),
            has_media: body.media.is_some(),
        };
        self.record(event);
    }
}

/// A command that is not for another bot, or a mention.
fn addresses(bot: &Account, text: &str) -> bool {
    let username = bot.username.as_deref().unwrap_or_default().to_lowercase();
    let lower = text.to_lowercase();
    let is_command = lower.strip_prefix('/').is_some_and(|rest| {
        let word = rest.split_whitespace().next().unwrap_or_default();
        word.split_once('@')
            .is_none_or(|(_, addressee)| addressee == username)
    });
    is_command || mentions(&lower, &username)
}

fn mentions(text: &str, username: &str) -> bool {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '@'))
        .any(|word| word.strip_prefix('@') == Some(username))
}
