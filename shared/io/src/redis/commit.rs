//! The commit: a conversation's state, its replies, its records, what it tells others, and what it answers to, in one script or not at all.
//!
//! ```text
//! answer    when                                                   what the caller does
//! Done      epoch open and ours, version as read                   goes on
//! Fenced    the epoch is another, or not open                      stops working for the pool
//! Stale     somebody (an earlier try of ours) committed since      reads again; the watermarks tell whether it was this update
//! Gone      what this settles is settled already                   nothing: it was done
//! ```
//! A conversation in which nothing is open is remembered for a while, counted anew from each commit. Its timers go with whatever ends the silence
//! that they are about (`timers.rs`): the member does something, or nothing is open any more.
//! The script counts `commits` and `commits_refused` itself; other counters go along with the commit.

use std::time::Duration;

use serde::Serialize;
use shared_core::{
    BotId, ConversationKey, DueTimer, EpochRecord, EpochStamp, Letter, OutboxEntry, Record, UnixMs,
    stored_version,
};

use super::epoch::{fenced, stamp_arguments};
use super::error::{Op, StateError, json_fault};
use super::position::StreamId;
use super::reply::Reply;
use super::scripts;
use super::timers;
use super::{Counter, EpochAnswer, HeldPosition, InboxPosition, OutboxPosition, PoolState};

/// What a commit is the outcome of; it leaves its place with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settles {
    /// A file that was to be stored.
    Outbox(OutboxPosition),
    /// What this bot kept, and is not acted on: told once, whoever takes it up.
    Held(BotId, HeldPosition),
    /// Words of another conversation.
    Inbox(InboxPosition),
    /// A timer, as it was set.
    Timer(DueTimer),
}

impl Settles {
    fn words(self) -> Vec<String> {
        match self {
            Self::Outbox(at) => vec!["outbox".to_owned(), at.to_string()],
            Self::Held(_, at) => vec!["held".to_owned(), at.to_string()],
            Self::Inbox(at) => vec!["inbox".to_owned(), at.to_string()],
            Self::Timer(timer) => {
                let due = timer.due.to_string();
                vec!["timer".to_owned(), timer.key.to_string(), due]
            }
        }
    }
}

#[derive(Debug, Clone)]
pub struct Commit<'a> {
    pub stamp: EpochStamp,
    pub conversation: &'a ConversationKey,
    /// The version that was read, zero for a conversation that is not stored.
    pub expected_version: u64,
    /// `Envelope::encode()` of the envelope whose version is `expected_version + 1`.
    pub stored: &'a str,
    /// When the member was last active, if he is in the middle of something.
    pub open: Option<UnixMs>,
    /// He was just now: nothing else moves him among the open conversations.
    pub active: bool,
    /// How long it is remembered when nothing is open in it.
    pub keep: Duration,
    pub outbox: &'a [OutboxEntry],
    pub records: &'a [Record],
    /// So many records wait for the database at most, these included.
    pub records_at_most: u64,
    /// What other conversations are told.
    pub told: &'a [Letter],
    pub settles: Option<Settles>,
    pub counters: &'a [(Counter, i64)],
}

#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Committed {
    /// Where the replies stand in the outbox, in their order.
    Done {
        positions: Vec<OutboxPosition>,
    },
    Fenced {
        current: Option<EpochRecord>,
    },
    /// The stored version, which is not the expected one.
    Stale {
        version: u64,
    },
    Gone,
    /// Too many records wait for the database. Nothing was changed.
    Full,
}

impl PoolState {
    pub async fn commit(&self, commit: &Commit<'_>) -> Result<Committed, StateError> {
        let op = self.op("commit conversation", commit.conversation);
        let next = commit.expected_version.checked_add(1);
        let written = commit
            .stored
            .split_once('\n')
            .and_then(|(version, _)| stored_version(version));
        if written.is_none() || written != next {
            return Err(StateError::misuse(
                op,
                "the envelope's version does not follow the expected one",
            ));
        }
        let mut script = scripts::COMMIT.prepare_invoke();
        script
            .key(&self.keys.epoch)
            .key(&self.keys.counters)
            .key(self.keys.conversation(commit.conversation))
            .key(&self.keys.open)
            .key(&self.keys.outbox)
            .key(&self.keys.records)
            .key(&self.keys.inbox)
            .key(&self.keys.timers)
            .key(&self.keys.dirty)
            .key(&self.keys.refused)
            .key(&self.keys.reminded);
        if let Some(Settles::Held(bot, _)) = commit.settles {
            script.key(self.keys.held(bot));
        }
        script
            .arg(&stamp_arguments(commit.stamp))
            .arg(commit.expected_version.to_string())
            .arg(commit.stored)
            .arg(commit.open.map(|at| at.to_string()).unwrap_or_default())
            .arg(u8::from(commit.active))
            .arg(commit.conversation.to_string())
            .arg(commit.keep.as_millis().to_string())
            .arg(commit.records_at_most);
        counted(
            &mut script,
            commit.settles.map_or_else(Vec::new, Settles::words),
        );
        counted(&mut script, json_list(op, commit.outbox)?);
        counted(&mut script, json_list(op, commit.records)?);
        let counters = commit.counters.iter();
        counted(
            &mut script,
            counters
                .flat_map(|(counter, by)| [counter.as_str().to_owned(), by.to_string()])
                .collect(),
        );
        counted(&mut script, json_list(op, commit.told)?);
        counted(&mut script, timers::names(commit.conversation));
        let mut reply: Reply = self.link.script(op, &script).await?;
        match reply.word.as_str() {
            "done" => Ok(Committed::Done {
                positions: positions(op, reply.take(op)?)?,
            }),
            "gone" => Ok(Committed::Gone),
            "full" => Ok(Committed::Full),
            "stale" => {
                let version: String = reply.take(op)?;
                let version = stored_version(&version).ok_or_else(|| {
                    StateError::unreadable(op, "what is stored has a version that no commit writes")
                })?;
                Ok(Committed::Stale { version })
            }
            "unreadable" => Err(StateError::unreadable(
                op,
                "what is stored has no version that a commit writes",
            )),
            _ => match fenced::<()>(op, reply)? {
                EpochAnswer::Fenced { current } => Ok(Committed::Fenced { current }),
                // `fenced` gives nothing else.
                EpochAnswer::Done(()) => Err(StateError::unreadable(op, "no answer")),
            },
        }
    }
}

/// A list as a script reads it: how many, then each.
pub(super) fn counted(script: &mut ::redis::ScriptInvocation<'_>, items: Vec<String>) {
    script.arg(items.len()).arg(items);
}

pub(super) fn json_list<T: Serialize>(op: Op<'_>, items: &[T]) -> Result<Vec<String>, StateError> {
    items.iter().map(|item| json(op, item)).collect()
}

pub(super) fn json<T: Serialize>(op: Op<'_>, item: &T) -> Result<String, StateError> {
    serde_json::to_string(item)
        .map_err(|error| StateError::unreadable(op, json_fault("what was to be written", &error)))
}

pub(super) fn positions<P: From<StreamId>>(
    op: Op<'_>,
    ids: Vec<String>,
) -> Result<Vec<P>, StateError> {
    ids.iter()
        .map(|id| {
            id.parse::<StreamId>()
                .map(P::from)
                .map_err(|error| StateError::unreadable(op, error.to_string()))
        })
        .collect()
}
