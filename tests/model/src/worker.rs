//! A worker in the model: everything in it is lost when it is killed.

use std::collections::{HashMap, VecDeque};

use shared_core::{
    Admission, BotId, BoxId, ConversationKey, EntryId, Envelope, EpochStamp, LowWater, MessageId,
    PoolId, Ticket, UpdateId, entry_id, random_id,
};

use crate::telegram::{Telegram, Written};
use crate::world::{Bug, Commit, Redis, State};

/// A step that was computed and not yet committed.
#[derive(Debug)]
struct Prepared {
    commit: Commit,
    ticket: Ticket,
}

#[derive(Debug)]
pub struct Worker {
    stamp: EpochStamp,
    bot: BotId,
    /// How far this worker has asked Telegram, not how far it has committed.
    fetched: usize,
    water: LowWater<usize>,
    lanes: HashMap<ConversationKey, VecDeque<(Written, Ticket)>>,
    prepared: HashMap<ConversationKey, Prepared>,
    /// Sent and not yet removed from the outbox.
    acknowledged: Vec<(EntryId, MessageId)>,
}

impl Worker {
    pub fn start(stamp: EpochStamp, bot: BotId, cursor: usize) -> Self {
        Self {
            stamp,
            bot,
            fetched: cursor,
            water: LowWater::default(),
            lanes: HashMap::new(),
            prepared: HashMap::new(),
            acknowledged: Vec::new(),
        }
    }

    /// A live container or a slice of a difference: one batch of up to `limit` messages.
    pub fn receive(&mut self, telegram: &Telegram, limit: usize) {
        let batch = telegram.after(self.fetched, limit.max(1));
        let Some(last) = batch.last() else { return };
        let ticket = self.water.open(batch.len(), last.pts);
        for written in batch {
            let lane = self
                .lanes
                .entry(Telegram::conversation(written))
                .or_default();
            lane.push_back((*written, ticket));
        }
        self.fetched = last.pts;
    }

    /// Computes the next step of the `pick`-th waiting conversation.
    pub fn step(&mut self, redis: &Redis, pool: &PoolId, pick: usize, bug: Option<Bug>) {
        let mut waiting: Vec<_> = self
            .lanes
            .iter()
            .filter(|(key, lane)| !lane.is_empty() && !self.prepared.contains_key(key))
            .map(|(key, _)| *key)
            .collect();
        waiting.sort();
        let Some(&key) = waiting.get(pick % waiting.len().max(1)) else {
            return;
        };
        let Some((written, ticket)) = self.lanes.get_mut(&key).and_then(VecDeque::pop_front) else {
            return;
        };
        let mut envelope: Envelope<State> = redis.load(&key);
        let update = UpdateId::Message {
            r#box: BoxId::Private(BotId(1)),
            message: written.message,
        };
        let admission = envelope.marks.admit(&update);
        if admission == Admission::Duplicate && bug != Some(Bug::NoWatermark) {
            self.water.settle(ticket);
            return;
        }
        let expected = envelope.version;
        envelope.version += 1;
        envelope.state.taken.push(written.message);
        let entry = match bug {
            Some(Bug::EntryIdFromVersion) => entry_id(
                pool,
                &key,
                &update,
                envelope.version as u32 + self.stamp.epoch.0 as u32,
            ),
            _ => entry_id(pool, &key, &update, 0),
        };
        let commit = Commit {
            stamp: self.stamp,
            key,
            expected,
            envelope,
            entry,
            answers: written.message,
        };
        self.prepared.insert(key, Prepared { commit, ticket });
        if bug == Some(Bug::SettleBeforeCommit) {
            self.water.settle(ticket);
        }
    }

    /// Sends the `pick`-th prepared commit to Redis. A refused one is dropped: this worker is fenced or was overtaken.
    pub fn commit(&mut self, redis: &mut Redis, pick: usize, bug: Option<Bug>) {
        let mut keys: Vec<_> = self.prepared.keys().copied().collect();
        keys.sort();
        let Some(key) = keys.get(pick % keys.len().max(1)) else {
            return;
        };
        let Some(prepared) = self.prepared.remove(key) else {
            return;
        };
        if redis.commit(prepared.commit, bug) && bug != Some(Bug::SettleBeforeCommit) {
            self.water.settle(prepared.ticket);
        }
    }

    pub fn move_cursor(&mut self, redis: &mut Redis, bug: Option<Bug>) {
        let reached = match bug {
            Some(Bug::CursorOverGap) => Some(self.fetched),
            _ => self.water.advance(),
        };
        if let Some(pts) = reached {
            redis.move_cursor(self.stamp, pts);
        }
    }

    /// Sends the oldest outbox entry that this worker has not sent. The acknowledgement is a step of its own.
    pub fn send(&mut self, redis: &mut Redis, telegram: &mut Telegram, bug: Option<Bug>) {
        if !redis.may_send(self.stamp) {
            return;
        }
        let Some(entry) = redis
            .outbox
            .iter()
            .copied()
            .find(|e| !self.acknowledged.contains(e))
        else {
            return;
        };
        if bug == Some(Bug::AcknowledgeBeforeSend) {
            redis.outbox.retain(|e| *e != entry);
            self.acknowledged.push(entry);
            return;
        }
        telegram.send(self.bot, random_id(entry.0, self.bot, 0), entry.1);
        self.acknowledged.push(entry);
    }

    pub fn acknowledge(&mut self, redis: &mut Redis, telegram: &mut Telegram, bug: Option<Bug>) {
        let Some(entry) = self.acknowledged.pop() else {
            return;
        };
        if bug == Some(Bug::AcknowledgeBeforeSend) {
            telegram.send(self.bot, random_id(entry.0, self.bot, 0), entry.1);
        }
        redis.outbox.retain(|e| *e != entry);
    }
}
