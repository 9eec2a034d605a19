//! The board, the overrides, and smoke tests on demand.

use shared_core::{
    BoardRedis, BoardState, Epoch, Laid, Overrides, PoolBoard, Preview, SmokeCheck, SmokeReport,
    SmokeResult, UnixMs,
};
use shared_io::redis::{LeadAnswer, LeaderId, StateError};

use crate::build::*;
use crate::server::RedisServer;

fn board(seq: u64) -> PoolBoard {
    let preview = Preview {
        plan: None,
        text: "nothing".into(),
        reasons: vec![],
    };
    PoolBoard {
        pool: pool_id(),
        at: UnixMs(4),
        seq,
        leader: leader().to_string(),
        state: BoardState::Ok,
        reasons: vec!["ünïcode".into()],
        epoch: Some(Epoch(u64::MAX)),
        phase: None,
        active: Some(BOT),
        bots: vec![],
        workers: vec![],
        redis: BoardRedis {
            ok: true,
            rtt_us: Some(90),
            appendfsync: None,
        },
        database_ok: true,
        overrides: Overrides::default(),
        last_switch: None,
        rotate: preview.clone(),
        recover: preview,
    }
}

#[tokio::test]
async fn the_leader_publishes_a_board_and_everybody_sees_it_in_his_look() {
    let server = RedisServer::start();
    let pool = led_pool(&server.state().await).await;
    assert_eq!(pool.board().await.unwrap(), None);
    assert_eq!(pool.look().await.unwrap().board, None);
    let answer = pool.publish_board(&leader(), &board(1)).await.unwrap();
    assert_eq!(answer, LeadAnswer::Done);
    let other = LeaderId::new("s1", nonce(2));
    let answer = pool.publish_board(&other, &board(2)).await.unwrap();
    assert_eq!(answer, LeadAnswer::NotLeading);
    assert_eq!(pool.board().await.unwrap(), Some(board(1)));
    assert_eq!(pool.look().await.unwrap().board, Some(board(1)));

    let mut raw = server.raw().await;
    redis::cmd("SET")
        .arg("us:{main}:board")
        .arg("{}")
        .exec_async(&mut raw)
        .await
        .unwrap();
    assert_eq!(
        pool.look().await.unwrap().board,
        None,
        "a worker looks on without it"
    );
    assert!(matches!(
        pool.board().await,
        Err(StateError::Unreadable { .. })
    ));
}

#[tokio::test]
async fn overrides_are_the_leaders_and_nothing_is_not_the_same_as_none_laid_down() {
    let server = RedisServer::start();
    let pool = led_pool(&server.state().await).await;
    assert_eq!(pool.overrides().await.unwrap(), None);
    let laid = Laid {
        at: UnixMs(3),
        by: "cli:ann".into(),
    };
    let paused = Overrides {
        paused: Some(laid.clone()),
        pinned: Some((BOT, laid)),
        scheduled: None,
    };
    let other = LeaderId::new("s1", nonce(2));
    let answer = pool.set_overrides(&other, &paused).await.unwrap();
    assert_eq!(answer, LeadAnswer::NotLeading);
    assert_eq!(pool.overrides().await.unwrap(), None);
    for laid in [paused, Overrides::default()] {
        let answer = pool.set_overrides(&leader(), &laid).await.unwrap();
        assert_eq!(answer, LeadAnswer::Done);
        assert_eq!(pool.overrides().await.unwrap(), Some(laid));
    }
}

#[tokio::test]
async fn a_smoke_test_is_asked_for_seen_and_answered_by_its_nonce() {
    let server = RedisServer::start();
    let pool = led_pool(&server.state().await).await;
    let bell = pool.bell().await.unwrap();
    pool.ask_smoke(BOT, nonce(1)).await.unwrap();
    assert!(bell.wait(LONG).await, "nobody was told");
    pool.ask_smoke(BOT, nonce(2)).await.unwrap();
    let asked = pool.look().await.unwrap().smoke_asked;
    assert_eq!(asked.into_iter().collect::<Vec<_>>(), [(BOT, nonce(2))]);
    assert_eq!(pool.smoke_asked(nonce(2)).await.unwrap(), None);
    let report = SmokeReport {
        epoch: Epoch(1),
        bot: BOT,
        worker: worker("w1"),
        results: vec![SmokeResult {
            check: SmokeCheck::Rpc,
            failed: None,
            took_ms: 3,
        }],
    };
    pool.put_smoke_asked(nonce(2), &report).await.unwrap();
    assert_eq!(pool.smoke_asked(nonce(2)).await.unwrap(), Some(report));
    assert_eq!(pool.smoke(BOT).await.unwrap(), None, "no switch's report");

    let mut raw = server.raw().await;
    for (key, most) in [
        ("us:{main}:smoke_asked".to_owned(), 60_000),
        (format!("us:{{main}}:smoke_asked:{}", nonce(2)), 600_000),
    ] {
        let left: i64 = redis::cmd("PTTL")
            .arg(&key)
            .query_async(&mut raw)
            .await
            .unwrap();
        assert!((1..=most).contains(&left), "{key}: {left}");
    }
}
