//! Notes that wait in Redis for SQL, and one that SQL never takes.

use serde_json::json;
use shared_core::{BotId, MemberId, Nonce, UnixMs};
use shared_io::notes::{Note, carry};
use shared_io::sql::{AdminAction, AdminVerdict, Decision, Event, EventKind, Via, Who};

use crate::build::*;
use crate::stage::Stage;
use crate::support::Data;

fn action(id: u8) -> AdminAction {
    AdminAction {
        id: Nonce([id; 8]),
        pool: pool_id(),
        at: UnixMs(id.into()),
        who: Who::Member(MemberId(5)),
        via: Via::Bot(BotId(7)),
        action: "drstatus".into(),
        verdict: AdminVerdict::Refused,
        details: json!({"why": "not an admin"}),
    }
}

fn event(id: u8, subject: &str) -> Event {
    Event {
        id: Nonce([id; 8]),
        pool: Some(pool_id()),
        at: UnixMs(id.into()),
        kind: EventKind::BotFailed,
        subject: subject.into(),
        details: json!({"n": id}),
    }
}

fn decision(id: u8) -> Decision {
    Decision {
        id: Nonce([id; 8]),
        pool: pool_id(),
        at: UnixMs(id.into()),
        plan: json!("take over"),
        reasons: vec!["w1 is dead".into()],
    }
}

pub async fn what_waits_in_redis_becomes_rows_once_and_what_is_refused_blocks_nobody(data: Data) {
    let stage = Stage::open(data).await;
    // Something that makes the database refuse a row that is as good as any other to us. No second unique index: in PostgreSQL
    // `ON CONFLICT (id)` answers for its own index only, so two carriers with one row at the same moment may meet on the other and one of
    // them be refused a row that is there (https://www.postgresql.org/docs/current/sql-insert.html#SQL-ON-CONFLICT). The schema has none.
    stage
        .data
        .edit(
            "CREATE TRIGGER no_b9 BEFORE INSERT ON events WHEN NEW.subject = 'b9' BEGIN SELECT RAISE(ABORT, 'no b9'); END",
            "ALTER TABLE events ADD CONSTRAINT no_b9 CHECK (subject <> 'b9')",
        )
        .await;
    let events = [event(2, "b7"), event(3, "b9"), event(4, "b8")];
    let mut notes = vec![Note::from(&action(1))];
    notes.extend(events.iter().map(Note::from));
    notes.push(Note::from(&decision(5)));
    for note in &notes {
        stage.pool.keep_note(note).await.unwrap();
        // Who got no answer keeps it twice.
        stage.pool.keep_note(note).await.unwrap();
    }
    let from_a_later_program = json!({"note": "event", "id": Nonce([6; 8]), "at": 1, "kind": "a later one",
        "subject": "x", "details": {}});
    let mut raw = stage.server.raw().await;
    redis::cmd("XADD")
        .arg("us:{main}:notes")
        .arg("*")
        .arg("n")
        .arg(from_a_later_program.to_string())
        .exec_async(&mut raw)
        .await
        .unwrap();

    // Two carriers at once, as there are workers.
    let (one, two) = tokio::join!(
        carry(&stage.pool, &stage.store),
        carry(&stage.pool, &stage.store)
    );
    assert!(one.unwrap() + two.unwrap() >= 8);
    assert_eq!(stage.pool.notes_len().await.unwrap(), 0);
    let pool = pool_id();
    let stored = stage.store.admin_actions().list(&pool, 9).await.unwrap();
    assert_eq!(stored, [action(1)]);
    let stored = stage.store.events().list(Some(&pool), 9).await.unwrap();
    assert_eq!(stored, [event(4, "b8"), event(2, "b7")]);
    let stored = stage.store.decisions().list(&pool, 9).await.unwrap();
    assert_eq!(stored, [decision(5)]);
    let poison: Vec<(String, Vec<String>)> = redis::cmd("XRANGE")
        .arg("us:{main}:outbox:poison")
        .arg("-")
        .arg("+")
        .query_async(&mut raw)
        .await
        .unwrap();
    let why = |at: usize| poison[at].1[5].clone();
    assert_eq!(poison.len(), 3, "{poison:#?}");
    assert!(why(0).contains("the database refused ("), "{}", why(0));
    assert_eq!(why(2), "a word of another version");
}

pub async fn while_the_database_is_away_notes_stay(data: Data) {
    let stage = Stage::open(data).await;
    stage.pool.keep_note(&Note::from(&action(1))).await.unwrap();
    stage.store.close().await;
    assert!(carry(&stage.pool, &stage.store).await.is_err());
    assert_eq!(stage.pool.notes_len().await.unwrap(), 1);
    let again = stage.data.open().await;
    assert_eq!(carry(&stage.pool, &again).await.unwrap(), 1);
    assert_eq!(stage.pool.notes_len().await.unwrap(), 0);
}
