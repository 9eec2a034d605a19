//! What the control API passes in and gets back: plain values without any Telegram type in them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::error::RpcError;
use super::ids::{ChannelId, MessageId, UserId};

/// An administrator's rights, named as in `chatAdminRights`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    ChangeInfo,
    PostMessages,
    EditMessages,
    DeleteMessages,
    BanUsers,
    InviteUsers,
    PinMessages,
    AddAdmins,
    Anonymous,
    ManageCall,
    Other,
    ManageTopics,
    PostStories,
    EditStories,
    DeleteStories,
    ManageDirectMessages,
}

pub type Rights = BTreeSet<Right>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    Supergroup,
    Broadcast,
    BasicGroup,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewBot {
    pub name: String,
    pub username: String,
    #[serde(default)]
    pub owner: Option<UserId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CreatedBot {
    pub id: UserId,
    pub username: String,
    pub token: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CreatedMember {
    pub id: UserId,
    pub first_name: String,
    pub username: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewChannel {
    pub title: String,
    pub kind: ChannelKind,
    #[serde(default)]
    pub username: Option<String>,
    #[serde(default)]
    pub members: Vec<UserId>,
    #[serde(default)]
    pub admins: Vec<NewAdmin>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAdmin {
    pub user: UserId,
    pub rights: Rights,
}

/// A document as a member sends it.
#[derive(Clone, Debug)]
pub struct NewDocument {
    pub name: String,
    pub mime: String,
    pub content: NewContent,
}

#[derive(Clone, Debug)]
pub enum NewContent {
    Bytes(Vec<u8>),
    /// So many pseudo-random bytes, the same ones whenever they are read; they take no memory.
    Generated {
        size: u64,
    },
}

/// One message, or an album when there are several documents (the text is then the first one's caption).
#[derive(Clone, Debug, Default)]
pub struct NewMessage {
    pub text: String,
    pub documents: Vec<NewDocument>,
    pub contact: Option<NewContact>,
    pub reply_to: Option<MessageId>,
}

/// A shared contact; `user` is who Telegram says it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewContact {
    pub phone: String,
    pub first_name: String,
    pub user: Option<UserId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SentMessages {
    pub message_ids: Vec<MessageId>,
    /// In a private chat with a bot: the same messages in the bot's box.
    pub received: Vec<Received>,
}

/// Where a message is in its receiver's box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Received {
    pub message_id: MessageId,
    /// Whoever has read the box up to here has it.
    pub pts: i32,
}

/// Which button a member presses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Button {
    Data(Vec<u8>),
    At {
        row: usize,
        col: usize,
    },
    /// By a client that makes up the data, or shows a keyboard that is gone: bots are warned that there may be no such button
    /// (<https://core.telegram.org/bots/api#callbackquery>).
    Forged(Vec<u8>),
}

/// A message as one member (or, for a channel, an observer) sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ViewedMessage {
    pub id: MessageId,
    pub from: UserId,
    pub out: bool,
    pub date: i32,
    pub edit_date: Option<i32>,
    pub text: String,
    pub keyboard: Option<Vec<Vec<ViewedButton>>>,
    pub document: Option<ViewedDocument>,
    pub grouped_id: Option<i64>,
    pub reply_to: Option<MessageId>,
    pub at_ms: u64,
    pub edited_at_ms: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ViewedButton {
    pub text: String,
    /// Callback data, as text where it is UTF-8 and as lossy text where not; absent for other buttons.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ViewedDocument {
    pub id: i64,
    pub name: String,
    pub mime: String,
    pub size: u64,
}

/// A fault that lives in the calls themselves, not on the wire.
#[derive(Clone, Debug)]
pub struct RpcFault {
    /// Whose calls; everybody's when absent.
    pub account: Option<UserId>,
    /// Which method, by its TL name (`messages.sendMessage`); all when absent.
    pub method: Option<String>,
    pub effect: RpcFaultEffect,
    /// Ends after so many hits.
    pub count: Option<u32>,
    /// Hits so many of 100 matching calls, by the world's seed.
    pub percent: f64,
}

#[derive(Clone, Debug)]
pub enum RpcFaultEffect {
    Error(RpcError),
    /// `FLOOD_WAIT_X` with the rest of the wait, for so long after the fault was set.
    Flood {
        seconds: u64,
    },
}

/// How much there is, for `/v1/state`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub bots: usize,
    pub members: usize,
    pub channels: usize,
    pub messages: usize,
    pub auth_keys: usize,
    pub files: usize,
    pub presses_pending: usize,
}

/// Content of a file for the control API.
#[derive(Clone, Debug)]
pub struct FetchedFile {
    pub name: String,
    pub mime: String,
    pub content: Vec<u8>,
}

/// A channel as the test author sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChannelView {
    pub id: ChannelId,
    pub title: String,
    pub kind: ChannelKind,
    pub pts: i32,
    pub members: usize,
    pub admins: Vec<(UserId, Rights)>,
}
