//! The commit: what refuses it, that a refusal writes nothing, and that what it writes is whole.

use shared_core::UnixMs;
use shared_io::redis::{
    Committed, Counter, EpochAnswer, OpenCursor, PoolState, Settles, StateError,
};

use crate::build::*;
use crate::server::RedisServer;

/// Everything that a commit may write, as one text.
async fn written(pool: &PoolState) -> String {
    let conversations = pool
        .conversations(&[conversation(5), conversation(6)])
        .await
        .unwrap();
    format!(
        "{conversations:?} {:?} {:?} {:?}",
        pool.open_conversations(&OpenCursor::default(), 10)
            .await
            .unwrap(),
        pool.outbox(None, 100).await.unwrap(),
        pool.records(100).await.unwrap(),
    )
}

#[tokio::test]
async fn a_record_that_cannot_be_kept_is_not_taken() {
    let server = RedisServer::start();
    let (pool, stamp) = open_pool(&server.state().await).await;
    let (key, text) = (conversation(5), stored(1, "one"));
    let records = [record(1), record(2)];
    let mut change = commit(stamp, &key, 0, &text);
    change.records_at_most = 1;
    change.records = &records;
    assert_eq!(pool.commit(&change).await.unwrap(), Committed::Full);
    assert_eq!(pool.conversation(&key).await.unwrap(), None);
    assert_eq!(pool.records_len().await.unwrap(), 0);
    change.records = &records[..1];
    assert!(matches!(
        pool.commit(&change).await.unwrap(),
        Committed::Done { .. }
    ));
    // Whatever else is to be written does not wait for it.
    let text = stored(2, "two");
    let mut change = commit(stamp, &key, 1, &text);
    change.records_at_most = 1;
    assert!(matches!(
        pool.commit(&change).await.unwrap(),
        Committed::Done { .. }
    ));
    // What the database has refused is kept as well.
    let at = pool.records(1).await.unwrap()[0].0;
    pool.refuse_record(&at, "no such column").await.unwrap();
    assert_eq!(pool.records_len().await.unwrap(), 0);
    let text = stored(3, "three");
    let mut change = commit(stamp, &key, 2, &text);
    change.records_at_most = 1;
    change.records = &records[1..];
    assert_eq!(pool.commit(&change).await.unwrap(), Committed::Full);
}

#[tokio::test]
async fn a_commit_writes_state_replies_records_and_counters() {
    let server = RedisServer::start();
    let (pool, stamp) = open_pool(&server.state().await).await;
    let key = conversation(5);
    let replies = [reply(1, 5), reply(2, 5)];
    let records = [record(1)];
    let first = stored(1, "one");
    let mut change = commit(stamp, &key, 0, &first);
    change.open = Some(UnixMs(77));
    change.outbox = &replies;
    change.records = &records;
    change.counters = &[(Counter::Duplicates, 3)];
    let Committed::Done { positions } = pool.commit(&change).await.unwrap() else {
        panic!("refused");
    };

    assert_eq!(pool.conversation(&key).await.unwrap(), Some(first));
    let expected: Vec<_> = positions
        .iter()
        .copied()
        .zip(replies.iter().cloned())
        .collect();
    assert_eq!(pool.outbox(None, 10).await.unwrap(), expected);
    assert_eq!(
        pool.outbox(Some(&positions[0]), 10).await.unwrap(),
        expected[1..]
    );
    assert_eq!(pool.outbox_len().await.unwrap(), 2);
    assert_eq!(
        pool.open_conversations(&OpenCursor::default(), 10)
            .await
            .unwrap(),
        [(key, UnixMs(77))]
    );
    let stored_records = pool.records(10).await.unwrap();
    assert_eq!(stored_records[0].1, records[0]);
    assert_eq!(
        pool.records_settle(&[stored_records[0].0]).await.unwrap(),
        1
    );
    assert!(pool.records(10).await.unwrap().is_empty());

    let second = stored(2, "two");
    let done = pool.commit(&commit(stamp, &key, 1, &second)).await.unwrap();
    assert!(matches!(done, Committed::Done { positions } if positions.is_empty()));
    assert_eq!(
        pool.open_count().await.unwrap(),
        0,
        "it is not open any more"
    );
    let counters = pool.counters().await.unwrap();
    assert_eq!(counters.get(Counter::Commits), 2);
    assert_eq!(counters.get(Counter::Duplicates), 3);
    assert_eq!(counters.get(Counter::CommitsRefused), 0);
}

#[tokio::test]
async fn only_the_current_open_epoch_commits_and_a_refusal_writes_nothing() {
    let server = RedisServer::start();
    let state = server.state().await;
    let (pool, current) = open_pool(&state).await;
    let key = conversation(5);
    let text = stored(1, "x");
    let replies = [reply(1, 5)];
    let records = [record(1)];
    let before = written(&pool).await;
    for (why, wrong) in [
        ("an old epoch", stamp(0, 0xaa)),
        ("an epoch to come", stamp(2, 0xaa)),
        ("the right epoch of another history", stamp(1, 0xab)),
    ] {
        let mut change = commit(wrong, &key, 0, &text);
        change.open = Some(UnixMs(1));
        change.outbox = &replies;
        change.records = &records;
        let Committed::Fenced { current: told } = pool.commit(&change).await.unwrap() else {
            panic!("{why} committed");
        };
        assert_eq!(told.unwrap().stamp, current, "{why}");
        assert_eq!(written(&pool).await, before, "{why} wrote something");
    }
    // The phases that are not open refuse their own holder as well.
    let next = stamp(2, 0xbb);
    let fenced = pool.fence(&leader(), next, UnixMs(1), "s").await.unwrap();
    assert_eq!(fenced, shared_io::redis::FenceAnswer::Fenced);
    for phase in ["fenced", "smoking"] {
        let refused = pool.commit(&commit(next, &key, 0, &text)).await.unwrap();
        assert!(matches!(refused, Committed::Fenced { .. }), "{phase}");
        let told = pool.epoch().await.unwrap().unwrap().phase;
        assert_eq!(told.as_str(), phase);
        let active = pool
            .activate(&leader(), next, &holder(BOT, "w2"), UnixMs(1), "s")
            .await
            .unwrap();
        assert_eq!(active, shared_io::redis::StepAnswer::Done);
    }
    let old = pool.commit(&commit(current, &key, 0, &text)).await.unwrap();
    assert!(matches!(old, Committed::Fenced { .. }), "the old holder");
    assert_eq!(written(&pool).await, before);
    assert_eq!(
        pool.counters().await.unwrap().get(Counter::CommitsRefused),
        6
    );
}

#[tokio::test]
async fn a_pool_without_an_epoch_refuses() {
    let server = RedisServer::start();
    let pool = led_pool(&server.state().await).await;
    let refused = pool
        .commit(&commit(stamp(1, 1), &conversation(5), 0, &stored(1, "x")))
        .await
        .unwrap();
    assert_eq!(refused, Committed::Fenced { current: None });
    assert_eq!(pool.look().await.unwrap().epoch, None);
}

#[tokio::test]
async fn a_writer_that_read_another_version_is_told_the_stored_one() {
    let server = RedisServer::start();
    let (pool, stamp) = open_pool(&server.state().await).await;
    let key = conversation(5);
    let done = pool.commit(&commit(stamp, &key, 0, &stored(1, "a"))).await;
    assert!(matches!(done.unwrap(), Committed::Done { .. }));
    let again = pool.commit(&commit(stamp, &key, 0, &stored(1, "b"))).await;
    assert_eq!(again.unwrap(), Committed::Stale { version: 1 });
    let ahead = pool.commit(&commit(stamp, &key, 4, &stored(5, "b"))).await;
    assert_eq!(ahead.unwrap(), Committed::Stale { version: 1 });
    assert_eq!(pool.conversation(&key).await.unwrap(), Some(stored(1, "a")));
}

#[tokio::test]
async fn the_largest_versions_are_told_apart() {
    const EDGE: u64 = shared_core::LARGEST_VERSION - 2;
    let server = RedisServer::start();
    let (pool, stamp) = open_pool(&server.state().await).await;
    let key = conversation(5);
    let mut raw = server.raw().await;
    let text = stored(EDGE, "x");
    let mut plant = redis::cmd("SET");
    plant.arg("us:{main}:c:m5").arg(text);
    plant.exec_async(&mut raw).await.unwrap();
    let wrong = pool
        .commit(&commit(stamp, &key, EDGE + 1, &stored(EDGE + 2, "y")))
        .await;
    assert_eq!(wrong.unwrap(), Committed::Stale { version: EDGE });
    let right = pool
        .commit(&commit(stamp, &key, EDGE, &stored(EDGE + 1, "y")))
        .await;
    assert!(matches!(right.unwrap(), Committed::Done { .. }));
}

#[tokio::test]
async fn a_commit_that_settles_an_entry_happens_once() {
    let server = RedisServer::start();
    let (pool, stamp) = open_pool(&server.state().await).await;
    let key = conversation(5);
    let enqueued = pool.enqueue(stamp, &[reply(1, 5)]).await.unwrap();
    let EpochAnswer::Done(positions) = enqueued else {
        panic!("refused");
    };
    let (text, after) = (stored(1, "file stored"), stored(2, "again"));
    let replies = [reply(2, 5)];
    let mut change = commit(stamp, &key, 0, &text);
    change.settles = Some(Settles::Outbox(positions[0]));
    change.outbox = &replies;
    assert!(matches!(
        pool.commit(&change).await.unwrap(),
        Committed::Done { .. }
    ));
    let left: Vec<_> = pool.outbox(None, 10).await.unwrap();
    assert_eq!(
        left.iter().map(|(_, e)| e.clone()).collect::<Vec<_>>(),
        replies
    );

    let before = written(&pool).await;
    let mut again = commit(stamp, &key, 1, &after);
    again.settles = Some(Settles::Outbox(positions[0]));
    again.outbox = &replies;
    assert_eq!(pool.commit(&again).await.unwrap(), Committed::Gone);
    let mut repeated = change.clone();
    repeated.expected_version = 0;
    assert_eq!(
        pool.commit(&repeated).await.unwrap(),
        Committed::Gone,
        "a repeated try learns that it was done"
    );
    assert_eq!(written(&pool).await, before);
}

#[tokio::test]
async fn an_envelope_that_does_not_follow_is_not_even_sent() {
    let server = RedisServer::start();
    let (pool, stamp) = open_pool(&server.state().await).await;
    let key = conversation(5);
    for bad in [stored(1, "x"), stored(3, "x"), "no version".to_owned()] {
        let error = pool
            .commit(&commit(stamp, &key, 1, &bad))
            .await
            .unwrap_err();
        assert!(matches!(error, StateError::Misuse { .. }), "{error}");
    }
}

#[tokio::test]
async fn many_conversations_commit_at_once() {
    let server = RedisServer::start();
    let (pool, stamp) = open_pool(&server.state().await).await;
    let mut tasks = tokio::task::JoinSet::new();
    for member in 1..=500 {
        let pool = pool.clone();
        tasks.spawn(async move {
            let (key, replies) = (conversation(member), [reply(1, member)]);
            for version in 0..4 {
                let text = stored(version + 1, "x");
                let mut change = commit(stamp, &key, version, &text);
                change.open = Some(UnixMs(member));
                change.outbox = &replies;
                let done = pool.commit(&change).await.unwrap();
                assert!(matches!(done, Committed::Done { .. }), "{done:?}");
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(pool.outbox_len().await.unwrap(), 2000);
    assert_eq!(pool.open_count().await.unwrap(), 500);
    let mut cursor = OpenCursor::default();
    let latest = pool.open_conversations(&cursor, 2).await.unwrap();
    assert_eq!(
        latest,
        [
            (conversation(500), UnixMs(500)),
            (conversation(499), UnixMs(499))
        ]
    );
    cursor.advance(&latest);
    let next = pool.open_conversations(&cursor, 1).await.unwrap();
    assert_eq!(next, [(conversation(498), UnixMs(498))]);
}

/// Whoever ends or goes on between two pages does not push anybody past them, and those of one moment are told apart.
#[tokio::test]
async fn paging_through_the_open_conversations_misses_nobody() {
    let server = RedisServer::start();
    let (pool, stamp) = open_pool(&server.state().await).await;
    let open = async |member: i64, version: u64, at: Option<i64>| {
        let (key, text) = (conversation(member), stored(version + 1, "x"));
        let mut change = commit(stamp, &key, version, &text);
        change.open = at.map(UnixMs);
        let done = pool.commit(&change).await.unwrap();
        assert!(matches!(done, Committed::Done { .. }), "{done:?}");
    };
    for member in 1..=9 {
        // Three moments, three members each.
        open(member, 0, Some(member / 4 * 100)).await;
    }
    let mut cursor = OpenCursor::default();
    let mut seen = Vec::new();
    loop {
        let page = pool.open_conversations(&cursor, 2).await.unwrap();
        if page.is_empty() {
            break;
        }
        cursor.advance(&page);
        seen.extend(page.iter().map(|(key, _)| key.member.0));
        if seen.len() == 4 {
            let (gone, goes_on) = (seen[0], seen[1]);
            open(gone, 1, None).await;
            open(goes_on, 1, Some(900)).await;
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, (1..=9).collect::<Vec<_>>());
}
