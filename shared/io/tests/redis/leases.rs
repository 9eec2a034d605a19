//! Login leases: who gets one, who is refused, how it ends; and what is written under it.

use std::time::Duration;

use shared_core::BotId;
use shared_io::redis::{BreakAnswer, LeadAnswer, LeaderId, LeaseAnswer, PoolState, PrivateChange};

use crate::build::*;
use crate::server::RedisServer;

const OTHER_BOT: BotId = BotId(7_000_002);

async fn renew(
    pool: &PoolState,
    claim: shared_io::redis::LeaseClaim,
    ttl: Duration,
) -> LeaseAnswer {
    let mut answers = pool.renew_leases(&[claim], ttl).await.unwrap().answers;
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

#[tokio::test]
async fn a_lease_goes_to_who_is_assigned_with_worker_slot_and_grant() {
    let server = RedisServer::start();
    let pool = led_pool(&server.state().await).await;
    let mine = lease(BOT, "w1", 1);
    assert_eq!(
        renew(&pool, claim(&mine, 9), LONG).await,
        LeaseAnswer::NotAssigned
    );
    assign(&pool, &[assignment(BOT, "w1", 9)]).await;
    let mut other_slot = mine.clone();
    other_slot.slot = shared_core::LoginSlot::B;
    for wrong in [
        claim(&lease(BOT, "w2", 1), 9),
        claim(&mine, 8),
        claim(&other_slot, 9),
        claim(&lease(OTHER_BOT, "w1", 1), 9),
    ] {
        assert_eq!(
            renew(&pool, wrong.clone(), LONG).await,
            LeaseAnswer::NotAssigned,
            "{wrong:?}"
        );
    }
    assert_eq!(pool.leases(&[BOT]).await.unwrap(), [None]);
    assert_eq!(renew(&pool, claim(&mine, 9), LONG).await, LeaseAnswer::Held);
    assert_eq!(
        renew(&pool, claim(&mine, 9), LONG).await,
        LeaseAnswer::Held,
        "renewed"
    );
    let reborn = lease(BOT, "w1", 2);
    assert_eq!(
        renew(&pool, claim(&reborn, 9), LONG).await,
        LeaseAnswer::HeldBy(worker("w1")),
        "a restarted worker is not its predecessor"
    );
    assert_eq!(
        pool.leases(&[OTHER_BOT, BOT]).await.unwrap(),
        [None, Some(mine)]
    );
}

#[tokio::test]
async fn all_leases_of_a_worker_are_answered_in_one_call() {
    let server = RedisServer::start();
    let pool = led_pool(&server.state().await).await;
    assign(
        &pool,
        &[assignment(BOT, "w1", 9), assignment(OTHER_BOT, "w2", 9)],
    )
    .await;
    let claims = [
        claim(&lease(OTHER_BOT, "w1", 1), 9),
        claim(&lease(BOT, "w1", 1), 9),
    ];
    let answers = pool.renew_leases(&claims, LONG).await.unwrap().answers;
    assert_eq!(answers, [LeaseAnswer::NotAssigned, LeaseAnswer::Held]);
}

#[tokio::test]
async fn a_reassigned_lease_changes_hands_when_it_runs_out_and_not_before() {
    let server = RedisServer::start();
    let pool = led_pool(&server.state().await).await;
    let ttl = Duration::from_millis(300);
    let (old, next) = (lease(BOT, "w1", 1), lease(BOT, "w2", 2));
    assign(&pool, &[assignment(BOT, "w1", 9)]).await;
    let sent = tokio::time::Instant::now();
    assert_eq!(renew(&pool, claim(&old, 9), ttl).await, LeaseAnswer::Held);
    assign(&pool, &[assignment(BOT, "w2", 10)]).await;
    assert_eq!(
        renew(&pool, claim(&next, 10), LONG).await,
        LeaseAnswer::HeldBy(worker("w1"))
    );
    assert_eq!(
        renew(&pool, claim(&old, 9), LONG).await,
        LeaseAnswer::NotAssigned
    );
    let taken = tokio::time::timeout(LONG, async {
        while renew(&pool, claim(&next, 10), LONG).await != LeaseAnswer::Held {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    taken.await.expect("the lease never ran out");
    assert!(
        sent.elapsed() >= ttl,
        "it was taken early, after {:?}",
        sent.elapsed()
    );
    assert!(
        !pool.release_lease(&old).await.unwrap(),
        "it is not the old holder's to give back"
    );
    assert!(pool.release_lease(&next).await.unwrap());
    assert_eq!(pool.leases(&[BOT]).await.unwrap(), [None]);
}

#[tokio::test]
async fn only_the_leader_breaks_a_lease_and_only_the_one_it_means() {
    let server = RedisServer::start();
    let pool = led_pool(&server.state().await).await;
    let mine = lease(BOT, "w1", 1);
    assign(&pool, &[assignment(BOT, "w1", 9)]).await;
    assert_eq!(renew(&pool, claim(&mine, 9), LONG).await, LeaseAnswer::Held);
    let stranger = LeaderId::new("s1", nonce(2));
    assert_eq!(
        pool.break_lease(&stranger, &mine).await.unwrap(),
        BreakAnswer::NotLeading
    );
    for another in [lease(BOT, "w1", 2), lease(BOT, "w2", 1)] {
        let answer = pool.break_lease(&leader(), &another).await.unwrap();
        assert_eq!(answer, BreakAnswer::HeldBy(mine.clone()));
    }
    assert_eq!(pool.leases(&[BOT]).await.unwrap(), [Some(mine.clone())]);
    for _ in 0..2 {
        assert_eq!(
            pool.break_lease(&leader(), &mine).await.unwrap(),
            BreakAnswer::Free
        );
        assert_eq!(pool.leases(&[BOT]).await.unwrap(), [None]);
    }
}

#[tokio::test]
async fn unassigning_ends_renewals() {
    let server = RedisServer::start();
    let pool = led_pool(&server.state().await).await;
    let mine = lease(BOT, "w1", 1);
    assign(
        &pool,
        &[assignment(BOT, "w1", 9), assignment(OTHER_BOT, "w1", 9)],
    )
    .await;
    assert_eq!(renew(&pool, claim(&mine, 9), LONG).await, LeaseAnswer::Held);
    assert_eq!(
        pool.unassign(&leader(), &[BOT]).await.unwrap(),
        LeadAnswer::Done
    );
    assert_eq!(
        renew(&pool, claim(&mine, 9), LONG).await,
        LeaseAnswer::NotAssigned
    );
    assert_eq!(
        pool.assignments().await.unwrap(),
        [assignment(OTHER_BOT, "w1", 9)]
    );
    let view = pool.look().await.unwrap();
    assert_eq!((view.epoch, view.assignments.len()), (None, 1));
}

#[tokio::test]
async fn who_has_not_the_lease_writes_nothing_private() {
    let server = RedisServer::start();
    let pool = led_pool(&server.state().await).await;
    let mine = lease(BOT, "w1", 1);
    let change = PrivateChange {
        cursor: Some(shared_io::redis::PrivateCursor {
            pts: 5,
            qts: 1,
            date: 9,
        }),
        started: vec![shared_core::MemberId(5)],
        invited: vec![],
        stopped: vec![],
        hold: vec![said(5, 1)],
    };
    assert_eq!(
        pool.commit_private(&mine, &change).await.unwrap(),
        LeaseAnswer::Lapsed
    );
    assert_eq!(pool.probe_write(&mine).await.unwrap(), LeaseAnswer::Lapsed);
    assign(&pool, &[assignment(BOT, "w1", 9)]).await;
    assert_eq!(
        renew(&pool, claim(&lease(BOT, "w1", 2), 9), LONG).await,
        LeaseAnswer::Held
    );
    let held = LeaseAnswer::HeldBy(worker("w1"));
    assert_eq!(pool.commit_private(&mine, &change).await.unwrap(), held);
    assert_eq!(pool.probe_write(&mine).await.unwrap(), held);
    assert_eq!(pool.private_cursor(BOT).await.unwrap(), None);
    assert_eq!(pool.reach(BOT).await.unwrap(), 0);
    assert!(pool.held(BOT, 10).await.unwrap().is_empty());
    let rightful = lease(BOT, "w1", 2);
    assert_eq!(
        pool.probe_write(&rightful).await.unwrap(),
        LeaseAnswer::Held
    );
    assert_eq!(
        pool.commit_private(&rightful, &change).await.unwrap(),
        LeaseAnswer::Held
    );
    assert_eq!(pool.held(BOT, 10).await.unwrap()[0].1, said(5, 1));
}
