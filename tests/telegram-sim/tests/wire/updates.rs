//! What a client gets when it was away, when updates are lost, and when the bot is logged in twice.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;

use grammers_client::tl;
use grammers_client::update::Update;
use serde_json::json;
use tokio::time::timeout;

use super::support::{Login, PATIENCE, Telegram, channel, send_message};

/// More than one slice of a difference holds.
const MANY: usize = 700;

#[tokio::test]
async fn a_difference_after_a_reconnect_comes_in_slices_and_whole() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.member("Ann").await;
    telegram.starts(member, &bot).await;
    let key = telegram.key().await;
    let mut pts = pts_of(&telegram, &bot.token, key).await;
    for n in 0..MANY {
        telegram
            .say(member, json!({"user": bot.id}), &format!("message {n}"))
            .await;
    }
    let login = telegram.client(key);
    let mut texts = BTreeSet::new();
    let mut slices = 0;
    loop {
        let difference = login.invoke(&difference_from(pts)).await.unwrap();
        let (messages, state, last) = match difference {
            tl::enums::updates::Difference::Slice(slice) => {
                (slice.new_messages, slice.intermediate_state, false)
            }
            tl::enums::updates::Difference::Difference(whole) => {
                (whole.new_messages, whole.state, true)
            }
            other => panic!("{other:?}"),
        };
        slices += 1;
        for message in messages {
            let tl::enums::Message::Message(message) = message else {
                panic!("{message:?}")
            };
            assert!(
                texts.insert(message.message.clone()),
                "{} twice",
                message.message
            );
        }
        let tl::enums::updates::State::State(state) = state;
        assert!(state.pts > pts);
        pts = state.pts;
        if last {
            break;
        }
    }
    assert_eq!(texts.len(), MANY);
    assert!(slices >= 2, "{slices} slices");
    let logged = telegram.events("difference").await;
    assert!(logged.iter().filter(|event| event["slice"] == true).count() >= 1);
}

#[tokio::test]
async fn a_stock_client_catches_up_by_itself() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.member("Ann").await;
    let login = telegram.login(&bot).await;
    let session = login.session.clone();
    telegram.starts(member, &bot).await;
    let (mut stream, client) = login.stream(false).await;
    timeout(PATIENCE, stream.next()).await.unwrap().unwrap();
    stream.sync_update_state().await.unwrap();
    client.disconnect();
    drop((stream, client));
    telegram.event("connection_closed", 1).await;
    for n in 0..MANY {
        telegram
            .say(member, json!({"user": bot.id}), &format!("message {n}"))
            .await;
    }
    let (mut stream, _client) = Login::over(session).stream(true).await;
    let mut texts = BTreeSet::new();
    while texts.len() < MANY {
        let update = timeout(PATIENCE, stream.next()).await.unwrap().unwrap();
        if let Update::NewMessage(message) = update {
            assert!(
                texts.insert(message.text().to_owned()),
                "{} twice",
                message.text()
            );
        }
    }
}

#[tokio::test]
async fn lost_updates_leave_a_gap_that_a_stock_client_fills() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.member("Ann").await;
    let login = telegram.login(&bot).await;
    let (mut stream, _client) = login.stream(false).await;
    telegram.starts(member, &bot).await;
    timeout(PATIENCE, stream.next()).await.unwrap().unwrap();
    telegram
        .fault(json!({"kind": "drop_updates", "bot": bot.id, "count": 2}))
        .await;
    for text in ["lost 1", "lost 2", "comes"] {
        telegram.say(member, json!({"user": bot.id}), text).await;
    }
    assert_eq!(telegram.events("updates_lost").await.len(), 2);
    let mut texts = BTreeSet::new();
    while texts.len() < 3 {
        if let Update::NewMessage(message) =
            timeout(PATIENCE, stream.next()).await.unwrap().unwrap()
        {
            texts.insert(message.text().to_owned());
        }
    }
    assert!(texts.contains("lost 1") && texts.contains("lost 2") && texts.contains("comes"));
}

#[tokio::test]
async fn a_channel_is_continued_by_another_bot() {
    let telegram = Telegram::start().await;
    telegram.unlimited().await;
    let (first, second) = (telegram.bot("alpha").await, telegram.bot("beta").await);
    let member = telegram.member("Ann").await;
    let admins = [&first, &second]
        .map(|bot| json!({"user": bot.id, "rights": ["post_messages", "delete_messages"]}));
    let created = telegram
        .post(
            "/v1/channels",
            json!({"title": "Group", "kind": "supergroup", "members": [member], "admins": admins}),
        )
        .await;
    let group = created["id"].as_i64().unwrap();
    let mut old = telegram.login(&first).await;
    telegram.say(member, json!({"channel": group}), "one").await;
    let (pts, id) = old
        .update(|update| match update {
            tl::enums::Update::NewChannelMessage(new) => match &new.message {
                tl::enums::Message::Message(message) => Some((new.pts, message.id)),
                _ => None,
            },
            _ => None,
        })
        .await;
    old.invoke(&send_message(channel(group), "two", 5))
        .await
        .unwrap();
    old.die().await;
    telegram
        .say(member, json!({"channel": group}), "three")
        .await;

    let new = telegram.login(&second).await;
    let request = tl::functions::updates::GetChannelDifference {
        force: false,
        channel: tl::types::InputChannel {
            channel_id: group,
            access_hash: 0,
        }
        .into(),
        filter: tl::enums::ChannelMessagesFilter::Empty,
        pts,
        limit: 100_000,
    };
    let tl::enums::updates::ChannelDifference::Difference(difference) =
        new.invoke(&request).await.unwrap()
    else {
        panic!("a difference was expected");
    };
    let messages: Vec<(i32, String)> = difference
        .new_messages
        .into_iter()
        .map(|message| match message {
            tl::enums::Message::Message(message) => (message.id, message.message),
            other => panic!("{other:?}"),
        })
        .collect();
    // The other bot's own message is not shown to a bot, yet it has its place in the channel's sequences.
    assert_eq!(messages, [(id + 2, "three".to_owned())]);
    assert!(difference.r#final);
    assert_eq!(difference.pts, pts + 2);
}

#[tokio::test]
async fn the_last_active_login_gets_the_updates_or_all_do() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.member("Ann").await;
    let mut first = telegram.login(&bot).await;
    let mut second = telegram.login(&bot).await;
    telegram.starts(member, &bot).await;
    assert_eq!(second.message().await.message, "/start");
    first
        .invoke(&tl::functions::updates::GetState {})
        .await
        .unwrap();
    telegram
        .say(member, json!({"user": bot.id}), "to the first")
        .await;
    assert_eq!(first.message().await.message, "to the first");
    telegram
        .put("/v1/doubts", json!({"updates_to": "all_logins"}))
        .await;
    telegram
        .say(member, json!({"user": bot.id}), "to both")
        .await;
    assert_eq!(first.message().await.message, "to both");
    assert_eq!(
        second.message().await.message,
        "to both",
        "\"to the first\" must not have come here"
    );
}

#[tokio::test]
async fn calls_without_updates_do_not_draw_them() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.member("Ann").await;
    let mut live = telegram.login(&bot).await;
    let mut probe = telegram.login(&bot).await;
    let state = tl::functions::updates::GetState {};
    live.invoke(&state).await.unwrap();
    let query = state.clone();
    probe
        .invoke(&tl::functions::InvokeWithoutUpdates { query })
        .await
        .unwrap();
    telegram.starts(member, &bot).await;
    assert_eq!(live.message().await.message, "/start");
    probe.invoke(&state).await.unwrap();
    telegram
        .say(member, json!({"user": bot.id}), "to the probe")
        .await;
    assert_eq!(probe.message().await.message, "to the probe");
}

fn difference_from(pts: i32) -> tl::functions::updates::GetDifference {
    tl::functions::updates::GetDifference {
        pts,
        pts_limit: None,
        pts_total_limit: None,
        date: 1,
        qts: 0,
        qts_limit: None,
    }
}

/// Logs in over `key`, asks for the state and goes away.
async fn pts_of(telegram: &Telegram, token: &str, key: super::support::Key) -> i32 {
    let login = telegram.client(key);
    login.client.bot_sign_in(token, "hash").await.unwrap();
    let tl::enums::updates::State::State(state) = login
        .invoke(&tl::functions::updates::GetState {})
        .await
        .unwrap();
    login.die().await;
    state.pts
}
