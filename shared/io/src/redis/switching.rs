//! The leader's three steps through an epoch: fence, activate, open. Each writes the saga with it and rings the bell.
//!
//! ```text
//! step         refused unless                                       writes
//! fence        the record's epoch is lower (or there is none)       epoch, nonce, phase fenced, no holder, prev if the last was open
//! activate     this stamp, fenced (or smoking with this holder)     holder, phase smoking
//! open_epoch   this stamp, smoking (or open already)                phase open
//! confirm      the record is not this stamp, open                   under which epoch commits are made; by the worker that is to make them
//! ```
//! All of them count only when copies have them (`link.rs`). Each step may be repeated by whoever got no answer, or by the next leader: the second time it says the same and changes nothing but the saga.
//! Invariants: an epoch never goes down; a holder is never replaced inside an epoch; only an *open* holder becomes `prev`, so failed attempts
//! do not hide from whom members are continued.

use shared_core::{Epoch, EpochRecord, EpochStamp, Holder, UnixMs};

use super::epoch::{fenced, record, stamp_arguments};
use super::error::{Op, StateError};
use super::reply::Reply;
use super::scripts;
use super::{EpochAnswer, LeaderId, PoolState};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum FenceAnswer {
    Fenced,
    /// The record is at this epoch already: mint above it.
    Behind {
        seen: Epoch,
    },
    NotLeading,
}

impl FenceAnswer {
    pub(super) fn read(op: Op<'_>, mut reply: Reply) -> Result<Self, StateError> {
        match reply.word.as_str() {
            "done" => Ok(Self::Fenced),
            "not_leading" => Ok(Self::NotLeading),
            "behind" => {
                let seen: String = reply.take(op)?;
                let seen = seen
                    .parse()
                    .map_err(|_| StateError::unreadable(op, "the epoch is not a number"))?;
                Ok(Self::Behind { seen: Epoch(seen) })
            }
            _ => Err(reply.unexpected(op)),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum StepAnswer {
    Done,
    NotLeading,
    /// The record is another epoch's, or in a phase that this step does not follow. Nothing was written.
    Elsewhere {
        current: Option<EpochRecord>,
    },
}

impl PoolState {
    /// Begins the epoch `stamp`: from here on nobody commits.
    pub async fn fence(
        &self,
        leader: &LeaderId,
        stamp: EpochStamp,
        since: UnixMs,
        saga: &str,
    ) -> Result<FenceAnswer, StateError> {
        let op = self.op("fence", &stamp);
        let script = self.step(&scripts::FENCE, leader, stamp, since, saga);
        let (reply, _): (Reply, _) = self.link.copied(op, &script).await?;
        FenceAnswer::read(op, reply)
    }

    /// Names who is to be smoke tested.
    pub async fn activate(
        &self,
        leader: &LeaderId,
        stamp: EpochStamp,
        holder: &Holder,
        since: UnixMs,
        saga: &str,
    ) -> Result<StepAnswer, StateError> {
        let mut script = self.step(&scripts::ACTIVATE, leader, stamp, since, saga);
        script
            .arg(holder.bot.to_string())
            .arg(holder.worker.as_str());
        let op = self.op("activate", &stamp);
        step_answer(op, self.link.copied(op, &script).await?.0)
    }

    /// Lets the holder commit and send.
    pub async fn open_epoch(
        &self,
        leader: &LeaderId,
        stamp: EpochStamp,
        since: UnixMs,
        saga: &str,
    ) -> Result<StepAnswer, StateError> {
        let script = self.step(&scripts::OPEN_EPOCH, leader, stamp, since, saga);
        let op = self.op("open", &stamp);
        step_answer(op, self.link.copied(op, &script).await?.0)
    }

    /// Sees to it that the open epoch which a worker is to act on is on copies too: it may have been read from a primary that is cut off.
    /// Nothing is asked of a single server.
    pub async fn confirm(&self, stamp: EpochStamp) -> Result<EpochAnswer<()>, StateError> {
        if self.link.copies() == 0 {
            return Ok(EpochAnswer::Done(()));
        }
        let op = self.op("confirm", &stamp);
        let mut script = scripts::CONFIRM.prepare_invoke();
        script
            .key(&self.keys.epoch)
            .key(&self.keys.counters)
            .arg(&stamp_arguments(stamp));
        let (reply, _): (Reply, _) = self.link.copied(op, &script).await?;
        match reply.word.as_str() {
            "done" => Ok(EpochAnswer::Done(())),
            _ => fenced(op, reply),
        }
    }

    fn step<'s>(
        &self,
        script: &'s ::redis::Script,
        leader: &LeaderId,
        stamp: EpochStamp,
        since: UnixMs,
        saga: &str,
    ) -> ::redis::ScriptInvocation<'s> {
        let mut script = script.prepare_invoke();
        script
            .key(&self.keys.leader)
            .key(&self.keys.epoch)
            .key(&self.keys.saga)
            .arg(leader.as_str())
            .arg(&stamp_arguments(stamp))
            .arg(since.to_string())
            .arg(saga)
            .arg(&self.keys.bell);
        script
    }
}

fn step_answer(op: Op<'_>, mut reply: Reply) -> Result<StepAnswer, StateError> {
    match reply.word.as_str() {
        "done" => Ok(StepAnswer::Done),
        "not_leading" => Ok(StepAnswer::NotLeading),
        "elsewhere" => Ok(StepAnswer::Elsewhere {
            current: record(op, reply.take(op)?)?,
        }),
        _ => Err(reply.unexpected(op)),
    }
}
