//! The mark of how far the silent ones have been looked for: where it begins, what moves it, and what a clock or another configuration does to it.

use std::time::Duration;

use shared_core::UnixMs;
use shared_io::redis::{Committed, EpochAnswer, Settles};

use crate::build::*;
use crate::reminders::{HOUR, SILENCE, Scene, WHILE, is_about, reminder};

#[tokio::test]
async fn without_a_mark_only_who_is_active_from_then_on_is_looked_for() {
    const SHORT: Duration = Duration::from_millis(50);
    let scene = Scene::open().await;
    let mut raw = scene.server.raw().await;
    scene.acts(5, 0, scene.now - 2 * HOUR).await;
    // A program of before the mark has set this one.
    scene.plant("timers", "reminder@m5", scene.now - HOUR).await;
    redis::cmd("DEL")
        .arg("us:{main}:reminded")
        .exec_async(&mut raw)
        .await
        .unwrap();
    let old = reminder(5, scene.now - HOUR);
    assert_eq!(scene.silent_for(Some(SHORT), 9).await.timers, [old]);
    let mark = scene.mark().await.unwrap();
    assert!((scene.now..scene.now + WHILE).contains(&mark), "{mark}");
    // A moment later, as it has to be by a clock that counts milliseconds.
    scene.acts(6, 0, mark + 1).await;
    tokio::time::sleep(SHORT * 2).await;
    let both = [old, reminder(6, mark + 51)];
    assert_eq!(scene.silent_for(Some(SHORT), 9).await.timers, both);
}

#[tokio::test]
async fn there_is_a_mark_before_the_first_commit_of_an_epoch_and_no_epoch_moves_it() {
    let scene = Scene::open().await;
    let mut raw = scene.server.raw().await;
    redis::cmd("DEL")
        .arg("us:{main}:reminded")
        .exec_async(&mut raw)
        .await
        .unwrap();
    let zombie = scene.pool.begin_resumption(stamp(9, 9), BOT, UnixMs(1));
    let zombie = zombie.await.unwrap();
    assert!(matches!(zombie, EpochAnswer::Fenced { .. }));
    assert_eq!(scene.mark().await, None);
    let begin = async |stamp| {
        let begun = scene.pool.begin_resumption(stamp, BOT, UnixMs(1)).await;
        assert!(matches!(begun.unwrap(), EpochAnswer::Done(_)));
        scene.mark().await.unwrap()
    };
    let mark = begin(scene.stamp).await;
    assert!((scene.now..scene.now + WHILE).contains(&mark), "{mark}");
    tokio::time::sleep(Duration::from_millis(5)).await;
    let next = stamp(2, 0xbb);
    switch_to(&scene.pool, next, &holder(BOT, "w2")).await;
    assert_eq!(begin(next).await, mark);
}

#[tokio::test]
async fn another_silence_is_configured() {
    const LONGER: Option<Duration> = Some(Duration::from_secs(3 * 3600));
    const SHORTER: Option<Duration> = Some(Duration::from_secs(600));
    let scene = Scene::open().await;
    let (first, second) = (scene.now - 2 * HOUR, scene.now - HOUR / 2);
    scene.acts(1, 0, first).await;
    scene.acts(2, 0, second).await;
    let due = reminder(1, first + HOUR);
    assert_eq!(scene.look().await.timers, [due]);
    // Longer: the mark stays, and so does what was found.
    let looked = scene.silent_for(LONGER, 9).await;
    assert_eq!(
        (looked.timers, scene.mark().await),
        (vec![due], Some(first))
    );
    let settles = Some(Settles::Timer(due));
    let told = scene.commit(1, 1, Some(first), false, settles).await;
    assert!(matches!(told, Committed::Done { .. }));
    let looked = scene.silent_for(LONGER, 9).await;
    assert_eq!(looked.timers, [], "not a second time");
    assert!(is_about(looked.next, 3 * HOUR - HOUR / 2), "{looked:?}");
    // Shorter: who has been silent for as long is late.
    let looked = scene.silent_for(SHORTER, 9).await;
    assert_eq!(looked.timers, [reminder(2, second + 600_000)]);
    assert_eq!(scene.mark().await, Some(second));
}

#[tokio::test]
async fn while_nobody_is_reminded_nobody_is_found_neither_then_nor_later() {
    let scene = Scene::open().await;
    scene.acts(1, 0, scene.now - 3 * HOUR).await;
    let found = scene.look().await.timers;
    scene.acts(2, 0, scene.now - 2 * HOUR).await;
    let looked = scene.silent_for(None, 9).await;
    assert_eq!(looked.timers, found, "what was found is still delivered");
    assert_eq!((looked.next, scene.mark().await), (None, None));
    scene.acts(3, 0, scene.now - 2 * HOUR).await;
    assert_eq!(scene.look().await.timers, found, "switched on again");
    scene.acts(3, 1, scene.now).await;
    assert!(is_about(scene.look().await.next, HOUR));
}

/// His worker's clock lags behind Redis', or behind the one of another worker: he is reminded all the same.
#[tokio::test]
async fn a_clock_that_lags_makes_nobody_a_member_who_is_never_reminded() {
    let scene = Scene::open().await;
    let mark = scene.now - HOUR + WHILE;
    scene.set_mark(mark).await;
    for lag in [0, 1, 5 * HOUR] {
        let member = 5 + lag;
        scene.acts(member, 0, mark - lag).await;
        assert_eq!(scene.open_since(member).await, Some(mark + 1));
        // What is no doing of his has the same time with it, and leaves him where he is.
        let shown = scene.commit(member, 1, Some(mark - lag), false, None).await;
        assert!(matches!(shown, Committed::Done { .. }));
        assert_eq!(scene.open_since(member).await, Some(mark + 1));
    }
    let sooner = Some(SILENCE - Duration::from_millis(2 * WHILE.unsigned_abs()));
    let found = scene.silent_for(sooner, 9).await.timers;
    let due = mark + 1 + HOUR - 2 * WHILE;
    let expected = [5, 6, 5 + 5 * HOUR].map(|member| reminder(member, due));
    let mut sorted = expected;
    sorted.sort_unstable();
    let mut by_key = found;
    by_key.sort_unstable();
    assert_eq!(by_key, sorted);
    let settles = Some(Settles::Timer(expected[0]));
    let told = scene.commit(5, 2, Some(mark), false, settles).await;
    assert!(matches!(told, Committed::Done { .. }));
    assert_eq!(scene.open_since(5).await, Some(mark + 1));
    assert_eq!(scene.silent_for(sooner, 9).await.timers.len(), 2);
}

/// A Redis that has lost its last writes has lost the mark with the timer: it is the same one that is found again.
#[tokio::test]
async fn found_again_it_is_the_same_event() {
    let scene = Scene::open().await;
    scene.acts(5, 0, scene.now - 2 * HOUR).await;
    let before = scene.look().await.timers[0];
    let mut raw = scene.server.raw().await;
    redis::cmd("DEL")
        .arg("us:{main}:timers")
        .exec_async(&mut raw)
        .await
        .unwrap();
    scene.set_mark(0).await;
    let after = scene.look().await.timers[0];
    assert_eq!(after, before);
    assert_eq!(after.event(&pool_id()), before.event(&pool_id()));
}
