//! What the control API takes and gives, as far as the sandbox reads it.

use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Telegram's answer to a press that no bot answered.
pub const PRESS_TIMEOUT: &str = "BOT_RESPONSE_TIMEOUT";

#[derive(Debug, Clone, Deserialize)]
pub struct NewBot {
    pub id: i64,
    pub username: String,
    pub token: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct NewMember {
    pub id: i64,
    pub first_name: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Sent {
    pub message_ids: Vec<i64>,
    pub unix_ms: i64,
    /// The same messages in the bot's own box; none in a group.
    #[serde(default)]
    pub received: Vec<Received>,
}

/// Where a message is in the box of the bot that it was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Received {
    pub message_id: i64,
    /// Whoever has read the box up to here has it.
    pub pts: i32,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Answer {
    #[serde(default)]
    pub message: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Viewed {
    pub id: i64,
    pub from: i64,
    pub text: String,
    #[serde(default)]
    pub keyboard: Option<Vec<Vec<ViewedButton>>>,
    #[serde(default)]
    pub reply_to: Option<i64>,
    pub at_ms: i64,
    #[serde(default)]
    pub edited_at_ms: Option<i64>,
}

impl Viewed {
    /// Where its link buttons lead.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        let buttons = self.keyboard.iter().flatten().flatten();
        buttons.filter_map(|button| button.url.as_deref())
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct ViewedButton {
    pub text: String,
    #[serde(default)]
    pub data: Option<String>,
    #[serde(default)]
    pub url: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Event {
    pub seq: u64,
    pub at_ms: i64,
    pub unix_ms: i64,
    pub kind: String,
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

impl Event {
    pub fn number(&self, field: &str) -> Option<i64> {
        self.fields.get(field)?.as_i64()
    }

    pub fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field)?.as_str()
    }

    pub fn flag(&self, field: &str) -> bool {
        self.fields
            .get(field)
            .and_then(Value::as_bool)
            .unwrap_or(false)
    }

    /// The chat's user or channel, as the sender sees it.
    pub fn chat(&self, of: &str) -> Option<i64> {
        self.fields.get("chat")?.get(of)?.as_i64()
    }

    /// Whose view a bot's message is in, which chat of his that is, and the message's number there. In the group everybody sees the same: no member.
    pub fn in_view(&self, group: i64) -> Option<(Option<i64>, Chat, Option<i64>)> {
        let bot = self.number("account")?;
        match (self.chat("user"), self.chat("channel")) {
            (Some(member), _) => {
                let message = self.number("member_message_id");
                Some((Some(member), Chat::Bot(bot), message))
            }
            (_, Some(channel)) if channel == group => {
                Some((None, Chat::Channel(channel), self.number("message_id")))
            }
            _ => None,
        }
    }
}

#[derive(Debug, Deserialize)]
pub struct Page {
    pub events: Vec<Event>,
    pub next: u64,
    /// Entries that fell out of the log before they were read.
    #[serde(default)]
    pub missed: u64,
}

/// A chat as a member names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Chat {
    Bot(i64),
    Channel(i64),
}

impl Chat {
    pub(super) fn json(self) -> Value {
        match self {
            Self::Bot(id) => json!({"user": id}),
            Self::Channel(id) => json!({"channel": id}),
        }
    }

    pub(super) fn query(self) -> String {
        match self {
            Self::Bot(id) => format!("user={id}"),
            Self::Channel(id) => format!("channel={id}"),
        }
    }
}

/// What a member sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Text(String),
    Document { name: String, bytes: u64 },
}
