//! Every error of Telegram that matters here, and what it means: the table of `docs/telegram.md`, as a closed enum.
//!
//! Source: <https://core.telegram.org/api/errors> and that document. A name that is not in the table is
//! `Other`: it is logged and counted, and never a reason to switch.

use serde::{Deserialize, Serialize};

/// What a dead session says about the token behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionFate {
    /// The key is unknown, revoked or expired; another login may work.
    Gone,
    /// Two connections used one key at once; the key is dead, the token is fine.
    Duplicated,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// Revoked in @BotFather: repair through a manager bot, else switch.
    TokenDead,
    /// Deleted or banned: switch; it may come back after an appeal.
    BotDead,
    SessionDead(SessionFate),
    /// Our api_id or our request is wrong: it hits every token alike, never a reason to switch.
    Ours,
    /// Wait this many seconds.
    Wait(u32),
    /// This recipient or chat only.
    Recipient,
    /// Telegram's trouble: again, with backoff.
    Server,
    /// Not an error: it was sent before, its message id is unknown.
    SentAlready,
    /// Follow to another data centre.
    Moved(u32),
    /// The line: refused, reset, timed out. Judged over time.
    Network,
    /// A file reference or message that this bot cannot use (any more).
    Unreachable,
    /// Nothing changed by an edit; as good as done.
    NotModified,
    /// Too late to answer a press; the member presses again.
    PressExpired,
    /// Not in the table.
    Other,
}

impl ErrorClass {
    /// Is the bot's session over, so that its worker reports at once and gives the connection up?
    pub fn is_fatal(self) -> bool {
        matches!(self, Self::TokenDead | Self::BotDead | Self::SessionDead(_))
    }

    /// Does the same call make sense again later?
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::Wait(_) | Self::Server | Self::Network | Self::Moved(_)
        )
    }
}

/// Classifies an RPC error by its code and its name, numbers already taken out of the name (`FLOOD_WAIT`, value 31).
pub fn classify(code: i32, name: &str, value: Option<u32>) -> ErrorClass {
    match name {
        "ACCESS_TOKEN_INVALID" | "ACCESS_TOKEN_EXPIRED" => ErrorClass::TokenDead,
        "USER_DEACTIVATED" | "USER_DEACTIVATED_BAN" => ErrorClass::BotDead,
        "AUTH_KEY_DUPLICATED" => ErrorClass::SessionDead(SessionFate::Duplicated),
        "AUTH_KEY_UNREGISTERED" | "AUTH_KEY_INVALID" | "SESSION_REVOKED" | "SESSION_EXPIRED" => {
            ErrorClass::SessionDead(SessionFate::Gone)
        }
        "API_ID_INVALID"
        | "API_ID_PUBLISHED_FLOOD"
        | "FROZEN_METHOD_INVALID"
        | "CONNECTION_NOT_INITED"
        | "CONNECTION_LAYER_INVALID" => ErrorClass::Ours,
        "USER_IS_BLOCKED"
        | "INPUT_USER_DEACTIVATED"
        | "PEER_ID_INVALID"
        | "CHAT_WRITE_FORBIDDEN"
        | "CHANNEL_PRIVATE"
        | "CHANNEL_INVALID"
        | "CHAT_ADMIN_REQUIRED"
        | "USER_BOT_TO_BOT_DISABLED"
        | "CHAT_SEND_PLAIN_FORBIDDEN"
        | "USER_ID_INVALID" => ErrorClass::Recipient,
        "RANDOM_ID_DUPLICATE" => ErrorClass::SentAlready,
        "MESSAGE_ID_INVALID"
        | "MESSAGE_AUTHOR_REQUIRED"
        | "MESSAGE_EDIT_TIME_EXPIRED"
        | "REPLY_MESSAGE_ID_INVALID"
        | "REPLY_TO_INVALID"
        | "MESSAGE_IDS_EMPTY"
        | "FILE_REFERENCE_EXPIRED"
        | "FILE_ID_INVALID"
        | "MEDIA_EMPTY" => ErrorClass::Unreachable,
        "MESSAGE_NOT_MODIFIED" => ErrorClass::NotModified,
        "QUERY_ID_INVALID" | "BOT_RESPONSE_TIMEOUT" => ErrorClass::PressExpired,
        _ if name.ends_with("_MIGRATE") && code == 303 => ErrorClass::Moved(value.unwrap_or(0)),
        _ if code == 420 => value.map_or(ErrorClass::Ours, ErrorClass::Wait),
        // The transport says 404 of a key that it does not know; it has been seen as the answer to a call, too.
        _ if code == 401 || code == -404 => ErrorClass::SessionDead(SessionFate::Gone),
        _ if code >= 500 || code == -503 || name.starts_with("RPC_") => ErrorClass::Server,
        _ => ErrorClass::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_of_the_table_has_its_class() {
        let gone = ErrorClass::SessionDead(SessionFate::Gone);
        let table: &[(i32, &str, Option<u32>, ErrorClass)] = &[
            (400, "ACCESS_TOKEN_INVALID", None, ErrorClass::TokenDead),
            (400, "ACCESS_TOKEN_EXPIRED", None, ErrorClass::TokenDead),
            (401, "USER_DEACTIVATED", None, ErrorClass::BotDead),
            (401, "USER_DEACTIVATED_BAN", None, ErrorClass::BotDead),
            (401, "AUTH_KEY_UNREGISTERED", None, gone),
            (401, "AUTH_KEY_INVALID", None, gone),
            (-404, "AUTH_KEY_UNKNOWN", None, gone),
            (401, "SESSION_REVOKED", None, gone),
            (401, "SESSION_EXPIRED", None, gone),
            (
                406,
                "AUTH_KEY_DUPLICATED",
                None,
                ErrorClass::SessionDead(SessionFate::Duplicated),
            ),
            (400, "API_ID_INVALID", None, ErrorClass::Ours),
            (400, "API_ID_PUBLISHED_FLOOD", None, ErrorClass::Ours),
            (420, "FLOOD_WAIT", Some(31), ErrorClass::Wait(31)),
            (420, "SLOWMODE_WAIT", Some(5), ErrorClass::Wait(5)),
            (420, "FLOOD_PREMIUM_WAIT", Some(3), ErrorClass::Wait(3)),
            (420, "FROZEN_METHOD_INVALID", None, ErrorClass::Ours),
            (400, "USER_IS_BLOCKED", None, ErrorClass::Recipient),
            (400, "INPUT_USER_DEACTIVATED", None, ErrorClass::Recipient),
            (400, "PEER_ID_INVALID", None, ErrorClass::Recipient),
            (403, "CHAT_WRITE_FORBIDDEN", None, ErrorClass::Recipient),
            (406, "CHANNEL_PRIVATE", None, ErrorClass::Recipient),
            (400, "CHAT_ADMIN_REQUIRED", None, ErrorClass::Recipient),
            (500, "RPC_CALL_FAIL", None, ErrorClass::Server),
            (500, "INTERNAL", None, ErrorClass::Server),
            (-503, "Timeout", None, ErrorClass::Server),
            (500, "RANDOM_ID_DUPLICATE", None, ErrorClass::SentAlready),
            (
                403,
                "MESSAGE_AUTHOR_REQUIRED",
                None,
                ErrorClass::Unreachable,
            ),
            (
                400,
                "REPLY_MESSAGE_ID_INVALID",
                None,
                ErrorClass::Unreachable,
            ),
            (303, "USER_MIGRATE", Some(4), ErrorClass::Moved(4)),
            (400, "SOMETHING_UNHEARD_OF", None, ErrorClass::Other),
        ];
        for (code, name, value, class) in table {
            assert_eq!(classify(*code, name, *value), *class, "{code} {name}");
        }
    }

    #[test]
    fn only_the_sessions_end_is_fatal() {
        assert!(ErrorClass::TokenDead.is_fatal());
        assert!(ErrorClass::SessionDead(SessionFate::Duplicated).is_fatal());
        for class in [
            ErrorClass::Ours,
            ErrorClass::Wait(3000),
            ErrorClass::Network,
            ErrorClass::Recipient,
        ] {
            assert!(!class.is_fatal(), "{class:?} is no reason to give a bot up");
        }
    }
}
