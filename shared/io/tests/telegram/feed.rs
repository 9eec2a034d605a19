//! Live updates: what becomes an item, and how the cursors move.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use shared_core::{BoxId, Button, IncomingKind, Keyboard, MessageId, Print, SendTarget};
use shared_io::telegram::{FeedStart, Say};
use tokio::time::timeout;

use super::support::{PATIENCE, Telegram, caught_up, items, start, told, until, user};

fn say(text: &str, random_id: i64) -> Say<'_> {
    Say {
        text,
        keyboard: None,
        reply_to: None,
        random_id,
        silent: false,
    }
}

#[tokio::test]
async fn what_a_member_does_comes_in_order_and_moves_the_cursor() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.friend("Ann", &bot).await;
    let mut line = telegram.line(&bot).await;
    let (mut feed, seeded) = caught_up(&mut line, start(&bot)).await;
    assert_eq!(seeded.items, [], "the past is not news");
    let before = seeded.private_after.expect("where it begins");

    let first = telegram.say_to(member, &bot, "one").await;
    telegram.say_to(member, &bot, "two").await;
    telegram
        .edit(member, user(&bot), first, "one and a half")
        .await;
    telegram.block(member, &bot).await;
    let all = until(&mut feed, |_, all| all.items.len() >= 4).await;
    assert_eq!(
        told(&all.items),
        [
            "Ann: one",
            "Ann: two",
            "Ann edits: one and a half",
            "Ann stopped=true"
        ]
    );
    assert!(
        all.items
            .iter()
            .all(|item| item.r#box == BoxId::Private(bot.id))
    );
    assert!(!all.from_difference);
    let after = all.private_after.unwrap();
    assert_eq!((after.pts, after.qts), (before.pts + 3, before.qts + 1));
    let state = line.calls().state().await.unwrap();
    assert_eq!((after.pts, after.qts), (state.pts, state.qts));
}

#[tokio::test]
async fn our_own_messages_move_the_cursor_without_an_item() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.friend("Ann", &bot).await;
    let group = telegram.supergroup(&[member], &[&bot]).await;
    let mut line = telegram.line(&bot).await;
    let begin = FeedStart {
        groups: HashSet::from([group]),
        posts: HashSet::new(),
        ..start(&bot)
    };
    let (mut feed, _) = caught_up(&mut line, begin).await;
    let calls = line.calls();
    let sent = calls
        .say(SendTarget::Member(member), &say("hello", 1))
        .await
        .unwrap()
        .unwrap();
    calls
        .edit(SendTarget::Member(member), sent, "hello!", None)
        .await
        .unwrap();
    calls
        .say(SendTarget::Channel(group), &say("hello all", 2))
        .await
        .unwrap();
    calls
        .delete(SendTarget::Member(member), &[sent])
        .await
        .unwrap();
    let state = calls.state().await.unwrap();
    let pts = calls.channel_pts(group).await.unwrap();
    let all = until(&mut feed, |_, all| {
        all.private_after
            .is_some_and(|after| after.pts == state.pts)
            && all.channels_after == [(group, pts)]
    })
    .await;
    assert_eq!(told(&all.items), [""; 0]);
    assert!(!all.from_difference, "every step of it was told live");
    let echoes: Vec<_> = all.echoes.iter().map(|it| (it.chat, it.print)).collect();
    assert_eq!(
        echoes,
        [
            (SendTarget::Member(member), Print::of("hello", None)),
            (SendTarget::Channel(group), Print::of("hello all", None)),
        ]
    );
    assert_eq!(all.echoes[0].message, sent);
}

#[tokio::test]
async fn a_group_is_heard_when_it_matters_and_answered_when_addressed() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.member("Ann").await;
    let group = telegram.supergroup(&[member], &[&bot]).await;
    let other = telegram.supergroup(&[member], &[&bot]).await;
    let mut line = telegram.line(&bot).await;
    let begin = FeedStart {
        groups: HashSet::from([group]),
        posts: HashSet::new(),
        ..start(&bot)
    };
    let (mut feed, _) = caught_up(&mut line, begin).await;
    let ours = line
        .calls()
        .say(SendTarget::Channel(group), &say("who?", 1))
        .await
        .unwrap()
        .unwrap();

    telegram.say_in(member, other, "/elsewhere").await;
    telegram.say_in(member, group, "chatting").await;
    telegram.say_in(member, group, "/help").await;
    telegram.say_in(member, group, "hello @Alpha_bot").await;
    let reply = json!({"to": {"channel": group.0}, "text": "me", "reply_to": ours.0});
    telegram
        .post(&format!("/v1/members/{}/send", member.0), reply)
        .await;
    telegram.say_in(member, group, "/help@beta_bot").await;
    let heard: Vec<_> = items(&mut feed, 5)
        .await
        .into_iter()
        .map(|item| match item.what {
            IncomingKind::Message {
                text,
                addressed,
                reply_to,
                ..
            } => (text, addressed, reply_to),
            other => panic!("{other:?}"),
        })
        .collect();
    let expected: [(&str, bool, Option<MessageId>); 5] = [
        ("chatting", false, None),
        ("/help", true, None),
        ("hello @Alpha_bot", true, None),
        ("me", true, Some(ours)),
        ("/help@beta_bot", false, None),
    ];
    let expected: Vec<_> = expected
        .map(|(text, is, to)| (text.to_owned(), is, to))
        .into();
    assert_eq!(heard, expected);
}

#[tokio::test]
async fn a_lost_update_is_fetched_when_the_probe_is_ahead() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.friend("Ann", &bot).await;
    let mut line = telegram.line(&bot).await;
    let (mut feed, _) = caught_up(&mut line, start(&bot)).await;
    telegram
        .fault(json!({"kind": "drop_updates", "count": 1, "bot": bot.id.0}))
        .await;
    telegram.say_to(member, &bot, "lost on the way").await;
    telegram.event("fault_fired", 1).await;
    let probe = line.calls().state().await.unwrap();
    feed.observe(&probe);
    let all = until(&mut feed, |_, all| !all.items.is_empty()).await;
    assert_eq!(told(&all.items), ["Ann: lost on the way"]);
    assert!(all.from_difference);
    assert_eq!(all.private_after.unwrap().pts, probe.pts);
}

#[tokio::test]
async fn a_lost_update_in_a_group_is_found_though_nothing_follows_it() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.friend("Ann", &bot).await;
    let group = telegram.supergroup(&[member], &[&bot]).await;
    let mut line = telegram.line(&bot).await;
    let begin = FeedStart {
        groups: HashSet::from([group]),
        posts: HashSet::new(),
        ..start(&bot)
    };
    let (mut feed, _) = caught_up(&mut line, begin).await;
    telegram.say_in(member, group, "heard").await;
    until(&mut feed, |_, all| !all.items.is_empty()).await;
    telegram
        .fault(json!({"kind": "drop_updates", "count": 1, "bot": bot.id.0}))
        .await;
    telegram.say_in(member, group, "lost on the way").await;
    telegram.event("fault_fired", 1).await;
    let lost = tokio::time::Instant::now();
    // As the session does with each probe.
    let mut probes = tokio::time::interval(Duration::from_secs(1));
    let batch = loop {
        tokio::select! {
            _ = probes.tick() => feed.look_at_channels(),
            batch = feed.next() => match batch.unwrap() {
                batch if batch.items.is_empty() => {}
                batch => break batch,
            }
        }
        assert!(lost.elapsed() < PATIENCE, "never found");
    };
    assert_eq!(told(&batch.items), ["Ann: lost on the way"]);
    assert!(batch.from_difference);
    let pts = line.calls().channel_pts(group).await.unwrap();
    assert_eq!(batch.channels_after, [(group, pts)]);
}

#[tokio::test]
async fn a_channel_that_the_bot_was_put_out_of_is_told_and_heard_again_when_it_is_back() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.friend("Ann", &bot).await;
    let group = telegram.supergroup(&[member], &[&bot]).await;
    let mut line = telegram.line(&bot).await;
    let begin = FeedStart {
        groups: HashSet::from([group]),
        posts: HashSet::new(),
        ..start(&bot)
    };
    let (mut feed, _) = caught_up(&mut line, begin).await;
    telegram.say_in(member, group, "/before").await;
    until(&mut feed, |_, all| !all.items.is_empty()).await;
    let place = format!("/v1/channels/{}", group.0);
    let out = format!("{place}/members/{}", bot.id.0);
    telegram.call(Method::DELETE, &out, json!({})).await;
    telegram.say_in(member, group, "/meanwhile").await;
    feed.look_everywhere();
    telegram.say_to(member, &bot, "in private").await;
    // The other boxes go on.
    let all = until(&mut feed, |feed, all| {
        !all.items.is_empty() && feed.barred() == [group]
    })
    .await;
    assert_eq!(told(&all.items), ["Ann: in private"]);

    let back = json!({"rights": ["delete_messages"]});
    let admin = format!("{place}/admins/{}", bot.id.0);
    let ids = json!({"ids": [bot.id.0]});
    telegram.post(&format!("{place}/members"), ids).await;
    telegram.call(Method::PUT, &admin, back).await;
    let since = tokio::time::Instant::now();
    let mut probes = tokio::time::interval(Duration::from_secs(1));
    let mut heard = Vec::new();
    while heard.is_empty() {
        tokio::select! {
            _ = probes.tick() => feed.look_at_channels(),
            batch = feed.next() => heard.extend(batch.unwrap().items),
        }
        assert!(since.elapsed() < PATIENCE * 2, "never heard again");
    }
    assert_eq!(told(&heard), ["Ann: /meanwhile"]);
    assert!(feed.barred().is_empty());
}

#[tokio::test]
async fn a_lost_update_is_fetched_when_the_next_one_does_not_follow() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.friend("Ann", &bot).await;
    let group = telegram.supergroup(&[member], &[&bot]).await;
    let mut line = telegram.line(&bot).await;
    let begin = FeedStart {
        groups: HashSet::from([group]),
        posts: HashSet::new(),
        ..start(&bot)
    };
    let (mut feed, _) = caught_up(&mut line, begin).await;
    telegram.say_in(member, group, "first").await;
    items(&mut feed, 1).await;
    telegram
        .fault(json!({"kind": "drop_updates", "count": 1, "bot": bot.id.0}))
        .await;
    telegram.say_in(member, group, "lost on the way").await;
    telegram.event("fault_fired", 1).await;
    telegram.say_in(member, group, "next").await;
    let all = until(&mut feed, |_, all| all.items.len() >= 2).await;
    assert_eq!(told(&all.items), ["Ann: lost on the way", "Ann: next"]);
    let pts = line.calls().channel_pts(group).await.unwrap();
    assert_eq!(all.channels_after, [(group, pts)]);
}

#[tokio::test]
async fn impatience_loses_nothing() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.friend("Ann", &bot).await;
    let mut line = telegram.line(&bot).await;
    let (mut feed, _) = caught_up(&mut line, start(&bot)).await;
    // Every answer takes longer than the patience of the caller.
    telegram
        .fault(json!({"kind": "slow", "delay_ms": 60, "bot": bot.id.0}))
        .await;
    telegram
        .fault(json!({"kind": "reset", "bot": bot.id.0}))
        .await;
    telegram.event("connection_closed", 1).await;
    for n in 0..5 {
        telegram.say_to(member, &bot, &format!("message {n}")).await;
    }
    let collect = async {
        let mut heard = Vec::new();
        while heard.len() < 5 {
            if let Ok(batch) = timeout(Duration::from_millis(20), feed.next()).await {
                heard.extend(told(&batch.unwrap().items));
            }
        }
        heard
    };
    let heard = timeout(PATIENCE, collect).await.unwrap();
    let expected: Vec<_> = (0..5).map(|n| format!("Ann: message {n}")).collect();
    assert_eq!(heard, expected);
}

#[tokio::test]
async fn a_press_is_heard_whatever_the_sequence_number_says() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.friend("Ann", &bot).await;
    let doubts = json!({"seq_on_presses": true, "press_timeout_ms": 500});
    telegram.call(Method::PUT, "/v1/doubts", doubts).await;
    let mut line = telegram.line(&bot).await;
    let (mut feed, _) = caught_up(&mut line, start(&bot)).await;
    let button = |data: &str| Button::Press {
        text: data.into(),
        data: data.into(),
    };
    let keyboard = Keyboard(vec![vec![button("lost"), button("heard")]]);
    let mut question = say("which?", 1);
    question.keyboard = Some(&keyboard);
    let to = SendTarget::Member(member);
    line.calls().say(to, &question).await.unwrap();
    let message_id = telegram.seen(member, &bot).await[1]["id"].clone();
    telegram
        .fault(json!({"kind": "drop_updates", "count": 1, "bot": bot.id.0}))
        .await;
    // The first press is lost on its way, the second one bears a number that does not follow.
    let path = format!("/v1/members/{}/press", member.0);
    let press = |data: &str| json!({"chat": user(&bot), "message_id": message_id, "data": data});
    let lost = telegram.try_post(&path, press("lost")).await.unwrap_err();
    assert_eq!(lost, "BOT_RESPONSE_TIMEOUT");
    let (_, heard) = tokio::join!(
        telegram.try_post(&path, press("heard")),
        items(&mut feed, 1)
    );
    assert_eq!(told(&heard), ["Ann presses: heard"]);
}

#[tokio::test]
async fn who_only_listens_hears_and_asks_for_nothing() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.friend("Ann", &bot).await;
    let mut line = telegram.line(&bot).await;
    let (mut feed, _) = caught_up(&mut line, start(&bot)).await;
    let before = telegram.get("/v1/state").await["last_event"].clone();
    telegram.say_to(member, &bot, "one").await;
    let mut heard = Vec::new();
    while heard.is_empty() {
        let batch = timeout(PATIENCE, feed.overhear()).await.unwrap().unwrap();
        assert_eq!(
            (batch.private_after, &batch.channels_after[..]),
            (None, &[][..])
        );
        heard.extend(batch.items);
    }
    assert_eq!(told(&heard), ["Ann: one"]);
    let asked = telegram
        .get(&format!("/v1/events?after={before}&kind=rpc,difference"))
        .await;
    assert_eq!(asked["events"], json!([]), "{asked}");
}

#[tokio::test]
async fn a_login_that_is_made_for_later_takes_no_updates_away() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.friend("Ann", &bot).await;
    let mut line = telegram.line(&bot).await;
    let (mut feed, _) = caught_up(&mut line, start(&bot)).await;
    let later = telegram.connect(telegram.key().await).await.unwrap();
    let identity = later.log_in_for_later(&bot.token).await.unwrap();
    assert_eq!(identity.bot, bot.id);
    telegram.say_to(member, &bot, "one").await;
    let heard = until(&mut feed, |_, all| !all.items.is_empty()).await;
    assert_eq!(told(&heard.items), ["Ann: one"]);
    assert!(!heard.from_difference, "it was not sent to the other one");
}
