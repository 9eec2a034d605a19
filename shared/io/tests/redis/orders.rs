//! Orders and offers: taken in once, advanced by the leader alone, never out of an end, confirmed once by whom they were shown to.

use shared_core::{
    BotId, CONFIRM_WITHIN_MS, MemberId, Nonce, Order, PlanId, Progress, Request, Requester,
    SwitchId, UnixMs,
};
use shared_io::redis::{
    LeadAnswer, LeaderId, Offer, PoolState, SeenRequest, StateError, Submitted, Taken,
};

use crate::build::*;
use crate::server::RedisServer;

fn request(byte: u8) -> Request {
    Request {
        id: nonce(byte),
        order: Order::Switch { to: BOT },
        by: Requester::Cli {
            user: "ann \"x\"".into(),
        },
        plan: Some(PlanId(nonce(9))),
        at: UnixMs(1),
        progress: Progress::Waiting,
    }
}

fn with(request: &Request, progress: Progress) -> Request {
    Request {
        progress,
        ..request.clone()
    }
}

async fn submit(pool: &PoolState, request: &Request) {
    assert_eq!(pool.submit(request).await.unwrap(), Submitted::New);
}

async fn advance(pool: &PoolState, request: &Request) {
    let answer = pool.advance_order(&leader(), request).await.unwrap();
    assert_eq!(answer, LeadAnswer::Done);
}

async fn read(pool: &PoolState, id: Nonce) -> SeenRequest {
    pool.order(id).await.unwrap().unwrap()
}

#[tokio::test]
async fn an_order_is_taken_in_once_and_rings_the_supervisor() {
    let server = RedisServer::start();
    let state = server.state().await;
    let pool = led_pool(&state).await;
    let bell = state.supervisor_bell().await.unwrap();
    let first = request(1);
    submit(&pool, &first).await;
    assert!(bell.wait(LONG).await, "nobody was told");

    let running = with(
        &first,
        Progress::Running {
            switch: SwitchId([3; 8]),
            step: "fenced".into(),
        },
    );
    advance(&pool, &running).await;
    let again = Request {
        order: Order::Rotate,
        ..first.clone()
    };
    match pool.submit(&again).await.unwrap() {
        Submitted::Known(seen) => {
            assert_eq!(seen.request, running, "it stands as it stood");
            assert!(seen.age_ms < 10_000, "{seen:?}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(read(&pool, first.id).await.request, running);
    assert_eq!(pool.order(nonce(7)).await.unwrap(), None);
}

#[tokio::test]
async fn orders_come_with_their_ages_by_redis_clock_the_oldest_first() {
    let server = RedisServer::start();
    let pool = led_pool(&server.state().await).await;
    submit(&pool, &request(5)).await;
    submit(&pool, &request(4)).await;
    let mut raw = server.raw().await;
    // The one that came second was submitted 40 s before.
    let (seconds, _): (u64, u64) = redis::cmd("TIME").query_async(&mut raw).await.unwrap();
    redis::cmd("ZADD")
        .arg("us:{main}:orders:at")
        .arg((seconds - 40) * 1000)
        .arg(nonce(4).to_string())
        .exec_async(&mut raw)
        .await
        .unwrap();
    let seen = pool.orders().await.unwrap();
    let ids: Vec<Nonce> = seen.iter().map(|seen| seen.request.id).collect();
    assert_eq!(ids, [nonce(4), nonce(5)]);
    assert!((40_000..60_000).contains(&seen[0].age_ms), "{seen:?}");
    assert!(seen[1].age_ms < 20_000, "{seen:?}");
    assert_eq!(read(&pool, nonce(4)).await.request, request(4));
}

#[tokio::test]
async fn only_the_leader_advances_and_nothing_leaves_its_end() {
    let server = RedisServer::start();
    let pool = led_pool(&server.state().await).await;
    let waiting = request(1);
    submit(&pool, &waiting).await;
    let refused = with(&waiting, Progress::Refused { why: "no".into() });
    let done = with(
        &waiting,
        Progress::Done {
            outcome: "b1 answers".into(),
            took_ms: 5,
            smoke: vec!["Rpc 3 ms".into()],
        },
    );
    let other = LeaderId::new("s1", nonce(2));
    assert_eq!(
        pool.advance_order(&other, &refused).await.unwrap(),
        LeadAnswer::NotLeading
    );
    assert_eq!(
        pool.forget_orders(&other, &[waiting.id]).await.unwrap(),
        LeadAnswer::NotLeading
    );
    assert_eq!(read(&pool, waiting.id).await.request, waiting);

    let bell = pool.bell().await.unwrap();
    let open = pool.open_orders().await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].request, waiting);
    advance(&pool, &done).await;
    assert_eq!(pool.open_orders().await.unwrap(), [], "it is over");
    assert!(bell.wait(LONG).await, "whoever follows it was not told");
    for late in [&refused, &waiting] {
        advance(&pool, late).await;
        assert_eq!(read(&pool, waiting.id).await.request, done);
    }

    submit(&pool, &request(2)).await;
    let forgotten = pool.forget_orders(&leader(), &[waiting.id]).await.unwrap();
    assert_eq!(forgotten, LeadAnswer::Done);
    assert_eq!(pool.order(waiting.id).await.unwrap(), None);
    advance(&pool, &refused).await;
    assert_eq!(
        pool.order(waiting.id).await.unwrap(),
        None,
        "it stays forgotten"
    );
    assert_eq!(pool.orders().await.unwrap().len(), 1);
    let gone = pool.forget_orders(&leader(), &[nonce(2)]).await.unwrap();
    assert_eq!(gone, LeadAnswer::Done);
    assert_eq!(pool.open_orders().await.unwrap(), []);
}

#[tokio::test]
async fn nobody_fills_redis_with_orders_and_one_that_is_unreadable_is_in_nobodys_way() {
    let server = RedisServer::start();
    let pool = led_pool(&server.state().await).await;
    for number in 0..256_u16 {
        let mut id = [0; 8];
        id[..2].copy_from_slice(&number.to_be_bytes());
        let request = Request {
            id: Nonce(id),
            ..request(1)
        };
        submit(&pool, &request).await;
    }
    assert_eq!(pool.submit(&request(9)).await.unwrap(), Submitted::Full);
    assert!(matches!(
        pool.submit(&Request {
            id: Nonce([0; 8]),
            ..request(1)
        })
        .await
        .unwrap(),
        Submitted::Known(_)
    ));
    let mut raw = server.raw().await;
    redis::cmd("HSET")
        .arg("us:{main}:orders")
        .arg(Nonce([0; 8]).to_string())
        .arg("{\"order\":\"of another version\"}")
        .exec_async(&mut raw)
        .await
        .unwrap();
    assert_eq!(pool.orders().await.unwrap().len(), 255);
    assert!(matches!(
        pool.order(Nonce([0; 8])).await,
        Err(StateError::Unreadable { .. })
    ));
}

#[tokio::test]
async fn an_offer_is_confirmed_once_by_whom_it_was_shown_to() {
    let server = RedisServer::start();
    let pool = led_pool(&server.state().await).await;
    // Above 2^53: no Lua number could tell it from its neighbour.
    let (ann, bob) = (MemberId((1 << 53) + 1), MemberId(1 << 53));
    let offer = Offer {
        admin: ann,
        bot: BOT,
        order: Order::Recover,
        plan: PlanId(nonce(8)),
    };
    let id = nonce(1);
    pool.offer(id, &offer).await.unwrap();
    let other = Offer {
        admin: bob,
        ..offer.clone()
    };
    pool.offer(id, &other).await.unwrap();
    let take = |admin, bot| pool.take_offer(id, admin, bot);
    assert_eq!(take(bob, BOT).await.unwrap(), Taken::NotYours);
    assert_eq!(take(ann, BotId(1)).await.unwrap(), Taken::NotYours);
    assert_eq!(
        pool.take_offer(nonce(2), ann, BOT).await.unwrap(),
        Taken::Unknown
    );
    // Pressed at the same time through two workers.
    let (one, two) = tokio::join!(take(ann, BOT), take(ann, BOT));
    let answers = [one.unwrap(), two.unwrap()];
    assert!(answers.contains(&Taken::Yours(offer)), "{answers:?}");
    assert!(answers.contains(&Taken::Repeated), "{answers:?}");
    assert_eq!(take(bob, BOT).await.unwrap(), Taken::NotYours);
}

#[tokio::test]
async fn an_offer_runs_out_by_redis_clock_and_is_forgotten_later() {
    let server = RedisServer::start();
    let pool = led_pool(&server.state().await).await;
    let offer = Offer {
        admin: MemberId(5),
        bot: BOT,
        order: Order::Rotate,
        plan: PlanId(nonce(8)),
    };
    pool.offer(nonce(1), &offer).await.unwrap();
    let mut raw = server.raw().await;
    let key = format!("us:{{main}}:offer:{}", nonce(1));
    let at: u64 = redis::cmd("HGET")
        .arg(&key)
        .arg("at")
        .query_async(&mut raw)
        .await
        .unwrap();
    let (seconds, _): (u64, u64) = redis::cmd("TIME").query_async(&mut raw).await.unwrap();
    assert!(at.abs_diff(seconds * 1000) < 60_000);
    redis::cmd("HSET")
        .arg(&key)
        .arg("at")
        .arg(at - CONFIRM_WITHIN_MS - 60_000)
        .exec_async(&mut raw)
        .await
        .unwrap();
    let taken = pool.take_offer(nonce(1), MemberId(5), BOT).await.unwrap();
    assert_eq!(taken, Taken::Expired);
    let left: i64 = redis::cmd("PTTL")
        .arg(&key)
        .query_async(&mut raw)
        .await
        .unwrap();
    assert!((1..=600_000).contains(&left), "{left}");
}
