//! Reading conversations, and which of them are open. They are written by the commit alone.

use shared_core::{ConversationKey, UnixMs};

use super::PoolState;
use super::error::StateError;

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

    /// Open conversations, the latest active first.
    pub async fn open_conversations(
        &self,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<(ConversationKey, UnixMs)>, StateError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let op = self.op("list", &"the open conversations");
        let found: Vec<(String, i64)> = self
            .link
            .query(
                op,
                ::redis::cmd("ZREVRANGE")
                    .arg(&self.keys.open)
                    .arg(offset)
                    .arg(offset.saturating_add(limit - 1))
                    .arg("WITHSCORES"),
            )
            .await?;
        found
            .into_iter()
            .map(|(name, at)| {
                let key = name.parse().map_err(|_| {
                    StateError::unreadable(op, "an entry is no conversation's name")
                })?;
                Ok((key, UnixMs(at)))
            })
            .collect()
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
