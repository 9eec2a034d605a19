//! The result of the smoke test that follows every switch and that members do not see.
//!
//! Invariant: a report passes only if every check was run and passed; an empty report does not pass.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{BotId, ChannelId, Epoch, WorkerId};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "check", rename_all = "snake_case")]
pub enum SmokeCheck {
    /// A call that Telegram answers, and the identity in it is the bot's.
    Rpc,
    /// A write and a read on the bot's own probe key, under its lease.
    Redis,
    /// The bot's row and its sealed login can be read.
    Sql,
    /// The bot's rights in one channel are at least the wanted ones.
    Rights { channel: ChannelId },
}

impl fmt::Display for SmokeCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rpc => write!(f, "telegram"),
            Self::Redis => write!(f, "redis"),
            Self::Sql => write!(f, "sql"),
            Self::Rights { channel } => write!(f, "rights in {channel}"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmokeResult {
    #[serde(flatten)]
    pub check: SmokeCheck,
    /// `None` when it passed, else the reason for a person.
    pub failed: Option<String>,
    pub took_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmokeReport {
    pub epoch: Epoch,
    pub bot: BotId,
    pub worker: WorkerId,
    pub results: Vec<SmokeResult>,
}

impl SmokeReport {
    pub fn passed(&self) -> bool {
        !self.results.is_empty() && self.results.iter().all(|result| result.failed.is_none())
    }

    /// In how many channels rights are missing, if that is all that failed; 0 when it passed or something else failed as well. A bot without a
    /// right in a channel answers members all the same.
    pub fn only_rights_missing(&self) -> usize {
        let mut failed = self.results.iter().filter(|it| it.failed.is_some());
        let rights = |it: &SmokeResult| matches!(it.check, SmokeCheck::Rights { .. });
        match failed.clone().all(rights) {
            true => failed.by_ref().count(),
            false => 0,
        }
    }

    /// Every check as one line for a person: `telegram: ok, 12 ms`.
    pub fn lines(&self) -> Vec<String> {
        let line = |result: &SmokeResult| {
            let how = result.failed.as_deref().unwrap_or("ok");
            format!("{}: {how}, {} ms", result.check, result.took_ms)
        };
        self.results.iter().map(line).collect()
    }

    /// The failures, as one line for a person.
    pub fn failures(&self) -> String {
        let failed: Vec<String> = self
            .results
            .iter()
            .filter_map(|r| r.failed.as_ref().map(|why| format!("{:?}: {why}", r.check)))
            .collect();
        failed.join("; ")
    }
}
