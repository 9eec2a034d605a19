//! Cursors, private and of channels, and what is kept beside them.

use shared_core::{ChannelId, MemberId};
use shared_io::redis::{
    Committed, Counter, EpochAnswer, LeaseAnswer, PoolState, PrivateChange, PrivateCursor, Settles,
};

use crate::build::*;
use crate::server::RedisServer;

async fn leased(pool: &PoolState) -> shared_core::LoginLease {
    let mine = lease(BOT, "w1", 1);
    assign(pool, &[assignment(BOT, "w1", 9)]).await;
    let renewed = pool.renew_leases(&[claim(&mine, 9)], LONG).await.unwrap();
    let answers = renewed.answers;
    assert_eq!(answers, [LeaseAnswer::Held]);
    mine
}

#[tokio::test]
async fn a_private_cursor_never_goes_back() {
    let server = RedisServer::start();
    let pool = led_pool(&server.state().await).await;
    let mine = leased(&pool).await;
    let at = |pts, qts, date| PrivateCursor { pts, qts, date };
    for (to, expected) in [
        (at(10, 0, 100), at(10, 0, 100)),
        (at(9, 0, 99), at(10, 0, 100)),
        (at(11, 0, 100), at(11, 0, 100)),
        (at(10, 3, 90), at(11, 3, 100)),
        (at(i32::MAX, 3, i32::MAX), at(i32::MAX, 3, i32::MAX)),
    ] {
        let change = PrivateChange {
            cursor: Some(to),
            ..Default::default()
        };
        assert_eq!(
            pool.commit_private(&mine, &change).await.unwrap(),
            LeaseAnswer::Held
        );
        assert_eq!(
            pool.private_cursor(BOT).await.unwrap(),
            Some(expected),
            "to {to:?}"
        );
    }
}

#[tokio::test]
async fn reach_follows_who_started_and_who_stopped() {
    let server = RedisServer::start();
    let pool = led_pool(&server.state().await).await;
    let mine = leased(&pool).await;
    let members = [MemberId(1), MemberId(2), MemberId(9_007_199_254_740_993)];
    let start = PrivateChange {
        started: members.to_vec(),
        ..Default::default()
    };
    assert_eq!(
        pool.commit_private(&mine, &start).await.unwrap(),
        LeaseAnswer::Held
    );
    assert_eq!(
        pool.private_cursor(BOT).await.unwrap(),
        None,
        "no cursor was given"
    );
    let stop = PrivateChange {
        stopped: vec![MemberId(2)],
        ..Default::default()
    };
    assert_eq!(
        pool.commit_private(&mine, &stop).await.unwrap(),
        LeaseAnswer::Held
    );
    assert_eq!(pool.reach(BOT).await.unwrap(), 2);
    let asked = [
        members[2],
        MemberId(2),
        members[0],
        MemberId(9_007_199_254_740_992),
    ];
    assert_eq!(
        pool.reaches(BOT, &asked).await.unwrap(),
        [true, false, true, false]
    );
}

#[tokio::test]
async fn kept_messages_come_in_their_order_until_they_are_settled() {
    let server = RedisServer::start();
    let (pool, first) = open_pool(&server.state().await).await;
    let mine = leased(&pool).await;
    for message in 1..=3 {
        let change = PrivateChange {
            hold: vec![said(5, message)],
            ..Default::default()
        };
        assert_eq!(
            pool.commit_private(&mine, &change).await.unwrap(),
            LeaseAnswer::Held
        );
    }
    let kept = pool.held(BOT, 2).await.unwrap();
    assert_eq!(
        kept.iter().map(|(_, m)| m.clone()).collect::<Vec<_>>(),
        [said(5, 1), said(5, 2)]
    );
    let positions: Vec<_> = kept.iter().map(|(at, _)| *at).collect();
    let other = stamp(1, 0xbb);
    let refused = pool.held_settle(other, BOT, &positions).await.unwrap();
    assert!(matches!(refused, EpochAnswer::Fenced { .. }), "{refused:?}");
    assert_eq!(pool.held(BOT, 10).await.unwrap().len(), 3);
    let settled = pool.held_settle(first, BOT, &positions).await.unwrap();
    assert_eq!(settled, EpochAnswer::Done(2));
    assert_eq!(pool.held(BOT, 10).await.unwrap()[0].1, said(5, 3));
}

/// Told once that it was not taken, whoever takes it up and however often.
#[tokio::test]
async fn a_kept_message_leaves_with_the_commit_that_tells_of_it() {
    let server = RedisServer::start();
    let (pool, stamp) = open_pool(&server.state().await).await;
    let mine = leased(&pool).await;
    let change = PrivateChange {
        hold: vec![said(5, 1), said(5, 2)],
        ..Default::default()
    };
    let kept = pool.commit_private(&mine, &change).await.unwrap();
    assert_eq!(kept, LeaseAnswer::Held);
    let kept = pool.held(BOT, 10).await.unwrap();
    let key = conversation(5);
    let replies = [reply(1, 5)];
    let text = [1, 2].map(|version| stored(version, "told"));
    let tells = |version: u64, at: usize| {
        let mut change = commit(stamp, &key, version, &text[version as usize]);
        change.settles = Some(Settles::Held(BOT, kept[at].0));
        change.outbox = &replies;
        change
    };
    let told = pool.commit(&tells(0, 0)).await.unwrap();
    assert!(matches!(told, Committed::Done { .. }), "{told:?}");
    assert_eq!(pool.held(BOT, 10).await.unwrap(), kept[1..]);
    assert_eq!(pool.commit(&tells(1, 0)).await.unwrap(), Committed::Gone);
    assert_eq!(pool.outbox(None, 10).await.unwrap().len(), 1);
    let told = pool.commit(&tells(1, 1)).await.unwrap();
    assert!(matches!(told, Committed::Done { .. }), "{told:?}");
    assert_eq!(pool.held(BOT, 10).await.unwrap(), []);
}

#[tokio::test]
async fn channel_cursors_belong_to_the_epoch_and_only_go_forward() {
    let server = RedisServer::start();
    let (pool, first) = open_pool(&server.state().await).await;
    let (a, b) = (ChannelId(1), ChannelId(2));
    assert_eq!(
        pool.seed_channel(first, a, 10).await.unwrap(),
        EpochAnswer::Done(())
    );
    assert_eq!(
        pool.seed_channel(first, a, 50).await.unwrap(),
        EpochAnswer::Done(())
    );
    assert_eq!(
        pool.channels().await.unwrap(),
        [(a, 10)],
        "it has a cursor already"
    );
    let done = pool.move_channels(first, &[(a, 9), (b, 5)]).await.unwrap();
    assert_eq!(done, EpochAnswer::Done(()));
    assert_eq!(pool.channels().await.unwrap(), [(a, 10), (b, 5)]);
    let done = pool
        .move_channels(first, &[(a, 100), (b, 6)])
        .await
        .unwrap();
    assert_eq!(done, EpochAnswer::Done(()));
    assert_eq!(pool.channels().await.unwrap(), [(a, 100), (b, 6)]);

    switch_to(&pool, stamp(2, 0xbb), &holder(BOT, "w2")).await;
    for refused in [
        pool.move_channels(first, &[(a, 200)]).await.unwrap(),
        pool.seed_channel(first, ChannelId(3), 1).await.unwrap(),
    ] {
        assert!(
            matches!(refused, EpochAnswer::Fenced { current: Some(_) }),
            "{refused:?}"
        );
    }
    assert_eq!(pool.channels().await.unwrap(), [(a, 100), (b, 6)]);
}

#[tokio::test]
async fn a_standby_keeps_a_bounded_number_of_messages_and_counts_the_rest() {
    let server = RedisServer::start();
    let pool = led_pool(&server.state().await).await;
    let mine = leased(&pool).await;
    let change = PrivateChange {
        hold: (1..=5000).map(|message| said(5, message)).collect(),
        ..Default::default()
    };
    for _ in 0..2 {
        let answer = pool.commit_private(&mine, &change).await.unwrap();
        assert_eq!(answer, LeaseAnswer::Held);
    }
    let dropped = |counters: shared_io::redis::Counters| counters.get(Counter::HeldDropped);
    assert_eq!(dropped(pool.counters().await.unwrap()), 0);
    let last = PrivateChange {
        hold: vec![said(5, 9001), said(5, 9002)],
        ..Default::default()
    };
    let answer = pool.commit_private(&mine, &last).await.unwrap();
    assert_eq!(answer, LeaseAnswer::Held);
    assert_eq!(dropped(pool.counters().await.unwrap()), 2);
    assert_eq!(
        pool.held(BOT, 1).await.unwrap()[0].1,
        said(5, 3),
        "the oldest went"
    );
}
