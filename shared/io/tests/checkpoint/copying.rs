//! What is copied, and what the copy is spared.

use shared_core::Secret;
use shared_io::redis::Committed;
use shared_io::sql::Store;

use crate::build::*;
use crate::stage::Stage;
use crate::support::Data;

async fn queue(stage: &Stage) -> usize {
    let checkpoints = stage.store.checkpoints();
    checkpoints
        .entries(&pool_id(), None, 100)
        .await
        .unwrap()
        .len()
}

async fn copied(stage: &Stage) -> Vec<(String, u64)> {
    let checkpoints = stage.store.checkpoints();
    let rows = checkpoints.conversations(&pool_id(), "", 100).await;
    let rows = rows.unwrap().into_iter();
    rows.map(|row| (row.conversation, row.version)).collect()
}

pub async fn what_was_sent_leaves_the_copy_with_the_next_turn(data: Data) {
    let stage = Stage::open(data).await;
    let mut copying = stage.checkpointer(1).await.unwrap();
    stage.say(1, 1).await;
    stage.say(2, 1).await;
    assert_eq!(copying.turn().await.unwrap().marks, 2);
    assert_eq!(queue(&stage).await, 2);
    let outbox = stage.pool.outbox(None, 9).await.unwrap();
    let sent = [(outbox[0].0, None)];
    stage.pool.outbox_settle(BOT, &sent).await.unwrap();
    assert_eq!(copying.turn().await.unwrap().marks, 0);
    assert_eq!(queue(&stage).await, 1);
    let head = stage.store.checkpoints().head(&pool_id()).await.unwrap();
    let turns = head.unwrap().turn;
    // Nothing new: nothing is written, and the copy is as good as of this moment.
    let turn = copying.turn().await.unwrap();
    let head = stage.store.checkpoints().head(&pool_id()).await.unwrap();
    assert_eq!(head.unwrap().turn, turns);
    assert!(turn.at.0 > 0);
    let lag = stage.pool.checkpoint_lag_ms().await.unwrap().unwrap();
    assert!(lag < 30_000, "{lag} ms by Redis' own clock");
}

pub async fn a_history_that_was_never_copied_is_copied_whole(data: Data) {
    let stage = Stage::open(data).await;
    for member in 1..=30 {
        stage.say(member, 1).await;
    }
    // As a program before this one left it: nothing was marked.
    let mut raw = stage.server.raw().await;
    redis::cmd("DEL")
        .arg("us:{main}:dirty")
        .exec_async(&mut raw)
        .await
        .unwrap();
    let mut copying = stage.checkpointer(1).await.unwrap();
    let head = stage.store.checkpoints().head(&pool_id()).await.unwrap();
    assert_eq!(head.unwrap().at, None, "not whole before the first turn");
    assert_eq!(copying.turn().await.unwrap().marks, 30);
    assert_eq!(copied(&stage).await.len(), 30);
    let head = stage.store.checkpoints().head(&pool_id()).await.unwrap();
    assert!(head.unwrap().at.is_some());
}

/// Redis forgets what is over after its time, and what comes then counts from one again.
pub async fn a_conversation_that_was_forgotten_and_begins_anew_is_copied(data: Data) {
    let stage = Stage::open(data).await;
    let mut copying = stage.checkpointer(1).await.unwrap();
    for version in 1..=5 {
        stage.say(1, version).await;
    }
    let (key, text) = (conversation(1), stored(6, "over"));
    let over = commit(stage.stamp, &key, 5, &text);
    let done = stage.pool.commit(&over).await.unwrap();
    assert!(matches!(done, Committed::Done { .. }), "{done:?}");
    copying.turn().await.unwrap();
    assert_eq!(copied(&stage).await, [(key.to_string(), 6)]);
    let mut raw = stage.server.raw().await;
    redis::cmd("DEL")
        .arg(format!("us:{{main}}:c:{key}"))
        .exec_async(&mut raw)
        .await
        .unwrap();
    stage.say(1, 1).await;
    copying.turn().await.unwrap();
    assert_eq!(copied(&stage).await, [(key.to_string(), 1)]);
}

pub async fn what_is_damaged_does_not_replace_what_could_be_read(data: Data) {
    let stage = Stage::open(data).await;
    let mut copying = stage.checkpointer(1).await.unwrap();
    stage.say(1, 1).await;
    copying.turn().await.unwrap();
    let mut raw = stage.server.raw().await;
    for damage in [&b"no version"[..], &b"2\n\xff\xfe"[..], &b"2\n\0"[..]] {
        redis::cmd("SET")
            .arg("us:{main}:c:m1")
            .arg(damage)
            .exec_async(&mut raw)
            .await
            .unwrap();
        redis::cmd("SADD")
            .arg("us:{main}:dirty")
            .arg("c:m1")
            .arg("from a later program")
            .exec_async(&mut raw)
            .await
            .unwrap();
        assert_eq!(copying.turn().await.unwrap().marks, 2);
        assert_eq!(copied(&stage).await, [("m1".to_owned(), 1)]);
    }
}

pub async fn while_the_database_is_away_marks_wait_and_follow(data: Data) {
    let mut stage = Stage::open(data).await;
    let mut copying = stage.checkpointer(1).await.unwrap();
    stage.say(1, 1).await;
    copying.turn().await.unwrap();
    stage.store.close().await;
    for version in 2..=40 {
        stage.say(1, version).await;
    }
    stage.say(2, 1).await;
    for _ in 0..3 {
        let error = copying.turn().await.unwrap_err();
        assert!(!error.is_over(), "{error}");
    }
    let mut raw = stage.server.raw().await;
    let waiting: u64 = redis::cmd("SUNIONSTORE")
        .arg("scratch")
        .arg("us:{main}:dirty")
        .arg("us:{main}:dirty:taken")
        .query_async(&mut raw)
        .await
        .unwrap();
    assert_eq!(waiting, 2, "one a conversation, however often it goes on");
    let url = Secret::new(stage.data.url().expose());
    stage.store = Store::open(&url, &stage.data.dir()).await.unwrap();
    let mut copying = stage.checkpointer(1).await.unwrap();
    copying.turn().await.unwrap();
    let all = [("m1".to_owned(), 40), ("m2".to_owned(), 1)];
    assert_eq!(copied(&stage).await, all);
    assert_eq!(queue(&stage).await, 41);
}
