//! Giving a pool its state back: everything of it is removed, then written as the checkpoint has it.
//!
//! ```text
//! restore_begin ──▶ restore_page / restore_write (any number) ──▶ restore_finish
//! ```
//! Invariants: between begin and finish the epoch is fenced, nobody holds a bot's lease and nobody is assigned one, so nothing is
//! served, committed or moved that is there by half; the key `restoring` says so to whoever leads next, who starts over under another nonce;
//! each write asks who leads and whether this restoring is still the one under way.

mod writes;

use shared_core::{BotId, EpochStamp, UnixMs};

use super::epoch::stamp_arguments;
use super::error::StateError;
use super::marks::Mark;
use super::reply::Reply;
use super::{FenceAnswer, LeadAnswer, LeaderId, PoolState, scripts};

pub use writes::{Stored, Write};

/// What is left to be done is this long behind: a key a command, so that a portion blocks Redis for about a millisecond.
pub const RESTORE_PORTION: usize = 500;

/// A restoring that was begun and has not been finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restoring {
    /// Who asked for it, or why it is done.
    pub source: String,
    pub done: u64,
    pub total: u64,
}

/// How a write of a restoring went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum RestoreAnswer {
    Done,
    NotLeading,
    /// Another restoring has begun since, or Redis was emptied.
    Another,
}

impl PoolState {
    /// Fences the pool and notes what is about to happen. `previous` answered last, where Redis does not know.
    pub async fn restore_begin(
        &self,
        leader: &LeaderId,
        stamp: EpochStamp,
        since: UnixMs,
        source: &str,
        previous: Option<BotId>,
        bots: &[BotId],
    ) -> Result<FenceAnswer, StateError> {
        let op = self.op("begin to restore", &stamp);
        let mut script = scripts::RESTORE_BEGIN.prepare_invoke();
        script
            .key(&self.keys.leader)
            .key(&self.keys.epoch)
            .key(&self.keys.saga)
            .key(&self.keys.assign)
            .key(&self.keys.restoring);
        for bot in bots {
            script.key(self.keys.lease(*bot));
        }
        script
            .arg(leader.as_str())
            .arg(&stamp_arguments(stamp))
            .arg(since.to_string())
            .arg(source)
            .arg(previous.map(|bot| bot.to_string()).unwrap_or_default())
            .arg(&self.keys.bell);
        // A fence: what copies do not have is not done.
        let (reply, _): (Reply, _) = self.link.copied(op, &script).await?;
        FenceAnswer::read(op, reply)
    }

    /// The restoring under way, if there is one.
    pub async fn restoring(&self) -> Result<Option<Restoring>, StateError> {
        let op = self.op("read", &"what is being restored");
        let mut command = ::redis::cmd("HMGET");
        command
            .arg(&self.keys.restoring)
            .arg(&["source", "done", "total"]);
        let (source, done, total): (Option<String>, Option<u64>, Option<u64>) =
            self.link.query(op, &command).await?;
        Ok(source.map(|source| Restoring {
            source,
            done: done.unwrap_or(0),
            total: total.unwrap_or(0),
        }))
    }

    pub async fn restore_write(
        &self,
        leader: &LeaderId,
        stamp: EpochStamp,
        writes: &[Write],
    ) -> Result<RestoreAnswer, StateError> {
        if writes.is_empty() {
            return Ok(RestoreAnswer::Done);
        }
        let op = self.op("restore", &"a portion");
        let mut script = scripts::RESTORE_WRITE.prepare_invoke();
        script.key(&self.keys.leader).key(&self.keys.restoring);
        for write in writes {
            script.key(&write.key);
        }
        script.arg(leader.as_str()).arg(stamp.nonce.to_string());
        for write in writes {
            script.arg(write.words.len()).arg(&write.words);
        }
        answer(op, self.link.script(op, &script).await?)
    }

    /// Everything is there: this Redis has a history of its own from here on, and whoever leads may serve it.
    pub async fn restore_finish(
        &self,
        leader: &LeaderId,
        stamp: EpochStamp,
        lineage: &str,
        turn: u64,
    ) -> Result<RestoreAnswer, StateError> {
        let op = self.op("finish to restore", &stamp);
        let mut script = scripts::RESTORE_FINISH.prepare_invoke();
        script
            .key(&self.keys.leader)
            .key(&self.keys.restoring)
            .key(&self.keys.lineage)
            .key(&self.keys.checkpoint)
            .arg(leader.as_str())
            .arg(stamp.nonce.to_string())
            .arg(lineage)
            .arg(turn.to_string())
            .arg(&self.keys.bell);
        let (reply, _) = self.link.copied(op, &script).await?;
        answer(op, reply)
    }

    /// A page of the keys of conversations and parked replies that are there: what they are marked by, and how they are removed. Ends with
    /// the cursor 0.
    pub async fn restore_page(
        &self,
        cursor: u64,
        what: Scanned,
    ) -> Result<(u64, Vec<Mark>, Vec<Write>), StateError> {
        let op = self.op("list", &"what is there");
        let prefix = match what {
            Scanned::Conversations => self.keys.conversations(),
            Scanned::Parked => self.keys.all_parked(),
        };
        let mut command = ::redis::cmd("SCAN");
        command
            .arg(cursor)
            .arg("MATCH")
            .arg(format!("{prefix}*"))
            .arg("COUNT")
            .arg(RESTORE_PORTION);
        let (next, keys): (u64, Vec<String>) = self.link.query(op, &command).await?;
        let (mut marks, mut removals) = (Vec::new(), Vec::new());
        for key in keys {
            let name = key.strip_prefix(&prefix).unwrap_or_default();
            let mark = match what {
                Scanned::Conversations => name.parse().map(Mark::Conversation),
                Scanned::Parked => name.parse().map(Mark::Parked),
            };
            marks.extend(mark.ok());
            removals.push(Write {
                key,
                words: vec!["UNLINK".to_owned()],
            });
        }
        Ok((next, marks, removals))
    }

    /// A page of the members whom a bot may write to, as marks.
    pub async fn reach_page(
        &self,
        bot: BotId,
        cursor: u64,
    ) -> Result<(u64, Vec<Mark>), StateError> {
        let op = self.op("list the reach of", &bot);
        let mut command = ::redis::cmd("SSCAN");
        command
            .arg(self.keys.reach(bot))
            .arg(cursor)
            .arg("COUNT")
            .arg(RESTORE_PORTION);
        let (next, members): (u64, Vec<i64>) = self.link.query(op, &command).await?;
        let member = shared_core::MemberId;
        let marks = members.into_iter().map(|m| Mark::Reach {
            bot,
            member: member(m),
        });
        Ok((next, marks.collect()))
    }

    /// Is there anything that members or bots left here?
    pub async fn has_state(&self) -> Result<bool, StateError> {
        let op = self.op("look for", &"state");
        let mut command = ::redis::cmd("EXISTS");
        command
            .arg(&self.keys.epoch)
            .arg(&self.keys.open)
            .arg(&self.keys.channels)
            .arg(&self.keys.outbox);
        let found: u64 = self.link.query(op, &command).await?;
        Ok(found > 0)
    }

    /// Says why nobody may serve the pool until a person decides; gone by itself when nobody says it any more.
    pub async fn set_undecided(
        &self,
        leader: &LeaderId,
        why: &str,
        for_ms: u64,
    ) -> Result<LeadAnswer, StateError> {
        let op = self.op("note", &"what is undecided");
        let words = ["SET", why, "PX", &for_ms.to_string()];
        let words = words.into_iter().map(str::to_owned).collect();
        self.leader_write(op, leader, &self.keys.undecided, words, false)
            .await
    }

    pub async fn undecided(&self) -> Result<Option<String>, StateError> {
        let op = self.op("read", &"what is undecided");
        let mut command = ::redis::cmd("GET");
        command.arg(&self.keys.undecided);
        self.link.query(op, &command).await
    }
}

/// What [`PoolState::restore_page`] looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scanned {
    Conversations,
    Parked,
}

fn answer(op: super::error::Op<'_>, reply: Reply) -> Result<RestoreAnswer, StateError> {
    match reply.word.as_str() {
        "done" => Ok(RestoreAnswer::Done),
        "not_leading" => Ok(RestoreAnswer::NotLeading),
        "another" => Ok(RestoreAnswer::Another),
        _ => Err(reply.unexpected(op)),
    }
}
