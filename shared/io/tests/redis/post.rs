//! Words between conversations and timers: in with the sender's commit, out with the receiver's, once, whoever delivers them and how often.

use std::time::Duration;

use shared_core::{
    ConversationKey, DueTimer, Epoch, EpochStamp, EventId, Letter, Telling, Timer, TimerKey, UnixMs,
};
use shared_io::redis::{
    Committed, DueTimers, EpochAnswer, InboxPosition, PoolState, Settles, StateError,
};

use crate::build::*;
use crate::server::RedisServer;

const HOUR: Duration = Duration::from_secs(3600);

fn told(number: u8, to: i64) -> Letter {
    Letter {
        id: EventId([number; 16]),
        to: conversation(to),
        from: conversation(5),
        since: UnixMs(7),
        what: Telling::CourseSubmitted {
            title: format!("course {number} \"with\" ünïcode\n"),
        },
    }
}

fn reminder(member: i64) -> TimerKey {
    TimerKey {
        conversation: conversation(member),
        timer: Timer::Reminder,
    }
}

/// A commit of version `version` + 1, with words to others.
async fn say(
    pool: &PoolState,
    stamp: EpochStamp,
    key: &ConversationKey,
    version: u64,
    told: &[Letter],
    settles: Option<Settles>,
) -> Committed {
    let text = stored(version + 1, "x");
    let mut change = commit(stamp, key, version, &text);
    change.told = told;
    change.settles = settles;
    pool.commit(&change).await.unwrap()
}

fn is_done(committed: &Committed) -> bool {
    matches!(committed, Committed::Done { .. })
}

async fn waiting(pool: &PoolState) -> Vec<(InboxPosition, Letter)> {
    pool.inbox(None, 100).await.unwrap()
}

/// Timers that are due; nobody is looked for.
async fn look(pool: &PoolState, stamp: EpochStamp, limit: usize) -> DueTimers {
    match pool.due_timers(stamp, None, limit).await {
        Ok(EpochAnswer::Done(due)) => due,
        other => panic!("{other:?}"),
    }
}

async fn due(pool: &PoolState, stamp: EpochStamp) -> Vec<DueTimer> {
    look(pool, stamp, 100).await.timers
}

async fn plant_timer(server: &RedisServer, name: &str, due: u64) {
    let mut raw = server.raw().await;
    let mut plant = redis::cmd("ZADD");
    plant.arg("us:{main}:timers").arg(due).arg(name);
    plant.exec_async(&mut raw).await.unwrap();
}

#[tokio::test]
async fn what_is_told_comes_in_order_and_leaves_with_its_receivers_commit() {
    let server = RedisServer::start();
    let (pool, stamp) = open_pool(&server.state().await).await;
    let sent = [told(1, 6), told(2, 6), told(3, 7)];
    let done = say(&pool, stamp, &conversation(5), 0, &sent, None).await;
    assert!(is_done(&done));
    let inbox = waiting(&pool).await;
    let words: Vec<Letter> = inbox.iter().map(|(_, told)| told.clone()).collect();
    assert_eq!(words, sent);
    assert_eq!(pool.inbox(Some(&inbox[0].0), 1).await.unwrap(), inbox[1..2]);

    let first = Some(Settles::Inbox(inbox[0].0));
    let receiver = conversation(6);
    assert!(is_done(&say(&pool, stamp, &receiver, 0, &[], first).await));
    assert_eq!(waiting(&pool).await, inbox[1..]);
    for version in [0, 1] {
        let again = say(&pool, stamp, &receiver, version, &[], first).await;
        assert_eq!(again, Committed::Gone, "whatever was read, it was done");
    }
    assert_eq!(
        pool.conversation(&receiver).await.unwrap(),
        Some(stored(1, "x"))
    );
    assert_eq!(pool.inbox_len().await.unwrap(), 2);
}

/// The receiver's worker dies before its commit, after it, and without knowing which: the next one finds it, or finds it gone.
#[tokio::test]
async fn a_receiver_that_is_fenced_applies_nothing_and_the_next_one_does() {
    let server = RedisServer::start();
    let (pool, old) = open_pool(&server.state().await).await;
    let sent = [told(1, 6)];
    assert!(is_done(
        &say(&pool, old, &conversation(5), 0, &sent, None).await
    ));
    plant_timer(&server, &reminder(5).to_string(), 7).await;
    let (position, _) = waiting(&pool).await[0].clone();
    let timer = due(&pool, old).await[0];
    let next = stamp(2, 0xbb);
    switch_to(&pool, next, &holder(BOT, "w2")).await;
    for settles in [Settles::Inbox(position), Settles::Timer(timer)] {
        let zombie = say(
            &pool,
            old,
            &conversation(6),
            0,
            &[told(9, 6)],
            Some(settles),
        )
        .await;
        assert!(matches!(zombie, Committed::Fenced { .. }), "{zombie:?}");
    }
    let put_off = pool.put_off_timer(old, &timer, HOUR).await.unwrap();
    assert!(matches!(put_off, EpochAnswer::Fenced { .. }));
    assert_eq!(waiting(&pool).await.len(), 1);
    assert_eq!(due(&pool, next).await, [timer]);

    let letter = Some(Settles::Inbox(position));
    assert!(is_done(
        &say(&pool, next, &conversation(6), 0, &[], letter).await
    ));
    let alarm = Some(Settles::Timer(timer));
    assert!(is_done(
        &say(&pool, next, &conversation(5), 1, &[], alarm).await
    ));
    assert_eq!(
        (waiting(&pool).await.len(), due(&pool, next).await.len()),
        (0, 0)
    );
}

#[tokio::test]
async fn a_refused_commit_tells_nobody() {
    let server = RedisServer::start();
    let (pool, current) = open_pool(&server.state().await).await;
    let key = conversation(5);
    assert!(is_done(&say(&pool, current, &key, 0, &[], None).await));
    let sent = [told(1, 6)];
    let stale = say(&pool, current, &key, 0, &sent, None).await;
    assert_eq!(stale, Committed::Stale { version: 1 });
    let fenced = say(&pool, stamp(9, 1), &key, 1, &sent, None).await;
    assert!(matches!(fenced, Committed::Fenced { .. }));
    assert_eq!(pool.inbox_len().await.unwrap(), 0);
}

#[tokio::test]
async fn the_longest_due_come_first_and_no_more_than_asked_for() {
    let server = RedisServer::start();
    let (pool, stamp) = open_pool(&server.state().await).await;
    for (member, at) in [(1, 300), (2, 100), (3, 200), (4, 4_000_000_000_000_u64)] {
        plant_timer(&server, &reminder(member).to_string(), at).await;
    }
    let found = look(&pool, stamp, 2).await;
    let dues: Vec<i64> = found.timers.iter().map(|timer| timer.due.0).collect();
    assert_eq!(dues, [100, 200]);
    assert!(found.next.is_some());
    let put_off = pool.put_off_timer(stamp, &found.timers[0], HOUR).await;
    assert_eq!(put_off.unwrap(), EpochAnswer::Done(()));
    let left: Vec<i64> = due(&pool, stamp)
        .await
        .iter()
        .map(|timer| timer.due.0)
        .collect();
    assert_eq!(left, [200, 300]);
}

#[tokio::test]
async fn what_no_program_knows_is_out_of_everybodys_way() {
    let server = RedisServer::start();
    let (pool, stamp) = open_pool(&server.state().await).await;
    let sent = [told(1, 6)];
    let mut raw = server.raw().await;
    plant_timer(&server, "later@m5", 1).await;
    plant_timer(&server, &reminder(5).to_string(), 2).await;
    redis::cmd("XADD")
        .arg("us:{main}:inbox")
        .arg("*")
        .arg("i")
        .arg("{\"tell\":\"unheard of\"}")
        .exec_async(&mut raw)
        .await
        .unwrap();
    assert!(is_done(
        &say(&pool, stamp, &conversation(6), 0, &sent, None).await
    ));
    assert_eq!(due(&pool, stamp).await.len(), 1);
    assert_eq!(pool.timer_count().await.unwrap(), 1);
    assert_eq!(waiting(&pool).await.len(), 1);
    assert_eq!(pool.inbox_len().await.unwrap(), 1);
    let poison: u64 = redis::cmd("XLEN")
        .arg("us:{main}:outbox:poison")
        .query_async(&mut raw)
        .await
        .unwrap();
    assert_eq!(poison, 1);
    // For a program that knows it.
    let aside = pool.poisoned(1).await.unwrap();
    assert_eq!(aside[0].from, "inbox");
    assert_eq!(pool.unpoison(&[aside[0].position]).await.unwrap(), 1);
    assert_eq!(pool.inbox_len().await.unwrap(), 2);
}

async fn version(pool: &PoolState, key: &ConversationKey) -> Result<u64, StateError> {
    let stored = pool.conversation(key).await?;
    Ok(stored.map_or(0, |text| text.split_once('\n').unwrap().0.parse().unwrap()))
}

/// The sender says its `next` word, if it has not yet, and the receiver takes in what is there; each as after a start, knowing nothing.
async fn exchange(pool: &PoolState, stamp: EpochStamp, next: u64) -> Result<u64, StateError> {
    let (sender, receiver) = (conversation(5), conversation(6));
    let sent = version(pool, &sender).await?;
    if sent < next {
        let text = stored(sent + 1, "x");
        let told = [told(u8::try_from(sent + 1).unwrap(), 6)];
        let mut change = commit(stamp, &sender, sent, &text);
        change.told = &told;
        let _ = pool.commit(&change).await?;
    }
    for (position, _) in pool.inbox(None, 10).await? {
        let heard = version(pool, &receiver).await?;
        let text = stored(heard + 1, "x");
        let mut change = commit(stamp, &receiver, heard, &text);
        change.settles = Some(Settles::Inbox(position));
        let _ = pool.commit(&change).await?;
        // As if the answer had been lost.
        assert_eq!(pool.commit(&change).await?, Committed::Gone);
    }
    version(pool, &sender).await
}

/// Worker and Redis are killed in the middle, again and again: whatever was told is applied once, and nothing is left.
#[tokio::test]
async fn what_is_told_is_applied_once_however_often_redis_is_killed() {
    const KILLS: u64 = 8;
    let mut server = RedisServer::start();
    let state = server.state().await;
    let (pool, stamp) = open_pool(&state).await;
    let mut next = 1;
    for turn in 1..=KILLS * 3 {
        let step = exchange(&pool, stamp, next);
        if turn % 3 == 0 {
            let _ = tokio::time::timeout(Duration::from_micros(400 * turn), step).await;
            server.kill();
            server.start_again();
        } else if let Ok(sent) = step.await {
            next = sent + 1;
        }
    }
    while exchange(&pool, stamp, next).await.is_err() {}
    let (sender, receiver) = (conversation(5), conversation(6));
    let told = version(&pool, &sender).await.unwrap();
    assert!(told >= KILLS, "{told}");
    assert_eq!(version(&pool, &receiver).await.unwrap(), told);
    assert_eq!(
        (stamp.epoch, pool.inbox_len().await.unwrap()),
        (Epoch(1), 0)
    );
}

/// A conversation in which nothing is open is kept for a while, counted from its last commit; an open one for ever.
#[tokio::test]
async fn only_a_tombstone_is_forgotten_in_time() {
    let server = RedisServer::start();
    let (pool, stamp) = open_pool(&server.state().await).await;
    let mut raw = server.raw().await;
    let key = conversation(5);
    let mut left = async || -> i64 {
        let mut command = redis::cmd("PTTL");
        command.arg("us:{main}:c:m5");
        command.query_async(&mut raw).await.unwrap()
    };
    let kept = i64::try_from(shared_core::TOMBSTONE_KEPT.as_millis()).unwrap();
    let text = stored(1, "x");
    assert!(is_done(
        &pool.commit(&commit(stamp, &key, 0, &text)).await.unwrap()
    ));
    assert!((kept - 60_000..=kept).contains(&left().await));
    let text = stored(2, "x");
    let mut open = commit(stamp, &key, 1, &text);
    open.open = Some(UnixMs(1));
    assert!(is_done(&pool.commit(&open).await.unwrap()));
    assert_eq!(left().await, -1, "kept for as long as it is open");
    let text = stored(3, "x");
    assert!(is_done(
        &pool.commit(&commit(stamp, &key, 2, &text)).await.unwrap()
    ));
    assert!(left().await > 0);
}
