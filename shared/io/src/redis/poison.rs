//! What was moved aside with the reason, so that it is in nobody's way: entries that nobody can read, replies that Telegram refuses for good.
//!
//! A person looks at it (`understudy outbox`), and sends an entry again or drops it. About a thousand are kept, the oldest go first.
//! Invariant: an entry is in its stream or here, never both: each move is one script. Nobody's words leave here but to who asks for the entry.

use std::collections::HashMap;

use shared_core::{EpochStamp, OutboxEntry};

use super::epoch::{fenced, stamp_arguments};
use super::error::StateError;
use super::reply::Reply;
use super::streams::POISON_KEPT;
use super::{EpochAnswer, OutboxPosition, PoisonPosition, PoolState, scripts};

/// An entry that was moved aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poisoned {
    pub position: PoisonPosition,
    pub why: String,
    /// `None` where nobody can read it, or where it is none of the outbox.
    pub entry: Option<OutboxEntry>,
    /// The stream's name without the pool's.
    pub from: String,
}

impl PoolState {
    /// Telegram refuses these for good, each for its reason. Says how many of them were still there.
    pub async fn refuse(
        &self,
        stamp: EpochStamp,
        entries: &[(OutboxPosition, String)],
    ) -> Result<EpochAnswer<u64>, StateError> {
        let mut script = scripts::REFUSE.prepare_invoke();
        script
            .key(&self.keys.epoch)
            .key(&self.keys.outbox)
            .key(&self.keys.poison)
            .key(&self.keys.counters)
            .arg(&stamp_arguments(stamp))
            .arg(POISON_KEPT);
        for (position, why) in entries {
            script.arg(position.to_string()).arg(why);
        }
        let op = self.op("move aside", &"refused replies");
        let mut reply: Reply = self.link.script(op, &script).await?;
        match reply.word.as_str() {
            "done" => Ok(EpochAnswer::Done(reply.take(op)?)),
            _ => fenced(op, reply),
        }
    }

    pub async fn poison_len(&self) -> Result<u64, StateError> {
        let op = self.op("count", &"what was moved aside");
        let mut command = ::redis::cmd("XLEN");
        command.arg(&self.keys.poison);
        self.link.query(op, &command).await
    }

    /// The latest first.
    pub async fn poisoned(&self, limit: usize) -> Result<Vec<Poisoned>, StateError> {
        let op = self.op("read", &"what was moved aside");
        let mut command = ::redis::cmd("XREVRANGE");
        command.arg(&self.keys.poison).arg("+").arg("-");
        command.arg("COUNT").arg(limit);
        let found: Vec<(String, HashMap<String, Vec<u8>>)> = self.link.query(op, &command).await?;
        let own = self.keys.outbox.trim_end_matches("outbox");
        found
            .into_iter()
            .map(|(id, fields)| {
                let position = id
                    .parse()
                    .map_err(|_| StateError::unreadable(op, "an entry has no stream position"))?;
                let text = |field: &str| {
                    let bytes = fields.get(field).map(Vec::as_slice).unwrap_or_default();
                    String::from_utf8_lossy(bytes).into_owned()
                };
                let from = text("from");
                Ok(Poisoned {
                    position,
                    why: text("why"),
                    entry: fields
                        .get("e")
                        .and_then(|json| serde_json::from_slice(json).ok()),
                    from: from.strip_prefix(own).unwrap_or(&from).to_owned(),
                })
            })
            .collect()
    }

    /// Puts these back to the end of where they came from. Says how many came back; what a standby kept cannot.
    pub async fn unpoison(&self, positions: &[PoisonPosition]) -> Result<u64, StateError> {
        if positions.is_empty() {
            return Ok(0);
        }
        let mut script = scripts::UNPOISON.prepare_invoke();
        script
            .key(&self.keys.poison)
            .key(&self.keys.outbox)
            .key(&self.keys.records)
            .key(&self.keys.inbox);
        for position in positions {
            script.arg(position.to_string());
        }
        let op = self.op("put back", &"what was moved aside");
        self.link.script(op, &script).await
    }

    /// Throws these away. Says how many were there.
    pub async fn drop_poisoned(&self, positions: &[PoisonPosition]) -> Result<u64, StateError> {
        let op = self.op("drop", &"what was moved aside");
        let positions = positions.iter().map(|position| position.0);
        self.delete_entries(op, &self.keys.poison, positions).await
    }
}
