//! The world's entries in the event log, in the order in which they became true. The wire side numbers them, stamps
//! them with the time of the call that caused them, and adds its own kinds (connections, `rpc`, wire faults).

use serde::Serialize;

use super::error::RpcError;
use super::ids::{ChannelId, ChatRef, MessageId, UserId};

/// Which sequence a difference was asked of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BoxRef {
    Private,
    Channel(ChannelId),
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    LoggedIn {
        account: UserId,
        auth_key_id: i64,
    },
    LoggedOut {
        account: UserId,
        auth_key_id: i64,
    },
    LoginRefused {
        account: Option<UserId>,
        error: String,
    },
    /// `chat` and `message_id` are as the sender sees them; in a private chat the two sides' own numbers follow.
    MessageSent {
        account: UserId,
        bot: bool,
        chat: ChatRef,
        message_id: MessageId,
        #[serde(skip_serializing_if = "Option::is_none")]
        member_message_id: Option<MessageId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        bot_message_id: Option<MessageId>,
        text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        random_id: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reply_to: Option<MessageId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        grouped_id: Option<i64>,
        has_keyboard: bool,
        has_media: bool,
    },
    MessageEdited {
        account: UserId,
        bot: bool,
        chat: ChatRef,
        message_id: MessageId,
        #[serde(skip_serializing_if = "Option::is_none")]
        member_message_id: Option<MessageId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        bot_message_id: Option<MessageId>,
        text: String,
        has_keyboard: bool,
    },
    MessageDeleted {
        account: UserId,
        bot: bool,
        chat: ChatRef,
        message_ids: Vec<MessageId>,
    },
    Press {
        member: UserId,
        chat: ChatRef,
        message_id: MessageId,
        bot: UserId,
        data: String,
        query_id: i64,
    },
    PressAnswered {
        query_id: i64,
        member: UserId,
        bot: UserId,
        message: Option<String>,
        alert: bool,
    },
    PressTimedOut {
        query_id: i64,
        member: UserId,
        bot: UserId,
    },
    Difference {
        account: UserId,
        #[serde(rename = "box")]
        of: BoxRef,
        from_pts: i32,
        to_pts: i32,
        slice: bool,
        too_long: bool,
    },
    RandomIdDuplicate {
        account: UserId,
        random_id: i64,
    },
    FloodWait {
        account: UserId,
        method: String,
        seconds: u64,
    },
    UnknownMethod {
        account: Option<UserId>,
        constructor: String,
        method: String,
    },
    AdminChanged {
        channel: ChannelId,
        by: Option<UserId>,
        user: UserId,
        admin: bool,
    },
    MembershipChanged {
        channel: ChannelId,
        user: UserId,
        member: bool,
    },
    BotBlocked {
        member: UserId,
        bot: UserId,
        blocked: bool,
    },
    Revoked {
        bot: UserId,
        sessions_killed: bool,
    },
    BotDeleted {
        bot: UserId,
        deleted: bool,
    },
    KeyKilled {
        auth_key_id: i64,
        account: Option<UserId>,
        error: RpcError,
    },
    FaultFired {
        fault: u64,
        account: Option<UserId>,
        method: String,
        error: RpcError,
    },
}
