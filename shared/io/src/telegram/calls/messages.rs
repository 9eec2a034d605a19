//! Messages: saying, editing, deleting, copying, reading one again.
//!
//! Invariant: what is sent bears the caller's `random_id`, never one of our own, so that Telegram refuses the second copy.
//! Texts are sent as they are, without markup: what a member typed can never turn into formatting or a link of ours.

use grammers_client::tl;
use shared_core::{
    Button, ChannelId, Document, ErrorClass, Keyboard, MemberId, MessageId, SendTarget,
};

use super::Calls;
use crate::telegram::convert;
use crate::telegram::error::CallError;

/// The most ids that one deletion takes.
const MAX_DELETIONS: usize = 100;

#[derive(Debug, Clone, Copy)]
pub struct Say<'a> {
    pub text: &'a str,
    pub keyboard: Option<&'a Keyboard>,
    pub reply_to: Option<MessageId>,
    pub random_id: i64,
    pub silent: bool,
}

/// The chat that holds a message to be copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Private(MemberId),
    Channel(ChannelId),
}

/// A message that was read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    pub text: String,
    pub document: Option<Document>,
}

impl Calls {
    /// Sends a text. `None`: it was sent, and Telegram did not say under which id.
    /// `RANDOM_ID_DUPLICATE` stays an error, of class [`ErrorClass::SentAlready`]: the caller knows what it means.
    pub async fn say(&self, to: SendTarget, say: &Say<'_>) -> Result<Option<MessageId>, CallError> {
        let request = tl::functions::messages::SendMessage {
            no_webpage: true,
            silent: say.silent,
            background: false,
            clear_draft: false,
            noforwards: false,
            update_stickersets_order: false,
            invert_media: false,
            allow_paid_floodskip: false,
            peer: self.peers().input_peer(to),
            reply_to: say.reply_to.map(reply_to),
            message: say.text.into(),
            random_id: say.random_id,
            reply_markup: say.keyboard.map(inline_markup),
            entities: None,
            schedule_date: None,
            schedule_repeat_period: None,
            send_as: None,
            quick_reply_shortcut: None,
            effect: None,
            allow_paid_stars: None,
            suggested_post: None,
            rich_message: None,
        };
        let answer = self.call("messages.sendMessage", &request).await?;
        Ok(sent_id(&answer, say.random_id))
    }

    /// Changes the text and the keyboard of a message of this bot; without a keyboard the message loses its own.
    pub async fn edit(
        &self,
        to: SendTarget,
        message: MessageId,
        text: &str,
        keyboard: Option<&Keyboard>,
    ) -> Result<(), CallError> {
        let request = tl::functions::messages::EditMessage {
            no_webpage: true,
            invert_media: false,
            peer: self.peers().input_peer(to),
            id: message.0,
            message: Some(text.into()),
            media: None,
            reply_markup: keyboard.map(inline_markup),
            entities: None,
            schedule_date: None,
            schedule_repeat_period: None,
            quick_reply_shortcut_id: None,
            rich_message: None,
        };
        self.call("messages.editMessage", &request).await?;
        Ok(())
    }

    /// Deletes messages for everybody.
    pub async fn delete(&self, to: SendTarget, messages: &[MessageId]) -> Result<(), CallError> {
        for chunk in messages.chunks(MAX_DELETIONS) {
            let id = chunk.iter().map(|id| id.0).collect();
            match to {
                SendTarget::Member(_) => {
                    let request = tl::functions::messages::DeleteMessages { revoke: true, id };
                    self.call("messages.deleteMessages", &request).await?;
                }
                SendTarget::Channel(channel) => {
                    let request = tl::functions::channels::DeleteMessages {
                        channel: self.peers().input_channel(channel),
                        id,
                    };
                    self.call("channels.deleteMessages", &request).await?;
                }
            }
        }
        Ok(())
    }

    /// Copies a message, with its file, without naming whose it was: a file cannot be named otherwise by who has not seen it
    /// (`docs/telegram.md`, Identity). Fails with [`ErrorClass::Unreachable`] when it is gone.
    pub async fn copy_message(
        &self,
        from: Source,
        message: MessageId,
        to: ChannelId,
        random_id: i64,
    ) -> Result<MessageId, CallError> {
        const METHOD: &str = "messages.forwardMessages";
        let from = match from {
            Source::Private(member) => SendTarget::Member(member),
            Source::Channel(channel) => SendTarget::Channel(channel),
        };
        let (from_peer, to_peer) = {
            let peers = self.peers();
            (
                peers.input_peer(from),
                peers.input_peer(SendTarget::Channel(to)),
            )
        };
        let request = tl::functions::messages::ForwardMessages {
            silent: true,
            background: false,
            with_my_score: false,
            drop_author: true,
            drop_media_captions: false,
            noforwards: false,
            allow_paid_floodskip: false,
            from_ephemeral: false,
            from_peer,
            id: vec![message.0],
            random_id: vec![random_id],
            to_peer,
            top_msg_id: None,
            reply_to: None,
            schedule_date: None,
            schedule_repeat_period: None,
            send_as: None,
            quick_reply_shortcut: None,
            effect: None,
            video_timestamp: None,
            allow_paid_stars: None,
            suggested_post: None,
        };
        let answer = self.call(METHOD, &request).await?;
        sent_id(&answer, random_id)
            .ok_or_else(|| CallError::new(METHOD, ErrorClass::Unreachable, "NOT_COPIED", 0))
    }

    /// Reads a message again; `None` when it is gone or was never in this chat.
    pub async fn message(
        &self,
        to: SendTarget,
        message: MessageId,
    ) -> Result<Option<Fetched>, CallError> {
        Ok(self.raw_message(to, message).await?.map(|message| Fetched {
            document: message.media.as_ref().and_then(convert::document),
            text: message.message,
        }))
    }

    async fn raw_message(
        &self,
        to: SendTarget,
        message: MessageId,
    ) -> Result<Option<tl::types::Message>, CallError> {
        let id = vec![tl::types::InputMessageId { id: message.0 }.into()];
        let answer = match to {
            SendTarget::Member(_) => {
                let request = tl::functions::messages::GetMessages { id };
                self.call("messages.getMessages", &request).await?
            }
            SendTarget::Channel(channel) => {
                let request = tl::functions::channels::GetMessages {
                    channel: self.peers().input_channel(channel),
                    id,
                };
                self.call("channels.getMessages", &request).await?
            }
        };
        let (messages, users, chats) = match answer {
            tl::enums::messages::Messages::Messages(it) => (it.messages, it.users, it.chats),
            tl::enums::messages::Messages::Slice(it) => (it.messages, it.users, it.chats),
            tl::enums::messages::Messages::ChannelMessages(it) => (it.messages, it.users, it.chats),
            tl::enums::messages::Messages::NotModified(_) => Default::default(),
        };
        self.peers().learn(&users, &chats);
        Ok(messages.into_iter().find_map(|found| match found {
            // Private ids are one sequence per account: the id alone does not say whose chat it is.
            tl::enums::Message::Message(found)
                if found.id == message.0 && is_in(to, &found.peer_id) =>
            {
                Some(found)
            }
            _ => None,
        }))
    }
}

/// The id of the message that bears this `random_id`, out of the updates that answer the sending.
fn sent_id(answer: &tl::enums::Updates, random_id: i64) -> Option<MessageId> {
    let updates = match answer {
        tl::enums::Updates::UpdateShortSentMessage(sent) => return Some(MessageId(sent.id)),
        tl::enums::Updates::Updates(it) => &it.updates,
        tl::enums::Updates::Combined(it) => &it.updates,
        _ => return None,
    };
    updates.iter().find_map(|update| match update {
        tl::enums::Update::MessageId(it) if it.random_id == random_id => Some(MessageId(it.id)),
        _ => None,
    })
}

fn is_in(chat: SendTarget, peer: &tl::enums::Peer) -> bool {
    match (chat, peer) {
        (SendTarget::Member(member), tl::enums::Peer::User(peer)) => member.0 == peer.user_id,
        (SendTarget::Channel(channel), tl::enums::Peer::Channel(peer)) => {
            channel.0 == peer.channel_id
        }
        _ => false,
    }
}

fn reply_to(message: MessageId) -> tl::enums::InputReplyTo {
    tl::types::InputReplyToMessage {
        reply_to_msg_id: message.0,
        top_msg_id: None,
        reply_to_peer_id: None,
        quote_text: None,
        quote_entities: None,
        quote_offset: None,
        monoforum_peer_id: None,
        todo_item_id: None,
        poll_option: None,
    }
    .into()
}

fn inline_markup(keyboard: &Keyboard) -> tl::enums::ReplyMarkup {
    let rows = keyboard.0.iter().map(|row| {
        tl::types::KeyboardInlineButtonRow {
            buttons: row.iter().map(inline_button).collect(),
        }
        .into()
    });
    tl::types::ReplyInlineMarkup {
        force_reply: false,
        rows: rows.collect(),
    }
    .into()
}

fn inline_button(button: &Button) -> tl::enums::KeyboardInlineButton {
    let (text, r#type) = match button {
        Button::Press { text, data } => (
            text,
            tl::types::InlineButtonTypeCallback {
                requires_password: false,
                data: data.clone().into_bytes(),
            }
            .into(),
        ),
        Button::Link { text, url } => (
            text,
            tl::types::InlineButtonTypeUrl { url: url.clone() }.into(),
        ),
    };
    tl::types::KeyboardInlineButton {
        style: None,
        text: text.clone(),
        r#type,
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn updates(updates: Vec<tl::enums::Update>) -> tl::enums::Updates {
        tl::types::Updates {
            updates,
            users: vec![],
            chats: vec![],
            date: 1,
            seq: 0,
        }
        .into()
    }

    #[test]
    fn the_sent_id_is_found_by_its_random_id_alone() {
        let answer = updates(vec![
            tl::types::UpdateMessageId {
                id: 4,
                random_id: 40,
            }
            .into(),
            tl::types::UpdateMessageId {
                id: 5,
                random_id: 50,
            }
            .into(),
        ]);
        assert_eq!(sent_id(&answer, 50), Some(MessageId(5)));
        assert_eq!(sent_id(&answer, 60), None, "not ours");
        assert_eq!(sent_id(&updates(vec![]), 50), None);
    }

    #[test]
    fn a_keyboard_keeps_its_rows_and_its_data() {
        let keyboard = Keyboard(vec![
            vec![Button::Press {
                text: "Yes".into(),
                data: "y:1".into(),
            }],
            vec![Button::Link {
                text: "Open".into(),
                url: "https://t.me/x".into(),
            }],
        ]);
        let tl::enums::ReplyMarkup::ReplyInlineMarkup(markup) = inline_markup(&keyboard) else {
            panic!("an inline keyboard");
        };
        assert_eq!(markup.rows.len(), 2);
        let tl::enums::KeyboardInlineButtonRow::Row(row) = &markup.rows[0];
        let tl::enums::KeyboardInlineButton::Button(button) = &row.buttons[0];
        assert!(matches!(
            &button.r#type,
            tl::enums::InlineButtonType::Callback(press) if press.data == b"y:1"
        ));
    }
}
