//! Leaders that die in the middle or wake up late, and a Redis that is not what it was.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use shared_core::{ChannelId, EntryId, EpochStamp};
use shared_io::checkpoint::CheckpointError;
use shared_io::redis::{Committed, EpochAnswer, Marks, PoolState};

use crate::build::*;
use crate::stage::Stage;
use crate::support::Data;

pub async fn what_a_killed_leader_had_taken_is_copied_by_the_next(data: Data) {
    let stage = Stage::open(data).await;
    let mut first = stage.checkpointer(1).await.unwrap();
    stage.say(1, 1).await;
    first.turn().await.unwrap();
    stage.say(2, 1).await;
    let taken = stage.pool.take_marks(&leader(), 10).await.unwrap();
    assert_eq!(taken, Marks::Taken(1));
    drop(first);
    stage.say(3, 1).await;
    let mut next = stage.checkpointer(2).await.unwrap();
    next.turn().await.unwrap();
    let counts = stage.store.checkpoints().counts(&pool_id()).await.unwrap();
    assert_eq!((counts.conversations, counts.entries), (3, 3));
    assert_eq!(
        stage.pool.taken_marks(9).await.unwrap(),
        Vec::<String>::new()
    );
}

/// Of the only conversation in the copy.
async fn version(stage: &Stage) -> u64 {
    let checkpoints = stage.store.checkpoints();
    let rows = checkpoints.conversations(&pool_id(), "", 9).await;
    rows.unwrap()[0].version
}

pub async fn a_leader_that_wakes_up_late_writes_nothing(data: Data) {
    let stage = Stage::open(data).await;
    let mut old = stage.checkpointer(1).await.unwrap();
    stage.say(1, 1).await;
    old.turn().await.unwrap();
    let mut new = stage.checkpointer(2).await.unwrap();
    stage.say(1, 2).await;
    let late = old.turn().await.unwrap_err();
    assert!(matches!(late, CheckpointError::Superseded), "{late}");
    let late = stage.checkpointer(1).await.err().unwrap();
    assert!(matches!(late, CheckpointError::Superseded), "{late}");
    assert_eq!(version(&stage).await, 1);
    new.turn().await.unwrap();
    assert_eq!(version(&stage).await, 2);
}

pub async fn a_redis_that_was_emptied_or_rolled_back_is_not_copied(data: Data) {
    let stage = Stage::open(data).await;
    let mut copying = stage.checkpointer(1).await.unwrap();
    for member in 1..=5 {
        stage.say(member, 1).await;
    }
    copying.turn().await.unwrap();
    let before = stage.store.checkpoints().counts(&pool_id()).await.unwrap();
    assert_eq!((before.conversations, before.entries), (5, 5));
    // Put back: the same mark, and an earlier turn.
    let mut raw = stage.server.raw().await;
    redis::cmd("HSET")
        .arg("us:{main}:checkpoint")
        .arg("turn")
        .arg(0)
        .exec_async(&mut raw)
        .await
        .unwrap();
    let refused = copying.turn().await.unwrap_err();
    assert!(matches!(refused, CheckpointError::AnotherHistory));
    stage.lose_redis().await;
    let refused = copying.turn().await.unwrap_err();
    assert!(matches!(refused, CheckpointError::AnotherHistory));
    let after = stage.store.checkpoints().counts(&pool_id()).await.unwrap();
    assert_eq!(after, before, "an empty Redis empties no checkpoint");
}

const CHANNEL: ChannelId = ChannelId(8);
const MEMBERS: i64 = 6;

/// What the members' side of a history is: each update belongs to a member, is answered once, and has its place in the channel.
#[derive(Default)]
struct Ledger {
    /// Whose each update was, in the channel's order.
    updates: Vec<i64>,
    /// Replies that left.
    sent: HashSet<EntryId>,
}

fn reply_id(member: i64, version: u64) -> EntryId {
    let mut id = [0; 16];
    id[0] = u8::try_from(member).unwrap();
    id[8..].copy_from_slice(&version.to_be_bytes());
    EntryId(id)
}

/// Updates come in, are committed with a reply each, and the cursor follows.
async fn talk(pool: PoolState, stamp: EpochStamp, ledger: Arc<Mutex<Ledger>>) {
    let mut versions: HashMap<i64, u64> = HashMap::new();
    for turn in 0_i32.. {
        let member = 1 + i64::from(turn * 7 % 13) % MEMBERS;
        let version = versions.entry(member).or_default();
        let key = conversation(member);
        let text = stored(*version + 1, "words");
        let mut answer = reply(1, member);
        answer.id = reply_id(member, *version + 1);
        let replies = [answer];
        let mut change = commit(stamp, &key, *version, &text);
        change.outbox = &replies;
        match pool.commit(&change).await {
            Ok(Committed::Done { .. }) => *version += 1,
            _ => return,
        }
        ledger.lock().unwrap().updates.push(member);
        let pts = turn + 1;
        match pool.move_channels(stamp, &[(CHANNEL, pts)]).await {
            Ok(EpochAnswer::Done(())) => {}
            _ => return,
        }
    }
}

/// Replies leave, and are then taken out of the outbox.
async fn send(pool: PoolState, ledger: Arc<Mutex<Ledger>>) {
    loop {
        let Ok(page) = pool.outbox(None, 3).await else {
            return;
        };
        for (position, entry) in page {
            ledger.lock().unwrap().sent.insert(entry.id);
            if pool.outbox_settle(BOT, &[(position, None)]).await.is_err() {
                return;
            }
        }
        tokio::task::yield_now().await;
    }
}

/// The copy is cut off at a moment that differs from round to round, also in the middle of a turn; then Redis is lost.
pub async fn cut_off_anywhere_no_update_and_no_reply_is_lost(data: Data) {
    let stage = Stage::open(data).await;
    let mut stamp = stage.stamp;
    let mut writer = 1;
    let mut turns = 0;
    for round in 0..12_u64 {
        let lineage = stage.pool.lineage().await.unwrap().unwrap();
        let ledger: Arc<Mutex<Ledger>> = Arc::default();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(talk(stage.pool.clone(), stamp, Arc::clone(&ledger)));
        tasks.spawn(send(stage.pool.clone(), Arc::clone(&ledger)));
        let copy = async {
            let mut copying = shared_io::checkpoint::Checkpointer::open(
                stage.pool.clone(),
                stage.store.clone(),
                leader(),
                lineage,
                crate::stage::BOTS.to_vec(),
                writer,
            )
            .await
            .unwrap();
            copying.turn().await.unwrap();
            turns += 1;
            let cut = async {
                loop {
                    copying.turn().await.unwrap();
                    turns += 1;
                }
            };
            let at = Duration::from_millis(3 + round * 11);
            let _cut_off = tokio::time::timeout(at, cut).await;
        };
        copy.await;
        stage.lose_redis().await;
        // An empty outbox ends no sender.
        tasks.abort_all();
        while tasks.join_next().await.is_some() {}
        let restored = stage.restore().await.unwrap();

        let cursors = stage.pool.channels().await.unwrap();
        let covered = usize::try_from(cursors.first().map_or(0, |(_, pts)| *pts)).unwrap();
        let waiting: HashSet<EntryId> = stage
            .pool
            .outbox(None, 100_000)
            .await
            .unwrap()
            .into_iter()
            .map(|(_, entry)| entry.id)
            .collect();
        let mut states = HashMap::new();
        for member in 1..=MEMBERS {
            let text = stage.pool.conversation(&conversation(member)).await;
            states.insert(member, text.unwrap().unwrap_or_else(|| "0\n".into()));
        }
        let ledger = std::mem::take(&mut *ledger.lock().unwrap());
        assert!(covered > 0, "round {round}: the first turn was whole");
        for member in 1..=MEMBERS {
            let mine = ledger.updates[..covered].iter().filter(|it| **it == member);
            let needed = u64::try_from(mine.count()).unwrap();
            let key = conversation(member);
            let text = states[&member].clone();
            let version: u64 = text.split_once('\n').unwrap().0.parse().unwrap();
            assert!(
                version >= needed,
                "round {round}: {key} is at {version}, the cursor has passed {needed} of its updates"
            );
            for version in 1..=version {
                let id = reply_id(member, version);
                assert!(
                    waiting.contains(&id) || ledger.sent.contains(&id),
                    "round {round}: {key} has taken update {version} in, and its reply is nowhere"
                );
            }
        }
        // The next round begins on a pool without conversations.
        stage.lose_redis().await;
        writer = restored.epoch.0 + 1;
        let mark = format!("round{round}");
        stage
            .pool
            .set_lineage(&leader(), &mark)
            .await
            .map(drop)
            .unwrap();
        stamp = crate::build::stamp(restored.epoch.0 + 1, 3);
        switch_to(&stage.pool, stamp, &holder(BOT, "w1")).await;
    }
    assert!(
        turns > 12,
        "{turns} turns: nothing was cut off in the middle"
    );
}
