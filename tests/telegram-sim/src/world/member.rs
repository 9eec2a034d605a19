//! What members do: write, edit, delete, start, block. The control API speaks for them, or a client over one of their logins; both end
//! here and in `sending`, and meet the refusals that people meet.

use std::sync::Arc;

use grammers_tl_types as tl;
use rand::Rng;
use tl::{enums, types};

use super::api::{NewContent, NewDocument, NewMessage, Received, SentMessages};
use super::error::RpcError;
use super::event::Event;
use super::files::{Content, File};
use super::ids::{ChatRef, MessageId, UserId};
use super::message::{Draft, Media, Revision};
use super::{Now, World};

pub(crate) const TEXT_MAX: usize = 4_096;
pub(crate) const CAPTION_MAX: usize = 1_024;
const ALBUM_MAX: usize = 10;
const START_PAYLOAD_MAX: usize = 64;

impl World {
    pub fn member_send(
        &mut self,
        member: UserId,
        to: ChatRef,
        message: NewMessage,
        now: Now,
    ) -> Result<SentMessages, RpcError> {
        self.check_member_can_write(member, to)?;
        check_text(&message)?;
        let grouped_id = (message.documents.len() > 1).then(|| self.rng.random_range(1..i64::MAX));
        let mut drafts: Vec<Draft> = message
            .documents
            .into_iter()
            .map(|document| Media::Document(self.files.add(file_of(document, now))))
            .map(|media| Draft {
                media: Some(media),
                grouped_id,
                reply_to: message.reply_to,
                ..Draft::default()
            })
            .collect();
        if let Some(contact) = message.contact {
            let contact = types::MessageMediaContact {
                phone_number: contact.phone,
                first_name: contact.first_name,
                last_name: String::new(),
                vcard: String::new(),
                user_id: contact.user.map_or(0, |user| user.0),
            };
            let media = Some(Media::Contact(contact));
            drafts.push(Draft {
                media,
                reply_to: message.reply_to,
                ..Draft::default()
            });
        }
        if drafts.is_empty() {
            drafts.push(Draft {
                reply_to: message.reply_to,
                ..Draft::default()
            });
        }
        if let Some(first) = drafts.first_mut() {
            first.entities = marked(&message.text, None);
            first.text = message.text;
        }
        let mut sent = SentMessages {
            message_ids: Vec::with_capacity(drafts.len()),
            received: Vec::new(),
        };
        for draft in drafts {
            let posted = self.post(member, to, draft, now)?;
            sent.message_ids.push(posted.id);
            sent.received.extend(self.just_received(to));
        }
        Ok(sent)
    }

    /// Where a bot has what was written to it last.
    fn just_received(&self, to: ChatRef) -> Option<Received> {
        let ChatRef::User(bot) = to else { return None };
        let copies = &self.copied.last()?.copies;
        let (_, message_id) = copies.iter().find(|(owner, _)| *owner == bot)?;
        let account = self.account(bot).ok().filter(|_| self.is_bot(bot))?;
        Some(Received {
            message_id: *message_id,
            pts: account.log.pts(),
        })
    }

    /// `message_id` as the member sees it, here and below.
    pub fn member_edit(
        &mut self,
        member: UserId,
        chat: ChatRef,
        message_id: MessageId,
        text: &str,
        now: Now,
    ) -> Result<(), RpcError> {
        self.check_member_can_write(member, chat)?;
        check_text(&NewMessage {
            text: text.to_owned(),
            ..NewMessage::default()
        })?;
        let text = Some((text.to_owned(), marked(text, None)));
        let revision = Revision {
            text,
            media: None,
            markup: None,
        };
        self.edit(member, chat, message_id, revision, now)
            .map(|_| ())
    }

    pub fn member_delete(
        &mut self,
        member: UserId,
        chat: ChatRef,
        message_ids: &[MessageId],
        now: Now,
    ) -> Result<(), RpcError> {
        self.account(member)?;
        match chat {
            ChatRef::Channel(id) if !self.channel(id)?.is_basic() => self
                .delete_in_channel(member, id, message_ids, now)
                .map(|_| ()),
            ChatRef::User(_) | ChatRef::Channel(_) => {
                for id in message_ids {
                    self.content_in(member, chat, *id)?;
                }
                self.delete_copies(member, message_ids, true, now)
                    .map(|_| ())
            }
        }
    }

    /// Opens the private chat (and unblocks the bot) by sending `/start payload`.
    pub fn member_start(
        &mut self,
        member: UserId,
        bot: UserId,
        payload: Option<&str>,
        now: Now,
    ) -> Result<SentMessages, RpcError> {
        self.bot(bot)?;
        let text = start_text(payload.unwrap_or_default())?;
        if self.is_blocked(bot, member) {
            self.member_block(member, bot, false, now)?;
        }
        self.member_send(
            member,
            ChatRef::User(bot),
            NewMessage {
                text,
                ..NewMessage::default()
            },
            now,
        )
    }

    pub fn member_block(
        &mut self,
        member: UserId,
        bot: UserId,
        blocked: bool,
        now: Now,
    ) -> Result<(), RpcError> {
        self.account(member)?;
        self.bot(bot)?;
        let dialog = self.account_mut(bot)?.dialog_mut(ChatRef::User(member));
        if dialog.blocked == blocked {
            return Ok(());
        }
        dialog.blocked = blocked;
        self.record(Event::BotBlocked {
            member,
            bot,
            blocked,
        });
        self.tell_stopped(bot, member, blocked, now)
    }

    pub(crate) fn is_blocked(&self, bot: UserId, member: UserId) -> bool {
        self.account(bot)
            .ok()
            .and_then(|account| account.dialog(ChatRef::User(member)))
            .is_some_and(|dialog| dialog.blocked)
    }

    /// Bots that this member blocked, by id.
    pub(crate) fn blocked_by(&self, member: UserId) -> Vec<UserId> {
        let mut blocked: Vec<UserId> = self
            .bots()
            .filter(|bot| self.is_blocked(*bot, member))
            .collect();
        blocked.sort_unstable();
        blocked
    }

    pub(crate) fn check_member_can_write(
        &self,
        member: UserId,
        to: ChatRef,
    ) -> Result<(), RpcError> {
        self.check_person(member)?;
        match to {
            ChatRef::User(peer) => {
                self.account(peer)?;
                if self.is_blocked(peer, member) {
                    return Err(RpcError::bad_request("YOU_BLOCKED_USER"));
                }
            }
            ChatRef::Channel(id) => {
                let channel = self.channel(id)?;
                if !channel.has(member) {
                    return Err(RpcError::bad_request("CHANNEL_PRIVATE"));
                }
                if channel.is_broadcast() && !channel.is_admin(member) {
                    return Err(RpcError::bad_request("CHAT_ADMIN_REQUIRED"));
                }
            }
        }
        Ok(())
    }
}

/// What pressing Start sends.
pub(crate) fn start_text(payload: &str) -> Result<String, RpcError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if payload.len() > START_PAYLOAD_MAX || !payload.chars().all(allowed) {
        return Err(RpcError::bad_request("START_PARAM_INVALID"));
    }
    Ok(if payload.is_empty() {
        "/start".to_owned()
    } else {
        format!("/start {payload}")
    })
}

fn check_text(message: &NewMessage) -> Result<(), RpcError> {
    let has_media = !message.documents.is_empty() || message.contact.is_some();
    let length = message.text.chars().count();
    if message.documents.len() > ALBUM_MAX {
        return Err(RpcError::bad_request("MULTI_MEDIA_TOO_LONG"));
    }
    if !has_media && message.text.trim().is_empty() {
        return Err(RpcError::bad_request("MESSAGE_EMPTY"));
    }
    if has_media && length > CAPTION_MAX {
        return Err(RpcError::bad_request("MEDIA_CAPTION_TOO_LONG"));
    }
    if length > TEXT_MAX {
        return Err(RpcError::bad_request("MESSAGE_TOO_LONG"));
    }
    Ok(())
}

fn file_of(document: NewDocument, now: Now) -> File {
    let content = match document.content {
        NewContent::Bytes(bytes) => Content::Bytes(Arc::from(bytes)),
        NewContent::Generated { size } => Content::Generated { size },
    };
    let file_name = document.name.clone();
    let name = types::DocumentAttributeFilename { file_name };
    File {
        name: document.name,
        mime: document.mime,
        attributes: vec![enums::DocumentAttribute::Filename(name)],
        content,
        date: now.date(),
    }
}

/// Commands and mentions, as Telegram marks them in what people write, besides what their client marked (`given`); offsets
/// are UTF-16 units.
pub(crate) fn marked(
    text: &str,
    given: Option<Vec<enums::MessageEntity>>,
) -> Option<Vec<enums::MessageEntity>> {
    let mut entities = given.unwrap_or_default();
    let mut offset = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        let bare = word.trim_end();
        let length = units(bare);
        let is_marked = entities.iter().any(|entity| entity.offset() == offset);
        if is_marked {
            // The client has said what this word is.
        } else if offset == 0 && bare.len() > 1 && bare.starts_with('/') {
            entities.push(types::MessageEntityBotCommand { offset, length }.into());
        } else if bare.len() > 1 && bare.starts_with('@') {
            entities.push(types::MessageEntityMention { offset, length }.into());
        }
        offset += units(word);
    }
    (!entities.is_empty()).then_some(entities)
}

fn units(text: &str) -> i32 {
    i32::try_from(text.encode_utf16().count()).unwrap_or(i32::MAX)
}
