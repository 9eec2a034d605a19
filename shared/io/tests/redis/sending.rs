//! Who empties the outbox, one after the other, and what is left in doubt.

use std::collections::BTreeSet;

use shared_core::BotId;
use shared_io::redis::{Begun, EpochAnswer, OutboxPosition, Sending, SendsInDoubt};

use crate::build::*;
use crate::server::RedisServer;

#[tokio::test]
async fn a_sender_that_ends_in_doubt_leaves_word_of_it() {
    let server = RedisServer::start();
    let (pool, epoch) = open_pool(&server.state().await).await;
    let sender = |name: &str, epoch| Sending {
        bot: BOT,
        worker: worker(name),
        nonce: nonce(5),
        epoch,
        tenure: None,
    };
    let ours = |left: Option<&SendsInDoubt>| {
        let left = left.into_iter().cloned().collect();
        EpochAnswer::Done(Begun::Ours { left })
    };
    let stood: OutboxPosition = "9-0".parse().unwrap();
    let at = Some(&stood);
    let seen = async || pool.sending().await.unwrap();
    let first = sender("w1", epoch);
    assert_eq!(
        pool.begin_sending(None, &first, at).await.unwrap(),
        ours(None)
    );
    let left = SendsInDoubt {
        bot: BOT,
        entries: vec!["7-0".to_owned()],
        up_to: None,
    };
    assert!(
        pool.end_sending(&first, std::slice::from_ref(&left))
            .await
            .unwrap()
    );
    assert_eq!(pool.sending().await.unwrap(), None);
    assert!(
        !pool.end_sending(&first, &[]).await.unwrap(),
        "its word stands"
    );

    let next = stamp(2, 0xbb);
    switch_to(&pool, next, &holder(BOT, "w2")).await;
    let second = sender("w2", next);
    for _ in 0..2 {
        // Its answer was lost: asked again it finds the same.
        let begun = pool.begin_sending(None, &second, at).await.unwrap();
        assert_eq!(begun, ours(Some(&left)));
    }
    let third = sender("w3", next);
    let begun = pool.begin_sending(None, &third, at).await.unwrap();
    assert_eq!(begun, EpochAnswer::Done(Begun::Anothers));
    assert!(!pool.end_sending(&first, &[]).await.unwrap(), "another's");
    assert!(pool.end_sending(&second, &[]).await.unwrap());
    assert_eq!(
        pool.begin_sending(None, &third, at).await.unwrap(),
        ours(None)
    );

    // One that did not say that it has ended leaves whatever stood there, also to whoever comes after the one that took its place and died.
    let fourth = sender("w4", next);
    let whatever = SendsInDoubt {
        bot: BOT,
        entries: Vec::new(),
        up_to: Some("9-0".to_owned()),
    };
    let begun = pool
        .begin_sending(seen().await.as_ref(), &fourth, at)
        .await
        .unwrap();
    assert_eq!(begun, ours(Some(&whatever)));
    let fifth = sender("w5", next);
    let begun = pool
        .begin_sending(seen().await.as_ref(), &fifth, at)
        .await
        .unwrap();
    assert_eq!(begun, ours(Some(&whatever)));
    // The next one of another bot, killed as well, leaves its own doubt beside that.
    let sixth = Sending {
        bot: BotId(7_000_002),
        ..sender("w6", next)
    };
    let fifth_seen = seen().await;
    let begun = pool.begin_sending(fifth_seen.as_ref(), &sixth, at);
    assert_eq!(begun.await.unwrap(), ours(Some(&whatever)));
    let seventh = sender("w7", next);
    let sixth_seen = seen().await;
    let begun = pool.begin_sending(sixth_seen.as_ref(), &seventh, at);
    let EpochAnswer::Done(Begun::Ours { left }) = begun.await.unwrap() else {
        panic!("refused");
    };
    let bots: BTreeSet<_> = left.iter().map(|it| it.bot).collect();
    assert_eq!(bots, [BOT, sixth.bot].into());
    assert!(pool.end_sending(&seventh, &left).await.unwrap());
    let begun = pool.begin_sending(None, &seventh, at).await.unwrap();
    assert!(matches!(begun, EpochAnswer::Done(Begun::Ours { left }) if left.len() == 2));
    assert!(pool.end_sending(&seventh, &[]).await.unwrap());
    assert_eq!(
        pool.begin_sending(None, &first, at).await.unwrap(),
        EpochAnswer::Fenced {
            current: pool.epoch().await.unwrap()
        }
    );
}

#[tokio::test]
async fn nothing_is_in_doubt_where_the_outbox_was_empty() {
    let server = RedisServer::start();
    let (pool, epoch) = open_pool(&server.state().await).await;
    let sender = |bot, name: &str| Sending {
        bot: BotId(bot),
        worker: worker(name),
        nonce: nonce(5),
        epoch,
        tenure: None,
    };
    let stood: OutboxPosition = "9-0".parse().unwrap();
    let clean = EpochAnswer::Done(Begun::Ours { left: Vec::new() });
    // Two that were killed, the later of which took the doubt of the earlier over.
    let (first, second) = (sender(7_000_001, "w1"), sender(7_000_002, "w2"));
    let begun = pool.begin_sending(None, &first, Some(&stood)).await;
    assert_eq!(begun.unwrap(), clean);
    let seen = pool.sending().await.unwrap();
    let begun = pool
        .begin_sending(seen.as_ref(), &second, Some(&stood))
        .await;
    assert_ne!(begun.unwrap(), clean);

    let third = sender(7_000_003, "w3");
    let seen = pool.sending().await.unwrap();
    let begun = pool.begin_sending(seen.as_ref(), &third, None).await;
    assert_eq!(begun.unwrap(), clean);
    // An end that its process' tenure before gave up, and that comes late, ends nothing of this one.
    let before = Sending {
        tenure: Some(nonce(9)),
        ..third.clone()
    };
    assert!(!pool.end_sending(&before, &[]).await.unwrap());
    assert!(pool.sending().await.unwrap().is_some());
    // It commits, dies in its turn without an end, and begins again: what it committed is nobody's doubt but its own.
    let again = sender(7_000_003, "w4");
    let seen = pool.sending().await.unwrap();
    let begun = pool
        .begin_sending(seen.as_ref(), &again, Some(&stood))
        .await;
    let EpochAnswer::Done(Begun::Ours { left }) = begun.unwrap() else {
        panic!("refused");
    };
    let bots: Vec<_> = left.iter().map(|it| it.bot).collect();
    assert_eq!(bots, [third.bot]);
}

#[tokio::test]
async fn what_another_version_wrote_of_a_sender_is_taken_over_from() {
    let server = RedisServer::start();
    let (pool, epoch) = open_pool(&server.state().await).await;
    let mine = Sending {
        bot: BOT,
        worker: worker("w1"),
        nonce: nonce(5),
        epoch,
        tenure: None,
    };
    let begun = pool.begin_sending(None, &mine, None).await.unwrap();
    assert_eq!(begun, EpochAnswer::Done(Begun::Ours { left: Vec::new() }));
    let mut raw = server.raw().await;
    let mut words = async |text: &[u8]| {
        let mut plant = redis::cmd("SET");
        plant.arg("us:{main}:sending").arg(text);
        plant.query_async::<()>(&mut raw).await.unwrap();
    };
    let known = serde_json::to_value(&mine).unwrap();
    let mut more = known.clone();
    more["nonce"] = serde_json::to_value(nonce(6)).unwrap();
    more["since"] = 7.into();
    let more = more.to_string().into_bytes();
    for (text, bot) in [(more, BOT), (vec![0xff, 0xfe], BotId(0))] {
        words(&text).await;
        let seen = pool.sending().await.unwrap();
        let stood: OutboxPosition = "9-0".parse().unwrap();
        let begun = pool.begin_sending(seen.as_ref(), &mine, Some(&stood)).await;
        let EpochAnswer::Done(Begun::Ours { left }) = begun.unwrap() else {
            panic!("it is waited for, for ever: {text:?}");
        };
        let of = left.iter().find(|doubt| doubt.bot == bot);
        assert!(of.is_some_and(|doubt| doubt.entries.is_empty()), "{left:?}");
        let stands = pool.sending().await.unwrap().and_then(|seen| seen.who);
        assert_eq!(stands.as_ref(), Some(&mine));
    }
}
