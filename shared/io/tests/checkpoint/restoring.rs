//! What comes back when Redis has lost it.

use std::time::Duration;

use shared_core::{ChannelId, MemberId, MessageId, Phase, SendTarget, Told, UnixMs};
use shared_io::redis::{
    Committed, EpochAnswer, FenceAnswer, LeaseAnswer, OpenCursor, PrivateChange, PrivateCursor,
    RestoreAnswer, Resumption,
};

use crate::build::*;
use crate::stage::{BOTS, OTHER, REMIND_AFTER, Stage};
use crate::support::Data;

const CHANNEL: ChannelId = ChannelId(8);
const WORD: Told = Told::Message(SendTarget::Member(MemberId(3)), MessageId(41));

/// One of everything.
async fn fill(stage: &Stage) {
    let pool = &stage.pool;
    for member in 1..=3 {
        stage.say(member, 1).await;
    }
    // One is over.
    let key = conversation(3);
    let over = stored(2, "over");
    let done = pool.commit(&commit(stage.stamp, &key, 1, &over)).await;
    assert!(matches!(done.unwrap(), Committed::Done { .. }));
    // One reply has left, one is parked, one record is on its way.
    let outbox = pool.outbox(None, 10).await.unwrap();
    pool.outbox_settle(BOT, &[(outbox[2].0, Some(WORD))])
        .await
        .unwrap();
    let parked = pool.park(stage.stamp, outbox[1].0, MemberId(2)).await;
    assert_eq!(parked.unwrap(), EpochAnswer::Done(true));
    let key = conversation(4);
    let (text, records) = (stored(1, "submitted"), [record(9)]);
    let mut change = commit(stage.stamp, &key, 0, &text);
    change.records = &records;
    assert!(matches!(
        pool.commit(&change).await.unwrap(),
        Committed::Done { .. }
    ));
    let moved = pool.move_channels(stage.stamp, &[(CHANNEL, 77)]).await;
    assert_eq!(moved.unwrap(), EpochAnswer::Done(()));
    let resumed = pool.set_resumed(stage.stamp, BOT).await.unwrap();
    assert_eq!(resumed, EpochAnswer::Done(()));
    assign(pool, &[assignment(OTHER, "w2", 9)]).await;
    let mine = lease(OTHER, "w2", 1);
    let held = pool.renew_leases(&[claim(&mine, 9)], LONG).await.unwrap();
    assert_eq!(held.answers, [LeaseAnswer::Held]);
    let change = PrivateChange {
        cursor: Some(PrivateCursor {
            pts: 5,
            qts: 6,
            date: 7,
        }),
        started: vec![MemberId(1), MemberId(2), MemberId(3)],
        stopped: vec![MemberId(3)],
        hold: vec![said(1, 40)],
        ..PrivateChange::default()
    };
    let kept = pool.commit_private(&mine, &change).await.unwrap();
    assert_eq!(kept, LeaseAnswer::Held);
}

pub async fn everything_that_was_copied_comes_back(data: Data) {
    let stage = Stage::open(data).await;
    let pool = stage.pool.clone();
    fill(&stage).await;
    let mut copying = stage.checkpointer(1).await.unwrap();
    let turn = copying.turn().await.unwrap();
    assert_eq!(
        turn.marks,
        4 + 1 + 3 - 1 + 1,
        "4 conversations, 1 parked, 3 members reached"
    );
    let keys: Vec<_> = (1..=4).map(conversation).collect();
    let before = (
        pool.conversations(&keys).await.unwrap(),
        pool.open_conversations(&OpenCursor::default(), 9)
            .await
            .unwrap(),
        pool.outbox(None, 9).await.unwrap(),
        pool.records(9).await.unwrap(),
        pool.held(OTHER, 9).await.unwrap(),
        pool.told(BOT).await.unwrap(),
    );

    stage.lose_redis().await;
    assert_eq!(pool.conversations(&keys).await.unwrap(), vec![None; 4]);
    let restored = stage.restore().await.unwrap();
    assert_eq!((restored.conversations, restored.reach), (4, 2));
    let after = (
        pool.conversations(&keys).await.unwrap(),
        pool.open_conversations(&OpenCursor::default(), 9)
            .await
            .unwrap(),
        pool.outbox(None, 9).await.unwrap(),
        pool.records(9).await.unwrap(),
        pool.held(OTHER, 9).await.unwrap(),
        pool.told(BOT).await.unwrap(),
    );
    assert_eq!(after, before);
    assert_eq!(after.5, [WORD], "what the box tells of it is no news");
    assert_eq!(pool.channels().await.unwrap(), [(CHANNEL, 77)]);
    let cursor = pool.private_cursor(OTHER).await.unwrap();
    assert_eq!(
        cursor,
        Some(PrivateCursor {
            pts: 5,
            qts: 6,
            date: 7
        })
    );
    let members = [MemberId(1), MemberId(2), MemberId(3)];
    let reached = pool.reaches(OTHER, &members).await.unwrap();
    assert_eq!(reached, [true, true, false]);
    let resumed = pool.resumption().await.unwrap();
    let expected = Resumption {
        bot: BOT,
        epoch: stage.stamp.epoch,
        done: true,
        before: None,
    };
    assert_eq!(resumed, Some(expected));
    assert_eq!(pool.parked_members().await.unwrap(), [MemberId(2)]);
    assert_eq!(pool.parked_count().await.unwrap(), 1);

    let record = pool.epoch().await.unwrap().unwrap();
    assert_eq!((record.phase, record.holder), (Phase::Fenced, None));
    assert_eq!(record.previous_bot, Some(BOT), "who answered last");
    assert!(record.stamp.epoch > stage.stamp.epoch);
    assert_eq!(pool.restoring().await.unwrap(), None);
    let mark = pool.lineage().await.unwrap();
    assert_eq!(mark.as_ref(), Some(&restored.lineage));
    let in_sql = stage.store.epochs().lineage(&pool_id()).await.unwrap();
    assert_eq!(in_sql, mark, "both know the new history");
    // The pool goes on: the next epoch commits what follows.
    let next = stamp(record.stamp.epoch.0 + 1, 7);
    switch_to(&pool, next, &holder(BOT, "w1")).await;
    let text = stored(2, "goes on");
    let done = pool.commit(&commit(next, &keys[0], 1, &text)).await;
    assert!(matches!(done.unwrap(), Committed::Done { .. }));
    let moved = pool.unpark(next, MemberId(2)).await.unwrap();
    assert!(matches!(moved, EpochAnswer::Done(moved) if moved.len() == 1));
}

/// Whoever is silent for so long already has been reminded.
pub async fn who_is_to_be_reminded_still_will_be(data: Data) {
    let stage = Stage::open(data).await;
    let pool = stage.pool.clone();
    stage.say(1, 1).await;
    let key = conversation(2);
    let text = stored(1, "active a moment ago");
    let active = shared_io::clock::unix_now();
    let mut change = commit(stage.stamp, &key, 0, &text);
    change.open = Some(active);
    let done = pool.commit(&change).await.unwrap();
    assert!(matches!(done, Committed::Done { .. }), "{done:?}");
    stage.checkpointer(1).await.unwrap().turn().await.unwrap();
    stage.lose_redis().await;
    // A Redis that was set back has a mark and a timer of its own.
    let mut raw = stage.server.raw().await;
    for plant in [
        redis::cmd("SET").arg("us:{main}:reminded").arg(7),
        redis::cmd("ZADD")
            .arg("us:{main}:timers")
            .arg(7)
            .arg("reminder@m1"),
    ] {
        plant.exec_async(&mut raw).await.unwrap();
    }
    stage.restore().await.unwrap();
    let record = pool.epoch().await.unwrap().unwrap();
    let next = stamp(record.stamp.epoch.0 + 1, 7);
    switch_to(&pool, next, &holder(BOT, "w1")).await;
    let begun = pool.begin_resumption(next, BOT, UnixMs(1)).await.unwrap();
    assert!(matches!(begun, EpochAnswer::Done(_)), "{begun:?}");
    let look = async |silence| match pool.due_timers(next, Some(silence), 9).await {
        Ok(EpochAnswer::Done(found)) => found,
        other => panic!("{other:?}"),
    };
    let looked = look(REMIND_AFTER).await;
    assert_eq!(looked.timers, [], "nobody is reminded twice");
    let wait = looked.next.unwrap();
    assert!(
        wait <= REMIND_AFTER && wait > REMIND_AFTER / 2,
        "{looked:?}"
    );
    // When his time has come.
    let found = look(Duration::ZERO).await.timers;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].key.conversation, found[0].due), (key, active));
}

pub async fn what_redis_has_besides_is_gone_after_a_restoring(data: Data) {
    let stage = Stage::open(data).await;
    stage.say(1, 1).await;
    stage.checkpointer(1).await.unwrap().turn().await.unwrap();
    // A branch: committed after the state that the checkpoint has.
    stage.say(1, 2).await;
    stage.say(2, 1).await;
    stage.restore().await.unwrap();
    let keys = [conversation(1), conversation(2)];
    let found = stage.pool.conversations(&keys).await.unwrap();
    assert_eq!(found, [Some(stored(1, "words 1")), None]);
    assert_eq!(stage.pool.outbox_len().await.unwrap(), 1);
    assert_eq!(stage.pool.open_count().await.unwrap(), 1);
}

pub async fn a_restoring_that_was_cut_short_is_never_served_and_begun_again(data: Data) {
    let stage = Stage::open(data).await;
    let pool = stage.pool.clone();
    stage.say(1, 1).await;
    assign(&pool, &[assignment(BOT, "w1", 9)]).await;
    let mine = lease(BOT, "w1", 1);
    let claims = [claim(&mine, 9)];
    let held = pool.renew_leases(&claims, LONG).await.unwrap();
    assert_eq!(held.answers, [LeaseAnswer::Held]);
    stage.checkpointer(1).await.unwrap().turn().await.unwrap();

    let first = stamp(500, 5);
    let begun = pool
        .restore_begin(&leader(), first, UnixMs(1), "cut short", None, &BOTS)
        .await;
    assert_eq!(begun.unwrap(), FenceAnswer::Fenced);
    let writes = pool.removals(&BOTS);
    let written = pool.restore_write(&leader(), first, &writes).await;
    assert_eq!(written.unwrap(), RestoreAnswer::Done);

    let key = conversation(1);
    let text = stored(2, "late");
    let late = pool.commit(&commit(stage.stamp, &key, 1, &text)).await;
    assert!(matches!(late.unwrap(), Committed::Fenced { .. }));
    let moved = PrivateChange {
        started: vec![MemberId(9)],
        ..PrivateChange::default()
    };
    let late = pool.commit_private(&mine, &moved).await.unwrap();
    assert_ne!(late, LeaseAnswer::Held, "its lease is gone");
    let late = pool.renew_leases(&claims, LONG).await.unwrap();
    assert_eq!(late.answers, [LeaseAnswer::NotAssigned]);
    let seen = pool.restoring().await.unwrap().unwrap();
    assert_eq!(seen.source, "cut short");

    stage.restore().await.unwrap();
    assert_eq!(pool.restoring().await.unwrap(), None);
    let late = pool.restore_write(&leader(), first, &writes).await.unwrap();
    assert_eq!(late, RestoreAnswer::Another, "whoever began the first one");
    let late = pool.restore_finish(&leader(), first, "x", 1).await.unwrap();
    assert_eq!(late, RestoreAnswer::Another);
    let found = pool.conversation(&key).await.unwrap();
    assert_eq!(found, Some(stored(1, "words 1")));
}
