//! Typed identifiers of the world. An id is a bare number on the wire and in JSON, and a type of its own in code,
//! so that a member's id cannot stand where a channel's is wanted. Bot-API style prefixes (-100...) are never used.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty), $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

id!(
    /// A person or a bot; the same number for everybody who sees it.
    UserId(i64), "u"
);
id!(
    /// A supergroup, broadcast channel or basic group (bare id).
    ChannelId(i64), "c"
);
id!(
    /// A message's number in one box: an account's, or a channel's.
    MessageId(i32), "m"
);
id!(
    /// A call that is answered later.
    PendingId(u64), "p"
);

/// The other side of a conversation as somebody sees it. JSON: `{"user": id}` or `{"channel": id}`
/// (a basic group is named like a channel).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatRef {
    User(UserId),
    Channel(ChannelId),
}

impl fmt::Display for ChatRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => id.fmt(f),
            Self::Channel(id) => id.fmt(f),
        }
    }
}
