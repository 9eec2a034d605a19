//! Workers' names, deaths that supervisors report, what supervisors say of themselves, and one that led and does not know that it does not any more.

use shared_core::{
    Heartbeat, Nonce, Order, Overrides, Progress, Request, Requester, SupervisorBeat, UnixMs,
};
use shared_io::redis::{
    Beaten, BreakAnswer, FenceAnswer, LeadAnswer, LeaderId, LeaseAnswer, NameAnswer, NameHolder,
    RedisState, StepAnswer, Submitted,
};

use crate::build::*;
use crate::server::RedisServer;

fn heartbeat(by: Nonce, seq: u64) -> Heartbeat {
    Heartbeat {
        worker: worker("w1"),
        nonce: by,
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

async fn claim(state: &RedisState, by: Nonce, silent: Option<NameHolder>) -> NameAnswer {
    state.claim_name(&worker("w1"), by, silent).await.unwrap()
}

async fn beat(state: &RedisState, by: Nonce, seq: u64) -> Beaten {
    state.beat(&heartbeat(by, seq)).await.unwrap()
}

#[tokio::test]
async fn a_second_process_does_not_get_a_name_whose_holder_beats() {
    let server = RedisServer::start();
    let state = server.state().await;
    let (first, second) = (nonce(1), nonce(2));
    assert_eq!(claim(&state, first, None).await, NameAnswer::Ours);
    assert_eq!(claim(&state, first, None).await, NameAnswer::Ours);
    assert_eq!(beat(&state, first, 7).await, Beaten::Done);
    let held = |seq| NameHolder { nonce: first, seq };
    assert_eq!(claim(&state, second, None).await, NameAnswer::Held(held(7)));
    assert_eq!(
        beat(&state, second, 1).await,
        Beaten::NameTaken { by: first }
    );
    assert_eq!(beat(&state, first, 8).await, Beaten::Done);
    let moved = claim(&state, second, Some(held(7))).await;
    assert_eq!(moved, NameAnswer::Held(held(8)), "it has beaten since");
    let seen = state.heartbeats().await.unwrap();
    assert_eq!(seen[0].heartbeat, heartbeat(first, 8), "the first is heard");
    state.report_death(&worker("w1"), second).await.unwrap();
    assert_eq!(beat(&state, first, 9).await, Beaten::Done, "another's end");

    // Silent since it was looked at: it gives way, and is told when it wakes.
    assert_eq!(claim(&state, second, Some(held(9))).await, NameAnswer::Ours);
    assert_eq!(beat(&state, second, 1).await, Beaten::Done);
    assert_eq!(
        beat(&state, first, 10).await,
        Beaten::NameTaken { by: second }
    );
    state.report_death(&worker("w1"), second).await.unwrap();
    assert_eq!(claim(&state, first, None).await, NameAnswer::Ours);
}

#[tokio::test]
async fn the_name_of_a_process_that_is_reported_dead_is_free_at_once() {
    let server = RedisServer::start();
    let state = server.state().await;
    let (first, second) = (nonce(1), nonce(2));
    assert_eq!(claim(&state, first, None).await, NameAnswer::Ours);
    assert_eq!(beat(&state, first, 1).await, Beaten::Done);
    let bell = state.supervisor_bell().await.unwrap();
    state.report_death(&worker("w1"), first).await.unwrap();
    assert!(bell.wait(LONG).await, "the leader is told");
    assert_eq!(claim(&state, second, None).await, NameAnswer::Ours);
    // A late report of the first takes nothing from the second.
    state.report_death(&worker("w1"), first).await.unwrap();
    let held = NameHolder {
        nonce: second,
        seq: 0,
    };
    assert_eq!(claim(&state, nonce(3), None).await, NameAnswer::Held(held));
    assert_eq!(state.deaths().await.unwrap(), [(worker("w1"), first)]);
}

#[tokio::test]
async fn deaths_are_kept_for_a_while_and_bounded() {
    let server = RedisServer::start();
    let state = server.state().await;
    let mut raw = server.raw().await;
    redis::cmd("ZADD")
        .arg("us:deaths")
        .arg(1000)
        .arg(format!("w0#{}", nonce(9)))
        .arg(2000)
        .arg("what nobody reads")
        .exec_async(&mut raw)
        .await
        .unwrap();
    let numbered = |n: u16| {
        Nonce(
            [n.to_be_bytes(), [0; 2], [0; 2], [0; 2]]
                .concat()
                .try_into()
                .unwrap(),
        )
    };
    for n in 0..300 {
        let dead = numbered(n);
        state.report_death(&worker("w1"), dead).await.unwrap();
    }
    let deaths = state.deaths().await.unwrap();
    assert_eq!(deaths.len(), 256);
    assert!(deaths.contains(&(worker("w1"), numbered(299))));
    assert!(!deaths.contains(&(worker("w0"), nonce(9))), "long ago");
}

fn supervisor(id: &str, leads: bool) -> SupervisorBeat {
    SupervisorBeat {
        id: id.to_owned(),
        host: "alpha".to_owned(),
        pid: 7,
        version: "1".to_owned(),
        started: UnixMs(1),
        leads,
        since: UnixMs(2),
        workers: vec![worker("alpha-w1")],
        database_is_local: false,
    }
}

#[tokio::test]
async fn supervisors_are_shown_the_leader_first_until_they_go() {
    let server = RedisServer::start();
    let state = server.state().await;
    assert!(state.supervisors().await.unwrap().is_empty());
    for shown in [supervisor("s#1", false), supervisor("s#2", true)] {
        state.show_supervisor(&shown).await.unwrap();
    }
    let seen = state.supervisors().await.unwrap();
    let beats: Vec<_> = seen.iter().map(|seen| seen.beat.clone()).collect();
    assert_eq!(beats, [supervisor("s#2", true), supervisor("s#1", false)]);
    assert!(seen.iter().all(|seen| seen.age_ms < 5_000), "{seen:?}");
    let mut raw = server.raw().await;
    let left: i64 = redis::cmd("PTTL")
        .arg("us:supervisor:s#1")
        .query_async(&mut raw)
        .await
        .unwrap();
    assert!((1..=10_000).contains(&left), "{left}");
    state.hide_supervisor("s#2").await.unwrap();
    assert_eq!(state.supervisors().await.unwrap().len(), 1);
}

/// Everything that is stored, but what counts down by itself.
async fn everything(server: &RedisServer) -> Vec<(String, Vec<u8>)> {
    let mut raw = server.raw().await;
    let mut keys: Vec<String> = redis::cmd("KEYS")
        .arg("*")
        .query_async(&mut raw)
        .await
        .unwrap();
    keys.sort();
    let mut all = Vec::new();
    for key in keys {
        let dumped: Vec<u8> = redis::cmd("DUMP")
            .arg(&key)
            .query_async(&mut raw)
            .await
            .unwrap();
        all.push((key, dumped));
    }
    all
}

#[tokio::test]
async fn a_leader_that_was_replaced_writes_nothing_at_all() {
    let server = RedisServer::start();
    let state = server.state().await;
    let (pool, current) = open_pool(&state).await;
    assign(&pool, &[assignment(BOT, "w1", 1)]).await;
    let lease = lease(BOT, "w1", 3);
    let claims = [crate::build::claim(&lease, 1)];
    let renewed = pool.renew_leases(&claims, LONG).await.unwrap();
    assert_eq!(renewed.answers, [LeaseAnswer::Held]);
    let order = Request {
        id: nonce(5),
        order: Order::Rotate,
        by: Requester::Cli { user: "ann".into() },
        plan: None,
        at: UnixMs(1),
        progress: Progress::Waiting,
    };
    assert_eq!(pool.submit(&order).await.unwrap(), Submitted::New);
    // Another one leads from here on, and ours does not know it yet.
    let (old, next) = (leader(), LeaderId::new("s2", nonce(2)));
    assert!(pool.release_lead_of_pool(&old).await.unwrap());
    let taken = pool.take_lead_of_pool(&next, LONG).await.unwrap();
    assert!(taken.is_ours());

    let before = everything(&server).await;
    let (at, to) = (UnixMs(9), holder(BOT, "w2"));
    let fenced = pool.fence(&old, stamp(2, 1), at, "x").await.unwrap();
    assert_eq!(fenced, FenceAnswer::NotLeading);
    let steps = [
        pool.activate(&old, current, &to, at, "x").await.unwrap(),
        pool.open_epoch(&old, current, at, "x").await.unwrap(),
    ];
    assert!(steps.iter().all(|step| *step == StepAnswer::NotLeading));
    let broken = pool.break_lease(&old, &lease).await.unwrap();
    assert_eq!(broken, BreakAnswer::NotLeading);
    let over = Request {
        progress: Progress::Refused { why: "x".into() },
        ..order
    };
    let writes = [
        pool.assign(&old, &[assignment(BOT, "w2", 2)])
            .await
            .unwrap(),
        pool.unassign(&old, &[BOT]).await.unwrap(),
        pool.set_saga(&old, Some("x")).await.unwrap(),
        pool.set_saga(&old, None).await.unwrap(),
        pool.set_lineage(&old, "x").await.unwrap(),
        pool.set_overrides(&old, &Overrides::default())
            .await
            .unwrap(),
        pool.advance_order(&old, &over).await.unwrap(),
        pool.forget_orders(&old, &[over.id]).await.unwrap(),
    ];
    assert!(
        writes.iter().all(|write| *write == LeadAnswer::NotLeading),
        "{writes:?}"
    );
    assert!(!pool.take_lead_of_pool(&old, LONG).await.unwrap().is_ours());
    assert!(!pool.release_lead_of_pool(&old).await.unwrap());
    assert_eq!(everything(&server).await, before);
}
