//! Changing and deleting what was sent. An edit and a deletion are changes of every box that holds the message. Deleted numbers are
//! not used again; ids that are not there are skipped, as Telegram does.

use std::collections::{BTreeMap, BTreeSet};

use super::api::Right;
use super::boxlog::{At, Change};
use super::error::RpcError;
use super::event::Event;
use super::ids::{ChannelId, ChatRef, MessageId, UserId};
use super::message::{Home, Revision};
use super::sending::Posted;
use super::{Now, World};

impl World {
    pub(crate) fn edit(
        &mut self,
        by: UserId,
        chat: ChatRef,
        id: MessageId,
        revision: Revision,
        now: Now,
    ) -> Result<Posted, RpcError> {
        match chat {
            ChatRef::Channel(channel) if !self.channel(channel)?.is_basic() => {
                self.edit_in_channel(by, channel, id, revision, now)
            }
            ChatRef::User(_) | ChatRef::Channel(_) => self.edit_copies(by, chat, id, revision, now),
        }
    }

    fn edit_copies(
        &mut self,
        by: UserId,
        chat: ChatRef,
        id: MessageId,
        revision: Revision,
        now: Now,
    ) -> Result<Posted, RpcError> {
        let content = self.content_in(by, chat, id)?;
        let invalid = || RpcError::bad_request("MESSAGE_ID_INVALID");
        let message = self.copied.get_mut(content.0).ok_or_else(invalid)?;
        if message.body.author != by {
            return Err(RpcError::forbidden("MESSAGE_AUTHOR_REQUIRED"));
        }
        if message.body.action.is_some() {
            return Err(invalid());
        }
        if !revision.apply(&mut message.body, now) {
            return Err(RpcError::bad_request("MESSAGE_NOT_MODIFIED"));
        }
        let copies = message.copies.clone();
        let (text, has_keyboard) = (
            message.body.text.clone(),
            message.body.has_inline_keyboard(),
        );
        let is_pair = matches!(message.home, Home::Pair(..));
        let side = |bot: bool| {
            let wanted = |(owner, _): &&(UserId, MessageId)| is_pair && self.is_bot(*owner) == bot;
            copies.iter().find(wanted).map(|(_, id)| *id)
        };
        self.record(Event::MessageEdited {
            account: by,
            bot: self.is_bot(by),
            chat,
            message_id: id,
            member_message_id: side(false),
            bot_message_id: side(true),
            text,
            has_keyboard,
        });
        let mut own = At {
            pts: self.account(by)?.log.pts(),
            count: 0,
        };
        for (owner, number) in copies {
            let at = self
                .account_mut(owner)?
                .log
                .append(Change::Edit(number), now.mono_ms);
            if owner == by {
                own = at;
            }
            if owner != by || !self.is_bot(by) {
                self.push_edited_copy(owner, Posted { id: number, at }, now);
            }
        }
        Ok(Posted { id, at: own })
    }

    fn edit_in_channel(
        &mut self,
        by: UserId,
        id: ChannelId,
        message_id: MessageId,
        revision: Revision,
        now: Now,
    ) -> Result<Posted, RpcError> {
        let bot = self.is_bot(by);
        let channel = self.channel_mut(id)?;
        let may_edit_others = channel.is_broadcast() && channel.allows(by, Right::EditMessages);
        let Some(message) = channel
            .message_mut(message_id)
            .filter(|message| message.body.action.is_none())
        else {
            return Err(RpcError::bad_request("MESSAGE_ID_INVALID"));
        };
        if message.body.author != by && !may_edit_others {
            return Err(RpcError::forbidden("MESSAGE_AUTHOR_REQUIRED"));
        }
        if !revision.apply(&mut message.body, now) {
            return Err(RpcError::bad_request("MESSAGE_NOT_MODIFIED"));
        }
        let (text, has_keyboard) = (
            message.body.text.clone(),
            message.body.has_inline_keyboard(),
        );
        let at = channel.log.append(Change::Edit(message_id), now.mono_ms);
        self.record(Event::MessageEdited {
            account: by,
            bot,
            chat: ChatRef::Channel(id),
            message_id,
            member_message_id: None,
            bot_message_id: None,
            text,
            has_keyboard,
        });
        let posted = Posted { id: message_id, at };
        for account in self.audience(id, message_id, by)? {
            self.push_edited_in_channel(account, id, posted, now);
        }
        Ok(posted)
    }

    /// Messages of an account's own box; with `revoke` out of everybody's. Returns the change of the own box.
    pub(crate) fn delete_copies(
        &mut self,
        by: UserId,
        ids: &[MessageId],
        revoke: bool,
        now: Now,
    ) -> Result<At, RpcError> {
        let mut gone: BTreeMap<UserId, Vec<MessageId>> = BTreeMap::new();
        let mut told: BTreeMap<ChatRef, Vec<MessageId>> = BTreeMap::new();
        for id in ids {
            let Some(content) = self.account(by)?.content(*id) else {
                continue;
            };
            let Some(message) = self.copied.get_mut(content.0) else {
                continue;
            };
            let removed: Vec<(UserId, MessageId)> = message
                .copies
                .iter()
                .copied()
                .filter(|(owner, _)| revoke || *owner == by)
                .collect();
            message.copies.retain(|(owner, _)| !revoke && *owner != by);
            let chat = match message.home {
                Home::Pair(one, other) => ChatRef::User(if one == by { other } else { one }),
                Home::Group(group) => ChatRef::Channel(group),
            };
            told.entry(chat).or_default().push(*id);
            for (owner, number) in removed {
                self.account_mut(owner)?.forget(number);
                gone.entry(owner).or_default().push(number);
            }
        }
        for (chat, message_ids) in told {
            self.record(Event::MessageDeleted {
                account: by,
                bot: self.is_bot(by),
                chat,
                message_ids,
            });
        }
        let mut own = At {
            pts: self.account(by)?.log.pts(),
            count: 0,
        };
        for (owner, numbers) in gone {
            let at = self
                .account_mut(owner)?
                .log
                .append(Change::Delete(numbers.clone()), now.mono_ms);
            if owner == by {
                own = at;
            }
            if owner != by || !self.is_bot(by) {
                self.push_deleted(owner, None, &numbers, at, now);
            }
        }
        Ok(own)
    }

    pub(crate) fn delete_in_channel(
        &mut self,
        by: UserId,
        id: ChannelId,
        ids: &[MessageId],
        now: Now,
    ) -> Result<At, RpcError> {
        let channel = self.channel_mut(id)?;
        let may_delete_others = channel.allows(by, Right::DeleteMessages);
        let asked: BTreeSet<MessageId> = ids.iter().copied().collect();
        let there: Vec<MessageId> = asked
            .into_iter()
            .filter(|number| channel.message(*number).is_some())
            .collect();
        let foreign = |number: &MessageId| {
            channel
                .message(*number)
                .is_some_and(|message| message.body.author != by)
        };
        if !may_delete_others && there.iter().any(foreign) {
            return Err(RpcError::forbidden("MESSAGE_DELETE_FORBIDDEN"));
        }
        if there.is_empty() {
            return Ok(At {
                pts: channel.log.pts(),
                count: 0,
            });
        }
        for number in &there {
            channel.remove(*number);
        }
        let at = channel
            .log
            .append(Change::Delete(there.clone()), now.mono_ms);
        let place = self.channel(id)?;
        let bots = place.bots.iter().copied().filter(|bot| *bot != by);
        let told: Vec<UserId> = bots.chain(self.listening_people(place)).collect();
        self.record(Event::MessageDeleted {
            account: by,
            bot: self.is_bot(by),
            chat: ChatRef::Channel(id),
            message_ids: there.clone(),
        });
        for account in told {
            self.push_deleted(account, Some(id), &there, at, now);
        }
        Ok(at)
    }
}
