//! Builders: the things that tests write, and a pool that is open.

use std::time::Duration;

use shared_core::{
    Assignment, BotId, ConversationKey, Envelope, Epoch, EpochStamp, Holder, Incoming,
    IncomingKind, LoginLease, LoginSlot, MemberId, MessageId, Nonce, OutboxEntry, OutboxKind,
    Place, PoolId, Priority, Record, SendTarget, UnixMs, WorkerId,
};
use shared_io::redis::{
    Commit, FenceAnswer, LeadAnswer, LeaderId, LeaseClaim, PoolState, RedisState, StepAnswer,
};

pub const LONG: Duration = Duration::from_secs(60);
pub const BOT: BotId = BotId(7_000_001);

pub fn pool_id() -> PoolId {
    PoolId::new("main").unwrap()
}

pub fn worker(name: &str) -> WorkerId {
    WorkerId::new(name).unwrap()
}

pub fn nonce(byte: u8) -> Nonce {
    Nonce([byte; 8])
}

pub fn stamp(epoch: u64, byte: u8) -> EpochStamp {
    EpochStamp {
        epoch: Epoch(epoch),
        nonce: nonce(byte),
    }
}

pub fn leader() -> LeaderId {
    LeaderId::new("s1", nonce(1))
}

pub fn holder(bot: BotId, name: &str) -> Holder {
    Holder {
        bot,
        worker: worker(name),
    }
}

/// A pool that this file's leader leads.
pub async fn led_pool(state: &RedisState) -> PoolState {
    let pool = state.pool(&pool_id());
    let taken = pool.take_lead_of_pool(&leader(), LONG).await.unwrap();
    assert!(taken.is_ours());
    pool
}

/// Takes the pool through a whole switch to this bot.
pub async fn switch_to(pool: &PoolState, stamp: EpochStamp, holder: &Holder) {
    let leader = leader();
    let fenced = pool.fence(&leader, stamp, UnixMs(1), "fenced").await;
    assert_eq!(fenced.unwrap(), FenceAnswer::Fenced);
    let active = pool
        .activate(&leader, stamp, holder, UnixMs(2), "active")
        .await;
    assert_eq!(active.unwrap(), StepAnswer::Done);
    let open = pool.open_epoch(&leader, stamp, UnixMs(3), "open").await;
    assert_eq!(open.unwrap(), StepAnswer::Done);
}

/// A pool whose epoch 1 is open.
pub async fn open_pool(state: &RedisState) -> (PoolState, EpochStamp) {
    let pool = led_pool(state).await;
    let first = stamp(1, 0xaa);
    switch_to(&pool, first, &holder(BOT, "w1")).await;
    (pool, first)
}

pub fn conversation(member: i64) -> ConversationKey {
    ConversationKey::private(MemberId(member))
}

pub fn stored(version: u64, words: &str) -> String {
    let envelope = Envelope::<String> {
        version,
        state: words.to_owned(),
        ..Default::default()
    };
    envelope.encode().unwrap()
}

/// A commit with a state and nothing else.
pub fn commit<'a>(
    stamp: EpochStamp,
    conversation: &'a ConversationKey,
    expected_version: u64,
    stored: &'a str,
) -> Commit<'a> {
    Commit {
        stamp,
        conversation,
        expected_version,
        stored,
        open: None,
        active: true,
        keep: shared_core::TOMBSTONE_KEPT,
        outbox: &[],
        records: &[],
        records_at_most: 50_000,
        told: &[],
        settles: None,
        counters: &[],
    }
}

pub fn reply(number: u8, member: i64) -> OutboxEntry {
    OutboxEntry {
        id: shared_core::EntryId([number; 16]),
        conversation: conversation(member),
        target: SendTarget::Member(MemberId(member)),
        priority: Priority::Answer,
        since: UnixMs(5),
        by: None,
        kind: OutboxKind::Say {
            text: format!("reply {number} \"with\" ünïcode\n"),
            keyboard: None,
            reply_to: None,
        },
    }
}

pub fn record(number: u8) -> Record {
    Record::Course {
        id: shared_core::EntryId([number; 16]),
        member: MemberId(5),
        conversation: conversation(5),
        title: "A title".into(),
        description: "Words".into(),
        category: "c".into(),
        tags: vec!["t".into()],
        files: vec![("f.pdf".into(), 3, MessageId(9))],
        submitted: UnixMs(8),
    }
}

pub fn lease(bot: BotId, name: &str, byte: u8) -> LoginLease {
    LoginLease {
        bot,
        slot: LoginSlot::A,
        worker: worker(name),
        nonce: nonce(byte),
    }
}

pub fn assignment(bot: BotId, name: &str, grant: u8) -> Assignment {
    Assignment {
        bot,
        worker: worker(name),
        slot: LoginSlot::A,
        grant: nonce(grant),
        process: None,
        other_rests_until: None,
        other_process: None,
    }
}

pub fn claim(lease: &LoginLease, grant: u8) -> LeaseClaim {
    LeaseClaim {
        lease: lease.clone(),
        grant: nonce(grant),
    }
}

pub async fn assign(pool: &PoolState, assignments: &[Assignment]) {
    let answer = pool.assign(&leader(), assignments).await.unwrap();
    assert_eq!(answer, LeadAnswer::Done);
}

pub fn said(member: i64, message: i32) -> Incoming {
    Incoming {
        r#box: shared_core::BoxId::Private(BOT),
        place: Place::Private,
        member: MemberId(member),
        name: "Ann".into(),
        date: UnixMs(1000),
        what: IncomingKind::Message {
            message: MessageId(message),
            text: "hello".into(),
            document: None,
            album: None,
            reply_to: None,
            addressed: true,
        },
    }
}
