//! A turn of the checkpoint: what has changed is taken, and let go of once it is in SQL; how far it is.
//!
//! Invariant: a mark that was taken stays until SQL has what it stands for, so a checkpoint that is cut short is taken up where it was.

use shared_core::UnixMs;

use super::super::error::StateError;
use super::super::leader::lead_answer;
use super::super::marks::Mark;
use super::super::reply::Reply;
use super::super::{LeadAnswer, LeaderId, PoolState, scripts};

/// What was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Marks {
    Taken(u64),
    /// A checkpoint before this one was cut short: these are its marks, and nothing was taken.
    Left(u64),
    NotLeading,
}

impl PoolState {
    /// Begins a turn: what changed since the last one is taken, in one piece. Copies know that it was begun.
    pub async fn take_marks(&self, leader: &LeaderId, turn: u64) -> Result<Marks, StateError> {
        let op = self.op("take", &"what has changed");
        let mut script = scripts::TAKE_MARKS.prepare_invoke();
        script
            .key(&self.keys.leader)
            .key(&self.keys.checkpoint)
            .key(&self.keys.dirty)
            .key(&self.keys.taken)
            .arg(leader.as_str())
            .arg(turn.to_string());
        let (mut reply, _): (Reply, _) = self.link.copied(op, &script).await?;
        match reply.word.as_str() {
            "taken" => Ok(Marks::Taken(reply.take(op)?)),
            "left" => Ok(Marks::Left(reply.take(op)?)),
            "not_leading" => Ok(Marks::NotLeading),
            _ => Err(reply.unexpected(op)),
        }
    }

    /// Copies have all that was read until now; with a single server there is nobody to ask. `WAIT` asks for what its own connection wrote
    /// last, so something is written first, behind everything that was read.
    pub async fn copies_have_it(
        &self,
        leader: &LeaderId,
        turn: u64,
    ) -> Result<LeadAnswer, StateError> {
        if !self.may_be_replaced() {
            return Ok(LeadAnswer::Done);
        }
        let op = self.op("ask the copies for", &"what the checkpoint has read");
        let words = vec!["HSET".to_owned(), "copied".to_owned(), turn.to_string()];
        let script = self.leader_script(leader, &self.keys.checkpoint, words, false);
        let (reply, _) = self.link.copied(op, &script).await?;
        lead_answer(op, reply)
    }

    /// Some of the marks that were taken; they stay until [`Self::let_go`].
    pub async fn taken_marks(&self, limit: usize) -> Result<Vec<String>, StateError> {
        let op = self.op("read", &"what has changed");
        let mut command = ::redis::cmd("SRANDMEMBER");
        command.arg(&self.keys.taken).arg(limit);
        self.link.query(op, &command).await
    }

    /// What these marks stand for is in SQL.
    pub async fn let_go(
        &self,
        leader: &LeaderId,
        marks: &[String],
    ) -> Result<LeadAnswer, StateError> {
        let op = self.op("let go of", &"what is in SQL");
        let mut words = vec!["SREM".to_owned()];
        words.extend_from_slice(marks);
        self.leader_write(op, leader, &self.keys.taken, words, false)
            .await
    }

    /// Marks for everything that is there, a portion at a time: for a history that has never been copied whole.
    pub async fn mark(&self, leader: &LeaderId, marks: &[Mark]) -> Result<LeadAnswer, StateError> {
        let op = self.op("mark", &"what is to be copied");
        let mut words = vec!["SADD".to_owned()];
        words.extend(marks.iter().map(Mark::to_string));
        self.leader_write(op, leader, &self.keys.dirty, words, false)
            .await
    }

    /// Says up to which moment everything is in SQL.
    pub async fn set_checkpoint_at(
        &self,
        leader: &LeaderId,
        at: UnixMs,
    ) -> Result<LeadAnswer, StateError> {
        let op = self.op("note", &"how far the checkpoint is");
        let words = vec!["HSET".to_owned(), "at".to_owned(), at.to_string()];
        self.leader_write(op, leader, &self.keys.checkpoint, words, false)
            .await
    }

    /// A history that begins anew has had as many turns as SQL knows.
    pub async fn set_checkpoint_turn(
        &self,
        leader: &LeaderId,
        turn: u64,
    ) -> Result<LeadAnswer, StateError> {
        let op = self.op("note", &"how far the checkpoint is");
        let words = vec!["HSET".to_owned(), "turn".to_owned(), turn.to_string()];
        self.leader_write(op, leader, &self.keys.checkpoint, words, false)
            .await
    }

    /// How old the checkpoint is, by Redis' clock alone; `None` where there has been none in this history.
    pub async fn checkpoint_lag_ms(&self) -> Result<Option<u64>, StateError> {
        let op = self.op("read", &"how far the checkpoint is");
        let mut pipeline = ::redis::pipe();
        pipeline.atomic();
        pipeline.cmd("HGET").arg(&self.keys.checkpoint).arg("at");
        pipeline.cmd("TIME");
        let (at, (seconds, micros)): (Option<i64>, (i64, i64)) =
            self.link.pipeline(op, &pipeline).await?;
        let now = UnixMs(seconds.saturating_mul(1000).saturating_add(micros / 1000));
        Ok(at.map(|at| now.since(UnixMs(at))))
    }

    /// The last turn that was begun here.
    pub async fn checkpoint_turn(&self) -> Result<Option<u64>, StateError> {
        let op = self.op("read", &"how far the checkpoint is");
        let mut command = ::redis::cmd("HGET");
        command.arg(&self.keys.checkpoint).arg("turn");
        self.link.query(op, &command).await
    }
}
