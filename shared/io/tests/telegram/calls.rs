//! What is asked of Telegram, and what it answers.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::json;
use shared_core::{Button, ChannelId, ErrorClass, Keyboard, MessageId, SendTarget};
use shared_io::telegram::{ChannelKind, Say};

use super::support::{Telegram, caught_up, items, start};

fn say(text: &str, random_id: i64) -> Say<'_> {
    Say {
        text,
        keyboard: None,
        reply_to: None,
        random_id,
        silent: false,
    }
}

fn buttons(data: &str) -> Keyboard {
    Keyboard(vec![vec![Button::Press {
        text: "Go".into(),
        data: data.into(),
    }]])
}

#[tokio::test]
async fn a_message_is_said_once_edited_and_deleted() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.friend("Ann", &bot).await;
    let line = telegram.line(&bot).await;
    let (calls, to) = (line.calls(), SendTarget::Member(member));

    let id = calls.say(to, &say("hello", 7)).await.unwrap().unwrap();
    let again = calls.say(to, &say("hello", 7)).await.unwrap_err();
    assert_eq!(again.class, ErrorClass::SentAlready, "{again}");
    let texts = |seen: &[serde_json::Value]| -> Vec<String> {
        let texts = seen
            .iter()
            .map(|message| message["text"].as_str().unwrap().to_owned());
        texts.collect()
    };
    assert_eq!(
        texts(&telegram.seen(member, &bot).await),
        ["/start", "hello"]
    );

    calls
        .edit(to, id, "better", Some(&buttons("x")))
        .await
        .unwrap();
    let seen = telegram.seen(member, &bot).await;
    assert_eq!(seen[1]["text"], "better");
    assert_eq!(seen[1]["keyboard"][0][0]["data"], "x");
    let same = calls
        .edit(to, id, "better", Some(&buttons("x")))
        .await
        .unwrap_err();
    assert_eq!(same.class, ErrorClass::NotModified, "{same}");

    assert_eq!(calls.message(to, id).await.unwrap().unwrap().text, "better");
    calls.delete(to, &[id]).await.unwrap();
    assert_eq!(texts(&telegram.seen(member, &bot).await), ["/start"]);
    assert_eq!(calls.message(to, id).await.unwrap(), None);
}

#[tokio::test]
async fn who_never_started_the_bot_is_a_matter_of_the_recipient() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let stranger = telegram.member("Bob").await;
    let friend = telegram.friend("Ann", &bot).await;
    telegram.block(friend, &bot).await;
    let line = telegram.line(&bot).await;
    for member in [stranger, friend] {
        let refused = line
            .calls()
            .say(SendTarget::Member(member), &say("hello", 1))
            .await;
        let error = refused.unwrap_err();
        assert_eq!(error.class, ErrorClass::Recipient, "{error}");
    }
}

#[tokio::test]
async fn a_press_comes_in_and_its_answer_reaches_the_member() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.friend("Ann", &bot).await;
    let mut line = telegram.line(&bot).await;
    let (mut feed, _) = caught_up(&mut line, start(&bot)).await;
    let keyboard = buttons("yes");
    let mut question = say("sure?", 3);
    question.keyboard = Some(&keyboard);
    let id = line
        .calls()
        .say(SendTarget::Member(member), &question)
        .await
        .unwrap()
        .unwrap();

    let message_id = telegram.seen(member, &bot).await[1]["id"].clone();
    let press = json!({"chat": {"user": bot.id.0}, "message_id": message_id, "data": "yes"});
    let path = format!("/v1/members/{}/press", member.0);
    let answering = async {
        let pressed = items(&mut feed, 1).await.remove(0);
        let shared_core::IncomingKind::Press {
            query,
            message,
            data,
        } = pressed.what
        else {
            panic!("{pressed:?}");
        };
        assert_eq!(
            (message, data.as_str(), pressed.name.as_str()),
            (id, "yes", "Ann")
        );
        line.calls()
            .answer_press(query, Some("noted"), true)
            .await
            .unwrap();
        query
    };
    let (answer, query) = tokio::join!(telegram.post(&path, press), answering);
    assert_eq!(
        (answer["message"].as_str(), answer["alert"].as_bool()),
        (Some("noted"), Some(true))
    );
    let late = line
        .calls()
        .answer_press(query, None, false)
        .await
        .unwrap_err();
    assert_eq!(late.class, ErrorClass::PressExpired, "{late}");
}

#[tokio::test]
async fn a_reply_in_a_group_is_one() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.member("Ann").await;
    let group = telegram.supergroup(&[member], &[&bot]).await;
    let line = telegram.line(&bot).await;
    let question = telegram.say_in(member, group, "/help").await;
    let mut answer = say("here", 5);
    answer.reply_to = Some(question);
    let id = line
        .calls()
        .say(SendTarget::Channel(group), &answer)
        .await
        .unwrap()
        .unwrap();
    let messages = telegram
        .get(&format!("/v1/messages?channel={}", group.0))
        .await;
    let told = messages["messages"].as_array().unwrap();
    let told = told.iter().find(|message| message["id"] == id.0).unwrap();
    assert_eq!(
        (told["text"].as_str(), told["reply_to"].as_i64()),
        (Some("here"), Some(question.0.into()))
    );
}

#[tokio::test]
async fn rights_are_told_for_each_channel_and_one_stranger_spoils_nothing() {
    let telegram = Telegram::start().await;
    let (bot, other) = (telegram.bot("alpha").await, telegram.bot("beta").await);
    let mut channels = Vec::new();
    for _ in 0..5 {
        channels.push(telegram.supergroup(&[], &[&bot]).await);
    }
    let foreign = telegram.supergroup(&[], &[&other]).await;
    channels.insert(2, foreign);
    channels.push(ChannelId(1));
    telegram
        .call(
            reqwest::Method::PUT,
            "/v1/doubts",
            json!({"get_channels_max": 2}),
        )
        .await;
    let line = telegram.line(&bot).await;
    let rights = line.calls().rights(&channels).await.unwrap();
    assert_eq!(rights.len(), channels.len());
    for ((channel, rights), asked) in rights.iter().zip(&channels) {
        assert_eq!(channel, asked, "in the order asked");
        if *channel == foreign || *channel == ChannelId(1) {
            let usable = rights.as_ref().is_ok_and(|rights| rights.member);
            assert!(!usable, "{rights:?}");
            continue;
        }
        let rights = rights.as_ref().unwrap();
        assert_eq!(
            (rights.kind, rights.title.as_str()),
            (ChannelKind::Supergroup, "Group")
        );
        let admin = rights.admin.unwrap();
        assert!(rights.member && admin.post_messages && admin.delete_messages);
        assert!(!admin.add_admins);
    }
}

#[tokio::test]
async fn a_basic_group_is_told_from_a_channel() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let body = json!({
        "title": "Old", "kind": "basic_group", "members": [],
        "admins": [{"user": bot.id.0, "rights": ["delete_messages"]}],
    });
    let made = telegram.post("/v1/channels", body).await;
    let basic = ChannelId(made["id"].as_i64().unwrap());
    let supergroup = telegram.supergroup(&[], &[&bot]).await;
    let line = telegram.line(&bot).await;
    let rights = line.calls().rights(&[basic]).await.unwrap();
    assert!(rights[0].1.is_err(), "{rights:?}");
    let found = line.calls().basic_group(basic).await.unwrap();
    let title = found.as_ref().map(|group| group.title.as_str());
    assert_eq!(title, Some("Old"));
    for other in [supergroup, ChannelId(1)] {
        assert_eq!(line.calls().basic_group(other).await.unwrap(), None);
    }
}

#[tokio::test]
async fn the_smaller_calls_are_understood() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.member("Ann").await;
    let group = telegram.supergroup(&[member], &[&bot]).await;
    let line = telegram.line(&bot).await;
    let calls = line.calls();
    calls.ping().await.unwrap();
    let before = calls.channel_pts(group).await.unwrap();
    telegram.say_in(member, group, "hello").await;
    assert!(calls.channel_pts(group).await.unwrap() > before);
    assert!(calls.state().await.unwrap().pts > 0);
    let unknown = calls
        .message(SendTarget::Channel(group), MessageId(9_999))
        .await;
    assert_eq!(unknown.unwrap(), None);
}

#[tokio::test]
async fn a_wait_is_told_with_its_seconds_and_not_slept_through() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let line = telegram.line(&bot).await;
    telegram
        .fault(
            json!({"kind": "flood", "method": "updates.getState", "seconds": 31, "bot": bot.id.0}),
        )
        .await;
    let error = line.calls().state().await.unwrap_err();
    assert_eq!(
        (error.class, error.wait_s),
        (ErrorClass::Wait(31), Some(31)),
        "{error}"
    );
}
