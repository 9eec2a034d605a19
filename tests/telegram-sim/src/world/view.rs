//! What a member (or an observer, for a channel) sees, as plain values for the control API. Reads only.

use grammers_tl_types::{enums, types};

use super::World;
use super::api::{FetchedFile, ViewedButton, ViewedDocument, ViewedMessage};
use super::error::RpcError;
use super::files::FileId;
use super::ids::{ChannelId, ChatRef, MessageId, UserId};
use super::message::{Body, Media};

impl World {
    /// What this member sees in a chat, after a message id (all with `None`).
    pub fn member_view(
        &self,
        member: UserId,
        chat: ChatRef,
        after: Option<MessageId>,
    ) -> Result<Vec<ViewedMessage>, RpcError> {
        let account = self.account(member)?;
        let after = after.unwrap_or(MessageId(0));
        if let ChatRef::Channel(id) = chat {
            let channel = self.channel(id)?;
            if !channel.has(member) {
                return Err(RpcError::bad_request("CHANNEL_PRIVATE"));
            }
            if !channel.is_basic() {
                return self.viewed_channel(id, after, Some(member));
            }
        }
        let Some(dialog) = account.dialog(chat) else {
            return Ok(Vec::new());
        };
        let start = dialog.messages.partition_point(|id| *id <= after);
        let viewed = |id: &MessageId| {
            let message = self.copied(account.content(*id)?)?;
            let reply_to = message
                .reply_to
                .and_then(|answered| self.copied(answered)?.number_for(member));
            self.viewed(*id, &message.body, reply_to, Some(member))
        };
        Ok(dialog.messages[start..].iter().filter_map(viewed).collect())
    }

    /// Everything in a supergroup or broadcast channel (`out` is always false).
    pub fn channel_messages(&self, channel: ChannelId) -> Result<Vec<ViewedMessage>, RpcError> {
        if self.channel(channel)?.is_basic() {
            // Its messages have other numbers for each member: ask for a member's view.
            return Err(RpcError::bad_request("CHANNEL_INVALID"));
        }
        self.viewed_channel(channel, MessageId(0), None)
    }

    /// The document of a message, as this member downloads it.
    pub fn fetch_file(
        &self,
        member: UserId,
        chat: ChatRef,
        message_id: MessageId,
    ) -> Result<FetchedFile, RpcError> {
        let invalid = || RpcError::bad_request("MESSAGE_ID_INVALID");
        self.account(member)?;
        let channel = match chat {
            ChatRef::Channel(id) => Some(self.channel(id)?),
            ChatRef::User(_) => None,
        };
        if channel.is_some_and(|channel| !channel.has(member)) {
            return Err(RpcError::bad_request("CHANNEL_PRIVATE"));
        }
        let body = match channel.filter(|channel| !channel.is_basic()) {
            Some(channel) => &channel.message(message_id).ok_or_else(invalid)?.body,
            None => {
                &self
                    .copied(self.content_in(member, chat, message_id)?)
                    .ok_or_else(invalid)?
                    .body
            }
        };
        let (Some(Media::Document(id)) | Some(Media::Photo(id))) = body.media else {
            return Err(RpcError::bad_request("MEDIA_EMPTY"));
        };
        let file = self
            .files
            .get(id)
            .ok_or_else(|| RpcError::bad_request("FILE_ID_INVALID"))?;
        let size =
            usize::try_from(file.size()).map_err(|_| RpcError::bad_request("FILE_ID_INVALID"))?;
        Ok(FetchedFile {
            name: file.name.clone(),
            mime: file.mime.clone(),
            content: file.read(id, 0, size),
        })
    }

    fn viewed_channel(
        &self,
        id: ChannelId,
        after: MessageId,
        viewer: Option<UserId>,
    ) -> Result<Vec<ViewedMessage>, RpcError> {
        let channel = self.channel(id)?;
        let viewed = |(id, message): (MessageId, &super::message::ChannelMessage)| {
            self.viewed(id, &message.body, message.reply_to, viewer)
        };
        Ok(channel.messages_after(after).filter_map(viewed).collect())
    }

    /// Service messages are not shown.
    fn viewed(
        &self,
        id: MessageId,
        body: &Body,
        reply_to: Option<MessageId>,
        viewer: Option<UserId>,
    ) -> Option<ViewedMessage> {
        if body.action.is_some() {
            return None;
        }
        let document = match &body.media {
            Some(Media::Document(file) | Media::Photo(file)) => self.viewed_document(*file),
            Some(Media::Contact(_)) | None => None,
        };
        Some(ViewedMessage {
            id,
            from: body.author,
            out: viewer == Some(body.author),
            date: body.date,
            edit_date: body.edited.map(|edited| edited.date),
            text: body.text.clone(),
            keyboard: body.markup.as_ref().and_then(viewed_keyboard),
            document,
            grouped_id: body.grouped_id,
            reply_to,
            at_ms: body.at_ms,
            edited_at_ms: body.edited.map(|edited| edited.at_ms),
        })
    }

    fn viewed_document(&self, id: FileId) -> Option<ViewedDocument> {
        let file = self.files.get(id)?;
        Some(ViewedDocument {
            id: id.0,
            name: file.name.clone(),
            mime: file.mime.clone(),
            size: file.size(),
        })
    }
}

fn viewed_keyboard(markup: &enums::ReplyMarkup) -> Option<Vec<Vec<ViewedButton>>> {
    match markup {
        enums::ReplyMarkup::ReplyInlineMarkup(inline) => {
            let row =
                |enums::KeyboardInlineButtonRow::Row(row): &enums::KeyboardInlineButtonRow| {
                    row.buttons.iter().map(viewed_inline).collect()
                };
            Some(inline.rows.iter().map(row).collect())
        }
        enums::ReplyMarkup::ReplyKeyboardMarkup(keyboard) => {
            let button =
                |enums::KeyboardButton::Button(button): &enums::KeyboardButton| ViewedButton {
                    text: button.text.clone(),
                    data: None,
                    url: None,
                };
            let row = |enums::KeyboardButtonRow::Row(row): &enums::KeyboardButtonRow| {
                row.buttons.iter().map(button).collect()
            };
            Some(keyboard.rows.iter().map(row).collect())
        }
        enums::ReplyMarkup::ReplyKeyboardHide(_)
        | enums::ReplyMarkup::ReplyKeyboardForceReply(_) => None,
    }
}

fn viewed_inline(
    enums::KeyboardInlineButton::Button(button): &enums::KeyboardInlineButton,
) -> ViewedButton {
    let (data, url) = match &button.r#type {
        enums::InlineButtonType::Callback(types::InlineButtonTypeCallback { data, .. }) => {
            (Some(String::from_utf8_lossy(data).into_owned()), None)
        }
        enums::InlineButtonType::Url(link) => (None, Some(link.url.clone())),
        _ => (None, None),
    };
    ViewedButton {
        text: button.text.clone(),
        data,
        url,
    }
}
