//! What was moved aside with the reason, so that it is in nobody's way: entries that nobody can read, replies that Telegram refuses for good.
//!
//! A person looks at it (`understudy outbox`), and sends an entry again or drops it. About a thousand are kept, the oldest go first; so nothing is here
//! that must not be lost (records: `records.rs`; only those that an older program moved are here and go back all the same).
//! Invariant: an entry is in its stream or here, never both: each move is one script. Nobody's words leave here but to who asks for the entry.

use std::collections::HashMap;

use serde::de::DeserializeOwned;
use shared_core::{EpochStamp, Letter, OutboxEntry, Record};

use super::commit::json;
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
    /// A record that an older program moved here.
    pub record: Option<Record>,
    /// The stream's name without the pool's.
    pub from: String,
}

/// An entry that Telegram refuses for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub position: OutboxPosition,
    pub why: String,
    /// What its conversation hears of it; in the inbox with the same step.
    pub word: Option<Letter>,
}

impl PoolState {
    /// Moves these aside. Says how many of them were still there.
    pub async fn refuse(
        &self,
        stamp: EpochStamp,
        refusals: &[Refusal],
    ) -> Result<EpochAnswer<u64>, StateError> {
        let mut script = scripts::REFUSE.prepare_invoke();
        script
            .key(&self.keys.epoch)
            .key(&self.keys.outbox)
            .key(&self.keys.poison)
            .key(&self.keys.counters)
            .key(&self.keys.inbox)
            .arg(&stamp_arguments(stamp))
            .arg(POISON_KEPT);
        let op = self.op("move aside", &"refused replies");
        for refusal in refusals {
            let word = refusal.word.as_ref().map(|word| json(op, word));
            script
                .arg(refusal.position.to_string())
                .arg(&refusal.why)
                .arg(word.transpose()?.unwrap_or_default());
        }
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
                    entry: read(fields.get("e")),
                    record: read(fields.get("r")),
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

fn read<T: DeserializeOwned>(json: Option<&Vec<u8>>) -> Option<T> {
    json.and_then(|json| serde_json::from_slice(json).ok())
}
