//! One error for every call: what it means, which method, and Telegram's name for it.
//!
//! Invariant: a [`CallError`] is built from names and numbers only; nothing of a request or an answer can be in its text.
//! Source of the transport codes: <https://core.telegram.org/mtproto/mtproto-transports#transport-errors>.

use std::io;

use grammers_client::sender::InvocationError;
use grammers_mtproto::transport;
use shared_core::{ErrorClass, SessionFate, classify};

use super::session::KeyRefused;

/// A call that did not end well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{method}: {name} ({code})")]
pub struct CallError {
    pub class: ErrorClass,
    /// The method that was called, as Telegram's schema spells it.
    pub method: &'static str,
    /// Telegram's name without numbers (`FLOOD_WAIT`), or ours for what happened on the line (`TIMEOUT`).
    pub name: String,
    /// Telegram's code; negative for the transport's; 0 for the line's.
    pub code: i32,
    /// How long to wait, when Telegram says so.
    pub wait_s: Option<u32>,
}

impl CallError {
    pub(super) fn new(
        method: &'static str,
        class: ErrorClass,
        name: impl Into<String>,
        code: i32,
    ) -> Self {
        let wait_s = match class {
            ErrorClass::Wait(seconds) => Some(seconds),
            _ => None,
        };
        Self {
            class,
            method,
            name: name.into(),
            code,
            wait_s,
        }
    }

    /// A passing fault on our side kept the call from being made; it says nothing about the bot, and trying again makes sense.
    pub fn not_made(method: &'static str, name: &'static str) -> Self {
        Self::new(method, ErrorClass::Server, name, 0)
    }

    /// Our own bounds keep the call from being made for so long; Telegram was not asked.
    pub fn held_back(method: &'static str, name: &'static str, seconds: u32) -> Self {
        Self::new(method, ErrorClass::Wait(seconds), name, 0)
    }

    /// Whoever made the call is not entitled to it any more; nothing was sent.
    pub(super) fn gate_closed(method: &'static str) -> Self {
        Self::new(method, ErrorClass::Network, "GATE_CLOSED", 0)
    }

    /// Our own deadline passed. Whether Telegram did it is not known.
    pub(super) fn timeout(method: &'static str) -> Self {
        Self::new(method, ErrorClass::Network, "TIMEOUT", 0)
    }

    /// The line is closed; nothing was sent.
    pub(super) fn line_closed(method: &'static str) -> Self {
        Self::new(method, ErrorClass::Network, "LINE_CLOSED", 0)
    }

    /// An answer that does not fit its method: a layer we do not speak, or a server that does not.
    pub(super) fn malformed(method: &'static str) -> Self {
        Self::new(method, ErrorClass::Other, "MALFORMED_ANSWER", 0)
    }

    pub(super) fn from_invocation(method: &'static str, error: InvocationError) -> Self {
        let network = |name: &str| Self::new(method, ErrorClass::Network, name, 0);
        match error {
            InvocationError::Rpc(rpc) => {
                let class = classify(rpc.code, &rpc.name, rpc.value);
                Self::new(method, class, rpc.name, rpc.code)
            }
            InvocationError::Io(error) => network(io_name(error.kind())),
            InvocationError::Transport(transport::Error::BadStatus { status }) => {
                Self::from_status(method, status)
            }
            InvocationError::Transport(_) => network("TRANSPORT_BROKEN"),
            InvocationError::Deserialize(_) => network("STREAM_BROKEN"),
            InvocationError::Dropped(_) => network("LINE_CLOSED"),
            InvocationError::Authentication(_) => network("KEY_EXCHANGE_FAILED"),
            InvocationError::InvalidDc => Self::new(method, ErrorClass::Ours, "DC_UNKNOWN", 0),
            InvocationError::Session(error) if error.is::<KeyRefused>() => Self::new(
                method,
                ErrorClass::SessionDead(SessionFate::Gone),
                "AUTH_KEY_REFUSED",
                -404,
            ),
            InvocationError::Session(_) => Self::new(method, ErrorClass::Other, "SESSION", 0),
        }
    }

    /// The transport's own codes: 404 says that the key is unknown, 429 that there are too many connections.
    fn from_status(method: &'static str, status: u32) -> Self {
        let code = i32::try_from(status).map_or(i32::MIN, |status| -status);
        let (class, name) = match status {
            404 => (
                ErrorClass::SessionDead(SessionFate::Gone),
                "AUTH_KEY_REFUSED",
            ),
            429 => (ErrorClass::Server, "TRANSPORT_FLOOD"),
            _ => (ErrorClass::Network, "TRANSPORT_STATUS"),
        };
        Self::new(method, class, name, code)
    }
}

fn io_name(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::ConnectionRefused => "CONNECTION_REFUSED",
        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => "CONNECTION_RESET",
        io::ErrorKind::ConnectionAborted => "CONNECTION_ABORTED",
        io::ErrorKind::BrokenPipe => "BROKEN_PIPE",
        io::ErrorKind::TimedOut => "CONNECTION_TIMED_OUT",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "UNREACHABLE",
        io::ErrorKind::NetworkDown => "NETWORK_DOWN",
        _ => "IO",
    }
}

#[cfg(test)]
mod tests {
    use grammers_client::sender::RpcError;

    use super::*;

    fn rpc(code: i32, message: &str) -> CallError {
        let raw = grammers_client::tl::types::RpcError {
            error_code: code,
            error_message: message.into(),
        };
        CallError::from_invocation(
            "messages.sendMessage",
            InvocationError::Rpc(RpcError::from(raw)),
        )
    }

    #[test]
    fn an_rpc_error_keeps_its_name_its_code_and_its_wait() {
        let error = rpc(420, "FLOOD_WAIT_31");
        assert_eq!(error.class, ErrorClass::Wait(31));
        assert_eq!(error.wait_s, Some(31));
        assert_eq!(error.to_string(), "messages.sendMessage: FLOOD_WAIT (420)");
        assert_eq!(rpc(303, "USER_MIGRATE_4").class, ErrorClass::Moved(4));
        assert_eq!(
            rpc(500, "RANDOM_ID_DUPLICATE").class,
            ErrorClass::SentAlready
        );
    }

    #[test]
    fn an_unknown_key_is_a_dead_session_and_a_crowd_is_not() {
        let status = |status| {
            CallError::from_invocation(
                "ping",
                InvocationError::Transport(transport::Error::BadStatus { status }),
            )
        };
        assert_eq!(
            status(404).class,
            ErrorClass::SessionDead(SessionFate::Gone)
        );
        assert_eq!(status(429).class, ErrorClass::Server);
        assert_eq!(status(444).class, ErrorClass::Network);
        let refused =
            CallError::from_invocation("ping", InvocationError::Session(KeyRefused.into()));
        assert_eq!(refused.class, ErrorClass::SessionDead(SessionFate::Gone));
    }

    #[test]
    fn what_happens_on_the_line_is_the_network() {
        for error in [
            InvocationError::Dropped("x"),
            InvocationError::Io(io::ErrorKind::ConnectionRefused.into()),
        ] {
            assert_eq!(
                CallError::from_invocation("ping", error).class,
                ErrorClass::Network
            );
        }
    }
}
