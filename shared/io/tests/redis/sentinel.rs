//! A primary under real Sentinels: what counts only when a copy has it, and what a failover leaves standing.

use std::time::Duration;

use redis_servers::{MASTER, PASSWORD, Settings, Watched};
use shared_core::{Secret, UnixMs};
use shared_io::redis::{
    EpochAnswer, FenceAnswer, History, LeaseAnswer, PoolState, RedisState, RedisTimeouts,
    StateError,
};

use crate::build::*;

const TIMEOUTS: RedisTimeouts = RedisTimeouts {
    connect: Duration::from_secs(2),
    response: Duration::from_secs(2),
};
const PATIENCE: Duration = Duration::from_secs(60);

async fn state(watched: &Watched) -> RedisState {
    let url = Secret::new(watched.url());
    RedisState::connect(&url, "us", TIMEOUTS).await.unwrap()
}

/// Asks until the primary answers again.
async fn answers(pool: &PoolState) {
    let until = tokio::time::Instant::now() + PATIENCE;
    while let Err(error) = pool.asks_and_writes().await {
        assert!(error.is_connection(), "{error}");
        assert!(tokio::time::Instant::now() < until, "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

trait AsksAndWrites {
    async fn asks_and_writes(&self) -> Result<(), StateError>;
}

impl AsksAndWrites for PoolState {
    /// A read and a write, so that a copy does not pass for a primary.
    async fn asks_and_writes(&self) -> Result<(), StateError> {
        self.epoch().await?;
        self.count(&[(shared_io::redis::Counter::Duplicates, 1)])
            .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_decides_who_may_act_counts_only_when_a_copy_has_it() {
    let settings = Settings {
        down_after_ms: 60_000,
        min_replicas_max_lag: 600,
        ..Settings::default()
    };
    let watched = Watched::start(&settings).unwrap();
    let (pool, first) = open_pool(&state(&watched).await).await;
    let mine = lease(BOT, "w1", 1);
    assign(&pool, &[assignment(BOT, "w1", 9)]).await;
    let renewed = pool.renew_leases(&[claim(&mine, 9)], LONG).await.unwrap();
    assert_eq!(renewed.answers, [LeaseAnswer::Held]);
    assert_eq!(renewed.history, History::default());
    assert_eq!(
        pool.confirm(first).await.unwrap(),
        EpochAnswer::Done(()),
        "copies have the open epoch"
    );

    for copy in 1..=2 {
        watched.server(copy).stop_clock();
    }
    let next = stamp(2, 0xbb);
    let unconfirmed = [
        pool.renew_leases(&[claim(&mine, 9)], LONG).await.err(),
        pool.take_lead_of_pool(&leader(), LONG).await.err(),
        pool.confirm(first).await.err(),
        pool.fence(&leader(), next, UnixMs(9), "fenced").await.err(),
    ];
    for error in unconfirmed {
        let error = error.expect("no copy has it");
        assert!(
            matches!(
                error,
                StateError::Uncopied {
                    acknowledged: 0,
                    needed: 1,
                    ..
                }
            ),
            "{error:?}"
        );
        assert!(error.is_connection(), "it is tried again");
    }
    // What needs no copy's word is acknowledged meanwhile.
    answers(&pool).await;

    watched.server(1).go_on();
    let fenced = pool.fence(&leader(), next, UnixMs(9), "fenced").await;
    assert_eq!(fenced.unwrap(), FenceAnswer::Fenced, "a repeated step");
    assert!(matches!(
        pool.confirm(first).await.unwrap(),
        EpochAnswer::Fenced { .. }
    ));
    let renewed = pool.renew_leases(&[claim(&mine, 9)], LONG).await.unwrap();
    assert_eq!(renewed.answers, [LeaseAnswer::Held]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_follows_a_failover_and_what_is_held_to_the_old_history_is_refused() {
    let mut watched = Watched::start(&Settings::default()).unwrap();
    let state = state(&watched).await;
    let (pool, first) = open_pool(&state).await;
    let bell = pool.bell().await.unwrap();
    let before = pool.history();
    let held = pool.held_to(before);
    assert!(held.epoch().await.unwrap().is_some());
    let primary = watched.primary().unwrap();
    watched.server_mut(primary).kill().unwrap();
    watched.failed_over_from(primary).unwrap();
    answers(&pool).await;

    assert_ne!(pool.history(), before);
    let refused = held.epoch().await.unwrap_err();
    assert!(matches!(refused, StateError::Replaced { .. }), "{refused}");
    let again = pool.held_to(pool.history());
    let record = again.epoch().await.unwrap().unwrap();
    assert_eq!(record.stamp, first, "the epoch was on copies");
    // The bell is heard from the server that is the primary by then: subscribing again counts as a ring.
    assert!(bell.wait(PATIENCE).await);
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        pool.ring().await;
        if bell.wait(Duration::from_millis(100)).await {
            break;
        }
        assert!(tokio::time::Instant::now() < until, "nobody hears the bell");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_was_stopped_and_wakes_up_takes_no_writes() {
    let watched = Watched::start(&Settings::default()).unwrap();
    let state = state(&watched).await;
    let (pool, _) = open_pool(&state).await;
    let primary = watched.primary().unwrap();
    watched.server(primary).stop_clock();
    let successor = watched.failed_over_from(primary).unwrap();
    answers(&pool).await;
    let marked = watched.server(successor);
    marked
        .ask::<()>(&["SET", "told", "to the new one"])
        .unwrap();
    watched.server(primary).go_on();
    // Until a Sentinel has made a copy of it, and from then on.
    let mut refused = 0;
    let until = tokio::time::Instant::now() + PATIENCE;
    while watched.server(primary).info("role").unwrap_or_default() != "slave" || refused == 0 {
        let taken = watched.server(primary).ask::<()>(&["SET", "stale", "1"]);
        let error = format!("{:?}", taken.expect_err("a stale write was taken"));
        refused += u32::from(error.contains("NOREPLICAS") || error.contains("READONLY"));
        assert!(tokio::time::Instant::now() < until, "{error}");
    }
    watched.is_copy(primary).unwrap();
    let stale = watched
        .server(primary)
        .ask::<Option<String>>(&["GET", "stale"]);
    assert_eq!(stale.unwrap(), None);
    answers(&pool).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_that_hang_or_are_gone_hold_nobody_up() {
    let mut watched = Watched::start(&Settings::default()).unwrap();
    watched.sentinel(0).stop_clock();
    watched.sentinel_mut(2).kill().unwrap();
    let state = state(&watched).await;
    state.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_open_the_servers_and_a_wrong_one_is_said() {
    let settings = Settings {
        password: true,
        ..Settings::default()
    };
    let watched = Watched::start(&settings).unwrap();
    state(&watched).await.ping().await.unwrap();
    let wrong = Secret::new(watched.url().replace(PASSWORD, "hunter2"));
    let Err(error) = RedisState::connect(&wrong, "us", TIMEOUTS).await else {
        panic!("it let us in");
    };
    assert!(
        !error.is_connection(),
        "trying again does not help: {error:?}"
    );
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    let unknown = Secret::new(watched.url().replace(MASTER, "somebody"));
    let Err(error) = RedisState::connect(&unknown, "us", TIMEOUTS).await else {
        panic!("nobody is called that");
    };
    assert!(
        error.to_string().contains("no Sentinel knows a primary"),
        "{error}"
    );
}
