//! What waits for SQL is bounded: the latest notes are kept, however many there have been.

use serde_json::json;
use shared_core::{Nonce, UnixMs};
use shared_io::notes::{KEPT, Note};

use crate::build::*;
use crate::server::RedisServer;

/// Redis lets whole blocks of a stream go, of at most a hundred entries.
const BLOCK: usize = 100;
const BEYOND: usize = 3 * BLOCK;

fn note(number: usize) -> Note {
    Note::Event {
        id: Nonce([0; 8]),
        at: UnixMs(1),
        kind: "bot_failed".into(),
        subject: number.to_string(),
        details: json!({}),
    }
}

#[tokio::test]
async fn the_latest_ten_thousand_notes_are_kept_and_the_oldest_make_room() {
    let server = RedisServer::start();
    let pool = server.state().await.pool(&pool_id());
    // As many as there may be, without one's answer before the next one.
    let mut raw = server.raw().await;
    let mut pipeline = redis::pipe();
    for number in 0..KEPT {
        let stored = serde_json::to_string(&note(number)).unwrap();
        let add = pipeline.cmd("XADD").arg("us:{main}:notes").arg("*");
        add.arg("n").arg(stored).ignore();
    }
    pipeline.exec_async(&mut raw).await.unwrap();
    for number in KEPT..KEPT + BEYOND {
        pool.keep_note(&note(number)).await.unwrap();
    }
    let kept = usize::try_from(pool.notes_len().await.unwrap()).unwrap();
    assert!((KEPT..KEPT + BLOCK).contains(&kept), "{kept}");
    let all = pool.notes(KEPT + BEYOND).await.unwrap();
    assert_eq!(all.len(), kept);
    // The latest ones, without one missing between them.
    let numbers = KEPT + BEYOND - kept..KEPT + BEYOND;
    for (number, (_, found)) in numbers.zip(all) {
        assert_eq!(found, note(number));
    }
}
