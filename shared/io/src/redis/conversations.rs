//! Reading conversations, and which of them are open. They are written by the commit alone.

use std::collections::BTreeSet;

use shared_core::{ConversationKey, EnvelopeError, LARGEST_STORED, UnixMs};

use super::PoolState;
use super::error::StateError;

/// How far somebody has paged through the open conversations.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OpenCursor {
    at: Option<UnixMs>,
    /// Those of that very millisecond that have been given out.
    at_once: BTreeSet<ConversationKey>,
}

impl OpenCursor {
    /// Moves behind a page.
    pub fn advance(&mut self, page: &[(ConversationKey, UnixMs)]) {
        for (key, at) in page {
            if self.at != Some(*at) {
                self.at = Some(*at);
                self.at_once.clear();
            }
            self.at_once.insert(*key);
        }
    }
}

/// A conversation as it stands in Redis, read no further than it may be long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredConversation {
    None,
    /// `Envelope::decode` reads it.
    Text(String),
    /// Nothing that could be read.
    Damaged {
        /// As much of it as was read.
        raw: Vec<u8>,
        why: EnvelopeError,
    },
}

impl PoolState {
    /// What is stored, which is never more than [`LARGEST_STORED`] bytes on their way.
    pub async fn stored_conversation(
        &self,
        key: &ConversationKey,
    ) -> Result<StoredConversation, StateError> {
        let mut command = ::redis::cmd("GETRANGE");
        command
            .arg(self.keys.conversation(key))
            .arg(0)
            .arg(LARGEST_STORED);
        let op = self.op("load conversation", key);
        let raw: Vec<u8> = self.link.query(op, &command).await?;
        let bytes = raw.len();
        if bytes == 0 {
            return Ok(StoredConversation::None);
        }
        if bytes > LARGEST_STORED {
            let why = EnvelopeError::TooLarge { bytes };
            return Ok(StoredConversation::Damaged { raw, why });
        }
        Ok(match String::from_utf8(raw) {
            Ok(text) => StoredConversation::Text(text),
            Err(error) => StoredConversation::Damaged {
                raw: error.into_bytes(),
                why: EnvelopeError::NotText,
            },
        })
    }

    /// The stored form; `Envelope::decode` reads it.
    pub async fn conversation(&self, key: &ConversationKey) -> Result<Option<String>, StateError> {
        self.link
            .query(
                self.op("load conversation", key),
                ::redis::cmd("GET").arg(self.keys.conversation(key)),
            )
            .await
    }

    /// Several at once, in the order of `keys`.
    pub async fn conversations(
        &self,
        keys: &[ConversationKey],
    ) -> Result<Vec<Option<String>>, StateError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = ::redis::cmd("MGET");
        for key in keys {
            command.arg(self.keys.conversation(key));
        }
        let count = keys.len();
        self.link
            .query(self.op("load conversations, this many:", &count), &command)
            .await
    }

    /// Open conversations, the latest active first, behind `after`. Whoever pages through them misses nobody who stays where he is: one
    /// that goes on meanwhile moves to the front, one that ends goes, and neither moves the others past the page.
    pub async fn open_conversations(
        &self,
        after: &OpenCursor,
        limit: usize,
    ) -> Result<Vec<(ConversationKey, UnixMs)>, StateError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let op = self.op("list", &"the open conversations");
        let mut command = ::redis::cmd("ZREVRANGEBYSCORE");
        command.arg(&self.keys.open);
        match after.at {
            Some(at) => command.arg(at.0),
            None => command.arg("+inf"),
        };
        // Those of the cursor's own moment come again and are told apart by their names.
        let limit = limit.saturating_add(after.at_once.len());
        command
            .arg("-inf")
            .arg("WITHSCORES")
            .arg("LIMIT")
            .arg(0)
            .arg(limit);
        let found: Vec<(String, i64)> = self.link.query(op, &command).await?;
        let parsed = found.into_iter().map(|(name, at)| {
            let key = name
                .parse()
                .map_err(|_| StateError::unreadable(op, "an entry is no conversation's name"))?;
            Ok((key, UnixMs(at)))
        });
        let page: Result<Vec<(ConversationKey, UnixMs)>, StateError> = parsed.collect();
        let mut page = page?;
        page.retain(|(key, at)| after.at != Some(*at) || !after.at_once.contains(key));
        Ok(page)
    }

    /// When the member was last active, if he is in the middle of something.
    pub async fn open_since(&self, key: &ConversationKey) -> Result<Option<UnixMs>, StateError> {
        let mut command = ::redis::cmd("ZSCORE");
        command.arg(&self.keys.open).arg(key.to_string());
        let op = self.op("look up conversation", key);
        let score: Option<i64> = self.link.query(op, &command).await?;
        Ok(score.map(UnixMs))
    }

    pub async fn open_count(&self) -> Result<u64, StateError> {
        self.link
            .query(
                self.op("count", &"the open conversations"),
                ::redis::cmd("ZCARD").arg(&self.keys.open),
            )
            .await
    }
}
