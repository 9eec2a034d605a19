//! Redis as the protocols use it: one atomic function for each Lua script, and a copy that may take over without the last writes.
//!
//! The scripts' texts are in `shared-io` (`redis/lua`); each function here says whose it is. What they are tested for there (JSON, keys, types)
//! is left out. A key that runs out is gone by the clock of the world. Behind Sentinels a copy takes over ([`Redis::fail_over`]): it has all
//! that came before the last write that was waited for, and perhaps more; it is another *history*.
//!
//! Beside the product's state stands what only the model knows, in the same place, so that it is rolled back with it: which updates a conversation
//! has taken in. The rules that a script must never break are checked in it, whoever calls.

mod commits;
mod epochs;
mod outbox;
mod workers;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use shared_core::{
    Assignment, BotId, ChannelId, ConversationKey, EntryId, EpochRecord, EpochStamp, Heartbeat,
    Incoming, LoginLease, MemberId, Nonce, Order, OutboxEntry, SmokeReport, Told, UnixMs, UpdateId,
    WorkerId,
};
use supervisor_core::Saga;

pub use commits::{Commit, Committed, Private, Settles};
pub use epochs::{Fence, Lead, Leading, Step};
pub use outbox::Begun;
pub use workers::{Claim, Claimed, Name};

/// Where an entry of a stream stands.
pub type Position = u64;

/// A conversation as it is stored.
#[derive(Debug, Clone)]
pub struct Stored {
    pub version: u64,
    pub text: Rc<str>,
    /// The model's own: what it has taken in, in order.
    pub applied: Rc<Vec<UpdateId>>,
}

/// `us:{P}:sending`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sending {
    pub bot: BotId,
    pub worker: WorkerId,
    pub nonce: Nonce,
    pub epoch: EpochStamp,
}

/// `us:{P}:resumed`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resumed {
    pub bot: BotId,
    pub epoch: u64,
    pub done: bool,
    pub before: Option<BotId>,
    pub at: UnixMs,
}

#[derive(Debug, Clone, Default)]
pub struct State {
    pub epoch: Option<EpochRecord>,
    pub leader: Option<(Nonce, u64)>,
    pub tenure: Option<Nonce>,
    pub assign: BTreeMap<BotId, Assignment>,
    pub saga: Option<Rc<Saga>>,
    pub leases: BTreeMap<BotId, (LoginLease, u64)>,
    pub boxes: BTreeMap<BotId, i32>,
    pub reach: BTreeMap<BotId, BTreeSet<MemberId>>,
    /// And when each was kept.
    pub held: BTreeMap<BotId, BTreeMap<Position, (Rc<Incoming>, u64)>>,
    pub conversations: BTreeMap<ConversationKey, Stored>,
    pub open: BTreeMap<ConversationKey, UnixMs>,
    pub channels: BTreeMap<ChannelId, i32>,
    pub outbox: BTreeMap<Position, Rc<OutboxEntry>>,
    pub parked: BTreeMap<MemberId, Vec<Rc<OutboxEntry>>>,
    pub refused: BTreeSet<EntryId>,
    pub resumed: Option<Resumed>,
    pub sending: Option<Sending>,
    /// `us:{P}:sending:doubts`; of the doubts the model keeps whose they are.
    pub doubts: BTreeSet<BotId>,
    pub told: BTreeMap<BotId, Rc<Vec<Told>>>,
    /// What an admin asks the leader for; the model keeps one at a time.
    pub order: Option<Order>,
    pub smoke: BTreeMap<BotId, SmokeReport>,
    pub beats: BTreeMap<WorkerId, (Rc<Heartbeat>, u64)>,
    pub names: BTreeMap<WorkerId, Name>,
    pub deaths: BTreeSet<(WorkerId, Nonce)>,
    next: Position,
}

impl State {
    /// The next place in a stream.
    fn place(&mut self) -> Position {
        self.next += 1;
        self.next
    }

    /// May a writer with this stamp write? (`prelude.lua`, `epoch_open`)
    pub fn is_open_for(&self, stamp: EpochStamp) -> bool {
        self.epoch
            .as_ref()
            .is_some_and(|record| record.stamp == stamp && record.phase == shared_core::Phase::Open)
    }

    pub fn has_applied(&self, key: &ConversationKey, update: &UpdateId) -> bool {
        self.conversations
            .get(key)
            .is_some_and(|stored| stored.applied.contains(update))
    }
}

/// The primary and its copy.
#[derive(Debug, Default)]
pub struct Redis {
    pub live: Rc<State>,
    copy: Rc<State>,
    pub history: u64,
    /// The copy does not hear the primary.
    pub copy_is_cut: bool,
}

impl Redis {
    pub fn state(&mut self) -> &mut State {
        Rc::make_mut(&mut self.live)
    }

    /// The copy catches up; false: it cannot.
    pub fn replicate(&mut self) -> bool {
        if !self.copy_is_cut {
            self.copy = Rc::clone(&self.live);
        }
        !self.copy_is_cut
    }

    /// The copy takes over, with what it has.
    pub fn fail_over(&mut self) {
        self.live = Rc::clone(&self.copy);
        self.history += 1;
        self.copy_is_cut = false;
    }

    pub fn lags(&self) -> bool {
        !Rc::ptr_eq(&self.live, &self.copy)
    }
}
