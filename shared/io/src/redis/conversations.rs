//! Reading conversations, and which of them are open. They are written by the commit alone.

use std::collections::BTreeSet;

use shared_core::{ConversationKey, UnixMs};

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

impl PoolState {
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

    pub async fn open_count(&self) -> Result<u64, StateError> {
        self.link
            .query(
                self.op("count", &"the open conversations"),
                ::redis::cmd("ZCARD").arg(&self.keys.open),
            )
            .await
    }
}
