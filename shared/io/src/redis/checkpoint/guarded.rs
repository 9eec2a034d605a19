//! Transactions that ask first who leads and which history this is: [`HistoryMark`].

use ::redis::{FromRedisValue, Pipeline, Value, from_redis_value};

use super::super::error::{Op, StateError};
use super::super::{LeaderId, PoolState};

/// What a reading must find to be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryMark {
    pub leader: LeaderId,
    /// The mark of the Redis history.
    pub lineage: String,
    /// The last turn that was begun: a Redis that knows fewer has been rolled back.
    pub turn: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Guarded<T> {
    Read(T),
    NotLeading,
    /// Emptied, replaced or rolled back.
    AnotherHistory,
}

impl PoolState {
    /// Carries out what began as [`Self::guarded`]: the answers to what follows, if this is the history that is copied and its leader asks.
    pub(super) async fn read_guarded<'a>(
        &self,
        op: Op<'a>,
        history: &HistoryMark,
        pipeline: &Pipeline,
    ) -> Result<Guarded<Answers<'a>>, StateError> {
        let answers: Vec<Value> = self.link.pipeline(op, pipeline).await?;
        let mut answers = Answers {
            op,
            answers: answers.into_iter(),
        };
        let leader: Option<String> = answers.take()?;
        let lineage: Option<String> = answers.take()?;
        let turn: Option<u64> = answers.take()?;
        Ok(
            if lineage.as_ref() != Some(&history.lineage) || turn.unwrap_or(0) < history.turn {
                Guarded::AnotherHistory
            } else if leader.as_deref() != Some(history.leader.as_str()) {
                Guarded::NotLeading
            } else {
                Guarded::Read(answers)
            },
        )
    }

    pub(super) fn guarded(&self) -> Pipeline {
        let mut pipeline = ::redis::pipe();
        pipeline.atomic();
        pipeline.cmd("GET").arg(&self.keys.leader);
        pipeline.cmd("GET").arg(&self.keys.lineage);
        pipeline.cmd("HGET").arg(&self.keys.checkpoint).arg("turn");
        pipeline
    }
}

/// The answers of a transaction, one after the other.
pub(super) struct Answers<'a> {
    op: Op<'a>,
    answers: std::vec::IntoIter<Value>,
}

impl Answers<'_> {
    pub fn take<T: FromRedisValue>(&mut self) -> Result<T, StateError> {
        let value = self.answers.next().unwrap_or_default();
        from_redis_value(value).map_err(|_| {
            StateError::unreadable(self.op, "an answer has another form than expected")
        })
    }
}
