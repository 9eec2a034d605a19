//! Names conversations: whose, and where.
//!
//! Invariant: a name holds no bot, so it outlives every bot.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{ChannelId, IdError, MemberId};

/// Where a dialogue is held: with whichever bot is active, or in a supergroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlaceKey {
    Private,
    Group(ChannelId),
}

/// Names a conversation: `m5` in private, `c8:m5` in a supergroup. It outlives every bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ConversationKey {
    pub member: MemberId,
    pub place: PlaceKey,
}

impl ConversationKey {
    pub fn private(member: MemberId) -> Self {
        Self {
            member,
            place: PlaceKey::Private,
        }
    }

    pub fn group(channel: ChannelId, member: MemberId) -> Self {
        Self {
            member,
            place: PlaceKey::Group(channel),
        }
    }
}

impl fmt::Display for ConversationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            PlaceKey::Private => self.member.fmt(f),
            PlaceKey::Group(channel) => write!(f, "{channel}:{}", self.member),
        }
    }
}

impl FromStr for ConversationKey {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        match text.split_once(':') {
            Some((channel, member)) => Ok(Self::group(channel.parse()?, member.parse()?)),
            None => Ok(Self::private(text.parse()?)),
        }
    }
}

impl TryFrom<String> for ConversationKey {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<ConversationKey> for String {
    fn from(key: ConversationKey) -> String {
        key.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn keys_read_back() {
        for key in [
            ConversationKey::private(MemberId(5)),
            ConversationKey::group(ChannelId(8), MemberId(5)),
        ] {
            assert_eq!(key.to_string().parse::<ConversationKey>().unwrap(), key);
        }
        assert_eq!(
            ConversationKey::group(ChannelId(8), MemberId(5)).to_string(),
            "c8:m5"
        );
    }
}
