//! Redis dies, hangs and comes back: what was acknowledged is there, nothing is there by half, and the same handles go on.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use shared_core::{Envelope, UnixMs};
use shared_io::redis::{Committed, PoolState, RedisState, RedisTimeouts, StateError};
use tokio::sync::Semaphore;

use crate::build::*;
use crate::server::RedisServer;

const MEMBERS: i64 = 20;

/// Commits to one conversation until Redis goes away; says how many were acknowledged.
async fn commit_until_it_breaks(
    pool: PoolState,
    stamp: shared_core::EpochStamp,
    member: i64,
    acknowledged: Arc<Semaphore>,
) -> u64 {
    let (key, replies) = (conversation(member), [reply(1, member)]);
    for version in 0.. {
        let text = stored(version + 1, "words");
        let mut change = commit(stamp, &key, version, &text);
        change.open = Some(UnixMs(1));
        change.outbox = &replies;
        match pool.commit(&change).await {
            Ok(Committed::Done { .. }) => acknowledged.add_permits(1),
            Ok(refused) => panic!("{refused:?}"),
            Err(error) => {
                assert!(error.is_connection(), "{error}");
                return version;
            }
        }
    }
    unreachable!()
}

/// The first call on a connection that broke learns so; a later one has a fresh connection.
async fn works_again(state: &RedisState) {
    for _ in 0..3 {
        if state.ping().await.is_ok() {
            return;
        }
    }
    panic!("no fresh connection after three calls");
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill_and_nothing_is_there_by_half() {
    let mut server = RedisServer::start();
    let state = server.state().await;
    let (pool, stamp) = open_pool(&state).await;
    let count = Arc::new(Semaphore::new(0));
    let tasks: Vec<_> = (1..=MEMBERS)
        .map(|member| {
            tokio::spawn(commit_until_it_breaks(
                pool.clone(),
                stamp,
                member,
                count.clone(),
            ))
        })
        .collect();
    let enough = count.acquire_many(300);
    tokio::time::timeout(Duration::from_secs(60), enough)
        .await
        .unwrap()
        .unwrap()
        .forget();
    server.kill();
    let mut acknowledged = Vec::new();
    for task in tasks {
        acknowledged.push(task.await.unwrap());
    }
    server.start_again();
    works_again(&state).await;

    let mut replies: HashMap<_, u64> = HashMap::new();
    for (_, entry) in pool.outbox(None, 100_000).await.unwrap() {
        *replies.entry(entry.conversation).or_default() += 1;
    }
    for (member, acknowledged) in (1..=MEMBERS).zip(acknowledged) {
        let key = conversation(member);
        let text = pool
            .conversation(&key)
            .await
            .unwrap()
            .unwrap_or_else(|| "0\n".into());
        let version: u64 = text.split_once('\n').unwrap().0.parse().unwrap();
        assert!(
            version == acknowledged || version == acknowledged + 1,
            "{key}: {acknowledged} acknowledged, version {version} is there (one more may have been in flight)"
        );
        let there = replies.get(&key).copied().unwrap_or(0);
        assert_eq!(there, version, "{key}: state and replies belong together");
        if version > 0 {
            assert!(Envelope::<String>::decode(&text).is_ok());
        }
    }
    // The holder goes on in its epoch: scripts are loaded again where they are missing.
    let key = conversation(1000);
    let done = pool
        .commit(&commit(stamp, &key, 0, &stored(1, "x")))
        .await
        .unwrap();
    assert!(matches!(done, Committed::Done { .. }));
}

#[tokio::test]
async fn scripts_that_redis_forgot_are_given_to_it_again() {
    let server = RedisServer::start();
    let (pool, stamp) = open_pool(&server.state().await).await;
    let key = conversation(5);
    let done = pool
        .commit(&commit(stamp, &key, 0, &stored(1, "x")))
        .await
        .unwrap();
    assert!(matches!(done, Committed::Done { .. }));
    let mut raw = server.raw().await;
    redis::cmd("SCRIPT")
        .arg("FLUSH")
        .exec_async(&mut raw)
        .await
        .unwrap();
    let done = pool
        .commit(&commit(stamp, &key, 1, &stored(2, "x")))
        .await
        .unwrap();
    assert!(matches!(done, Committed::Done { .. }));
}

#[tokio::test]
async fn leases_and_leads_outlive_a_restart_with_their_time() {
    let mut server = RedisServer::start();
    let state = server.state().await;
    let (pool, _) = open_pool(&state).await;
    let mine = lease(BOT, "w1", 1);
    assign(&pool, &[assignment(BOT, "w1", 9)]).await;
    let held = pool.renew_leases(&[claim(&mine, 9)], LONG).await.unwrap();
    let held = held.answers;
    assert_eq!(held, [shared_io::redis::LeaseAnswer::Held]);
    server.kill();
    server.start_again();
    works_again(&state).await;
    assert_eq!(pool.leases(&[BOT]).await.unwrap(), [Some(mine)]);
    let mut raw = server.raw().await;
    let left: i64 = redis::cmd("PTTL")
        .arg("us:{main}:lease:b7000001")
        .query_async(&mut raw)
        .await
        .unwrap();
    assert!((1..=60_000).contains(&left), "{left}");
}

#[tokio::test]
async fn while_redis_is_away_calls_fail_at_once_and_then_work_again() {
    let mut server = RedisServer::start();
    let state = server.state().await;
    let pool = state.pool(&pool_id());
    server.kill();
    for _ in 0..5 {
        let error = pool.epoch().await.unwrap_err();
        assert!(matches!(error, StateError::Unreachable { .. }), "{error}");
    }
    let many: Vec<_> = (0..50).map(|_| pool.epoch()).collect();
    let all = futures_util::future::join_all(many);
    let answers = tokio::time::timeout(Duration::from_secs(20), all)
        .await
        .unwrap();
    assert!(answers.iter().all(Result::is_err));
    server.start_again();
    works_again(&state).await;
    assert_eq!(pool.epoch().await.unwrap(), None);
}

#[tokio::test]
async fn a_redis_that_hangs_is_not_waited_for() {
    let server = RedisServer::start();
    let timeouts = RedisTimeouts {
        connect: Duration::from_millis(200),
        response: Duration::from_millis(200),
    };
    let state = RedisState::connect(&server.url(), "us", timeouts)
        .await
        .unwrap();
    let pool = state.pool(&pool_id());
    server.stop_clock();
    let started = tokio::time::Instant::now();
    for _ in 0..2 {
        let error = pool.epoch().await.unwrap_err();
        assert!(error.to_string().ends_with("no answer in time"), "{error}");
    }
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    server.go_on();
    let again = tokio::time::timeout(LONG, async { while pool.epoch().await.is_err() {} });
    again.await.expect("it never answered again");
}

/// As in a task that keeps a call for later and makes another one first.
#[tokio::test]
async fn a_call_that_is_not_polled_holds_up_nobody() {
    let server = RedisServer::start();
    let timeouts = RedisTimeouts {
        connect: Duration::from_millis(200),
        response: Duration::from_millis(200),
    };
    let state = RedisState::connect(&server.url(), "us", timeouts)
        .await
        .unwrap();
    let pool = state.pool(&pool_id());
    server.stop_clock();
    assert!(pool.epoch().await.is_err(), "the connection is given up");
    let mut kept = std::pin::pin!(pool.epoch());
    let begun = futures_util::poll!(kept.as_mut());
    assert!(begun.is_pending(), "it has begun to connect");
    let other = tokio::time::timeout(Duration::from_secs(20), pool.epoch()).await;
    assert!(
        other
            .expect("it waits for a call that is not polled")
            .is_err()
    );
    server.go_on();
    works_again(&state).await;
    let _ = kept.await;
}

#[tokio::test]
async fn a_bell_rings_after_a_restart_and_goes_on_ringing() {
    let mut server = RedisServer::start();
    let state = server.state().await;
    let pool = state.pool(&pool_id());
    let bell = pool.bell().await.unwrap();
    assert!(!bell.wait(Duration::from_millis(20)).await);
    server.kill();
    server.start_again();
    assert!(bell.wait(LONG).await, "something may have been missed");
    works_again(&state).await;
    assert!(!bell.wait(Duration::from_millis(20)).await);
    pool.ring().await;
    assert!(bell.wait(LONG).await, "it is subscribed again");
}
