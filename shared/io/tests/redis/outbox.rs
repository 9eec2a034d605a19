//! The outbox's other ways in and out: settling, discarding, parking, and what nobody can read.

use std::collections::BTreeSet;

use shared_core::{
    BotId, EventId, Letter, MemberId, MessageId, Print, SendTarget, Spent, Telling, Told, UnixMs,
};
use shared_io::redis::{Committed, Counter, EpochAnswer, OutboxPosition, PoolState, Refusal};

use crate::build::*;
use crate::server::RedisServer;

async fn enqueue(
    pool: &PoolState,
    stamp: shared_core::EpochStamp,
    numbers: &[u8],
) -> Vec<OutboxPosition> {
    let entries: Vec<_> = numbers.iter().map(|number| reply(*number, 5)).collect();
    match pool.enqueue(stamp, &entries).await.unwrap() {
        EpochAnswer::Done(positions) => positions,
        EpochAnswer::Fenced { .. } => panic!("refused"),
    }
}

async fn numbers(pool: &PoolState) -> Vec<u8> {
    let entries = pool.outbox(None, 100).await.unwrap();
    entries.iter().map(|(_, entry)| entry.id.0[0]).collect()
}

fn is_fenced<T>(answer: &EpochAnswer<T>) -> bool {
    matches!(answer, EpochAnswer::Fenced { current: Some(_) })
}

#[tokio::test]
async fn settling_counts_an_entry_once_and_needs_no_epoch() {
    let server = RedisServer::start();
    let (pool, first) = open_pool(&server.state().await).await;
    let positions = enqueue(&pool, first, &[1, 2, 3]).await;
    switch_to(&pool, stamp(2, 0xbb), &holder(BOT, "w2")).await;
    let sent: Vec<_> = positions[..2].iter().map(|at| (*at, None)).collect();
    assert_eq!(pool.outbox_settle(BOT, &sent).await.unwrap(), 2);
    assert_eq!(pool.outbox_settle(BOT, &sent).await.unwrap(), 0);
    assert_eq!(pool.outbox_settle(BOT, &[]).await.unwrap(), 0);
    assert_eq!(numbers(&pool).await, [3]);
    let gone = pool.outbox_gone(&positions).await.unwrap();
    assert_eq!(gone, positions[..2], "whoever has read them looks again");
    assert_eq!(pool.outbox_gone(&[]).await.unwrap(), []);
    assert_eq!(pool.counters().await.unwrap().get(Counter::Sent), 2);
    assert_eq!(pool.outbox_end().await.unwrap(), Some(positions[2]));
}

#[tokio::test]
async fn what_was_told_is_kept_with_the_settling_a_bot_each_and_bounded() {
    let server = RedisServer::start();
    let (pool, stamp) = open_pool(&server.state().await).await;
    assert_eq!(pool.outbox_end().await.unwrap(), None);
    let positions = enqueue(&pool, stamp, &[1, 2]).await;
    let chat = SendTarget::Member(MemberId(5));
    let words = [
        Told::Message(chat, MessageId(7)),
        Told::Somehow(chat, Print(9)),
    ];
    let sent = [
        (positions[0], Some(words[0])),
        (positions[1], Some(words[1])),
    ];
    assert_eq!(pool.outbox_settle(BOT, &sent).await.unwrap(), 2);
    assert_eq!(pool.told(BOT).await.unwrap(), words);
    assert!(pool.told(BotId(99)).await.unwrap().is_empty());
    // The answer was lost.
    assert_eq!(pool.outbox_settle(BOT, &sent).await.unwrap(), 0);
    assert_eq!(pool.told(BOT).await.unwrap(), words, "noted once");

    // The message of the second word is heard, and so is another one that looks the same and has no word.
    let heard = |id| Spent {
        word: words[1],
        message: Told::Message(chat, MessageId(id)),
    };
    assert_eq!(pool.spend_words(BOT, &[heard(8)]).await.unwrap(), 1);
    assert_eq!(pool.spend_words(BOT, &[heard(8)]).await.unwrap(), 0);
    assert_eq!(pool.spend_words(BOT, &[heard(9)]).await.unwrap(), 0);
    let ids = [7, 8].map(|id| Told::Message(chat, MessageId(id)));
    assert_eq!(pool.told(BOT).await.unwrap(), ids);
    let mut many = Vec::new();
    for _ in 0..20 {
        many.extend(enqueue(&pool, stamp, &[3; 250]).await);
    }
    let word = |id| Some(Told::Message(chat, MessageId(id)));
    let many: Vec<_> = many.into_iter().zip((0..).map(word)).collect();
    assert_eq!(pool.outbox_settle(BOT, &many).await.unwrap(), 5_000);
    let kept = pool.told(BOT).await.unwrap();
    assert_eq!(kept.len(), 4_096);
    assert_eq!(kept.last(), Some(&Told::Message(chat, MessageId(4_999))));
}

#[tokio::test]
async fn who_does_not_hold_the_epoch_neither_enqueues_nor_parks_nor_discards() {
    let server = RedisServer::start();
    let (pool, first) = open_pool(&server.state().await).await;
    let positions = enqueue(&pool, first, &[1]).await;
    let wrong = stamp(1, 0xab);
    let member = MemberId(5);
    assert!(is_fenced(
        &pool.enqueue(wrong, &[reply(2, 5)]).await.unwrap()
    ));
    assert!(is_fenced(
        &pool.park(wrong, positions[0], member).await.unwrap()
    ));
    assert!(is_fenced(&pool.discard(wrong, &positions).await.unwrap()));
    assert_eq!(numbers(&pool).await, [1]);
    assert_eq!(
        pool.park(first, positions[0], member).await.unwrap(),
        EpochAnswer::Done(true)
    );
    assert!(is_fenced(&pool.unpark(wrong, member).await.unwrap()));
    assert_eq!(pool.parked_count().await.unwrap(), 1);
    assert!(numbers(&pool).await.is_empty());
}

#[tokio::test]
async fn parked_replies_come_back_in_their_order() {
    let server = RedisServer::start();
    let (pool, stamp) = open_pool(&server.state().await).await;
    let member = MemberId(5);
    let positions = enqueue(&pool, stamp, &[1, 2, 3, 4]).await;
    for at in [0, 1, 3] {
        assert_eq!(
            pool.park(stamp, positions[at], member).await.unwrap(),
            EpochAnswer::Done(true)
        );
    }
    let again = pool.park(stamp, positions[0], member).await.unwrap();
    assert_eq!(again, EpochAnswer::Done(false), "it is parked already");
    assert_eq!(numbers(&pool).await, [3]);
    assert_eq!(pool.parked_count().await.unwrap(), 3);

    let EpochAnswer::Done(moved) = pool.unpark(stamp, member).await.unwrap() else {
        panic!("refused");
    };
    assert_eq!(
        moved.iter().map(|(_, e)| e.clone()).collect::<Vec<_>>(),
        [reply(1, 5), reply(2, 5), reply(4, 5)]
    );
    assert_eq!(numbers(&pool).await, [3, 1, 2, 4]);
    assert_eq!(
        pool.outbox(None, 10).await.unwrap()[1..],
        moved,
        "the positions are theirs"
    );
    assert_eq!(pool.parked_count().await.unwrap(), 0);
    let empty = pool.unpark(stamp, member).await.unwrap();
    assert_eq!(empty, EpochAnswer::Done(vec![]));
}

#[tokio::test]
async fn what_can_never_be_sent_is_discarded_and_counted() {
    let server = RedisServer::start();
    let (pool, stamp) = open_pool(&server.state().await).await;
    let positions = enqueue(&pool, stamp, &[1, 2]).await;
    assert_eq!(
        pool.discard(stamp, &positions[..1]).await.unwrap(),
        EpochAnswer::Done(1)
    );
    assert_eq!(
        pool.discard(stamp, &positions[..1]).await.unwrap(),
        EpochAnswer::Done(0)
    );
    assert_eq!(numbers(&pool).await, [2]);
    let counters = pool.counters().await.unwrap();
    assert_eq!(
        (
            counters.get(Counter::Discarded),
            counters.get(Counter::Sent)
        ),
        (1, 0)
    );
}

#[tokio::test]
async fn an_unreadable_entry_is_moved_aside_with_a_reason_that_hides_its_words() {
    let server = RedisServer::start();
    let (pool, stamp) = open_pool(&server.state().await).await;
    let mut raw = server.raw().await;
    for (field, text) in [("e", "{\"secret words\":"), ("x", "secret words")] {
        let mut plant = redis::cmd("XADD");
        plant.arg("us:{main}:outbox").arg("*").arg(field).arg(text);
        plant.exec_async(&mut raw).await.unwrap();
    }
    enqueue(&pool, stamp, &[9]).await;
    let first = pool.outbox(None, 1).await.unwrap();
    assert_eq!(
        first[0].1,
        reply(9, 5),
        "a page is not empty because of them"
    );
    assert_eq!(pool.outbox_len().await.unwrap(), 1);
    assert_eq!(pool.counters().await.unwrap().get(Counter::Poisoned), 2);
    type Found = Vec<(String, std::collections::HashMap<String, String>)>;
    let mut look = redis::cmd("XRANGE");
    let poison: Found = look
        .arg("us:{main}:outbox:poison")
        .arg("-")
        .arg("+")
        .query_async(&mut raw)
        .await
        .unwrap();
    assert_eq!(poison.len(), 2);
    assert_eq!(
        poison[0].1["e"], "{\"secret words\":",
        "nothing is thrown away"
    );
    for (_, fields) in &poison {
        assert!(
            !fields["why"].is_empty() && !fields["why"].contains("secret"),
            "{fields:?}"
        );
    }
}

#[tokio::test]
async fn what_telegram_refuses_is_moved_aside_with_its_reason_and_comes_back_once() {
    let server = RedisServer::start();
    let (pool, stamp) = open_pool(&server.state().await).await;
    let positions = enqueue(&pool, stamp, &[1, 2]).await;
    let word = Letter {
        id: EventId([1; 16]),
        to: conversation(5),
        from: conversation(5),
        since: UnixMs(7),
        what: Telling::Unsaid,
    };
    let why = |at: usize| Refusal {
        position: positions[at],
        why: "MESSAGE_TOO_LONG".to_owned(),
        word: Some(word.clone()),
    };
    assert!(is_fenced(
        &pool
            .refuse(crate::build::stamp(1, 0xab), &[why(0)])
            .await
            .unwrap()
    ));
    assert!(
        pool.inbox(None, 9).await.unwrap().is_empty(),
        "nothing happened"
    );
    let refused = pool.refuse(stamp, &[why(0), why(0)]).await.unwrap();
    assert_eq!(refused, EpochAnswer::Done(1), "there is one of it");
    // With the same step its conversation is written to, once: whoever moved it may be dead by now.
    let inbox = pool.inbox(None, 9).await.unwrap();
    let words: Vec<_> = inbox.iter().map(|(_, word)| word).collect();
    assert_eq!(words, [&word]);
    assert_eq!(numbers(&pool).await, [2]);
    assert_eq!(pool.counters().await.unwrap().get(Counter::Refused), 1);
    let aside = pool.poisoned(10).await.unwrap();
    assert_eq!((pool.poison_len().await.unwrap(), aside.len()), (1, 1));
    assert_eq!(
        (aside[0].why.as_str(), aside[0].from.as_str()),
        ("MESSAGE_TOO_LONG", "outbox")
    );
    assert_eq!(aside[0].entry, Some(reply(1, 5)));

    let at = [aside[0].position];
    assert_eq!(pool.unpoison(&at).await.unwrap(), 1);
    assert_eq!(pool.unpoison(&at).await.unwrap(), 0, "once");
    assert_eq!(numbers(&pool).await, [2, 1]);
    assert_eq!(pool.poison_len().await.unwrap(), 0);
    assert_eq!(pool.unpoison(&[]).await.unwrap(), 0);

    let position = pool.outbox(None, 1).await.unwrap()[0].0;
    let refusal = Refusal {
        position,
        why: "gone".to_owned(),
        word: None,
    };
    assert_eq!(
        pool.refuse(stamp, &[refusal]).await.unwrap(),
        EpochAnswer::Done(1)
    );
    assert_eq!(pool.inbox(None, 9).await.unwrap().len(), 1, "no word");
    let at = [pool.poisoned(1).await.unwrap()[0].position];
    assert_eq!(pool.drop_poisoned(&at).await.unwrap(), 1);
    assert_eq!(pool.drop_poisoned(&at).await.unwrap(), 0);
    assert_eq!(numbers(&pool).await, [1]);
}

#[tokio::test]
async fn a_record_that_an_older_program_moved_aside_is_known_and_goes_back() {
    let server = RedisServer::start();
    let (pool, _) = open_pool(&server.state().await).await;
    let mut raw = server.raw().await;
    redis::cmd("XADD")
        .arg("us:{main}:outbox:poison")
        .arg("*")
        .arg(&["from", "us:{main}:records", "position", "1-0"])
        .arg(&["why", "refused"])
        .arg("r")
        .arg(serde_json::to_string(&record(3)).unwrap())
        .exec_async(&mut raw)
        .await
        .unwrap();
    let aside = pool.poisoned(9).await.unwrap();
    assert_eq!(
        (aside[0].from.as_str(), &aside[0].record, &aside[0].entry),
        ("records", &Some(record(3)), &None)
    );
    assert_eq!(pool.unpoison(&[aside[0].position]).await.unwrap(), 1);
    assert_eq!(pool.records(9).await.unwrap()[0].1, record(3));
}

#[tokio::test]
async fn a_record_that_nobody_can_read_is_kept_with_those_that_sql_refuses() {
    let server = RedisServer::start();
    let (pool, _) = open_pool(&server.state().await).await;
    let mut raw = server.raw().await;
    for (field, value) in [
        ("r", "{\"record\":\"later\",\"n\":12345678901234567890}"),
        ("x", "?"),
    ] {
        redis::cmd("XADD")
            .arg("us:{main}:records")
            .arg("*")
            .arg(&[field, value])
            .exec_async(&mut raw)
            .await
            .unwrap();
    }
    assert!(pool.records(9).await.unwrap().is_empty());
    assert_eq!(pool.records_len().await.unwrap(), 0);
    let refused = pool.refused_records(None, 9).await.unwrap();
    assert_eq!((refused.len(), &refused[0].record), (1, &None));
    assert!(refused[0].why.starts_with("a record is not readable"));
    assert_eq!(pool.poison_len().await.unwrap(), 1, "what is no record");

    // For a program that knows it: as it was.
    assert_eq!(pool.retry_records(&[refused[0].position]).await.unwrap(), 1);
    let back: Vec<(String, Vec<String>)> = redis::cmd("XRANGE")
        .arg(&["us:{main}:records", "-", "+"])
        .query_async(&mut raw)
        .await
        .unwrap();
    let as_it_was = "{\"record\":\"later\",\"n\":12345678901234567890}";
    assert_eq!(back[0].1, ["r", as_it_was]);
}

#[tokio::test]
async fn members_with_parked_replies_are_paged_through() {
    const MEMBERS: i64 = 1_200;
    let server = RedisServer::start();
    let (pool, first) = open_pool(&server.state().await).await;
    for member in 0..MEMBERS {
        let key = conversation(member);
        let text = stored(1, "words");
        let replies = [reply(1, member)];
        let mut write = commit(first, &key, 0, &text);
        write.outbox = &replies;
        let Committed::Done { positions } = pool.commit(&write).await.unwrap() else {
            panic!("refused");
        };
        let parked = pool.park(first, positions[0], MemberId(member)).await;
        assert_eq!(parked.unwrap(), EpochAnswer::Done(true));
    }
    let (mut seen, mut from, mut portions) = (BTreeSet::new(), Some(0), 0);
    while let Some(at) = from {
        let (members, next) = pool.parked_portion(at, 100).await.unwrap();
        seen.extend(members);
        (from, portions) = (next, portions + 1);
    }
    let all: BTreeSet<MemberId> = (0..MEMBERS).map(MemberId).collect();
    assert_eq!(seen, all);
    assert!(portions > 1, "in one go");
}

#[tokio::test]
async fn a_sender_that_is_fenced_sees_nothing_of_the_next_epochs() {
    let server = RedisServer::start();
    let (pool, first) = open_pool(&server.state().await).await;
    enqueue(&pool, first, &[1]).await;
    let read = pool.outbox_under(first, None, 10).await.unwrap();
    assert!(matches!(read, EpochAnswer::Done(read) if read.len() == 1));
    let next = stamp(2, 0xbb);
    switch_to(&pool, next, &holder(BOT, "w2")).await;
    enqueue(&pool, next, &[2]).await;
    assert!(is_fenced(
        &pool.outbox_under(first, None, 10).await.unwrap()
    ));
    let read = pool.outbox_under(next, None, 1).await.unwrap();
    let EpochAnswer::Done(read) = read else {
        panic!("refused")
    };
    let rest = pool.outbox_under(next, Some(&read[0].0), 10).await.unwrap();
    assert!(matches!(rest, EpochAnswer::Done(rest) if rest[0].1.id.0[0] == 2));
}
