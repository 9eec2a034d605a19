//! Conversations that nobody could read, moved aside so that their members have a way on and nothing of theirs is thrown away.
//!
//! One script moves the value, puts a fresh conversation in its place and says so to the member and to the operator; a crash leaves it
//! done or not done. Invariants: bounded, at most [`KEPT`] entries of at most [`LONGEST`] bytes each, the oldest make room; only the
//! holder of the epoch moves aside; a value is put back only where nothing has happened since, and only whole.
//! What is in quarantine may be a member's words: it is shown to nobody but who asks for it by name.

use std::collections::HashMap;

use shared_core::{
    ConversationKey, EntryId, EpochStamp, OutboxEntry, Record, TOMBSTONE_KEPT, UnixMs,
};

use super::commit::{counted, json_list};
use super::epoch::{fenced, stamp_arguments};
use super::error::{Op, StateError};
use super::position::StreamId;
use super::reply::Reply;
use super::scripts;
use super::timers;
use super::{EpochAnswer, PoolState, QuarantinePosition};

/// How many are kept.
const KEPT: usize = 100;
/// How much of one is kept: eight times what a conversation may have.
const LONGEST: usize = 256 * 1024;

/// A conversation to be moved aside.
#[derive(Debug, Clone)]
pub struct Quarantine<'a> {
    pub stamp: EpochStamp,
    pub conversation: &'a ConversationKey,
    /// How much of the value was read, at most one byte more than a conversation may have.
    pub seen_bytes: usize,
    pub id: EntryId,
    /// Never holds what is stored.
    pub why: &'a str,
    pub at: UnixMs,
    /// What takes its place.
    pub fresh: &'a str,
    pub outbox: &'a [OutboxEntry],
    pub records: &'a [Record],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum MovedAside {
    Done,
    /// Something else stands there meanwhile.
    Moved,
}

/// A conversation in quarantine, without what was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    pub position: QuarantinePosition,
    /// As it is named to people.
    pub id: EntryId,
    pub conversation: ConversationKey,
    pub why: String,
    pub at: UnixMs,
    pub bytes: u64,
    /// All of it is kept; else only its beginning.
    pub is_whole: bool,
}

/// What became of putting one back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Restored {
    Done,
    /// It is not in quarantine.
    Gone,
    /// The member has gone on since.
    MovedOn,
    /// Only its beginning is kept.
    Cut,
}

impl PoolState {
    pub async fn quarantine(
        &self,
        what: &Quarantine<'_>,
    ) -> Result<EpochAnswer<MovedAside>, StateError> {
        let op = self.op("move aside conversation", what.conversation);
        // Of a value that is too long only that is known; its length is whatever it is.
        let bytes = match what.seen_bytes > shared_core::LARGEST_STORED {
            true => self.length_of(op, what.conversation).await?,
            false => what.seen_bytes,
        };
        let mut script = scripts::QUARANTINE.prepare_invoke();
        script
            .key(&self.keys.epoch)
            .key(&self.keys.counters)
            .key(self.keys.conversation(what.conversation))
            .key(&self.keys.open)
            .key(&self.keys.outbox)
            .key(&self.keys.records)
            .key(&self.keys.timers)
            .key(&self.keys.quarantine)
            .key(&self.keys.dirty)
            .arg(&stamp_arguments(what.stamp))
            .arg(bytes)
            .arg(what.fresh)
            .arg(what.conversation.to_string())
            .arg(TOMBSTONE_KEPT.as_millis().to_string())
            .arg(what.id.to_string())
            .arg(what.why)
            .arg(what.at.to_string())
            .arg(KEPT)
            .arg(LONGEST);
        counted(&mut script, json_list(op, what.outbox)?);
        counted(&mut script, json_list(op, what.records)?);
        counted(&mut script, timers::names(what.conversation));
        let reply: Reply = self.link.script(op, &script).await?;
        match reply.word.as_str() {
            "done" => Ok(EpochAnswer::Done(MovedAside::Done)),
            "moved" => Ok(EpochAnswer::Done(MovedAside::Moved)),
            _ => fenced(op, reply),
        }
    }

    async fn length_of(
        &self,
        op: Op<'_>,
        conversation: &ConversationKey,
    ) -> Result<usize, StateError> {
        let mut command = ::redis::cmd("STRLEN");
        command.arg(self.keys.conversation(conversation));
        self.link.query(op, &command).await
    }

    /// The latest first.
    pub async fn quarantined(&self) -> Result<Vec<Quarantined>, StateError> {
        let op = self.op("list", &"the conversations in quarantine");
        let mut command = ::redis::cmd("XREVRANGE");
        command
            .arg(&self.keys.quarantine)
            .arg("+")
            .arg("-")
            .arg("COUNT")
            .arg(KEPT);
        let page: Vec<(String, HashMap<String, Vec<u8>>)> = self.link.query(op, &command).await?;
        page.iter()
            .map(|(id, fields)| entry(op, id, fields))
            .collect()
    }

    pub async fn quarantine_len(&self) -> Result<u64, StateError> {
        let op = self.op("measure", &"the quarantine");
        let mut command = ::redis::cmd("XLEN");
        command.arg(&self.keys.quarantine);
        self.link.query(op, &command).await
    }

    /// What was stored; `None` when it is not in quarantine any more.
    pub async fn quarantined_value(
        &self,
        position: QuarantinePosition,
    ) -> Result<Option<Vec<u8>>, StateError> {
        let op = self.op("read", &"a conversation in quarantine");
        let mut command = ::redis::cmd("XRANGE");
        command
            .arg(&self.keys.quarantine)
            .arg(position.to_string())
            .arg(position.to_string());
        let page: Vec<(String, HashMap<String, Vec<u8>>)> = self.link.query(op, &command).await?;
        let found = page.into_iter().next();
        Ok(found.and_then(|(_, mut fields)| fields.remove("raw")))
    }

    /// Puts it back where it was, if nothing has happened there since. Whoever was to be reminded of it by now does without.
    pub async fn restore_quarantined(&self, what: &Quarantined) -> Result<Restored, StateError> {
        let op = self.op("put back conversation", &what.conversation);
        let mut script = scripts::RESTORE_QUARANTINED.prepare_invoke();
        script
            .key(self.keys.conversation(&what.conversation))
            .key(&self.keys.open)
            .key(&self.keys.quarantine)
            .key(&self.keys.dirty)
            .arg(what.position.to_string())
            .arg(what.conversation.to_string())
            .arg(TOMBSTONE_KEPT.as_millis().to_string());
        let reply: Reply = self.link.script(op, &script).await?;
        match reply.word.as_str() {
            "done" => Ok(Restored::Done),
            "gone" => Ok(Restored::Gone),
            "moved" => Ok(Restored::MovedOn),
            "cut" => Ok(Restored::Cut),
            _ => Err(reply.unexpected(op)),
        }
    }

    /// Throws it away. False: it was not there any more.
    pub async fn drop_quarantined(&self, position: QuarantinePosition) -> Result<bool, StateError> {
        let op = self.op("drop", &"a conversation in quarantine");
        let positions = std::iter::once(position.0);
        let gone = self
            .delete_entries(op, &self.keys.quarantine, positions)
            .await?;
        Ok(gone > 0)
    }
}

fn entry(
    op: Op<'_>,
    id: &str,
    fields: &HashMap<String, Vec<u8>>,
) -> Result<Quarantined, StateError> {
    let text = |name: &str| {
        let value = fields.get(name).map(Vec::as_slice).unwrap_or_default();
        std::str::from_utf8(value).unwrap_or_default()
    };
    let broken = |what: &str| StateError::unreadable(op, format!("an entry has no {what}"));
    let position: StreamId = id.parse().map_err(|_| broken("stream position"))?;
    Ok(Quarantined {
        position: position.into(),
        id: text("id").parse().map_err(|_| broken("id"))?,
        conversation: text("conversation")
            .parse()
            .map_err(|_| broken("conversation"))?,
        why: text("why").to_owned(),
        at: UnixMs(text("at").parse().map_err(|_| broken("time"))?),
        bytes: text("bytes").parse().map_err(|_| broken("length"))?,
        is_whole: text("whole") == "1",
    })
}
