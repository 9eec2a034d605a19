//! One member's dialogue in one chat, as it is stored: an envelope around whatever state the conversation has.
//!
//! Stored form: `<version>\n<json>`. The version grows by one with each commit and is compared by the commit script (compare and swap),
//! so a writer that looked at an older state writes nothing. Invariant: what has been taken in (`marks`) and what it led to (`state`) are
//! in one value and change together or not at all. The envelope does not know what a state means; upgrades of its format
//! (`format`) are the business of who does.

use std::fmt;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{ChannelId, IdError, MemberId, UnixMs, Watermarks};

/// The format that this program writes.
pub const STORED_VERSION: u16 = 1;

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

/// What is wrong with a stored value. The text never holds the value itself: it may be a member's private words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    #[error("the stored conversation has no version line")]
    NoVersion,
    #[error("the stored conversation is not readable at line {line}, column {column}")]
    Unreadable { line: usize, column: usize },
    #[error(
        "the stored conversation has format {found}, this program reads up to {STORED_VERSION}"
    )]
    TooNew { found: u16 },
}

/// A conversation with its duplicate protection. `S` is the dialogue's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope<S> {
    /// Commits so far; zero before the first. Not part of the JSON: it stands in front of it.
    #[serde(skip)]
    pub version: u64,
    #[serde(rename = "f")]
    pub format: u16,
    /// When it was last committed, by the committing worker's wall clock; zero before the first.
    #[serde(rename = "t", default, skip_serializing_if = "is_never")]
    pub at: UnixMs,
    #[serde(rename = "w")]
    pub marks: Watermarks,
    #[serde(rename = "s")]
    pub state: S,
}

fn is_never(at: &UnixMs) -> bool {
    *at == UnixMs::default()
}

#[derive(Deserialize)]
struct FormatOnly {
    f: u16,
}

impl<S: Default> Default for Envelope<S> {
    fn default() -> Self {
        Self {
            version: 0,
            format: STORED_VERSION,
            at: UnixMs::default(),
            marks: Watermarks::default(),
            state: S::default(),
        }
    }
}

impl<S: Serialize> Envelope<S> {
    /// The stored form.
    pub fn encode(&self) -> Result<String, EnvelopeError> {
        let json = serde_json::to_string(self).map_err(|error| unreadable(&error))?;
        Ok(format!("{}\n{json}", self.version))
    }
}

impl<S: DeserializeOwned> Envelope<S> {
    /// Reads the stored form.
    pub fn decode(stored: &str) -> Result<Self, EnvelopeError> {
        let (version, json) = stored.split_once('\n').ok_or(EnvelopeError::NoVersion)?;
        let version = version.parse().map_err(|_| EnvelopeError::NoVersion)?;
        let FormatOnly { f: found } =
            serde_json::from_str(json).map_err(|error| unreadable(&error))?;
        if found > STORED_VERSION {
            return Err(EnvelopeError::TooNew { found });
        }
        let mut envelope: Self = serde_json::from_str(json).map_err(|error| unreadable(&error))?;
        envelope.version = version;
        Ok(envelope)
    }
}

fn unreadable(error: &serde_json::Error) -> EnvelopeError {
    EnvelopeError::Unreadable {
        line: error.line(),
        column: error.column(),
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

    #[test]
    fn an_envelope_reads_back_and_says_what_is_wrong() {
        let mut envelope = Envelope::<String> {
            state: "secret words".into(),
            ..Default::default()
        };
        envelope.version = 3;
        let stored = envelope.encode().unwrap();
        assert!(stored.starts_with("3\n"));
        assert_eq!(Envelope::<String>::decode(&stored).unwrap(), envelope);

        assert_eq!(
            Envelope::<String>::decode("{}").unwrap_err(),
            EnvelopeError::NoVersion
        );
        let cut = Envelope::<String>::decode(&stored[..stored.len() - 3]).unwrap_err();
        assert!(!cut.to_string().contains("secret"), "{cut}");
        assert_eq!(
            Envelope::<String>::decode("1\n{\"f\":9,\"x\":1}").unwrap_err(),
            EnvelopeError::TooNew { found: 9 }
        );
    }
}
