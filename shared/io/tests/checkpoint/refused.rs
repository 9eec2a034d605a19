//! Records that SQL refuses: kept among any number of refused replies, and in the checkpoint.

use std::time::Duration;

use shared_core::{EntryId, OutboxEntry};
use shared_io::redis::{EpochAnswer, Refusal, RefusedRecord};

use crate::build::*;
use crate::stage::Stage;
use crate::support::Data;

const REPLIES: usize = 2_000;

async fn submit(stage: &Stage, number: u8) {
    let key = conversation(i64::from(number));
    let (text, records) = (stored(1, "submitted"), [record(number)]);
    let mut change = commit(stage.stamp, &key, 0, &text);
    change.records = &records;
    let done = stage.pool.commit(&change).await.unwrap();
    assert!(matches!(done, shared_io::redis::Committed::Done { .. }));
}

/// Carries the oldest record to SQL, which must not take it.
async fn carry_in_vain(stage: &Stage) -> String {
    let (position, record) = stage.pool.records(1).await.unwrap().remove(0);
    let error = stage.store.record(&pool_id(), &record).await.unwrap_err();
    assert!(error.is_of_the_row(), "{error}");
    let why = error.refusal();
    stage.pool.refuse_record(&position, &why).await.unwrap();
    why
}

/// As many replies as it takes to push anything out of the poison stream.
async fn refuse_replies(stage: &Stage) {
    let entries: Vec<OutboxEntry> = vec![reply(1, 5); REPLIES / 4];
    for _ in 0..4 {
        let EpochAnswer::Done(at) = stage.pool.enqueue(stage.stamp, &entries).await.unwrap() else {
            panic!("fenced");
        };
        let refusal = |position| Refusal {
            position,
            why: "MESSAGE_TOO_LONG".to_owned(),
            word: None,
        };
        let refusals: Vec<Refusal> = at.into_iter().map(refusal).collect();
        let refused = stage.pool.refuse(stage.stamp, &refusals).await.unwrap();
        assert_eq!(refused, EpochAnswer::Done((REPLIES / 4) as u64));
    }
}

async fn refused(stage: &Stage) -> Vec<RefusedRecord> {
    stage.pool.refused_records(None, 9).await.unwrap()
}

pub async fn a_record_that_sql_refuses_is_kept_whatever_is_lost_and_goes_there_in_the_end(
    data: Data,
) {
    let stage = Stage::open(data).await;
    stage
        .data
        .edit(
            "CREATE TRIGGER no_course BEFORE INSERT ON courses BEGIN SELECT RAISE(ABORT, 'no course'); END",
            "ALTER TABLE courses ADD CONSTRAINT no_course CHECK (title = '')",
        )
        .await;
    submit(&stage, 3).await;
    let why = carry_in_vain(&stage).await;
    assert_eq!(stage.pool.records_len().await.unwrap(), 0);
    refuse_replies(&stage).await;
    assert!(stage.pool.poison_len().await.unwrap() < REPLIES as u64);
    let kept = refused(&stage).await;
    assert_eq!(kept.len(), 1, "it was pushed out");
    assert_eq!(
        (&kept[0].why, &kept[0].record),
        (&why, &Some(record(3))),
        "whole, and with the reason"
    );

    let mut copying = stage.checkpointer(1).await.unwrap();
    let _turn = copying.turn().await.unwrap();
    stage.lose_redis().await;
    assert_eq!(refused(&stage).await, []);
    stage.restore().await.unwrap();
    assert_eq!(refused(&stage).await, kept);
    assert_eq!(stage.pool.refused_records_len().await.unwrap(), 1);

    stage
        .data
        .edit(
            "DROP TRIGGER no_course",
            "ALTER TABLE courses DROP CONSTRAINT no_course",
        )
        .await;
    let at = [kept[0].position];
    assert_eq!(stage.pool.retry_records(&at).await.unwrap(), 1);
    assert_eq!(stage.pool.retry_records(&at).await.unwrap(), 0, "once");
    let (_, again) = stage.pool.records(9).await.unwrap().remove(0);
    assert_eq!(again, record(3));
    stage.store.record(&pool_id(), &again).await.unwrap();
    assert_eq!(refused(&stage).await, []);
}

pub async fn a_record_that_was_refused_and_is_tried_again_is_in_one_place_of_the_copy(data: Data) {
    let stage = Stage::open(data).await;
    let checkpoints = stage.store.checkpoints();
    let queues = async || {
        let entries = checkpoints.entries(&pool_id(), None, 9).await.unwrap();
        let queues = entries.into_iter().map(|row| row.queue);
        queues.collect::<Vec<String>>()
    };
    let mut copying = stage.checkpointer(1).await.unwrap();
    submit(&stage, 3).await;
    let _turn = copying.turn().await.unwrap();
    assert_eq!(queues().await, ["records"]);
    let at = stage.pool.records(1).await.unwrap()[0].0;
    stage
        .pool
        .refuse_record(&at, "\"why\" \u{1}")
        .await
        .unwrap();
    stage.pool.refuse_record(&at, "again").await.unwrap();
    let _turn = copying.turn().await.unwrap();
    assert_eq!(queues().await, ["records:refused"]);

    let kept = refused(&stage).await;
    assert_eq!(kept.len(), 1, "an answer that was lost refuses nothing");
    assert_eq!(kept[0].why, "\"why\" \u{1}");
    let at = [kept[0].position];
    assert_eq!(stage.pool.retry_records(&at).await.unwrap(), 1);
    let _turn = copying.turn().await.unwrap();
    assert_eq!(queues().await, ["records"]);
    let (at, back) = stage.pool.records(1).await.unwrap().remove(0);
    assert_eq!(back.id(), EntryId([3; 16]));

    stage.pool.refuse_record(&at, "for good").await.unwrap();
    let at = [refused(&stage).await[0].position];
    assert_eq!(stage.pool.drop_records(&at).await.unwrap(), 1);
    assert_eq!(stage.pool.drop_records(&at).await.unwrap(), 0);
    let _turn = copying.turn().await.unwrap();
    assert!(queues().await.is_empty());
}

/// The outbox is long, so that it is read for a while between the look at the queues' ends and the reading of the records.
pub async fn a_record_that_is_refused_while_the_queues_are_read_is_in_the_copy(data: Data) {
    const WAITING: usize = 6_000;
    let stage = Stage::open(data).await;
    let replies: Vec<OutboxEntry> = vec![reply(1, 5); WAITING / 6];
    for _ in 0..6 {
        let done = stage.pool.enqueue(stage.stamp, &replies).await.unwrap();
        assert!(matches!(done, EpochAnswer::Done(_)));
    }
    let mut copying = stage.checkpointer(1).await.unwrap();
    let _turn = copying.turn().await.unwrap();
    for round in 0..10 {
        submit(&stage, round * 2).await;
        let _turn = copying.turn().await.unwrap();
        let of_this_round = record(round * 2);
        let records = stage.pool.records(99).await.unwrap();
        let (at, _) = records
            .iter()
            .find(|(_, record)| *record == of_this_round)
            .unwrap();
        // Both queues are to be read; what is refused is not, as far as can be seen.
        submit(&stage, round * 2 + 1).await;
        let done = stage
            .pool
            .enqueue(stage.stamp, &replies[..1])
            .await
            .unwrap();
        assert!(matches!(done, EpochAnswer::Done(_)));
        let refuse = async {
            tokio::time::sleep(Duration::from_millis(u64::from(round))).await;
            stage.pool.refuse_record(at, "why").await.unwrap();
        };
        let (turn, ()) = tokio::join!(copying.turn(), refuse);
        let _turn = turn.unwrap();

        let id = serde_json::to_string(&of_this_round.id()).unwrap();
        let entries = stage.store.checkpoints();
        let entries = entries.entries(&pool_id(), None, 20_000).await.unwrap();
        let is_there = entries
            .iter()
            .any(|row| row.queue.starts_with("records") && row.body.contains(id.trim_matches('"')));
        assert!(is_there, "round {round}: it is nowhere in the copy");
    }
}
