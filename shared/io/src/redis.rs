//! Redis, the only live state: every key, script and answer of it, and nothing of what they are used for.
//!
//! One pass: a worker takes its bots' leases ([`PoolState::renew_leases`]), looks at the pool ([`PoolState::look`]), and while it
//! holds an open epoch it writes conversations with [`PoolState::commit`], the one script in which a state, its replies and its records
//! change together. The leader moves the epoch ([`PoolState::fence`], [`PoolState::activate`], [`PoolState::open_epoch`]). Bells
//! ([`Bell`]) say *look now* and carry nothing.
//!
//! Invariants: every write that a fence guards is one script that checks the fence first and writes nothing when it is refused; all keys of a
//! pool share a hash tag, so each of those scripts touches one slot; an epoch, a nonce or a version is compared as text inside a
//! script and never becomes a Lua number (those are exact only up to 2^53); an error never holds a value or the URL's password.
//! A call that ends in [`StateError::Unreachable`] may have been carried out: whoever repeats it must be able to (versions,
//! watermarks and positions make commits repeatable).
//!
//! Not here: judging a lease's expiry (`shared_core::LeaseClock`), retrying, caching, deciding. Redis Cluster is not spoken: the pool's keys would
//! allow it, `us:workers` and the client would not. Behind Sentinels: `redis/{address,primary,history,link}.rs`.
//!
//! Keys: `redis/keys.rs` (the table is in ARCHITECTURE.md). Scripts: `redis/lua/*.lua`. Only these files name the `redis` crate.

mod address;
mod announced;
mod bell;
mod board;
mod channels;
mod checkpoint;
mod commit;
mod conversations;
mod counters;
mod epoch;
mod error;
mod hints;
mod history;
mod inbox;
mod inspect;
mod keys;
mod leader;
mod leases;
mod line;
mod link;
mod marks;
mod names;
mod notes;
mod offers;
mod orders;
mod outbox;
mod parked;
mod poison;
mod position;
mod primary;
mod private;
mod quarantine;
mod records;
mod reply;
mod reports;
mod restore;
mod resumption;
mod scripts;
mod sending;
mod sentinels;
mod server;
mod streams;
mod supervisors;
mod survey;
mod switching;
mod timers;
mod workers;

use std::sync::Arc;

use shared_core::{PoolId, Secret};

pub use announced::{Announcement, STANDING_MAX};
pub use bell::Bell;
pub use checkpoint::{Entry, Guarded, HistoryMark, Marks, Portion, Queue, Sources, Tail, Words};
pub use commit::{Commit, Committed, Settles};
pub use conversations::{OpenCursor, StoredConversation};
pub use counters::{Counter, Counters};
pub use epoch::{EpochAnswer, PoolView};
pub use error::StateError;
pub use history::History;
pub use inspect::{Inspection, RedisSetting};
pub use leader::{BreakAnswer, LeadAnswer, LeaderId, Leadership};
pub use leases::{LeaseAnswer, LeaseClaim, Renewed};
pub use link::RedisTimeouts;
pub use marks::Mark;
pub use names::{Beaten, NameAnswer, NameHolder};
pub use offers::{Offer, Taken};
pub use orders::{SeenRequest, Submitted};
pub use poison::{Poisoned, Refusal};
pub use position::{
    EntryPosition, HeldPosition, InboxPosition, NotAPosition, OutboxPosition, PoisonPosition,
    QuarantinePosition, RecordPosition, RefusedPosition,
};
pub use private::{PrivateChange, PrivateCursor};
pub use quarantine::{MovedAside, Quarantine, Quarantined, Restored};
pub use records::RefusedRecord;
pub use restore::{RESTORE_PORTION, RestoreAnswer, Restoring, Scanned, Stored, Write};
pub use resumption::{Resumed, Resumption};
pub use sending::{Begun, SeenSending, Sending, SendsInDoubt};
pub use sentinels::{SentinelSays, SentinelSeen};
pub use server::Durability;
pub use supervisors::SeenSupervisor;
pub use survey::Survey;
pub use switching::{FenceAnswer, StepAnswer};
pub use timers::DueTimers;
pub use workers::SeenHeartbeat;

pub(crate) use address::{SENTINEL_SCHEME, check_sentinels};
use keys::{PoolKeys, RootKeys};
use link::Link;

/// A connection to Redis that all clones share: commands of concurrent callers are pipelined on it, and it is made anew when it breaks.
#[derive(Clone)]
pub struct RedisState {
    link: Link,
    root: Arc<RootKeys>,
}

/// One pool's state. Cheap to clone.
#[derive(Clone)]
pub struct PoolState {
    link: Link,
    root: Arc<RootKeys>,
    keys: Arc<PoolKeys>,
}

impl RedisState {
    /// Connects to `redis://...`, `redis+unix:///path` or `redis+sentinel://...` and keeps all keys under `prefix`.
    pub async fn connect(
        url: &Secret,
        prefix: &str,
        timeouts: RedisTimeouts,
    ) -> Result<Self, StateError> {
        let root = RootKeys::new(prefix)?;
        let link = Link::connect(url, timeouts).await?;
        Ok(Self {
            link,
            root: Arc::new(root),
        })
    }

    pub fn pool(&self, pool: &PoolId) -> PoolState {
        PoolState {
            link: self.link.clone(),
            root: self.root.clone(),
            keys: Arc::new(self.root.pool(pool)),
        }
    }
}

impl PoolState {
    pub fn id(&self) -> &PoolId {
        &self.keys.pool
    }
}
