//! The epoch record and the assignments, as anybody may read them, and what a script says to a writer whose epoch is over.

use std::collections::{BTreeMap, HashMap};

use shared_core::{
    Assignment, BotId, EpochRecord, EpochStamp, Holder, Nonce, Phase, PoolBoard, UnixMs,
};

use super::commit::json;
use super::error::{Op, StateError, json_fault};
use super::reply::Reply;
use super::{Bell, PoolState, scripts};

/// The record's fields in the order in which the prelude's `record` gives them.
pub(super) const FIELDS: [&str; 7] = ["epoch", "nonce", "phase", "bot", "worker", "prev", "since"];

/// Record and assignments as of one moment, and what the leader and people have to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolView {
    pub epoch: Option<EpochRecord>,
    pub assignments: Vec<Assignment>,
    /// `None` as well when it cannot be read: a board is for people and hinders nothing.
    pub board: Option<PoolBoard>,
    /// Smoke tests that somebody waits for, each by its own nonce.
    pub smoke_asked: BTreeMap<BotId, Nonce>,
}

/// How a write under the epoch went.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum EpochAnswer<T> {
    Done(T),
    /// The epoch is not the writer's, or not `open`. Nothing was written.
    Fenced {
        current: Option<EpochRecord>,
    },
}

impl PoolState {
    pub async fn epoch(&self) -> Result<Option<EpochRecord>, StateError> {
        let op = self.op("read", &"the epoch");
        let fields = self
            .link
            .query(op, ::redis::cmd("HMGET").arg(&self.keys.epoch).arg(&FIELDS))
            .await?;
        record(op, fields)
    }

    pub async fn assignments(&self) -> Result<Vec<Assignment>, StateError> {
        let op = self.op("read", &"the assignments");
        let found = self
            .link
            .query(op, ::redis::cmd("HGETALL").arg(&self.keys.assign))
            .await?;
        assignments(op, found)
    }

    /// What was given to an earlier process of this worker's name becomes this one's, under the same grant. False: it has changed since.
    pub async fn inherit(&self, given: &Assignment, process: Nonce) -> Result<bool, StateError> {
        let op = self.op("inherit", &given.bot);
        let mut command = ::redis::cmd("HGET");
        command.arg(&self.keys.assign).arg(given.bot.to_string());
        let read: Option<String> = self.link.query(op, &command).await?;
        let stands = read.as_deref().map(serde_json::from_str::<Assignment>);
        let stands = stands.transpose();
        let stands = stands
            .map_err(|error| StateError::unreadable(op, json_fault("the assignment", &error)))?;
        let Some((read, stands)) = read.zip(stands).filter(|(_, stands)| stands == given) else {
            return Ok(false);
        };
        let ours = Assignment {
            process: Some(process),
            ..stands
        };
        let mut script = scripts::SWAP_FIELD.prepare_invoke();
        script
            .key(&self.keys.assign)
            .arg(given.bot.to_string())
            .arg(read)
            .arg(json(op, &ours)?);
        self.link.script(op, &script).await
    }

    /// What a worker looks at when the bell rings: all in one round trip.
    pub async fn look(&self) -> Result<PoolView, StateError> {
        let op = self.op("look at", &"epoch and assignments");
        let mut pipeline = ::redis::pipe();
        pipeline.atomic();
        pipeline.cmd("HMGET").arg(&self.keys.epoch).arg(&FIELDS);
        pipeline.cmd("HGETALL").arg(&self.keys.assign);
        pipeline.cmd("GET").arg(&self.keys.board);
        pipeline.cmd("HGETALL").arg(&self.keys.smoke_asked);
        type Look = (
            Vec<Option<String>>,
            HashMap<String, Vec<u8>>,
            Option<Vec<u8>>,
            HashMap<String, String>,
        );
        let (fields, found, board, asked): Look = self.link.pipeline(op, &pipeline).await?;
        Ok(PoolView {
            epoch: record(op, fields)?,
            assignments: assignments(op, found)?,
            board: board.and_then(|text| super::board::readable(&self.keys.pool, &text)),
            smoke_asked: super::board::asked(&asked),
        })
    }

    /// Rings whenever the epoch or an assignment changes.
    pub async fn bell(&self) -> Result<Bell, StateError> {
        Bell::listen(&self.link, &self.keys.bell).await
    }

    /// Rings the pool's bell. It may be lost: listeners poll as well.
    pub async fn ring(&self) {
        super::bell::ring(&self.link, &self.keys.bell).await;
    }

    pub(super) fn op<'a>(
        &'a self,
        doing: &'static str,
        subject: &'a (dyn std::fmt::Display + Sync),
    ) -> Op<'a> {
        Op {
            doing,
            subject,
            pool: Some(&self.keys.pool),
        }
    }
}

/// Reads a refusal by the epoch: `{'fenced', record}`.
pub(super) fn fenced<T>(op: Op<'_>, mut reply: Reply) -> Result<EpochAnswer<T>, StateError> {
    if reply.word != "fenced" {
        return Err(reply.unexpected(op));
    }
    Ok(EpochAnswer::Fenced {
        current: record(op, reply.take(op)?)?,
    })
}

/// The stamp as the two arguments that scripts compare.
pub(super) fn stamp_arguments(stamp: EpochStamp) -> [String; 2] {
    [stamp.epoch.0.to_string(), stamp.nonce.to_string()]
}

pub(super) fn record(
    op: Op<'_>,
    fields: Vec<Option<String>>,
) -> Result<Option<EpochRecord>, StateError> {
    let wrong = || StateError::unreadable(op, "the epoch record is not readable");
    let [epoch, nonce, phase, bot, worker, prev, since]: [Option<String>; 7] =
        fields.try_into().map_err(|_| wrong())?;
    let (Some(epoch), Some(nonce), Some(phase)) = (epoch, nonce, phase) else {
        return Ok(None);
    };
    let holder = match (bot, worker) {
        (Some(bot), Some(worker)) => Some(Holder {
            bot: bot.parse().map_err(|_| wrong())?,
            worker: shared_core::WorkerId::new(worker).map_err(|_| wrong())?,
        }),
        _ => None,
    };
    let since = since.map_or(Ok(0), |since| since.parse());
    Ok(Some(EpochRecord {
        stamp: EpochStamp {
            epoch: shared_core::Epoch(epoch.parse().map_err(|_| wrong())?),
            nonce: nonce.parse().map_err(|_| wrong())?,
        },
        phase: Phase::parse(&phase).ok_or_else(wrong)?,
        holder,
        previous_bot: prev
            .map(|bot| bot.parse())
            .transpose()
            .map_err(|_| wrong())?,
        since: UnixMs(since.map_err(|_| wrong())?),
    }))
}

fn assignments(op: Op<'_>, found: HashMap<String, Vec<u8>>) -> Result<Vec<Assignment>, StateError> {
    let mut assignments = found
        .values()
        .map(|json| {
            serde_json::from_slice(json)
                .map_err(|error| StateError::unreadable(op, json_fault("an assignment", &error)))
        })
        .collect::<Result<Vec<Assignment>, _>>()?;
    assignments.sort_by_key(|assignment| assignment.bot);
    Ok(assignments)
}
