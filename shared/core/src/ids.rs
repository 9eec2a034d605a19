//! The registry of typed ids: no bare integer or string id crosses a function.
//!
//! Each id has a short `Display` that reads well in a log line. Telegram's ids are what `docs/telegram.md` says they are:
//! user and channel ids are global, message ids belong to a box. Ids are not secrets.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What is wrong with a text that should have been an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error("{what} is empty")]
    Empty { what: &'static str },
    #[error("{what} `{text}` may only have a-z, 0-9, '-' and '_', at most 32 of them")]
    Charset { what: &'static str, text: String },
    #[error("{what} is not {expected}")]
    Malformed {
        what: &'static str,
        expected: &'static str,
    },
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $inner:ty, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let digits = text.strip_prefix($prefix).unwrap_or(text);
                digits.parse().map(Self).map_err(|_| IdError::Malformed {
                    what: stringify!($name),
                    expected: "a whole number",
                })
            }
        }
    };
}

number_id!(
    /// A bot's user id; the number before the colon of its token.
    BotId, i64, "b"
);
number_id!(
    /// A member's user id, the same with every bot.
    MemberId, i64, "m"
);
number_id!(
    /// A channel's or supergroup's bare id (without the Bot API's -100 prefix).
    ChannelId, i64, "c"
);
number_id!(
    /// A message's id inside its box.
    MessageId, i32, "#"
);
number_id!(
    /// A callback query's id.
    QueryId, i64, "q"
);

macro_rules! name_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                if text.is_empty() {
                    return Err(IdError::Empty { what: $what });
                }
                let fits = text.len() <= 32
                    && text
                        .bytes()
                        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
                if fits {
                    Ok(Self(text))
                } else {
                    Err(IdError::Charset { what: $what, text: text.chars().take(40).collect() })
                }
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

name_id!(
    /// One community: its bots, channels and members.
    PoolId, "a pool's name"
);
name_id!(
    /// One worker process, named by whoever started it; a restarted process gets another nonce, not another name.
    WorkerId, "a worker's name"
);

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub [u8; $bytes]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let mut bytes = [0; $bytes];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| IdError::Malformed {
                    what: stringify!($name),
                    expected: concat!(stringify!($bytes), " bytes in hex"),
                })?;
                Ok(Self(bytes))
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }
    };
}

hex_id!(
    /// An outbox entry: `hash(pool, conversation, update identity, effect index)`.
    EntryId, 16
);
hex_id!(
    /// An internal event (a stored file, a timer, a resumption).
    EventId, 16
);
hex_id!(
    /// A random number that tells two holders of the same name or epoch apart.
    Nonce, 8
);
hex_id!(
    /// One switch or takeover, from its decision to its record.
    SwitchId, 8
);

/// Which of a bot's two logins (MTProto auth keys).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoginSlot {
    A,
    B,
}

impl LoginSlot {
    pub const ALL: [Self; 2] = [Self::A, Self::B];

    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }
}

impl fmt::Display for LoginSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for LoginSlot {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        match text {
            "a" => Ok(Self::A),
            "b" => Ok(Self::B),
            _ => Err(IdError::Malformed {
                what: "LoginSlot",
                expected: "`a` or `b`",
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ids_print_short_and_read_back() {
        assert_eq!(BotId(7).to_string(), "b7");
        assert_eq!("b7".parse::<BotId>().unwrap(), BotId(7));
        assert_eq!("7".parse::<BotId>().unwrap(), BotId(7));
        assert_eq!(MessageId(12).to_string(), "#12");
        let entry = EntryId([0xab; 16]);
        assert_eq!(entry.to_string().parse::<EntryId>().unwrap(), entry);
    }

    #[test]
    fn names_refuse_what_would_break_a_key() {
        assert!(PoolId::new("main-1").is_ok());
        for bad in ["", "a{b", "a:b", "Ümlaut", &"x".repeat(33)] {
            assert!(PoolId::new(bad).is_err(), "{bad:?} must be refused");
        }
    }
}
