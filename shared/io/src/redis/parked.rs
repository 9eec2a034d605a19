//! Replies that wait until their member presses Start with the bot that answers.
//!
//! Invariant: an entry is either in the outbox or parked, never both and never neither: each move is one script. Their order is kept.

use shared_core::{EpochStamp, MemberId, OutboxEntry};

use super::epoch::{fenced, stamp_arguments};
use super::error::{StateError, json_fault};
use super::position::StreamId;
use super::reply::Reply;
use super::scripts;
use super::{Counter, EpochAnswer, OutboxPosition, PoolState};

impl PoolState {
    /// Moves an entry out of the outbox to the member's parked replies. `Done(false)`: it is not in the outbox any more.
    pub async fn park(
        &self,
        stamp: EpochStamp,
        position: OutboxPosition,
        member: MemberId,
    ) -> Result<EpochAnswer<bool>, StateError> {
        let mut script = scripts::PARK.prepare_invoke();
        script
            .key(&self.keys.epoch)
            .key(&self.keys.outbox)
            .key(self.keys.parked(member))
            .key(&self.keys.counters)
            .key(&self.keys.waiting)
            .key(&self.keys.dirty)
            .arg(&stamp_arguments(stamp))
            .arg(position.to_string())
            .arg(member.0.to_string());
        let op = self.op("park a reply to", &member);
        let mut reply: Reply = self.link.script(op, &script).await?;
        match reply.word.as_str() {
            "done" => Ok(EpochAnswer::Done(reply.take(op)?)),
            _ => fenced(op, reply),
        }
    }

    /// Moves all parked replies of the member to the end of the outbox, in the order in which they were parked.
    pub async fn unpark(
        &self,
        stamp: EpochStamp,
        member: MemberId,
    ) -> Result<EpochAnswer<Vec<(OutboxPosition, OutboxEntry)>>, StateError> {
        let mut script = scripts::UNPARK.prepare_invoke();
        script
            .key(&self.keys.epoch)
            .key(&self.keys.outbox)
            .key(self.keys.parked(member))
            .key(&self.keys.counters)
            .key(&self.keys.waiting)
            .key(&self.keys.dirty)
            .arg(&stamp_arguments(stamp))
            .arg(member.0.to_string());
        let op = self.op("unpark the replies to", &member);
        let mut reply: Reply = self.link.script(op, &script).await?;
        if reply.word != "done" {
            return fenced(op, reply);
        }
        let (ids, texts): (Vec<String>, Vec<Vec<u8>>) = (reply.take(op)?, reply.take(op)?);
        let mut moved = Vec::with_capacity(ids.len());
        for (id, json) in ids.iter().zip(&texts) {
            let position: StreamId = id
                .parse()
                .map_err(|_| StateError::unreadable(op, "an entry has no stream position"))?;
            match serde_json::from_slice(json) {
                Ok(entry) => moved.push((OutboxPosition(position), entry)),
                // It is in the outbox; whoever reads it there moves it aside.
                Err(error) => {
                    tracing::warn!(%member, why = json_fault("a parked reply", &error), "unparked what cannot be read");
                }
            }
        }
        Ok(EpochAnswer::Done(moved))
    }

    /// Some of the members with parked replies, and where to go on; nothing to go on from: these were the last. Begins at 0. Who is among
    /// them throughout is given at least once; whoever is added meanwhile may be left out.
    pub async fn parked_portion(
        &self,
        from: u64,
        about: usize,
    ) -> Result<(Vec<MemberId>, Option<u64>), StateError> {
        let op = self.op("page through", &"the members with parked replies");
        let mut command = ::redis::cmd("SSCAN");
        command.arg(&self.keys.waiting).arg(from);
        command.arg("COUNT").arg(about);
        let (next, found): (u64, Vec<i64>) = self.link.query(op, &command).await?;
        let members = found.into_iter().map(MemberId).collect();
        Ok((members, (next != 0).then_some(next)))
    }

    /// All members with parked replies at once; for tests and for whoever copies everything.
    pub async fn parked_members(&self) -> Result<Vec<MemberId>, StateError> {
        let op = self.op("list", &"the members with parked replies");
        let mut command = ::redis::cmd("SMEMBERS");
        command.arg(&self.keys.waiting);
        let found: Vec<i64> = self.link.query(op, &command).await?;
        Ok(found.into_iter().map(MemberId).collect())
    }

    /// Replies that wait for their members now.
    pub async fn parked_count(&self) -> Result<u64, StateError> {
        let op = self.op("count", &"the parked replies");
        let mut command = ::redis::cmd("HGET");
        command
            .arg(&self.keys.counters)
            .arg(Counter::Parked.as_str());
        let count: Option<i64> = self.link.query(op, &command).await?;
        Ok(count.unwrap_or(0).max(0).unsigned_abs())
    }
}
