//! Conversations that nobody can read: aside whole, a fresh one in their place, and back only where nothing has happened since.

use shared_core::{
    EntryId, Envelope, EnvelopeError, EpochStamp, LARGEST_STORED, LARGEST_VERSION, Record, UnixMs,
};
use shared_io::redis::{
    Committed, Counter, EpochAnswer, MovedAside, PoolState, Quarantine, Restored, StateError,
    StoredConversation,
};

use crate::build::*;
use crate::server::RedisServer;

const GARBAGE: &[u8] = b"no version\xff line";

async fn plant(server: &RedisServer, member: i64, value: &[u8]) {
    let mut raw = server.raw().await;
    let mut plant = redis::cmd("SET");
    plant.arg(format!("us:{{main}}:c:m{member}")).arg(value);
    plant.exec_async(&mut raw).await.unwrap();
}

async fn move_aside(
    pool: &PoolState,
    stamp: EpochStamp,
    member: i64,
    seen_bytes: usize,
    fresh: &str,
) -> EpochAnswer<MovedAside> {
    let id = EntryId([u8::try_from(member).unwrap(); 16]);
    let why = "it is garbage".to_owned();
    let key = conversation(member);
    pool.quarantine(&Quarantine {
        stamp,
        conversation: &key,
        seen_bytes,
        id,
        why: &why,
        at: UnixMs(9),
        fresh,
        outbox: &[reply(1, member)],
        records: &[Record::Quarantined {
            id,
            conversation: key,
            why: why.clone(),
            at: UnixMs(9),
        }],
    })
    .await
    .unwrap()
}

/// How many reminders are due.
async fn reminders(pool: &PoolState, stamp: EpochStamp) -> usize {
    match pool.due_timers(stamp, Some(LONG), 9).await {
        Ok(EpochAnswer::Done(due)) => due.timers.len(),
        other => panic!("{other:?}"),
    }
}

/// A conversation with something open and its reminder due, damaged.
async fn damaged(server: &RedisServer, pool: &PoolState, stamp: EpochStamp) {
    let (key, text) = (conversation(5), stored(1, "x"));
    let mut change = commit(stamp, &key, 0, &text);
    change.open = Some(UnixMs(77));
    let done = pool.commit(&change).await.unwrap();
    assert!(matches!(done, Committed::Done { .. }));
    let mut raw = server.raw().await;
    redis::cmd("SET")
        .arg("us:{main}:reminded")
        .arg(0)
        .exec_async(&mut raw)
        .await
        .unwrap();
    assert_eq!(reminders(pool, stamp).await, 1);
    plant(server, 5, GARBAGE).await;
}

#[tokio::test]
async fn it_is_aside_whole_with_its_reason_and_a_fresh_one_goes_on() {
    let server = RedisServer::start();
    let (pool, stamp) = open_pool(&server.state().await).await;
    damaged(&server, &pool, stamp).await;
    let read = pool.stored_conversation(&conversation(5)).await.unwrap();
    let StoredConversation::Damaged { raw, .. } = read else {
        panic!("{read:?}");
    };
    assert_eq!(raw, GARBAGE);
    let fresh = stored(1, "fresh");
    let moved = move_aside(&pool, stamp, 5, raw.len(), &fresh).await;
    assert_eq!(moved, EpochAnswer::Done(MovedAside::Done));

    let key = conversation(5);
    assert_eq!(pool.conversation(&key).await.unwrap(), Some(fresh.clone()));
    assert_eq!(pool.open_since(&key).await.unwrap(), None);
    assert_eq!(pool.timer_count().await.unwrap(), 0);
    assert_eq!(
        pool.outbox_len().await.unwrap(),
        1,
        "the member hears of it"
    );
    assert_eq!(
        pool.records(10).await.unwrap().len(),
        1,
        "so does the operator"
    );
    assert_eq!(pool.counters().await.unwrap().get(Counter::Quarantined), 1);
    let aside = pool.quarantined().await.unwrap();
    assert_eq!(aside.len(), 1);
    assert_eq!((aside[0].conversation, aside[0].is_whole), (key, true));
    assert_eq!(
        (aside[0].why.as_str(), aside[0].bytes),
        ("it is garbage", raw.len() as u64)
    );
    let value = pool.quarantined_value(aside[0].position).await.unwrap();
    assert_eq!(value.as_deref(), Some(GARBAGE));

    // A second try finds the fresh one, which is not what it saw.
    let again = move_aside(&pool, stamp, 5, raw.len() + 1000, &fresh).await;
    assert_eq!(again, EpochAnswer::Done(MovedAside::Moved));
    let done = pool.commit(&commit(stamp, &key, 1, &stored(2, "on"))).await;
    assert!(matches!(done.unwrap(), Committed::Done { .. }));
}

#[tokio::test]
async fn who_is_fenced_moves_nothing() {
    let server = RedisServer::start();
    let (pool, current) = open_pool(&server.state().await).await;
    damaged(&server, &pool, current).await;
    let refused = move_aside(&pool, stamp(9, 9), 5, GARBAGE.len(), &stored(1, "x")).await;
    assert!(matches!(refused, EpochAnswer::Fenced { .. }));
    assert_eq!(pool.quarantine_len().await.unwrap(), 0);
    assert_eq!(pool.outbox_len().await.unwrap(), 0);
}

#[tokio::test]
async fn it_is_put_back_only_while_nothing_has_happened() {
    let server = RedisServer::start();
    let (pool, stamp) = open_pool(&server.state().await).await;
    damaged(&server, &pool, stamp).await;
    let (key, fresh) = (conversation(5), stored(1, "fresh"));
    let _ = move_aside(&pool, stamp, 5, GARBAGE.len(), &fresh).await;
    let entry = pool.quarantined().await.unwrap().remove(0);
    let done = pool.commit(&commit(stamp, &key, 1, &stored(2, "on"))).await;
    assert!(matches!(done.unwrap(), Committed::Done { .. }));
    assert_eq!(
        pool.restore_quarantined(&entry).await.unwrap(),
        Restored::MovedOn
    );
    assert_eq!(
        pool.conversation(&key).await.unwrap(),
        Some(stored(2, "on"))
    );

    plant(&server, 5, fresh.as_bytes()).await;
    assert_eq!(
        pool.restore_quarantined(&entry).await.unwrap(),
        Restored::Done
    );
    let read = pool.stored_conversation(&key).await.unwrap();
    assert!(matches!(read, StoredConversation::Damaged { raw, .. } if raw == GARBAGE));
    assert_eq!(
        pool.open_since(&key).await.unwrap(),
        Some(UnixMs(77)),
        "open as it was"
    );
    // Its reminder was due before it was moved aside: once a silence, told or not.
    assert_eq!(reminders(&pool, stamp).await, 0);
    assert_eq!(
        pool.restore_quarantined(&entry).await.unwrap(),
        Restored::Gone
    );
    assert!(!pool.drop_quarantined(entry.position).await.unwrap());
    // Whoever kept the fresh one in memory finds that it is not there.
    let cached = pool.commit(&commit(stamp, &key, 1, &stored(2, "on"))).await;
    assert!(cached.is_err(), "{cached:?}");
}

#[tokio::test]
async fn what_is_far_too_long_is_never_read_whole_and_kept_in_part() {
    let server = RedisServer::start();
    let (pool, stamp) = open_pool(&server.state().await).await;
    for (member, bytes, whole) in [(5, LARGEST_STORED + 1, true), (6, 1 << 20, false)] {
        plant(&server, member, &vec![b'x'; bytes]).await;
        let read = pool
            .stored_conversation(&conversation(member))
            .await
            .unwrap();
        let StoredConversation::Damaged { raw, why } = read else {
            panic!("{read:?}");
        };
        assert_eq!(raw.len(), LARGEST_STORED + 1);
        assert!(why.to_string().contains("the limit is"), "{why}");
        let moved = move_aside(&pool, stamp, member, raw.len(), &stored(1, "x")).await;
        assert_eq!(moved, EpochAnswer::Done(MovedAside::Done));
        let entry = pool.quarantined().await.unwrap().remove(0);
        assert_eq!((entry.bytes, entry.is_whole), (bytes as u64, whole));
        let restored = pool.restore_quarantined(&entry).await.unwrap();
        assert_eq!(restored == Restored::Cut, !whole, "{restored:?}");
    }
}

#[tokio::test]
async fn the_quarantine_is_bounded_and_the_oldest_make_room() {
    let server = RedisServer::start();
    let (pool, stamp) = open_pool(&server.state().await).await;
    for member in 1..=120 {
        plant(&server, member, GARBAGE).await;
        let moved = move_aside(&pool, stamp, member, GARBAGE.len(), &stored(1, "x")).await;
        assert_eq!(moved, EpochAnswer::Done(MovedAside::Done));
    }
    let aside = pool.quarantined().await.unwrap();
    assert_eq!(aside.len(), 100);
    assert_eq!(aside[0].conversation, conversation(120), "the latest first");
    assert!(pool.drop_quarantined(aside[0].position).await.unwrap());
    assert_eq!(pool.quarantine_len().await.unwrap(), 99);
}

/// What Rust would read a number from and the script would not take for it; each of them once held up a whole pool.
#[tokio::test]
async fn a_version_that_no_commit_writes_is_refused_moved_aside_and_gone_on_from() {
    let server = RedisServer::start();
    let (pool, stamp) = open_pool(&server.state().await).await;
    let versions = [
        ("007", 7),
        ("+7", 7),
        ("00", 0),
        ("07\r", 7),
        ("9007199254740992", 9_007_199_254_740_992),
        ("18446744073709551615", u64::MAX),
        ("99999999999999999999999999", u64::MAX),
    ];
    for (member, (line, read_as)) in (1..).zip(versions) {
        let key = conversation(member);
        let text = stored(7, "words").replacen('7', line, 1);
        plant(&server, member, text.as_bytes()).await;
        let read = pool.stored_conversation(&key).await.unwrap();
        let StoredConversation::Text(read) = read else {
            panic!("{line}: {read:?}");
        };
        let why = Envelope::<String>::decode(&read).unwrap_err();
        assert_eq!(why, EnvelopeError::BadVersion, "{line}");

        // Neither a stale one, to be read again for ever, nor a commit after it.
        for expected in [0, read_as, 7] {
            let next = expected.saturating_add(1);
            let next = stored(next, "on");
            let done = pool.commit(&commit(stamp, &key, expected, &next)).await;
            let refused = matches!(
                done,
                Err(StateError::Unreadable { .. } | StateError::Misuse { .. })
            );
            assert!(refused, "{line}, {expected}: {done:?}");
        }
        assert_eq!(pool.conversation(&key).await.unwrap(), Some(text.clone()));

        let moved = move_aside(&pool, stamp, member, text.len(), &stored(1, "fresh")).await;
        assert_eq!(moved, EpochAnswer::Done(MovedAside::Done), "{line}");
        let done = pool.commit(&commit(stamp, &key, 1, &stored(2, "on"))).await;
        assert!(matches!(done.unwrap(), Committed::Done { .. }), "{line}");
        let aside = pool.quarantined().await.unwrap().remove(0);
        let kept = pool.quarantined_value(aside.position).await.unwrap();
        assert_eq!(kept.as_deref(), Some(text.as_bytes()), "{line}");
    }
}

/// The last number that is read: nothing follows it, and the commit says so instead of writing what nobody reads.
#[tokio::test]
async fn no_commit_writes_a_version_that_nobody_reads() {
    let server = RedisServer::start();
    let (pool, stamp) = open_pool(&server.state().await).await;
    let key = conversation(5);
    let last = LARGEST_VERSION;
    plant(&server, 5, stored(last - 1, "x").as_bytes()).await;
    let done = pool
        .commit(&commit(stamp, &key, last - 1, &stored(last, "x")))
        .await;
    assert!(matches!(done.unwrap(), Committed::Done { .. }));
    let beyond = pool
        .commit(&commit(stamp, &key, last, &stored(last + 1, "x")))
        .await;
    assert!(
        matches!(beyond, Err(StateError::Misuse { .. })),
        "{beyond:?}"
    );
    let stale = pool.commit(&commit(stamp, &key, 3, &stored(4, "x"))).await;
    assert_eq!(stale.unwrap(), Committed::Stale { version: last });
}
