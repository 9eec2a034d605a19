//! Every key that the project has in Redis. No other file makes one.
//!
//! Invariant: all keys of a pool carry its name as hash tag (`{P}`), so that one script touches one slot. The table with types and
//! owners is in ARCHITECTURE.md.

use shared_core::{BotId, ConversationKey, MemberId, Nonce, OrderId, PoolId, WorkerId};

use super::StateError;

/// Keys that belong to no pool.
pub(super) struct RootKeys {
    prefix: String,
    /// string, PX: which supervisor leads
    pub leader: String,
    /// string: changes with each lead that was nobody's before
    pub tenure: String,
    /// zset: worker -> Redis' own time of its last heartbeat
    pub workers: String,
    /// zset `worker#nonce` -> Redis' own time: processes that are known to be dead
    pub deaths: String,
    /// zset: supervisor -> Redis' own time of its last word
    pub supervisors: String,
    /// pub/sub: supervisor, look at the workers
    pub bell: String,
}

impl RootKeys {
    pub fn new(prefix: &str) -> Result<Self, StateError> {
        let fits = (1..=32).contains(&prefix.len())
            && prefix
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !fits {
            return Err(StateError::Address {
                why: "the key prefix may only have letters, digits, '-' and '_', 1 to 32 of them",
            });
        }
        Ok(Self {
            prefix: prefix.to_owned(),
            leader: format!("{prefix}:leader"),
            tenure: format!("{prefix}:tenure"),
            workers: format!("{prefix}:workers"),
            deaths: format!("{prefix}:deaths"),
            supervisors: format!("{prefix}:supervisors"),
            bell: format!("{prefix}:bell"),
        })
    }

    /// What a worker's key begins with.
    pub fn worker_prefix(&self) -> String {
        format!("{}:worker:", self.prefix)
    }

    /// string `Heartbeat`, PX
    pub fn worker(&self, worker: &WorkerId) -> String {
        format!("{}:worker:{worker}", self.prefix)
    }

    /// hash `nonce seq`, PX: which process has the worker's name, and its last beat
    pub fn name(&self, worker: &WorkerId) -> String {
        format!("{}:name:{worker}", self.prefix)
    }

    /// What a supervisor's key begins with.
    pub fn supervisor_prefix(&self) -> String {
        format!("{}:supervisor:", self.prefix)
    }

    /// string `SupervisorBeat`, PX
    pub fn supervisor(&self, id: &str) -> String {
        format!("{}:supervisor:{id}", self.prefix)
    }

    pub fn pool(&self, pool: &PoolId) -> PoolKeys {
        PoolKeys::new(&self.prefix, pool)
    }
}

/// Keys of one pool.
pub(super) struct PoolKeys {
    pub pool: PoolId,
    base: String,
    /// hash: the epoch record
    pub epoch: String,
    /// string: marks this Redis history
    pub lineage: String,
    /// string, PX: copy of the root's leader in the pool's own slot, so that scripts can check it
    pub leader: String,
    /// string: changes with each lead of the pool that was nobody's before
    pub tenure: String,
    /// hash bot -> `Assignment`
    pub assign: String,
    /// string: the switch in progress
    pub saga: String,
    /// zset conversation -> last activity
    pub open: String,
    /// hash channel -> pts
    pub channels: String,
    /// stream, field `e`
    pub outbox: String,
    /// stream, field `r`
    pub records: String,
    /// stream, field `x`: records that SQL refused, with a reason each
    pub refused: String,
    /// stream, field `i`: what conversations tell one another
    pub inbox: String,
    /// zset timer -> since when it has been due, in unix ms
    pub timers: String,
    /// string: who was last active up to then has been given his reminder's timer, if he was to have one
    pub reminded: String,
    /// stream: conversations that nobody could read, with a reason each
    pub quarantine: String,
    /// hash
    pub counters: String,
    /// set: members with parked replies
    pub waiting: String,
    /// hash `bot epoch`: who last finished showing the open conversations
    pub resumed: String,
    /// string `Sending`: who may have calls on their way
    pub sending: String,
    /// hash bot -> `SendsInDoubt`: what earlier senders left
    pub doubts: String,
    /// stream, field `m`
    pub milestones: String,
    /// stream: what nobody could read, moved out of the way, with a reason
    pub poison: String,
    /// hash id -> `Request`
    pub orders: String,
    /// zset id -> Redis' own time at which the order came
    pub orders_at: String,
    /// set of ids: those that are not over
    pub orders_open: String,
    /// string `PoolBoard`
    pub board: String,
    /// string `Overrides`
    pub overrides: String,
    /// hash bot -> nonce, PX: smoke tests that a person asks for
    pub smoke_asked: String,
    /// hash `<channel>:<message>` -> `Announcement`: those that stand
    pub announced: String,
    /// string `Survey`
    pub survey: String,
    /// set of marks: what has changed since the last checkpoint
    pub dirty: String,
    /// set of marks: what the checkpoint under way has taken
    pub taken: String,
    /// hash `turn at`: how far the checkpoint in SQL is
    pub checkpoint: String,
    /// hash `nonce source done total`: the pool is being given its state back
    pub restoring: String,
    /// string, PX: why nobody may serve this pool until a person decides
    pub undecided: String,
    /// stream, field `n`: what waits for SQL besides records
    pub notes: String,
    /// pub/sub
    pub bell: String,
}

impl PoolKeys {
    fn new(prefix: &str, pool: &PoolId) -> Self {
        let base = format!("{prefix}:{{{pool}}}");
        let key = |name: &str| format!("{base}:{name}");
        Self {
            pool: pool.clone(),
            epoch: key("epoch"),
            lineage: key("lineage"),
            leader: key("leader"),
            tenure: key("tenure"),
            assign: key("assign"),
            saga: key("saga"),
            open: key("open"),
            channels: key("channels"),
            outbox: key("outbox"),
            records: key("records"),
            refused: key("records:refused"),
            inbox: key("inbox"),
            timers: key("timers"),
            reminded: key("reminded"),
            quarantine: key("quarantine"),
            counters: key("counters"),
            waiting: key("parked"),
            resumed: key("resumed"),
            sending: key("sending"),
            doubts: key("sending:doubts"),
            milestones: key("milestones"),
            poison: key("outbox:poison"),
            orders: key("orders"),
            orders_at: key("orders:at"),
            orders_open: key("orders:open"),
            board: key("board"),
            overrides: key("overrides"),
            smoke_asked: key("smoke_asked"),
            announced: key("announced"),
            survey: key("survey"),
            dirty: key("dirty"),
            taken: key("dirty:taken"),
            checkpoint: key("checkpoint"),
            restoring: key("restoring"),
            undecided: key("undecided"),
            notes: key("notes"),
            bell: key("bell"),
            base,
        }
    }

    /// string `LoginLease`, PX
    pub fn lease(&self, bot: BotId) -> String {
        format!("{}:lease:{bot}", self.base)
    }

    /// hash `pts qts date`
    pub fn private_box(&self, bot: BotId) -> String {
        format!("{}:box:{bot}", self.base)
    }

    /// set of members' bare numbers
    pub fn reach(&self, bot: BotId) -> String {
        format!("{}:reach:{bot}", self.base)
    }

    /// stream, field `u`
    pub fn held(&self, bot: BotId) -> String {
        format!("{}:held:{bot}", self.base)
    }

    /// list of `Told`: the bot's latest acknowledged messages
    pub fn told(&self, bot: BotId) -> String {
        format!("{}:told:{bot}", self.base)
    }

    /// zset `<member>:<epoch in which the bots changed>` -> when he was told
    pub fn hinted(&self, bot: BotId) -> String {
        format!("{}:hinted:{bot}", self.base)
    }

    /// What the keys of all conversations begin with.
    pub fn conversations(&self) -> String {
        format!("{}:c:", self.base)
    }

    /// What the keys of all lists of parked replies begin with.
    pub fn all_parked(&self) -> String {
        format!("{}:parked:", self.base)
    }

    /// string, `Envelope`
    pub fn conversation(&self, conversation: &ConversationKey) -> String {
        format!("{}:c:{conversation}", self.base)
    }

    /// list of `OutboxEntry`
    pub fn parked(&self, member: MemberId) -> String {
        format!("{}:parked:{member}", self.base)
    }

    /// string `SmokeReport`, PX
    pub fn smoke(&self, bot: BotId) -> String {
        format!("{}:smoke:{bot}", self.base)
    }

    /// hash `offer admin bot at taken`, PX
    pub fn offer(&self, id: OrderId) -> String {
        format!("{}:offer:{id}", self.base)
    }

    /// string `SmokeReport`, PX: the answer to one who asked
    pub fn smoke_answer(&self, nonce: Nonce) -> String {
        format!("{}:smoke_asked:{nonce}", self.base)
    }

    /// hash: the smoke test's own
    pub fn probe(&self, bot: BotId) -> String {
        format!("{}:probe:{bot}", self.base)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn keys_are_the_tables() {
        let root = RootKeys::new("us").unwrap();
        let keys = root.pool(&PoolId::new("main").unwrap());
        assert_eq!(keys.epoch, "us:{main}:epoch");
        assert_eq!(keys.lease(BotId(7)), "us:{main}:lease:b7");
        assert_eq!(
            keys.conversation(&ConversationKey::private(MemberId(5))),
            "us:{main}:c:m5"
        );
        assert_eq!(root.worker(&WorkerId::new("w1").unwrap()), "us:worker:w1");
    }

    #[test]
    fn a_prefix_cannot_break_the_hash_tag() {
        for bad in ["", "a{b", "a:b", "a b"] {
            assert!(RootKeys::new(bad).is_err(), "{bad:?}");
        }
    }
}
