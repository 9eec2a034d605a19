//! What a restoring writes: plain commands on one key each, in portions that do not hold Redis up.
//!
//! Invariant: nothing is sent from here; [`restore_write`](PoolState::restore_write) does, and asks who leads.

use shared_core::{BotId, MemberId, TOMBSTONE_KEPT, UnixMs};

use super::super::checkpoint::Queue;
use super::super::{EntryPosition, PoolState, PrivateCursor, Resumption};

/// Members of a set or a sorted set that go with one command.
const MEMBERS: usize = 1000;

/// Something to write: a command on a key.
#[derive(Debug)]
pub struct Write {
    pub(super) key: String,
    pub(super) words: Vec<String>,
}

/// What a restored conversation is written with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The conversation's name, as it prints.
    pub conversation: String,
    pub stored: String,
    pub open: Option<UnixMs>,
}

impl PoolState {
    /// Removes all that has a key of its own a pool or a bot.
    pub fn removals(&self, bots: &[BotId]) -> Vec<Write> {
        let keys = &self.keys;
        let single = [
            &keys.open,
            &keys.channels,
            &keys.resumed,
            &keys.waiting,
            &keys.sending,
            &keys.doubts,
            &keys.timers,
            &keys.reminded,
            &keys.dirty,
            &keys.taken,
        ];
        let of_bots = bots
            .iter()
            .flat_map(|bot| [keys.private_box(*bot), keys.reach(*bot), keys.told(*bot)]);
        let queues = Queue::of_pool(bots).map(|queue| self.queue_key(queue));
        let all = single.into_iter().cloned().chain(of_bots).chain(queues);
        all.map(|key| Write {
            key,
            words: vec!["UNLINK".to_owned()],
        })
        .collect()
    }

    pub fn stored_writes(&self, rows: &[Stored]) -> Vec<Write> {
        let mut open = Vec::new();
        let mut writes = Vec::with_capacity(rows.len() + 1);
        for row in rows {
            let key = format!("{}{}", self.keys.conversations(), row.conversation);
            let mut words = vec!["SET".to_owned(), row.stored.clone()];
            match row.open {
                Some(at) => open.extend([at.to_string(), row.conversation.clone()]),
                // A tombstone: from here on it is kept as long as a new one.
                None => words.extend(["PX".to_owned(), TOMBSTONE_KEPT.as_millis().to_string()]),
            }
            writes.push(Write { key, words });
        }
        writes.extend(grouped(&self.keys.open, "ZADD", open));
        writes
    }

    /// Whoever was last active up to then is not reminded of what he has left open.
    pub fn reminded_write(&self, up_to: UnixMs) -> Write {
        Write {
            key: self.keys.reminded.clone(),
            words: vec!["SET".to_owned(), up_to.to_string()],
        }
    }

    /// Entries at the positions that they had: whoever knows that one was sent settles that one.
    pub fn entry_writes(&self, queue: Queue, entries: &[(EntryPosition, String)]) -> Vec<Write> {
        let key = self.queue_key(queue);
        let writes = entries.iter().map(|(at, body)| Write {
            key: key.clone(),
            words: vec![
                "XADD".to_owned(),
                at.to_string(),
                queue.field().to_owned(),
                body.clone(),
            ],
        });
        writes.collect()
    }

    pub fn parked_writes(&self, member: MemberId, bodies: Vec<String>) -> Vec<Write> {
        let count = bodies.len().to_string();
        let mut writes = grouped(&self.keys.parked(member), "RPUSH", bodies);
        writes.push(Write {
            key: self.keys.waiting.clone(),
            words: vec!["SADD".to_owned(), member.0.to_string()],
        });
        writes.push(Write {
            key: self.keys.counters.clone(),
            words: vec!["HINCRBY".to_owned(), "parked".to_owned(), count],
        });
        writes
    }

    /// Nobody's replies are parked, before they are parked again one by one.
    pub fn none_parked(&self) -> Write {
        Write {
            key: self.keys.counters.clone(),
            words: vec!["HDEL".to_owned(), "parked".to_owned()],
        }
    }

    pub fn reach_writes(&self, bot: BotId, members: &[i64]) -> Vec<Write> {
        let members = members.iter().map(i64::to_string).collect();
        grouped(&self.keys.reach(bot), "SADD", members)
    }

    pub fn cursor_writes(
        &self,
        channels: &[(String, i32)],
        boxes: &[(BotId, PrivateCursor)],
        resumed: Option<Resumption>,
    ) -> Vec<Write> {
        let fields = channels
            .iter()
            .flat_map(|(channel, pts)| [channel.clone(), pts.to_string()]);
        let mut writes = grouped(&self.keys.channels, "HSET", fields.collect());
        for (bot, cursor) in boxes {
            let PrivateCursor { pts, qts, date } = cursor;
            let parts = [("pts", pts), ("qts", qts), ("date", date)];
            let fields = parts
                .iter()
                .flat_map(|(part, value)| [(*part).to_owned(), value.to_string()]);
            writes.extend(grouped(
                &self.keys.private_box(*bot),
                "HSET",
                fields.collect(),
            ));
        }
        if let Some(resumed) = resumed {
            writes.extend(grouped(&self.keys.resumed, "HSET", resumed.fields()));
        }
        writes
    }

    pub fn told_writes(&self, words: &[(BotId, Vec<String>)]) -> Vec<Write> {
        let writes = words
            .iter()
            .flat_map(|(bot, words)| grouped(&self.keys.told(*bot), "RPUSH", words.clone()));
        writes.collect()
    }

    pub fn progress_write(&self, done: u64, total: u64) -> Write {
        Write {
            key: self.keys.restoring.clone(),
            words: vec![
                "HSET".to_owned(),
                "done".to_owned(),
                done.to_string(),
                "total".to_owned(),
                total.to_string(),
            ],
        }
    }
}

/// One command on one key with many members or fields, in pieces that Lua can unpack. The pieces are even, so pairs stay together.
fn grouped(key: &str, command: &str, members: Vec<String>) -> Vec<Write> {
    let pieces = members.chunks(MEMBERS);
    let writes = pieces.map(|piece| {
        let mut words = vec![command.to_owned()];
        words.extend_from_slice(piece);
        Write {
            key: key.to_owned(),
            words,
        }
    });
    writes.collect()
}
