//! What is fetched: after a line was away, in slices, and by another bot from the pool's cursors.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashSet;

use serde_json::json;
use shared_core::{BoxId, ErrorClass, IncomingKind, MessageId, SendTarget};
use shared_io::telegram::{BoxState, FeedStart, Say, UpdateFeed};

use super::support::{Telegram, caught_up, start, told, until, user};

#[tokio::test]
async fn a_returning_line_finds_all_that_happened_in_order() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let (ann, bob) = (
        telegram.friend("Ann", &bot).await,
        telegram.friend("Bob", &bot).await,
    );
    let key = telegram.key().await;
    let mut line = telegram.connect(key.clone()).await.unwrap();
    line.log_in(&bot.token).await.unwrap();
    let before = telegram.say_to(ann, &bot, "before").await;
    let (feed, seeded) = caught_up(&mut line, start(&bot)).await;
    drop(feed);
    line.close();
    telegram.event("connection_closed", 1).await;

    telegram.say_to(ann, &bot, "one").await;
    telegram
        .edit(ann, user(&bot), before, "before, edited")
        .await;
    telegram.say_to(bob, &bot, "two").await;
    telegram.block(bob, &bot).await;

    let mut line = telegram.connect(key).await.unwrap();
    let begin = FeedStart {
        private: seeded.private_after,
        ..start(&bot)
    };
    let (_, all) = caught_up(&mut line, begin).await;
    let mut heard = told(&all.items);
    heard.sort();
    // Edits and stops have counters that the difference's state already includes: they must not be taken for old.
    assert_eq!(
        heard,
        [
            "Ann edits: before, edited",
            "Ann: one",
            "Bob stopped=true",
            "Bob: two"
        ]
    );
    let state = line.calls().state().await.unwrap();
    let after = all.private_after.unwrap();
    assert_eq!((after.pts, after.qts), (state.pts, state.qts));
    assert!(all.from_difference);
    assert_eq!(all.unknown, 0);
}

#[tokio::test]
async fn a_long_absence_comes_in_slices_that_move_the_cursor_one_by_one() {
    const MANY: usize = 700;
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let ann = telegram.friend("Ann", &bot).await;
    let mut line = telegram.line(&bot).await;
    let (feed, seeded) = caught_up(&mut line, start(&bot)).await;
    drop(feed);
    let key = line.auth_key().unwrap();
    line.close();
    for n in 0..MANY {
        telegram.say_to(ann, &bot, &format!("{n}")).await;
    }
    let mut line = telegram.connect(key).await.unwrap();
    let begin = FeedStart {
        private: seeded.private_after,
        ..start(&bot)
    };
    let mut feed = UpdateFeed::new(line.take_updates().unwrap(), line.calls(), begin);
    let (mut heard, mut cursors) = (Vec::new(), vec![seeded.private_after.unwrap().pts]);
    while !feed.caught_up() {
        let batch = feed.next().await.unwrap();
        heard.extend(told(&batch.items));
        let moved = batch.private_after.map(|after| after.pts);
        let last = *cursors.last().unwrap();
        let items = i32::try_from(batch.items.len()).unwrap();
        assert_eq!(
            moved.unwrap_or(last) - last,
            items,
            "a cursor covers its batch"
        );
        cursors.extend(moved);
    }
    let expected: Vec<_> = (0..MANY).map(|n| format!("Ann: {n}")).collect();
    assert_eq!(heard, expected);
    assert!(cursors.len() > 3, "{cursors:?}");
}

#[tokio::test]
async fn another_bot_continues_a_channel_from_the_pools_cursor() {
    let telegram = Telegram::start().await;
    let (first, second) = (telegram.bot("alpha").await, telegram.bot("beta").await);
    let ann = telegram.member("Ann").await;
    let group = telegram.supergroup(&[ann], &[&first, &second]).await;
    let mut old = telegram.line(&first).await;
    let begin = |bot| FeedStart {
        groups: HashSet::from([group]),
        posts: HashSet::new(),
        own_bots: HashSet::from([first.id, second.id]),
        ..start(bot)
    };
    let (mut feed, _) = caught_up(&mut old, begin(&first)).await;
    let said = telegram.say_in(ann, group, "heard by the old bot").await;
    let cursor = until(&mut feed, |_, all| !all.items.is_empty())
        .await
        .channels_after;
    old.close();

    let mut standby = telegram.line(&second).await;
    let (mut feed, _) = caught_up(&mut standby, begin(&second)).await;
    let asked = telegram.say_in(ann, group, "while nobody listened").await;
    telegram
        .edit(ann, json!({"channel": group.0}), said, "heard, edited")
        .await;
    // The standby hears it too, and has a cursor of its own by now.
    until(&mut feed, |_, all| all.items.len() >= 2).await;

    feed.set_channels(&cursor);
    assert!(!feed.caught_up());
    let all = until(&mut feed, |feed, _| feed.caught_up()).await;
    assert_eq!(
        told(&all.items),
        ["Ann: while nobody listened", "Ann edits: heard, edited"]
    );
    assert!(
        all.items
            .iter()
            .all(|item| item.r#box == BoxId::Channel(group))
    );
    let IncomingKind::Message { message, .. } = all.items[0].what else {
        panic!("{:?}", all.items);
    };
    assert_eq!(message, asked, "one numbering for every bot");
    let pts = standby.calls().channel_pts(group).await.unwrap();
    assert_eq!(all.channels_after, [(group, pts)]);

    telegram.say_in(ann, group, "and live again").await;
    let live = until(&mut feed, |_, all| !all.items.is_empty()).await;
    assert_eq!(told(&live.items), ["Ann: and live again"]);
    assert!(!live.from_difference);
}

#[tokio::test]
async fn a_reset_line_misses_nothing_in_any_box() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let ann = telegram.friend("Ann", &bot).await;
    let group = telegram.supergroup(&[ann], &[&bot]).await;
    let mut line = telegram.line(&bot).await;
    let begin = FeedStart {
        groups: HashSet::from([group]),
        posts: HashSet::new(),
        ..start(&bot)
    };
    let (mut feed, _) = caught_up(&mut line, begin).await;
    telegram.say_in(ann, group, "first").await;
    until(&mut feed, |_, all| !all.items.is_empty()).await;
    telegram
        .fault(json!({"kind": "reset", "bot": bot.id.0}))
        .await;
    telegram.event("connection_closed", 1).await;
    telegram.say_to(ann, &bot, "private").await;
    telegram.say_in(ann, group, "public").await;
    let all = until(&mut feed, |_, all| all.items.len() >= 2).await;
    let mut heard = told(&all.items);
    heard.sort();
    assert_eq!(heard, ["Ann: private", "Ann: public"]);
}

#[tokio::test]
async fn a_channel_that_cannot_be_read_holds_nothing_up() {
    let telegram = Telegram::start().await;
    let (bot, other) = (telegram.bot("alpha").await, telegram.bot("beta").await);
    let ann = telegram.friend("Ann", &bot).await;
    let foreign = telegram.supergroup(&[ann], &[&other]).await;
    let mut line = telegram.line(&bot).await;
    let begin = FeedStart {
        channels: vec![(foreign, 1)],
        groups: HashSet::from([foreign]),
        posts: HashSet::new(),
        ..start(&bot)
    };
    let (mut feed, all) = caught_up(&mut line, begin).await;
    assert_eq!(all.channels_after, []);
    telegram.say_to(ann, &bot, "hello").await;
    let all = until(&mut feed, |_, all| !all.items.is_empty()).await;
    assert_eq!(told(&all.items), ["Ann: hello"]);
}

#[tokio::test]
async fn trouble_at_telegrams_end_is_waited_out() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let ann = telegram.friend("Ann", &bot).await;
    let mut line = telegram.line(&bot).await;
    let (feed, seeded) = caught_up(&mut line, start(&bot)).await;
    drop(feed);
    let key = line.auth_key().unwrap();
    line.close();
    telegram.say_to(ann, &bot, "hello").await;
    telegram
        .fault(json!({
            "kind": "rpc_error", "method": "updates.getDifference", "code": 500,
            "message": "RPC_CALL_FAIL", "count": 2, "bot": bot.id.0
        }))
        .await;
    let mut line = telegram.connect(key).await.unwrap();
    let begin = FeedStart {
        private: seeded.private_after,
        ..start(&bot)
    };
    let (_, all) = caught_up(&mut line, begin).await;
    assert_eq!(told(&all.items), ["Ann: hello"]);
}

#[tokio::test]
async fn a_dead_session_is_told_to_whoever_waits_for_updates() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let mut line = telegram.line(&bot).await;
    let (mut feed, _) = caught_up(&mut line, start(&bot)).await;
    telegram
        .fault(json!({"kind": "revoke", "bot": bot.id.0, "live_sessions": "killed"}))
        .await;
    // A probe that is ahead makes the feed ask.
    feed.observe(&BoxState {
        pts: i32::MAX,
        ..BoxState::default()
    });
    let error = feed.next().await.unwrap_err();
    assert!(error.class.is_fatal(), "{error}");
    drop(line);
    // What was ready is still given out; then the line is over, each time.
    let error = loop {
        match feed.next().await {
            Ok(_) => {}
            Err(error) if error.class.is_fatal() => {}
            Err(error) => break error,
        }
    };
    assert_eq!(
        (error.class, error.name.as_str()),
        (ErrorClass::Network, "LINE_CLOSED")
    );
}

#[tokio::test]
async fn a_reply_to_the_old_bots_message_names_its_target() {
    let telegram = Telegram::start().await;
    let (first, second) = (telegram.bot("alpha").await, telegram.bot("beta").await);
    let ann = telegram.member("Ann").await;
    let group = telegram.supergroup(&[ann], &[&first, &second]).await;
    let old = telegram.line(&first).await;
    let question = Say {
        text: "which one?",
        keyboard: None,
        reply_to: None,
        random_id: 4,
        silent: false,
    };
    let to = SendTarget::Channel(group);
    let asked: MessageId = old.calls().say(to, &question).await.unwrap().unwrap();
    let mut line = telegram.line(&second).await;
    let begin = FeedStart {
        groups: HashSet::from([group]),
        posts: HashSet::new(),
        own_bots: HashSet::from([first.id, second.id]),
        ..start(&second)
    };
    let (mut feed, _) = caught_up(&mut line, begin).await;
    let reply = json!({"to": {"channel": group.0}, "text": "this one", "reply_to": asked.0});
    let path = format!("/v1/members/{}/send", ann.0);
    telegram.post(&path, reply).await;
    let heard = until(&mut feed, |_, all| !all.items.is_empty())
        .await
        .items
        .remove(0);
    let IncomingKind::Message {
        reply_to,
        addressed,
        ..
    } = heard.what
    else {
        panic!("{heard:?}");
    };
    assert_eq!(
        (reply_to, addressed),
        (Some(asked), false),
        "it cannot know whose it was"
    );
}

#[tokio::test]
async fn a_refused_cursor_is_replaced_and_counted() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let ann = telegram.friend("Ann", &bot).await;
    let group = telegram.supergroup(&[ann], &[&bot]).await;
    for method in ["updates.getDifference", "updates.getChannelDifference"] {
        let fault = json!({
            "kind": "rpc_error", "method": method, "code": 400,
            "message": "PERSISTENT_TIMESTAMP_INVALID", "count": 1
        });
        telegram.fault(fault).await;
    }
    let mut line = telegram.line(&bot).await;
    let begin = FeedStart {
        private: Some(BoxState {
            pts: 1,
            qts: 0,
            date: 1,
        }),
        channels: vec![(group, 1)],
        groups: HashSet::from([group]),
        posts: HashSet::new(),
        ..start(&bot)
    };
    let (_, all) = caught_up(&mut line, begin).await;
    assert_eq!(all.unknown, 2, "one for each box");
    let state = line.calls().state().await.unwrap();
    assert_eq!(all.private_after.map(|after| after.pts), Some(state.pts));
    let pts = line.calls().channel_pts(group).await.unwrap();
    assert_eq!(all.channels_after, [(group, pts)]);
}
