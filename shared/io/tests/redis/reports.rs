//! Heartbeats, smoke reports, milestones, bells, and what the server says of itself.

use std::time::Duration;

use shared_core::{
    Epoch, Heartbeat, Milestone, MilestoneKind, SmokeCheck, SmokeReport, SmokeResult, UnixMs,
};
use shared_io::redis::{Beaten, Counter, Durability, RedisState, StateError};

use crate::build::*;
use crate::server::{RedisServer, TIMEOUTS};

fn heartbeat(name: &str, seq: u64) -> Heartbeat {
    Heartbeat {
        worker: worker(name),
        nonce: nonce(3),
        pid: 42,
        seq,
        sent: UnixMs(1),
        started: UnixMs(1),
        version: "1".into(),
        bots: vec![],
        pools: vec![],
        seen: std::collections::BTreeMap::new(),
        redis_us: 100,
        sql_ok: true,
    }
}

async fn beat(state: &RedisState, heartbeat: &Heartbeat) {
    assert_eq!(state.beat(heartbeat).await.unwrap(), Beaten::Done);
}

#[tokio::test]
async fn heartbeats_are_seen_with_ages_by_redis_clock_and_run_out() {
    let server = RedisServer::start();
    let state = server.state().await;
    assert!(state.heartbeats().await.unwrap().is_empty());
    beat(&state, &heartbeat("w2", 1)).await;
    beat(&state, &heartbeat("w1", 1)).await;
    beat(&state, &heartbeat("w1", 2)).await;
    let seen = state.heartbeats().await.unwrap();
    let beats: Vec<_> = seen.iter().map(|s| s.heartbeat.clone()).collect();
    assert_eq!(beats, [heartbeat("w1", 2), heartbeat("w2", 1)]);
    assert!(seen.iter().all(|s| s.age_ms < 5000), "{seen:?}");

    let mut raw = server.raw().await;
    let left: i64 = redis::cmd("PTTL")
        .arg("us:worker:w1")
        .query_async(&mut raw)
        .await
        .unwrap();
    assert!((1..=5000).contains(&left), "{left}");
    // Two workers long gone: one silent for a day, one whose heartbeat has run out.
    redis::cmd("DEL")
        .arg("us:worker:w1")
        .exec_async(&mut raw)
        .await
        .unwrap();
    redis::cmd("ZADD")
        .arg("us:workers")
        .arg(1000)
        .arg("w0")
        .exec_async(&mut raw)
        .await
        .unwrap();
    let seen = state.heartbeats().await.unwrap();
    assert_eq!(seen.len(), 1);
    let mut listed: Vec<String> = redis::cmd("ZRANGE")
        .arg("us:workers")
        .arg(0)
        .arg(-1)
        .query_async(&mut raw)
        .await
        .unwrap();
    listed.sort();
    assert_eq!(listed, ["w1", "w2"], "who is silent for a day is forgotten");

    redis::cmd("SET")
        .arg("us:worker:w1")
        .arg("{}")
        .exec_async(&mut raw)
        .await
        .unwrap();
    assert_eq!(
        state.heartbeats().await.unwrap().len(),
        1,
        "an unreadable one hides nobody else"
    );
}

#[tokio::test]
async fn an_age_is_the_time_since_the_beat() {
    let server = RedisServer::start();
    let state = server.state().await;
    beat(&state, &heartbeat("w1", 1)).await;
    let mut raw = server.raw().await;
    redis::cmd("ZINCRBY")
        .arg("us:workers")
        .arg(-2000)
        .arg("w1")
        .exec_async(&mut raw)
        .await
        .unwrap();
    let age = state.heartbeats().await.unwrap()[0].age_ms;
    assert!((2000..7000).contains(&age), "{age}");
}

#[tokio::test]
async fn bells_ring_those_who_listen_and_nobody_else() {
    let server = RedisServer::start();
    let state = server.state().await;
    let pool = led_pool(&state).await;
    let (workers, supervisor) = (
        pool.bell().await.unwrap(),
        state.supervisor_bell().await.unwrap(),
    );
    let silent = Duration::from_millis(50);
    assert!(!workers.wait(silent).await);

    pool.ring().await;
    assert!(workers.wait(LONG).await);
    for step in ["assign", "fence", "beat", "smoke", "milestone", "ring"] {
        let rung_workers = match step {
            "assign" => {
                assign(&pool, &[assignment(BOT, "w1", 1)]).await;
                true
            }
            "fence" => {
                let fenced = pool.fence(&leader(), stamp(1, 1), UnixMs(1), "s").await;
                assert_eq!(fenced.unwrap(), shared_io::redis::FenceAnswer::Fenced);
                true
            }
            "beat" => {
                beat(&state, &heartbeat("w1", 1)).await;
                assert!(!supervisor.wait(silent).await, "a plain beat is silent");
                assert_eq!(
                    state.beat_and_ring(&heartbeat("w1", 2)).await.unwrap(),
                    Beaten::Done
                );
                false
            }
            "smoke" => {
                pool.put_smoke(&smoke_report()).await.unwrap();
                false
            }
            "milestone" => {
                pool.milestone(&milestone(1, MilestoneKind::Smoked))
                    .await
                    .unwrap();
                false
            }
            _ => {
                state.ring_supervisor().await;
                false
            }
        };
        let (rung, quiet) = if rung_workers {
            (&workers, &supervisor)
        } else {
            (&supervisor, &workers)
        };
        assert!(rung.wait(LONG).await, "{step}");
        assert!(!quiet.wait(silent).await, "{step} rang the wrong bell");
    }
}

fn smoke_report() -> SmokeReport {
    SmokeReport {
        epoch: Epoch(3),
        bot: BOT,
        worker: worker("w1"),
        results: vec![SmokeResult {
            check: SmokeCheck::Rpc,
            failed: None,
            took_ms: 4,
        }],
    }
}

fn milestone(epoch: u64, kind: MilestoneKind) -> Milestone {
    Milestone {
        epoch: Epoch(epoch),
        kind,
        worker: worker("w1"),
        at: UnixMs(7),
    }
}

#[tokio::test]
async fn reports_are_read_back() {
    let server = RedisServer::start();
    let pool = server.state().await.pool(&pool_id());
    assert_eq!(pool.smoke(BOT).await.unwrap(), None);
    assert!(pool.put_smoke(&smoke_report()).await.unwrap());
    assert_eq!(pool.smoke(BOT).await.unwrap(), Some(smoke_report()));
    let at = |epoch| SmokeReport {
        epoch: Epoch(epoch),
        ..smoke_report()
    };
    assert!(pool.put_smoke(&at(10)).await.unwrap());
    assert!(!pool.put_smoke(&at(9)).await.unwrap(), "it came late");
    assert_eq!(pool.smoke(BOT).await.unwrap(), Some(at(10)));
    assert!(pool.put_smoke(&at(10)).await.unwrap(), "repeated");
    let published = [
        milestone(1, MilestoneKind::FirstReply),
        milestone(2, MilestoneKind::Activated),
        milestone(2, MilestoneKind::Smoked),
    ];
    for each in &published {
        pool.milestone(each).await.unwrap();
    }
    assert_eq!(pool.milestones(Epoch(2)).await.unwrap(), published[1..]);
    assert!(pool.milestones(Epoch(3)).await.unwrap().is_empty());
}

#[tokio::test]
async fn counters_add_up_and_those_unknown_are_left_out() {
    let server = RedisServer::start();
    let pool = server.state().await.pool(&pool_id());
    pool.count(&[]).await.unwrap();
    pool.count(&[(Counter::UpdatesUnknown, 2), (Counter::MaybeRepeated, 1)])
        .await
        .unwrap();
    pool.count(&[(Counter::UpdatesUnknown, 3)]).await.unwrap();
    let mut raw = server.raw().await;
    let mut plant = redis::cmd("HSET");
    plant
        .arg("us:{main}:counters")
        .arg("of_another_version")
        .arg(1)
        .exec_async(&mut raw)
        .await
        .unwrap();
    let counters = pool.counters().await.unwrap();
    let moved: Vec<_> = counters.iter().filter(|(_, n)| *n != 0).collect();
    assert_eq!(
        moved,
        [(Counter::UpdatesUnknown, 5), (Counter::MaybeRepeated, 1)]
    );
}

#[tokio::test]
async fn the_server_says_what_it_promises() {
    let server = RedisServer::start();
    let state = server.state().await;
    assert!(state.ping().await.unwrap() < Duration::from_secs(5));
    let mut raw = server.raw().await;
    for (setting, value, expected) in [
        ("appendfsync", "always", Durability::Always),
        ("appendfsync", "everysec", Durability::EverySec),
        ("appendfsync", "no", Durability::WhenFlushed),
        ("appendonly", "no", Durability::Off),
    ] {
        let mut set = redis::cmd("CONFIG");
        set.arg("SET")
            .arg(setting)
            .arg(value)
            .exec_async(&mut raw)
            .await
            .unwrap();
        assert_eq!(state.durability().await.unwrap(), expected);
    }
    let mut forbid = redis::cmd("ACL");
    forbid
        .arg("SETUSER")
        .arg("default")
        .arg("-config")
        .exec_async(&mut raw)
        .await
        .unwrap();
    assert_eq!(
        state.durability().await.unwrap(),
        Durability::Off,
        "INFO still says so"
    );
    forbid = redis::cmd("ACL");
    forbid
        .arg("SETUSER")
        .arg("default")
        .arg("-info")
        .exec_async(&mut raw)
        .await
        .unwrap();
    assert_eq!(state.durability().await.unwrap(), Durability::Unknown);
}

#[tokio::test]
async fn errors_name_the_operation_and_hide_the_secrets() {
    for (url, prefix) in [
        ("redis://:hunter2@127.0.0.1:1/", "us"),
        ("redis://:hunter2@[bad/", "us"),
        ("redis+unix:///nowhere/hunter2?pass=hunter2", "us"),
        ("redis://127.0.0.1:1/", "hunter2{"),
    ] {
        let url = shared_core::Secret::new(url);
        let Err(error) = RedisState::connect(&url, prefix, TIMEOUTS).await else {
            panic!("nobody listens there");
        };
        let text = format!("{error} {error:?}");
        assert!(!text.contains("hunter2"), "{text}");
        assert_eq!(
            error.is_connection(),
            matches!(error, StateError::Unreachable { .. })
        );
    }
    let server = RedisServer::start();
    let pool = server.state().await.pool(&pool_id());
    let mut raw = server.raw().await;
    let mut plant = redis::cmd("RPUSH");
    plant
        .arg("us:{main}:c:m5")
        .arg("private words")
        .exec_async(&mut raw)
        .await
        .unwrap();
    let error = pool.conversation(&conversation(5)).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("load conversation m5 of pool main: Redis refused: WRONGTYPE"),
        "{text}"
    );
    assert!(
        !error.is_connection() && !text.contains("private"),
        "{text}"
    );
}

#[tokio::test]
async fn a_password_is_used_and_never_shown() {
    let server = RedisServer::start();
    let mut raw = server.raw().await;
    let mut protect = redis::cmd("CONFIG");
    protect.arg("SET").arg("requirepass").arg("hunter2");
    protect.exec_async(&mut raw).await.unwrap();
    let with = |query: &str| shared_core::Secret::new(format!("{}{query}", server.url().expose()));
    let state = RedisState::connect(&with("?pass=hunter2"), "us", TIMEOUTS).await;
    let state = state.unwrap();
    state.ping().await.unwrap();
    let bell = state.supervisor_bell().await.unwrap();
    state.ring_supervisor().await;
    assert!(
        bell.wait(LONG).await,
        "the bell's own connection has the password too"
    );
    for wrong in ["?pass=hunter3", ""] {
        let Err(error) = RedisState::connect(&with(wrong), "us", TIMEOUTS).await else {
            panic!("it let us in with `{wrong}`");
        };
        assert!(matches!(error, StateError::Refused { .. }), "{error:?}");
        assert!(!error.is_connection(), "trying again does not help");
        assert!(!format!("{error} {error:?}").contains("hunter"), "{error}");
    }
}
