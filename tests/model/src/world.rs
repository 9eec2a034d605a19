//! The world of one history: Redis, Telegram, the current worker and the fenced ones that do not know it yet.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use shared_core::{
    BotId, ConversationKey, EntryId, Envelope, Epoch, EpochStamp, MemberId, MessageId, Nonce,
    PoolId, Remembers,
};

use crate::telegram::Telegram;
use crate::worker::Worker;

/// One step of a history. Numbers pick among what is possible at that moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Write(u8),
    Receive(u8),
    Step(u8),
    Commit(u8),
    MoveCursor,
    Send,
    Acknowledge,
    /// kill -9; the next worker starts from Redis in a new epoch.
    Crash,
    /// Fenced without noticing: the old worker goes on beside the next.
    Fence,
    /// Redis reaches the disk.
    Save,
    /// Redis loses all that came after it last reached the disk; the workers die with it.
    RollBack,
    /// The `n`-th fenced worker does one more thing.
    Zombie(u8, u8),
}

/// A safeguard taken away, to see that the model objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    NoEpochCheck,
    /// Neither the epoch nor the version is compared.
    NoChecks,
    NoWatermark,
    CursorOverGap,
    SettleBeforeCommit,
    AcknowledgeBeforeSend,
    EntryIdFromVersion,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    CursorSkipped {
        cursor: usize,
        lost: MessageId,
    },
    TakenTwiceOrOutOfOrder {
        member: MemberId,
        taken: Vec<MessageId>,
    },
    ShownTwice {
        message: MessageId,
    },
    StaleCommits(u32),
    NeverTaken {
        member: MemberId,
        message: MessageId,
    },
    NeverAnswered {
        answered: usize,
        expected: usize,
    },
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    pub taken: Vec<MessageId>,
}

impl Remembers for State {}

#[derive(Debug)]
pub struct Commit {
    pub stamp: EpochStamp,
    pub key: ConversationKey,
    pub expected: u64,
    pub envelope: Envelope<State>,
    pub entry: EntryId,
    pub answers: MessageId,
}

#[derive(Debug, Clone)]
pub struct Redis {
    current: EpochStamp,
    stored: HashMap<ConversationKey, String>,
    /// (entry, the message that it answers)
    pub outbox: Vec<(EntryId, MessageId)>,
    pub cursor: usize,
    /// Commits that went through although their writer was fenced.
    stale_commits: u32,
}

impl Redis {
    pub fn load(&self, key: &ConversationKey) -> Envelope<State> {
        self.stored
            .get(key)
            .map(|stored| Envelope::decode(stored).unwrap_or_else(|error| panic!("{key}: {error}")))
            .unwrap_or_default()
    }

    /// What the commit script does.
    pub fn commit(&mut self, commit: Commit, bug: Option<Bug>) -> bool {
        let fenced = commit.stamp != self.current;
        if fenced && !matches!(bug, Some(Bug::NoEpochCheck | Bug::NoChecks)) {
            return false;
        }
        let found = self.load(&commit.key).version;
        if found != commit.expected && bug != Some(Bug::NoChecks) {
            return false;
        }
        let stored = commit
            .envelope
            .encode()
            .unwrap_or_else(|error| panic!("{error}"));
        self.stale_commits += u32::from(fenced);
        self.stored.insert(commit.key, stored);
        self.outbox.push((commit.entry, commit.answers));
        true
    }

    pub fn move_cursor(&mut self, stamp: EpochStamp, pts: usize) {
        if stamp == self.current {
            self.cursor = self.cursor.max(pts);
        }
    }

    pub fn may_send(&self, stamp: EpochStamp) -> bool {
        stamp == self.current
    }
}

#[derive(Debug)]
pub struct World {
    pool: PoolId,
    redis: Redis,
    saved: Redis,
    telegram: Telegram,
    worker: Worker,
    zombies: Vec<Worker>,
    bug: Option<Bug>,
}

const MEMBERS: u8 = 4;

impl World {
    fn new(bug: Option<Bug>) -> Self {
        let first = stamp(1);
        let redis = Redis {
            current: first,
            stored: HashMap::new(),
            outbox: Vec::new(),
            cursor: 0,
            stale_commits: 0,
        };
        Self {
            pool: PoolId::new("model").unwrap_or_else(|error| panic!("{error}")),
            saved: redis.clone(),
            redis,
            telegram: Telegram::default(),
            worker: Worker::start(first, BotId(1), 0),
            zombies: Vec::new(),
            bug,
        }
    }

    fn apply(&mut self, op: Op) {
        let bug = self.bug;
        match op {
            Op::Write(member) => self.telegram.write(MemberId(i64::from(member % MEMBERS))),
            Op::Receive(limit) => self.worker.receive(&self.telegram, usize::from(limit % 5)),
            Op::Step(pick) => self.worker.step(&self.redis, &self.pool, pick.into(), bug),
            Op::Commit(pick) => self.worker.commit(&mut self.redis, pick.into(), bug),
            Op::MoveCursor => self.worker.move_cursor(&mut self.redis, bug),
            Op::Send => self.worker.send(&mut self.redis, &mut self.telegram, bug),
            Op::Acknowledge => self
                .worker
                .acknowledge(&mut self.redis, &mut self.telegram, bug),
            Op::Crash => drop(self.next_worker()),
            Op::Fence => {
                let old = self.next_worker();
                self.zombies.push(old);
            }
            Op::Save => self.saved = self.redis.clone(),
            Op::RollBack => self.roll_back(),
            Op::Zombie(which, what) => self.zombie(which, what),
        }
    }

    /// Epochs are reserved outside Redis: they go on above what was ever given out.
    fn roll_back(&mut self) {
        let current = self.redis.current;
        self.redis = Redis {
            current,
            ..self.saved.clone()
        };
        self.zombies.clear();
        drop(self.next_worker());
    }

    fn next_worker(&mut self) -> Worker {
        self.redis.current = stamp(self.redis.current.epoch.0 + 1);
        let next = Worker::start(self.redis.current, BotId(1), self.redis.cursor);
        std::mem::replace(&mut self.worker, next)
    }

    fn zombie(&mut self, which: u8, what: u8) {
        let count = self.zombies.len().max(1);
        let Some(zombie) = self.zombies.get_mut(usize::from(which) % count) else {
            return;
        };
        match what % 5 {
            0 => zombie.commit(&mut self.redis, what.into(), self.bug),
            1 => zombie.move_cursor(&mut self.redis, self.bug),
            2 => zombie.send(&mut self.redis, &mut self.telegram, self.bug),
            3 => zombie.acknowledge(&mut self.redis, &mut self.telegram, self.bug),
            _ => zombie.step(&self.redis, &self.pool, what.into(), self.bug),
        }
    }

    /// What must hold at every moment.
    fn check(&self) -> Result<(), Violation> {
        for written in &self.telegram.written[..self.redis.cursor] {
            let taken = self
                .redis
                .load(&Telegram::conversation(written))
                .state
                .taken;
            if !taken.contains(&written.message) {
                return Err(Violation::CursorSkipped {
                    cursor: self.redis.cursor,
                    lost: written.message,
                });
            }
        }
        for member in (0..MEMBERS).map(|m| MemberId(m.into())) {
            let taken = self
                .redis
                .load(&ConversationKey::private(member))
                .state
                .taken;
            if taken.windows(2).any(|pair| pair[0] >= pair[1]) {
                return Err(Violation::TakenTwiceOrOutOfOrder { member, taken });
            }
        }
        if self.redis.stale_commits > 0 {
            return Err(Violation::StaleCommits(self.redis.stale_commits));
        }
        match self.telegram.shown.iter().find(|(_, times)| **times > 1) {
            Some((message, _)) => Err(Violation::ShownTwice { message: *message }),
            None => Ok(()),
        }
    }

    /// Faults have stopped: the current worker works until nothing is left to do.
    fn settle(&mut self) -> Result<(), Violation> {
        for _ in 0..self.telegram.written.len() * 2 + 8 {
            for op in [
                Op::Receive(4),
                Op::Step(0),
                Op::Commit(0),
                Op::MoveCursor,
                Op::Send,
                Op::Acknowledge,
            ] {
                self.apply(op);
                self.check()?;
            }
        }
        for written in &self.telegram.written {
            let taken = self
                .redis
                .load(&Telegram::conversation(written))
                .state
                .taken;
            if !taken.contains(&written.message) {
                return Err(Violation::NeverTaken {
                    member: written.member,
                    message: written.message,
                });
            }
        }
        let (answered, expected) = (self.telegram.shown.len(), self.telegram.written.len());
        if answered == expected {
            Ok(())
        } else {
            Err(Violation::NeverAnswered { answered, expected })
        }
    }
}

fn stamp(epoch: u64) -> EpochStamp {
    EpochStamp {
        epoch: Epoch(epoch),
        nonce: Nonce(epoch.to_be_bytes()),
    }
}

/// Runs one history and then lets the world settle.
pub fn run(history: &[Op], bug: Option<Bug>) -> Result<(), Violation> {
    let mut world = World::new(bug);
    for op in history {
        world.apply(*op);
        world.check()?;
    }
    // A worker that dropped a refused commit has an open ticket for good; only a fresh one starts from the cursor.
    world.apply(Op::Crash);
    world.settle()
}
