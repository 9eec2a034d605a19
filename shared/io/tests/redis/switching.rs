//! The leader: taking the lead, and the steps through an epoch in every order that can come up.

use std::time::Duration;

use shared_core::{BotId, EpochRecord, Phase, UnixMs};
use shared_io::redis::{
    EpochAnswer, FenceAnswer, LeadAnswer, LeaderId, Leadership, PoolState, StepAnswer,
};

use crate::build::*;
use crate::server::RedisServer;

const NEXT_BOT: BotId = BotId(7_000_002);

async fn fence(pool: &PoolState, epoch: u64, byte: u8) -> FenceAnswer {
    let stamp = stamp(epoch, byte);
    pool.fence(&leader(), stamp, UnixMs(1), "saga")
        .await
        .unwrap()
}

async fn read(pool: &PoolState) -> EpochRecord {
    pool.epoch().await.unwrap().unwrap()
}

#[tokio::test]
async fn one_supervisor_leads_until_it_lets_go_or_runs_out() {
    let server = RedisServer::start();
    let state = server.state().await;
    let pool = state.pool(&pool_id());
    let (a, b) = (LeaderId::new("s", nonce(1)), LeaderId::new("s", nonce(2)));
    let begun = state.take_lead(&a, LONG).await.unwrap();
    assert!(begun.is_ours());
    let kept = state.take_lead(&a, LONG).await.unwrap();
    assert_eq!(kept, begun, "it is the same tenure");
    let waits = state.take_lead(&b, LONG).await.unwrap();
    assert!(
        matches!(waits, Leadership::Another { left } if left > LONG / 2 && left <= LONG),
        "{waits:?}"
    );
    assert!(!state.release_lead(&b).await.unwrap());
    assert_eq!(state.leader().await.unwrap().as_deref(), Some(a.as_str()));
    let short = Duration::from_millis(200);
    let first = pool.take_lead_of_pool(&a, short).await.unwrap();
    assert!(first.is_ours());
    assert!(state.release_lead(&a).await.unwrap());
    let others = state.take_lead(&b, LONG).await.unwrap();
    assert!(others.is_ours());
    assert_ne!(others, begun);
    let copy = pool.take_lead_of_pool(&b, LONG).await.unwrap();
    assert!(!copy.is_ours(), "the pool's copy outlives it");
    let taken = tokio::time::timeout(LONG, async {
        while !pool.take_lead_of_pool(&b, LONG).await.unwrap().is_ours() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    taken.await.expect("the copy never ran out");
    assert!(pool.is_led_by(&b).await.unwrap());
    assert!(!pool.is_led_by(&a).await.unwrap());
    // Who led before, and leads again after another, is told of another tenure, also by the answers after the first.
    assert!(pool.release_lead_of_pool(&b).await.unwrap());
    for _ in 0..2 {
        let again = pool.take_lead_of_pool(&a, LONG).await.unwrap();
        assert!(again.is_ours());
        assert_ne!(again, first);
    }
}

#[tokio::test]
async fn who_does_not_lead_changes_nothing() {
    let server = RedisServer::start();
    let (pool, current) = open_pool(&server.state().await).await;
    assert_eq!(
        pool.set_saga(&leader(), Some("mine")).await.unwrap(),
        LeadAnswer::Done
    );
    assert_eq!(
        pool.set_lineage(&leader(), "l1").await.unwrap(),
        LeadAnswer::Done
    );
    let before = pool.look().await.unwrap();
    let who = LeaderId::new("s1", nonce(2));
    let next = stamp(2, 1);
    let to = holder(NEXT_BOT, "w2");
    assert_eq!(
        pool.fence(&who, next, UnixMs(9), "x").await.unwrap(),
        FenceAnswer::NotLeading
    );
    assert_eq!(
        pool.activate(&who, current, &to, UnixMs(9), "x")
            .await
            .unwrap(),
        StepAnswer::NotLeading
    );
    assert_eq!(
        pool.open_epoch(&who, current, UnixMs(9), "x")
            .await
            .unwrap(),
        StepAnswer::NotLeading
    );
    for answer in [
        pool.assign(&who, &[assignment(BOT, "w1", 1)])
            .await
            .unwrap(),
        pool.unassign(&who, &[BOT]).await.unwrap(),
        pool.set_saga(&who, None).await.unwrap(),
        pool.set_lineage(&who, "l2").await.unwrap(),
    ] {
        assert_eq!(answer, LeadAnswer::NotLeading);
    }
    assert_eq!(pool.look().await.unwrap(), before);
    assert_eq!(pool.saga().await.unwrap().as_deref(), Some("mine"));
    assert_eq!(pool.lineage().await.unwrap().as_deref(), Some("l1"));
    assert_eq!(
        pool.set_saga(&leader(), None).await.unwrap(),
        LeadAnswer::Done
    );
    assert_eq!(pool.saga().await.unwrap(), None);
}

#[tokio::test]
async fn a_switch_goes_through_its_phases_with_its_saga() {
    let server = RedisServer::start();
    let (pool, first) = open_pool(&server.state().await).await;
    let opened = read(&pool).await;
    assert_eq!(
        (opened.stamp, opened.phase, opened.holder),
        (first, Phase::Open, Some(holder(BOT, "w1")))
    );
    assert_eq!((opened.previous_bot, opened.since), (None, UnixMs(3)));

    let next = stamp(2, 0xbb);
    assert_eq!(
        pool.fence(&leader(), next, UnixMs(10), "a").await.unwrap(),
        FenceAnswer::Fenced
    );
    let record = read(&pool).await;
    assert_eq!(
        (record.stamp, record.phase, record.holder),
        (next, Phase::Fenced, None)
    );
    assert_eq!((record.previous_bot, record.since), (Some(BOT), UnixMs(10)));
    assert_eq!(pool.saga().await.unwrap().as_deref(), Some("a"));

    let to = holder(NEXT_BOT, "w2");
    for _ in 0..2 {
        assert_eq!(
            pool.activate(&leader(), next, &to, UnixMs(11), "b")
                .await
                .unwrap(),
            StepAnswer::Done
        );
        let record = read(&pool).await;
        assert_eq!(
            (record.phase, record.holder),
            (Phase::Smoking, Some(to.clone()))
        );
        assert_eq!(pool.saga().await.unwrap().as_deref(), Some("b"));
    }
    for _ in 0..2 {
        assert_eq!(
            pool.open_epoch(&leader(), next, UnixMs(12), "c")
                .await
                .unwrap(),
            StepAnswer::Done
        );
        let record = read(&pool).await;
        assert_eq!(
            (record.phase, record.holder, record.previous_bot),
            (Phase::Open, Some(to.clone()), Some(BOT))
        );
        assert_eq!(pool.saga().await.unwrap().as_deref(), Some("c"));
    }
}

#[tokio::test]
async fn a_step_out_of_turn_is_refused() {
    let server = RedisServer::start();
    let (pool, first) = open_pool(&server.state().await).await;
    let to = holder(NEXT_BOT, "w2");
    let elsewhere =
        |answer: StepAnswer| matches!(answer, StepAnswer::Elsewhere { current: Some(_) });
    let at_open = pool
        .activate(&leader(), first, &to, UnixMs(1), "x")
        .await
        .unwrap();
    assert!(elsewhere(at_open), "an open epoch keeps its holder");
    assert_eq!(fence(&pool, 2, 0xbb).await, FenceAnswer::Fenced);
    let skipped = pool
        .open_epoch(&leader(), stamp(2, 0xbb), UnixMs(1), "x")
        .await
        .unwrap();
    assert!(elsewhere(skipped), "nobody was tested");
    for wrong in [first, stamp(2, 0xbc), stamp(3, 0xbb)] {
        assert!(elsewhere(
            pool.activate(&leader(), wrong, &to, UnixMs(1), "x")
                .await
                .unwrap()
        ));
    }
    let right = stamp(2, 0xbb);
    assert_eq!(
        pool.activate(&leader(), right, &to, UnixMs(1), "y")
            .await
            .unwrap(),
        StepAnswer::Done
    );
    for wrong in [first, stamp(2, 0xbc), stamp(3, 0xbb)] {
        let answer = pool.open_epoch(&leader(), wrong, UnixMs(1), "x").await;
        assert!(elsewhere(answer.unwrap()), "{wrong:?} was opened");
    }
    let other = pool
        .activate(&leader(), right, &holder(BOT, "w1"), UnixMs(1), "x")
        .await
        .unwrap();
    assert!(elsewhere(other), "a holder is not replaced inside an epoch");
    assert_eq!(
        pool.saga().await.unwrap().as_deref(),
        Some("y"),
        "refused steps leave the saga alone"
    );
    assert_eq!(read(&pool).await.holder, Some(to));
}

#[tokio::test]
async fn an_epoch_never_goes_down_or_comes_twice() {
    const EDGE: u64 = 1 << 53;
    let server = RedisServer::start();
    let pool = led_pool(&server.state().await).await;
    let behind = |seen| FenceAnswer::Behind {
        seen: shared_core::Epoch(seen),
    };
    assert_eq!(fence(&pool, 9, 1).await, FenceAnswer::Fenced);
    assert_eq!(
        fence(&pool, 9, 1).await,
        FenceAnswer::Fenced,
        "the same one repeated"
    );
    assert_eq!(fence(&pool, 9, 2).await, behind(9));
    assert_eq!(
        fence(&pool, 10, 1).await,
        FenceAnswer::Fenced,
        "10 is above 9, not below it"
    );
    assert_eq!(fence(&pool, 9, 1).await, behind(10));
    assert_eq!(fence(&pool, EDGE, 1).await, FenceAnswer::Fenced);
    assert_eq!(
        fence(&pool, EDGE + 1, 1).await,
        FenceAnswer::Fenced,
        "no Lua number could tell"
    );
    assert_eq!(fence(&pool, EDGE, 1).await, behind(EDGE + 1));
    assert_eq!(fence(&pool, u64::MAX, 1).await, FenceAnswer::Fenced);
    assert_eq!(read(&pool).await.stamp, stamp(u64::MAX, 1));
}

#[tokio::test]
async fn a_fence_is_not_repeated_over_a_later_phase() {
    let server = RedisServer::start();
    let (pool, first) = open_pool(&server.state().await).await;
    let late = pool
        .fence(&leader(), first, UnixMs(1), "late")
        .await
        .unwrap();
    assert_eq!(late, FenceAnswer::Behind { seen: first.epoch });
    assert_eq!(read(&pool).await.phase, Phase::Open);
}

#[tokio::test]
async fn failed_attempts_do_not_hide_who_answered_last() {
    let server = RedisServer::start();
    let (pool, _) = open_pool(&server.state().await).await;
    for (epoch, bot) in [(2, NEXT_BOT), (3, BotId(7_000_003))] {
        assert_eq!(fence(&pool, epoch, 1).await, FenceAnswer::Fenced);
        let to = holder(bot, "w2");
        let active = pool
            .activate(&leader(), stamp(epoch, 1), &to, UnixMs(1), "s")
            .await;
        assert_eq!(active.unwrap(), StepAnswer::Done);
    }
    assert_eq!(fence(&pool, 4, 1).await, FenceAnswer::Fenced);
    assert_eq!(read(&pool).await.previous_bot, Some(BOT));
}

#[tokio::test]
async fn when_a_bot_followed_another_one_stays_known_while_it_begins_again_after_itself() {
    let server = RedisServer::start();
    let (pool, first) = open_pool(&server.state().await).await;
    let begin = async |stamp, bot, now| match pool.begin_resumption(stamp, bot, UnixMs(now)).await {
        Ok(EpochAnswer::Done(resumed)) => (resumed.before, resumed.done, resumed.at),
        other => panic!("{other:?}"),
    };
    assert_eq!(begin(first, BOT, 10).await, (None, true, Some(UnixMs(10))));
    let next = stamp(2, 2);
    switch_to(&pool, next, &holder(NEXT_BOT, "w2")).await;
    let followed = (Some(BOT), false, Some(UnixMs(20)));
    assert_eq!(begin(next, NEXT_BOT, 20).await, followed);
    // Its worker dies at once; what it kept before is as old as it was.
    let again = stamp(3, 3);
    switch_to(&pool, again, &holder(NEXT_BOT, "w3")).await;
    assert_eq!(begin(again, NEXT_BOT, 30).await, followed);
}
