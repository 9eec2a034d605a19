//! Our own messages as a bot's boxes bring them back, and the word that is kept of those that Telegram has acknowledged.
//!
//! A reply is sent under a `random_id`; whether Telegram knows that id once the bot goes on with its other login is not settled
//! (`docs/telegram.md`, Sending). What it certainly knows is what was said: the box holds each message of ours, and every login of the bot reads the
//! same box. So a message of ours that comes after the committed cursor (an [`Echo`]) tells that its reply need not be sent again.
//!
//! Which reply it was is told by the chat and a [`Print`] of what a member sees; which messages are known already by [`Told`], written in the
//! same script that takes the reply out of the outbox. Invariant: a print follows from text and buttons alone, and from nothing that Telegram changes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::outbox::framed_hash;
use crate::{
    Button, ChannelId, Keyboard, MemberId, MessageId, OutboxEntry, OutboxKind, SendTarget, UnixMs,
};

/// What a member sees of a message: its text and the buttons under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Print(pub u64);

impl Print {
    /// Telegram strips the ends of a text and may write a link's address in another way; neither counts.
    pub fn of(text: &str, keyboard: Option<&Keyboard>) -> Self {
        let mut parts = vec![text.trim().as_bytes()];
        for row in keyboard.iter().flat_map(|keyboard| &keyboard.0) {
            parts.push(b"row");
            for button in row {
                match button {
                    Button::Press { text, data } => {
                        parts.extend([text.as_bytes(), data.as_bytes()]);
                    }
                    Button::Link { text, .. } => parts.push(text.as_bytes()),
                }
            }
        }
        let digest = framed_hash(b"understudy/print/1", &parts);
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        Self(u64::from_be_bytes(first))
    }
}

impl OutboxEntry {
    /// Of the message that this entry leads to. A copy into the storage channel leads to none that matters: a second one does no harm.
    pub fn print(&self) -> Option<Print> {
        match &self.kind {
            OutboxKind::Say { text, keyboard, .. } | OutboxKind::Edit { text, keyboard, .. } => {
                Some(Print::of(text, keyboard.as_ref()))
            }
            OutboxKind::StoreFile { .. } => None,
        }
    }
}

/// A message of ours, as a box brings it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Echo {
    pub chat: SendTarget,
    pub message: MessageId,
    pub date: UnixMs,
    pub print: Print,
}

/// Words ([`Told`]) that are kept of a bot's acknowledged messages, by who writes them and by who reads them alike. They are needed only until
/// the cursor has passed the message, some milliseconds.
pub const TOLD_KEPT: usize = 4_096;

/// A message that Telegram has acknowledged: by its id, or, where the answer did not say it, by its print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Told {
    Message(SendTarget, MessageId),
    Somehow(SendTarget, Print),
}

/// A message that was acknowledged without its id and has been heard since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Spent {
    /// As it was acknowledged.
    pub word: Told,
    /// As it was heard.
    pub message: Told,
}

impl fmt::Display for SendTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member(member) => member.fmt(f),
            Self::Channel(channel) => channel.fmt(f),
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(chat, message) => write!(f, "{chat}{message}"),
            Self::Somehow(chat, Print(print)) => write!(f, "{chat}~{print:016x}"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not `<chat>#<message>` and not `<chat>~<print>`")]
pub struct NotTold;

impl FromStr for Told {
    type Err = NotTold;
    fn from_str(text: &str) -> Result<Self, NotTold> {
        let at = text.find(['#', '~']).ok_or(NotTold)?;
        let (chat, rest) = text.split_at(at);
        let chat = match chat.strip_prefix('m') {
            Some(_) => SendTarget::Member(chat.parse::<MemberId>().map_err(|_| NotTold)?),
            None => SendTarget::Channel(chat.parse::<ChannelId>().map_err(|_| NotTold)?),
        };
        match rest.strip_prefix('~') {
            Some(print) => u64::from_str_radix(print, 16)
                .map(|print| Self::Somehow(chat, Print(print)))
                .map_err(|_| NotTold),
            None => rest
                .parse::<MessageId>()
                .map(|message| Self::Message(chat, message))
                .map_err(|_| NotTold),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyboard(label: &str, data: &str, url: &str) -> Keyboard {
        let (text, data) = (label.to_owned(), data.to_owned());
        let link = Button::Link {
            text: "Open".into(),
            url: url.into(),
        };
        Keyboard(vec![vec![Button::Press { text, data }], vec![link]])
    }

    #[test]
    fn a_print_is_what_a_member_sees_and_nothing_that_telegram_changes() {
        let buttons = keyboard("Yes", "y:1", "https://t.me/x");
        let print = Print::of("Hello", Some(&buttons));
        let rewritten = keyboard("Yes", "y:1", "https://t.me/x/");
        assert_eq!(print, Print::of(" Hello\n", Some(&rewritten)));
        for other in [
            Print::of("Hello!", Some(&buttons)),
            Print::of("Hello", None),
            Print::of("Hello", Some(&keyboard("Yes", "y:2", "https://t.me/x"))),
            Print::of("Hello", Some(&keyboard("No", "y:1", "https://t.me/x"))),
        ] {
            assert_ne!(print, other);
        }
    }

    #[test]
    fn what_was_told_reads_back() {
        for chat in [
            SendTarget::Member(MemberId(5)),
            SendTarget::Channel(ChannelId(7)),
        ] {
            for told in [
                Told::Message(chat, MessageId(12)),
                Told::Somehow(chat, Print(0xabc)),
            ] {
                assert_eq!(told.to_string().parse(), Ok(told));
            }
        }
        for bad in ["", "m5", "m5#", "#5", "x5#1", "m5~zz"] {
            assert_eq!(bad.parse::<Told>(), Err(NotTold), "{bad:?}");
        }
    }
}
