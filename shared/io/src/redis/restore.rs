//! Giving a pool its state back: everything of it is removed, then written as the checkpoint has it.
//!
//! ```text
//! restore_begin ──▶ restore_page / restore_write (any number) ──▶ restore_finish
//! ```
//! Invariants: between begin and finish the epoch is fenced, nobody holds a bot's lease and nobody is assigned one, so nothing is
//! served, committed or moved that is there by half; the key `restoring` says so to whoever leads next, who starts over under another nonce;
//! each write asks who leads and whether this restoring is still the one under way.

use shared_core::{BotId, EpochStamp, TOMBSTONE_KEPT, UnixMs};

use super::checkpoint::Queue;
use super::epoch::stamp_arguments;
use super::error::StateError;
use super::marks::Mark;
use super::reply::Reply;
use super::{
    EntryPosition, FenceAnswer, LeadAnswer, LeaderId, PoolState, PrivateCursor, Resumption, scripts,
};

/// What is left to be done is this long behind: a key a command, so that a portion blocks Redis for about a millisecond.
pub const RESTORE_PORTION: usize = 500;
/// Members of a set or a sorted set that go with one command.
const MEMBERS: usize = 1000;

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

/// Something to write: a command on a key.
#[derive(Debug)]
pub struct Write {
    key: String,
    words: Vec<String>,
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

    pub fn parked_writes(&self, member: shared_core::MemberId, bodies: Vec<String>) -> Vec<Write> {
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

fn answer(op: super::error::Op<'_>, reply: Reply) -> Result<RestoreAnswer, StateError> {
    match reply.word.as_str() {
        "done" => Ok(RestoreAnswer::Done),
        "not_leading" => Ok(RestoreAnswer::NotLeading),
        "another" => Ok(RestoreAnswer::Another),
        _ => Err(reply.unexpected(op)),
    }
}
