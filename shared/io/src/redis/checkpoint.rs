//! Reading a pool's state for its checkpoint. The order in which it is read, and why nothing is lost by it, is `crate::checkpoint`'s.
//!
//! Invariant: every reading is one transaction that asks first who leads, which history this is and how far its checkpoint was
//! ([`HistoryMark`]); what a Redis says that was emptied, rolled back or taken over by another leader meanwhile is never taken for the
//! pool's state.

mod guarded;
mod turn;

use shared_core::{BotId, ConversationKey, EpochRecord, MemberId, UnixMs};

use super::epoch::record;
use super::error::{Op, StateError};
use super::marks::Mark;
use super::position::StreamId;
use super::{EntryPosition, PoolState, PrivateCursor, Resumption};
pub use guarded::{Guarded, HistoryMark};
pub use turn::Marks;

/// A queue of entries: written at its end, read and removed by whoever has done what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Queue {
    Outbox,
    Records,
    /// What SQL did not take of them.
    RefusedRecords,
    Inbox,
    Held(BotId),
}

impl Queue {
    /// What commits write beside a state: read on after the states of each portion.
    pub const OF_COMMITS: [Self; 3] = [Self::Outbox, Self::Records, Self::Inbox];

    /// What entries of another queue are moved into by something that is no commit: refused records and back, and a refused reply gives way to a
    /// letter.
    pub const MOVED_INTO: [Self; 3] = [Self::Records, Self::RefusedRecords, Self::Inbox];

    /// Its name in SQL.
    pub fn name(self) -> String {
        match self {
            Self::Outbox => "outbox".to_owned(),
            Self::Records => "records".to_owned(),
            Self::RefusedRecords => "records:refused".to_owned(),
            Self::Inbox => "inbox".to_owned(),
            Self::Held(bot) => format!("held:{bot}"),
        }
    }

    pub(super) fn field(self) -> &'static str {
        match self {
            Self::Outbox => "e",
            Self::Records => "r",
            Self::RefusedRecords => "x",
            Self::Inbox => "i",
            Self::Held(_) => "u",
        }
    }

    pub fn of_pool(bots: &[BotId]) -> impl Iterator<Item = Self> {
        let held = bots.iter().copied().map(Self::Held);
        let all = Self::OF_COMMITS.into_iter().chain([Self::RefusedRecords]);
        all.chain(held)
    }
}

/// What is small and read before everything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    /// By Redis' own clock.
    pub at: UnixMs,
    pub channels: Vec<(String, i32)>,
    pub boxes: Vec<(BotId, PrivateCursor)>,
    pub resumed: Option<Resumption>,
    pub epoch: Option<EpochRecord>,
    /// How many entries each queue has, and which is its last: while both stay, the queue is the same.
    pub tails: Vec<(Queue, Tail)>,
    /// Marks that nobody has taken, and those that were taken and not let go.
    pub dirty: u64,
    pub left: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tail {
    pub len: u64,
    pub last: Option<EntryPosition>,
}

/// What the marks of a portion stand for, as of one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Portion {
    /// The stored form, `None` where nothing is stored, and since when it is open.
    pub conversations: Vec<(ConversationKey, Option<Vec<u8>>, Option<UnixMs>)>,
    pub parked: Vec<(MemberId, Vec<Vec<u8>>)>,
    pub reach: Vec<(BotId, MemberId, bool)>,
}

/// An entry's place and its JSON.
pub type Entry = (EntryPosition, Vec<u8>);

/// The words of each bot's latest acknowledged messages, oldest first.
pub type Words = Vec<(BotId, Vec<String>)>;

/// Words that are copied of a bot. Needed are those of messages that its private cursor has not passed: some milliseconds' worth, and a bot
/// sends some thirty a second.
const WORDS: isize = 256;

impl PoolState {
    pub async fn checkpoint_sources(
        &self,
        history: &HistoryMark,
        bots: &[BotId],
    ) -> Result<Guarded<Sources>, StateError> {
        let op = self.op("read", &"cursors for the checkpoint");
        let mut pipeline = self.guarded();
        pipeline.cmd("TIME");
        pipeline.cmd("HGETALL").arg(&self.keys.channels);
        pipeline
            .cmd("HMGET")
            .arg(&self.keys.resumed)
            .arg(&Resumption::FIELDS);
        pipeline
            .cmd("HMGET")
            .arg(&self.keys.epoch)
            .arg(&super::epoch::FIELDS);
        pipeline.cmd("SCARD").arg(&self.keys.dirty);
        pipeline.cmd("SCARD").arg(&self.keys.taken);
        for bot in bots {
            let key = self.keys.private_box(*bot);
            pipeline.cmd("HMGET").arg(key).arg(&["pts", "qts", "date"]);
        }
        let queues: Vec<Queue> = Queue::of_pool(bots).collect();
        for queue in &queues {
            let key = self.queue_key(*queue);
            pipeline.cmd("XLEN").arg(&key);
            pipeline
                .cmd("XREVRANGE")
                .arg(key)
                .arg("+")
                .arg("-")
                .arg("COUNT")
                .arg(1);
        }
        let mut answers = match self.read_guarded(op, history, &pipeline).await? {
            Guarded::Read(answers) => answers,
            Guarded::NotLeading => return Ok(Guarded::NotLeading),
            Guarded::AnotherHistory => return Ok(Guarded::AnotherHistory),
        };
        let (seconds, micros): (i64, i64) = answers.take()?;
        let mut channels: Vec<(String, i32)> = answers.take()?;
        channels.sort();
        let resumed = Resumption::of(answers.take()?);
        let epoch = record(op, answers.take()?)?;
        let (dirty, left) = (answers.take()?, answers.take()?);
        let mut boxes = Vec::with_capacity(bots.len());
        for bot in bots {
            let (pts, qts, date): (Option<i32>, Option<i32>, Option<i32>) = answers.take()?;
            if let (Some(pts), Some(qts), Some(date)) = (pts, qts, date) {
                boxes.push((*bot, PrivateCursor { pts, qts, date }));
            }
        }
        let mut tails = Vec::with_capacity(queues.len());
        for queue in queues {
            let len = answers.take()?;
            let page: Page = answers.take()?;
            let last = page.first().map(|(id, _)| position(op, id)).transpose()?;
            tails.push((queue, Tail { len, last }));
        }
        Ok(Guarded::Read(Sources {
            at: UnixMs(seconds.saturating_mul(1000).saturating_add(micros / 1000)),
            channels,
            boxes,
            resumed,
            epoch,
            tails,
            dirty,
            left,
        }))
    }

    pub async fn checkpoint_portion(
        &self,
        history: &HistoryMark,
        marks: &[Mark],
    ) -> Result<Guarded<Portion>, StateError> {
        let op = self.op("read", &"what has changed");
        let (mut keys, mut members, mut reaches) = (Vec::new(), Vec::new(), Vec::new());
        for mark in marks {
            match *mark {
                Mark::Conversation(key) => keys.push(key),
                Mark::Parked(member) => members.push(member),
                Mark::Reach { bot, member } => reaches.push((bot, member)),
            }
        }
        let mut pipeline = self.guarded();
        if !keys.is_empty() {
            let stored = pipeline.cmd("MGET");
            for key in &keys {
                stored.arg(self.keys.conversation(key));
            }
            let open = pipeline.cmd("ZMSCORE").arg(&self.keys.open);
            for key in &keys {
                open.arg(key.to_string());
            }
        }
        for member in &members {
            pipeline
                .cmd("LRANGE")
                .arg(self.keys.parked(*member))
                .arg(0)
                .arg(-1);
        }
        for (bot, member) in &reaches {
            pipeline
                .cmd("SISMEMBER")
                .arg(self.keys.reach(*bot))
                .arg(member.0);
        }
        let mut answers = match self.read_guarded(op, history, &pipeline).await? {
            Guarded::Read(answers) => answers,
            Guarded::NotLeading => return Ok(Guarded::NotLeading),
            Guarded::AnotherHistory => return Ok(Guarded::AnotherHistory),
        };
        let mut portion = Portion::default();
        if !keys.is_empty() {
            let stored: Vec<Option<Vec<u8>>> = answers.take()?;
            let open: Vec<Option<f64>> = answers.take()?;
            for ((key, stored), open) in keys.into_iter().zip(stored).zip(open) {
                // Scores are whole milliseconds, which a double holds exactly.
                let open = open.map(|at| UnixMs(at as i64));
                portion.conversations.push((key, stored, open));
            }
        }
        for member in members {
            portion.parked.push((member, answers.take()?));
        }
        for (bot, member) in reaches {
            portion.reach.push((bot, member, answers.take()?));
        }
        Ok(Guarded::Read(portion))
    }

    /// A page of a queue, behind `after`; and, as of the same moment, the last words of these bots.
    pub async fn checkpoint_queue(
        &self,
        history: &HistoryMark,
        queue: Queue,
        after: Option<EntryPosition>,
        limit: usize,
        told: &[BotId],
    ) -> Result<Guarded<(Vec<Entry>, Words)>, StateError> {
        let op = self.op("read", &"a queue for the checkpoint");
        let from = after.map_or_else(|| "-".to_owned(), |after| format!("({after}"));
        let mut pipeline = self.guarded();
        pipeline
            .cmd("XRANGE")
            .arg(self.queue_key(queue))
            .arg(from)
            .arg("+")
            .arg("COUNT")
            .arg(limit);
        for bot in told {
            let key = self.keys.told(*bot);
            pipeline.cmd("LRANGE").arg(key).arg(-WORDS).arg(-1);
        }
        let mut answers = match self.read_guarded(op, history, &pipeline).await? {
            Guarded::Read(answers) => answers,
            Guarded::NotLeading => return Ok(Guarded::NotLeading),
            Guarded::AnotherHistory => return Ok(Guarded::AnotherHistory),
        };
        let page: Page = answers.take()?;
        let mut entries = Vec::with_capacity(page.len());
        for (id, fields) in page {
            let mut fields = fields.chunks_exact(2);
            let body = fields.find(|pair| pair[0] == queue.field().as_bytes());
            entries.push((
                position(op, &id)?,
                body.map(|pair| pair[1].clone()).unwrap_or_default(),
            ));
        }
        let mut words = Vec::with_capacity(told.len());
        for bot in told {
            words.push((*bot, answers.take()?));
        }
        Ok(Guarded::Read((entries, words)))
    }

    pub(super) fn queue_key(&self, queue: Queue) -> String {
        match queue {
            Queue::Outbox => self.keys.outbox.clone(),
            Queue::Records => self.keys.records.clone(),
            Queue::RefusedRecords => self.keys.refused.clone(),
            Queue::Inbox => self.keys.inbox.clone(),
            Queue::Held(bot) => self.keys.held(bot),
        }
    }
}

type Page = Vec<(String, Vec<Vec<u8>>)>;

fn position(op: Op<'_>, id: &str) -> Result<EntryPosition, StateError> {
    id.parse::<StreamId>()
        .map(EntryPosition::from)
        .map_err(|error| StateError::unreadable(op, error.to_string()))
}
