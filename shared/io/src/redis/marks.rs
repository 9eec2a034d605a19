//! Marks: what a script notes about what it has changed, so that the checkpoint need not look at everything.
//!
//! ```text
//! mark       set by                        means
//! c:<key>    commit, quarantine            this conversation, and whether it is open
//! p:<member> park, unpark                  this member's parked replies
//! r:<bot>:<member>   commit_private        whether this bot may write to this member
//! ```
//! They are members of one set a pool, so however long SQL is away there is at most one a conversation, member and reach.

use std::fmt;
use std::str::FromStr;

use shared_core::{BotId, ConversationKey, MemberId};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    Conversation(ConversationKey),
    Parked(MemberId),
    Reach { bot: BotId, member: MemberId },
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conversation(key) => write!(f, "c:{key}"),
            Self::Parked(member) => write!(f, "p:{}", member.0),
            Self::Reach { bot, member } => write!(f, "r:{bot}:{}", member.0),
        }
    }
}

/// A mark of another version of this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a mark is neither of a conversation, nor of parked replies, nor of reach")]
pub struct UnknownMark;

impl FromStr for Mark {
    type Err = UnknownMark;
    fn from_str(text: &str) -> Result<Self, UnknownMark> {
        let (kind, rest) = text.split_once(':').ok_or(UnknownMark)?;
        match kind {
            "c" => rest
                .parse()
                .map(Self::Conversation)
                .map_err(|_| UnknownMark),
            "p" => rest.parse().map(Self::Parked).map_err(|_| UnknownMark),
            "r" => {
                let (bot, member) = rest.split_once(':').ok_or(UnknownMark)?;
                match (bot.parse(), member.parse()) {
                    (Ok(bot), Ok(member)) => Ok(Self::Reach { bot, member }),
                    _ => Err(UnknownMark),
                }
            }
            _ => Err(UnknownMark),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared_core::ChannelId;

    #[test]
    fn marks_read_back() {
        for (mark, text) in [
            (
                Mark::Conversation(ConversationKey::group(ChannelId(8), MemberId(5))),
                "c:c8:m5",
            ),
            (Mark::Parked(MemberId(5)), "p:5"),
            (
                Mark::Reach {
                    bot: BotId(7),
                    member: MemberId(5),
                },
                "r:b7:5",
            ),
        ] {
            assert_eq!(mark.to_string(), text);
            assert_eq!(text.parse(), Ok(mark));
        }
        for unknown in ["", "c", "x:1", "r:b7", "c:?"] {
            assert_eq!(unknown.parse::<Mark>(), Err(UnknownMark), "{unknown}");
        }
    }
}
