//! What belongs to one bot and is written under its login lease: the private box's cursor, who may be reached, messages kept for later.
//!
//! Invariants: nothing is written by a worker whose lease is not the stored one, nor is a kept message removed under another epoch than the open one; a cursor only moves forward, each of its three parts; the cursor and what was
//! made of the updates before it change in one script.

use shared_core::{BotId, EpochStamp, Incoming, LoginLease, MemberId};

use super::commit::{counted, json, json_list};
use super::epoch::{fenced, stamp_arguments};
use super::error::StateError;
use super::leases::lease_answer;
use super::reply::Reply;
use super::scripts;
use super::streams::Stream;
use super::{EpochAnswer, HeldPosition, LeaseAnswer, PoolState};

/// Private messages that a standby keeps at most; beyond it the oldest are dropped and counted.
const HELD_MAX: usize = 10_000;

/// How far a bot's private box is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PrivateCursor {
    pub pts: i32,
    pub qts: i32,
    pub date: i32,
}

#[derive(Debug, Clone, Default)]
pub struct PrivateChange {
    /// Moves the cursor forward; parts that are further already stay.
    pub cursor: Option<PrivateCursor>,
    /// Members who started the bot.
    pub started: Vec<MemberId>,
    /// Members who started it because they had been invited; counted where the bot could not write to them before.
    pub invited: Vec<MemberId>,
    /// Members who stopped it.
    pub stopped: Vec<MemberId>,
    /// Messages to keep until this bot is activated.
    pub hold: Vec<Incoming>,
}

impl PoolState {
    pub async fn private_cursor(&self, bot: BotId) -> Result<Option<PrivateCursor>, StateError> {
        let mut command = ::redis::cmd("HMGET");
        command
            .arg(self.keys.private_box(bot))
            .arg(&["pts", "qts", "date"]);
        let (pts, qts, date): (Option<i32>, Option<i32>, Option<i32>) = self
            .link
            .query(self.op("read the private cursor of", &bot), &command)
            .await?;
        Ok(match (pts, qts, date) {
            (Some(pts), Some(qts), Some(date)) => Some(PrivateCursor { pts, qts, date }),
            _ => None,
        })
    }

    pub async fn commit_private(
        &self,
        lease: &LoginLease,
        change: &PrivateChange,
    ) -> Result<LeaseAnswer, StateError> {
        let op = self.op("commit the private box of", &lease.bot);
        let mut script = scripts::COMMIT_PRIVATE.prepare_invoke();
        script
            .key(self.keys.lease(lease.bot))
            .key(self.keys.private_box(lease.bot))
            .key(self.keys.reach(lease.bot))
            .key(self.keys.held(lease.bot))
            .key(&self.keys.counters)
            .key(&self.keys.dirty)
            .arg(json(op, lease)?)
            .arg(HELD_MAX)
            .arg(lease.bot.to_string());
        let cursor = change.cursor.map_or_else(Vec::new, |cursor| {
            [cursor.pts, cursor.qts, cursor.date]
                .iter()
                .map(i32::to_string)
                .collect()
        });
        counted(&mut script, cursor);
        counted(&mut script, bare(&change.invited));
        counted(&mut script, bare(&change.started));
        counted(&mut script, bare(&change.stopped));
        counted(&mut script, json_list(op, &change.hold)?);
        let reply = self.link.script(op, &script).await?;
        lease_answer(op, reply)
    }

    /// How many members the bot may write to.
    pub async fn reach(&self, bot: BotId) -> Result<u64, StateError> {
        self.link
            .query(
                self.op("measure the reach of", &bot),
                ::redis::cmd("SCARD").arg(self.keys.reach(bot)),
            )
            .await
    }

    /// May the bot write to these members? In their order.
    pub async fn reaches(&self, bot: BotId, members: &[MemberId]) -> Result<Vec<bool>, StateError> {
        if members.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = ::redis::cmd("SMISMEMBER");
        command.arg(self.keys.reach(bot)).arg(bare(members));
        self.link
            .query(self.op("look up the reach of", &bot), &command)
            .await
    }

    /// Messages kept for this bot's activation, oldest first. An unreadable one is moved aside and not returned.
    pub async fn held(
        &self,
        bot: BotId,
        limit: usize,
    ) -> Result<Vec<(HeldPosition, Incoming)>, StateError> {
        let key = self.keys.held(bot);
        let stream = Stream {
            key: &key,
            field: "u",
            entry: "a kept message",
        };
        let op = self.op("read the messages kept for", &bot);
        self.read_stream(op, &stream, None, limit).await
    }

    /// These have been taken in by their conversations, which remember them, or never will be. Says how many of them were still there.
    pub async fn held_settle(
        &self,
        stamp: EpochStamp,
        bot: BotId,
        settled: &[HeldPosition],
    ) -> Result<EpochAnswer<u64>, StateError> {
        let mut script = scripts::HELD_SETTLE.prepare_invoke();
        script
            .key(&self.keys.epoch)
            .key(self.keys.held(bot))
            .arg(&stamp_arguments(stamp));
        for position in settled {
            script.arg(position.0.to_string());
        }
        let op = self.op("settle messages kept for", &bot);
        let mut reply: Reply = self.link.script(op, &script).await?;
        match reply.word.as_str() {
            "done" => Ok(EpochAnswer::Done(reply.take(op)?)),
            _ => fenced(op, reply),
        }
    }

    /// The smoke test's write: counts up the bot's own probe key under its lease, and reads it back on its own.
    pub async fn probe_write(&self, lease: &LoginLease) -> Result<LeaseAnswer, StateError> {
        let op = self.op("write the probe of", &lease.bot);
        let probe = self.keys.probe(lease.bot);
        let mut script = scripts::PROBE_WRITE.prepare_invoke();
        script
            .key(self.keys.lease(lease.bot))
            .key(&probe)
            .arg(json(op, lease)?);
        let mut reply: Reply = self.link.script(op, &script).await?;
        if reply.word != "held" {
            return lease_answer(op, reply);
        }
        let written: i64 = reply.take(op)?;
        let mut command = ::redis::cmd("HGET");
        command.arg(&probe).arg("count");
        let read: Option<i64> = self.link.query(op, &command).await?;
        if read.is_none_or(|read| read < written) {
            return Err(StateError::unreadable(
                op,
                "what was written is not read back",
            ));
        }
        Ok(LeaseAnswer::Held)
    }
}

/// Bare numbers, so that Redis can keep the set as integers: eight bytes a member instead of some forty.
pub(super) fn bare(members: &[MemberId]) -> Vec<String> {
    members.iter().map(|member| member.0.to_string()).collect()
}
