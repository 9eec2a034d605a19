//! The inbox protocol under random histories: words between conversations, delivered by workers that die, go on fenced, or get no answers.
//!
//! Real here: `Envelope`, `Watermarks`, `told_id`. Modelled: Redis (one commit script, a stream, whole and partial rollbacks), two senders whose
//! messages may come again, two receivers that tell nobody. A partial rollback takes the senders' states back and leaves the receivers' as
//! they are, as a store does that was put together from checkpoints of different moments; it goes back over fewer words than a receiver
//! remembers, and what was said since comes again before anything else, as catching up does. Invariants, after each step: a receiver has never heard a word twice, and nobody stale has committed. At the end, once faults
//! have stopped: every message has been heard of, and the inbox is empty. A [`Flaw`] takes one safeguard away; the tests show that the
//! model then objects.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use shared_core::{
    Admission, BotId, BoxId, ConversationKey, Envelope, EventId, MemberId, MessageId, PoolId,
    Remembers, UpdateId, told_id,
};

/// One step of a history. Numbers pick among what is possible at that moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// A member writes to a sender.
    Write(u8),
    /// Telegram gives a message, the next one or an old one.
    Receive(u8),
    /// The worker reads on in the inbox.
    Deliver,
    Commit(u8),
    /// It is committed and the worker does not learn of it: it tries again.
    CommitUnheard(u8),
    Crash,
    /// Fenced without noticing.
    Fence,
    /// The fenced worker commits after all.
    Zombie(u8),
    Save,
    RollBack,
    /// The senders alone.
    RollBackSenders,
}

/// A safeguard taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    NoEpochCheck,
    /// The receiver's commit does not ask whether the entry is still there, and nobody remembers its id.
    NoSettleCheck,
    /// The entry leaves before the receiver's commit.
    SettleBefore,
    /// The words are put into the inbox after the sender's commit.
    TellAfter,
    /// Ids are not remembered.
    NoMarks,
    /// The id follows from the sender's version rather than from the update.
    IdFromVersion,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    HeardTwice(Word),
    Stale,
    NeverHeard(Word),
    Left(usize),
}

/// Which message of which sender.
pub type Word = (MemberId, MessageId);

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Heard(Vec<Word>);

impl Remembers for Heard {}

#[derive(Debug, Clone, Copy)]
struct Entry {
    position: u64,
    id: EventId,
    to: ConversationKey,
    word: Word,
}

#[derive(Debug, Clone)]
struct Prepared {
    epoch: u64,
    key: ConversationKey,
    /// What is tried again after a commit whose answer was lost.
    again: Work,
    expected: u64,
    envelope: Envelope<Heard>,
    tells: Option<(EventId, ConversationKey, Word)>,
    settles: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
enum Work {
    Message(MessageId),
    Posted(Entry),
}

#[derive(Debug, Clone, Default)]
struct Redis {
    epoch: u64,
    stored: HashMap<ConversationKey, String>,
    inbox: BTreeMap<u64, Entry>,
    next: u64,
    stale: bool,
}

#[derive(Debug, Default)]
struct Worker {
    epoch: u64,
    read: u64,
    prepared: Vec<Prepared>,
    /// Words that a flawed sender has not put into the inbox yet.
    unsaid: Vec<(EventId, ConversationKey, Word)>,
}

const SENDERS: [i64; 2] = [1, 2];
const RECEIVERS: i64 = 10;
/// Words that a partial rollback goes back over, at most: fewer than a receiver remembers.
const SKEW: usize = 12;

struct World {
    pool: PoolId,
    redis: Redis,
    saved: Redis,
    worker: Worker,
    zombie: Option<Worker>,
    written: BTreeMap<i64, i32>,
    since_saved: usize,
    flaw: Option<Flaw>,
}

fn sender(number: u8) -> ConversationKey {
    let member = SENDERS[usize::from(number) % SENDERS.len()];
    ConversationKey::private(MemberId(member))
}

/// Each sender tells two receivers in turns.
fn receiver(message: MessageId) -> ConversationKey {
    ConversationKey::private(MemberId(RECEIVERS + i64::from(message.0 % 2)))
}

impl Redis {
    fn load(&self, key: &ConversationKey) -> Envelope<Heard> {
        let stored = self.stored.get(key);
        let read = stored.map(|text| Envelope::decode(text).unwrap_or_else(|e| panic!("{e}")));
        read.unwrap_or_default()
    }

    fn tell(&mut self, (id, to, word): (EventId, ConversationKey, Word)) {
        self.next += 1;
        let position = self.next;
        let entry = Entry {
            position,
            id,
            to,
            word,
        };
        self.inbox.insert(position, entry);
    }

    /// What the commit script does.
    fn commit(&mut self, commit: &Prepared, flaw: Option<Flaw>) -> bool {
        if commit.epoch != self.epoch && flaw != Some(Flaw::NoEpochCheck) {
            return false;
        }
        let gone = commit
            .settles
            .is_some_and(|position| !self.inbox.contains_key(&position));
        let asks = !matches!(flaw, Some(Flaw::NoSettleCheck | Flaw::SettleBefore));
        if (gone && asks) || self.load(&commit.key).version != commit.expected {
            return false;
        }
        self.stale |= commit.epoch != self.epoch;
        let text = commit.envelope.encode().unwrap_or_else(|e| panic!("{e}"));
        self.stored.insert(commit.key, text);
        if let Some(position) = commit.settles {
            self.inbox.remove(&position);
        }
        if let Some(told) = commit.tells
            && flaw != Some(Flaw::TellAfter)
        {
            self.tell(told);
        }
        true
    }
}

impl World {
    fn new(flaw: Option<Flaw>) -> Self {
        let redis = Redis {
            epoch: 1,
            ..Redis::default()
        };
        Self {
            pool: PoolId::new("model").unwrap_or_else(|error| panic!("{error}")),
            saved: redis.clone(),
            redis,
            worker: Worker {
                epoch: 1,
                ..Worker::default()
            },
            zombie: None,
            written: BTreeMap::new(),
            since_saved: 0,
            flaw,
        }
    }

    fn apply(&mut self, turn: Turn) {
        match turn {
            Turn::Write(number) => {
                let member = sender(number).member.0;
                *self.written.entry(member).or_insert(0) += 1;
            }
            Turn::Receive(pick) => self.receive(pick),
            Turn::Deliver => self.deliver(),
            Turn::Commit(pick) => drop(self.commit(pick)),
            Turn::CommitUnheard(pick) => {
                if let Some((key, again)) = self.commit(pick) {
                    self.prepare(key, again);
                }
            }
            Turn::Crash => drop(self.next_worker()),
            Turn::Fence => self.zombie = Some(self.next_worker()),
            Turn::Zombie(pick) => {
                if let Some(mut zombie) = self.zombie.take() {
                    std::mem::swap(&mut zombie, &mut self.worker);
                    let _ = self.commit(pick);
                    std::mem::swap(&mut zombie, &mut self.worker);
                    self.zombie = Some(zombie);
                }
            }
            Turn::Save => {
                self.saved = self.redis.clone();
                self.since_saved = 0;
            }
            Turn::RollBack => {
                let epoch = self.redis.epoch;
                self.redis = Redis {
                    epoch,
                    ..self.saved.clone()
                };
                self.since_saved = 0;
                self.zombie = None;
                drop(self.next_worker());
            }
            Turn::RollBackSenders => self.roll_back_senders(),
        }
    }

    fn roll_back_senders(&mut self) {
        if self.since_saved > SKEW {
            return;
        }
        let r#box = BoxId::Private(BotId(1));
        let reached = |redis: &Redis, key: &ConversationKey| {
            let known = redis.load(key).marks.message(r#box);
            known.map_or(0, |known| known.0)
        };
        let before = [0, 1].map(|number| reached(&self.redis, &sender(number)));
        for number in 0..2 {
            let key = sender(number);
            match self.saved.stored.get(&key) {
                Some(old) => self.redis.stored.insert(key, old.clone()),
                None => self.redis.stored.remove(&key),
            };
        }
        self.zombie = None;
        drop(self.next_worker());
        for (number, before) in (0..).zip(before) {
            let key = sender(number);
            for message in reached(&self.redis, &key) + 1..=before {
                self.prepare(key, Work::Message(MessageId(message)));
                let _ = self.commit(0);
            }
        }
    }

    fn next_worker(&mut self) -> Worker {
        self.redis.epoch += 1;
        let next = Worker {
            epoch: self.redis.epoch,
            ..Worker::default()
        };
        std::mem::replace(&mut self.worker, next)
    }

    /// The oldest message that its sender has not taken in, or one of all.
    fn receive(&mut self, pick: u8) {
        let key = sender(pick);
        let written = self.written.get(&key.member.0).copied().unwrap_or(0);
        let r#box = BoxId::Private(BotId(1));
        let known = self.redis.load(&key).marks.message(r#box);
        let next = known.map_or(1, |known| known.0 + 1);
        let message = match pick % 5 {
            0 if written > 0 => 1 + i32::from(pick) % written,
            _ => next,
        };
        // Only in order: a sender's lane is one.
        if message <= next && message <= written {
            self.prepare(key, Work::Message(MessageId(message)));
        }
    }

    fn deliver(&mut self) {
        let next = self.redis.inbox.range(self.worker.read + 1..).next();
        if let Some((position, entry)) = next.map(|(position, entry)| (*position, *entry)) {
            self.worker.read = position;
            self.prepare(entry.to, Work::Posted(entry));
        }
    }

    /// Takes the work in, as a lane does: one at a time for a conversation.
    fn prepare(&mut self, key: ConversationKey, again: Work) {
        if self.worker.prepared.iter().any(|one| one.key == key) {
            if let Work::Posted(entry) = again {
                // It is read again later; nothing of the inbox is skipped.
                self.worker.read = self.worker.read.min(entry.position - 1);
            }
            return;
        }
        let mut envelope = self.redis.load(&key);
        let update = match again {
            Work::Message(message) => UpdateId::Message {
                r#box: BoxId::Private(BotId(1)),
                message,
            },
            Work::Posted(entry) => UpdateId::Told { event: entry.id },
        };
        let remembers = !matches!(self.flaw, Some(Flaw::NoMarks | Flaw::NoSettleCheck));
        let known = match again {
            Work::Posted(_) if !remembers => false,
            _ => envelope.marks.admit(&update) == Admission::Duplicate,
        };
        let (mut tells, mut settles) = (None, None);
        match again {
            Work::Message(_) if known => return,
            Work::Message(message) => {
                let to = receiver(message);
                let index = match self.flaw {
                    Some(Flaw::IdFromVersion) => self.redis.epoch as u32,
                    _ => 0,
                };
                let id = told_id(&self.pool, &key, &update, index, &to);
                tells = Some((id, to, (key.member, message)));
            }
            Work::Posted(entry) => {
                settles = Some(entry.position);
                if !known {
                    envelope.state.0.push(entry.word);
                }
                if self.flaw == Some(Flaw::SettleBefore) {
                    self.redis.inbox.remove(&entry.position);
                }
            }
        }
        let expected = envelope.version;
        envelope.version += 1;
        self.worker.prepared.push(Prepared {
            epoch: self.worker.epoch,
            key,
            again,
            expected,
            envelope,
            tells,
            settles,
        });
    }

    fn commit(&mut self, pick: u8) -> Option<(ConversationKey, Work)> {
        let flawed = std::mem::take(&mut self.worker.unsaid);
        if self.worker.epoch == self.redis.epoch {
            flawed.into_iter().for_each(|told| self.redis.tell(told));
        }
        let count = self.worker.prepared.len();
        if count == 0 {
            return None;
        }
        let commit = self.worker.prepared.remove(usize::from(pick) % count);
        if self.redis.commit(&commit, self.flaw) {
            self.since_saved += usize::from(commit.tells.is_some());
            if self.flaw == Some(Flaw::TellAfter) {
                self.worker.unsaid.extend(commit.tells);
            }
        }
        Some((commit.key, commit.again))
    }

    fn heard(&self) -> Vec<Word> {
        let receivers = [0, 1].map(|number| receiver(MessageId(number)));
        let heard = receivers.map(|key| self.redis.load(&key).state.0);
        heard.concat()
    }

    /// What must hold at every moment.
    fn check(&self) -> Result<(), Wrong> {
        if self.redis.stale {
            return Err(Wrong::Stale);
        }
        let mut seen = BTreeSet::new();
        match self.heard().into_iter().find(|word| !seen.insert(*word)) {
            Some(word) => Err(Wrong::HeardTwice(word)),
            None => Ok(()),
        }
    }

    /// Faults have stopped.
    fn settle(&mut self) -> Result<(), Wrong> {
        let all: i32 = self.written.values().sum();
        for _ in 0..all * 4 + 40 {
            for turn in [
                Turn::Receive(1),
                Turn::Receive(2),
                Turn::Deliver,
                Turn::Commit(0),
            ] {
                self.apply(turn);
                self.check()?;
            }
        }
        let heard: BTreeSet<Word> = self.heard().into_iter().collect();
        for (member, count) in &self.written {
            for message in 1..=*count {
                let word = (MemberId(*member), MessageId(message));
                if !heard.contains(&word) {
                    return Err(Wrong::NeverHeard(word));
                }
            }
        }
        match self.redis.inbox.len() {
            0 => Ok(()),
            left => Err(Wrong::Left(left)),
        }
    }
}

/// Runs one history and then lets the world settle.
pub fn run_post(history: &[Turn], flaw: Option<Flaw>) -> Result<(), Wrong> {
    let mut world = World::new(flaw);
    for turn in history {
        world.apply(*turn);
        world.check()?;
    }
    world.apply(Turn::Crash);
    world.settle()
}
