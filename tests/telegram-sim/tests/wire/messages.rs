//! A member and a bot talk: texts, edits, buttons, waits.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use grammers_client::tl;
use grammers_client::update::Update;
use serde_json::json;
use tokio::time::timeout;

use super::support::{PATIENCE, Telegram, keyboard, rpc_error, send_message, user};

#[tokio::test]
async fn a_member_writes_and_the_bot_answers_once() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.member("Ann").await;
    let login = telegram.login(&bot).await;
    let (mut stream, client) = login.stream(false).await;
    let sent = telegram.starts(member, &bot).await;
    let update = timeout(PATIENCE, stream.next()).await.unwrap().unwrap();
    let Update::NewMessage(message) = update else {
        panic!("{update:?}")
    };
    assert_eq!(message.text(), "/start");
    assert_eq!(message.sender().unwrap().id().bare_id(), Some(member));

    let answer = send_message(user(member), "hello", 4711);
    client.invoke(&answer).await.unwrap();
    let (code, name) = rpc_error(client.invoke(&answer).await);
    assert_eq!((code, name.as_str()), (500, "RANDOM_ID_DUPLICATE"));
    let seen = telegram.seen(member, &bot).await;
    let texts: Vec<_> = seen
        .iter()
        .map(|message| message["text"].as_str().unwrap())
        .collect();
    assert_eq!(texts, ["/start", "hello"]);
    assert_eq!(seen[0]["id"], sent["message_ids"][0]);
    assert_eq!(
        (seen[1]["from"].as_i64(), seen[1]["out"].as_bool()),
        (Some(bot.id), Some(false))
    );

    let event = telegram.event("message_sent", 2).await;
    assert_eq!(
        (event["random_id"].as_i64(), event["bot"].as_bool()),
        (Some(4711), Some(true))
    );
    assert_eq!(event["chat"], json!({"user": member}));
    assert_eq!(event["member_message_id"], seen[1]["id"]);
    assert_eq!(telegram.events("random_id_duplicate").await.len(), 1);
}

#[tokio::test]
async fn a_bot_cannot_write_first() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.member("Ann").await;
    let login = telegram.login(&bot).await;
    let (code, name) = rpc_error(login.invoke(&send_message(user(member), "hello", 1)).await);
    assert_eq!((code, name.as_str()), (400, "PEER_ID_INVALID"));
    telegram.starts(member, &bot).await;
    login
        .invoke(&send_message(user(member), "hello", 2))
        .await
        .unwrap();
    telegram
        .post(
            &format!("/v1/members/{member}/block"),
            json!({"bot": bot.id}),
        )
        .await;
    let (_, name) = rpc_error(login.invoke(&send_message(user(member), "hello", 3)).await);
    assert_eq!(name, "USER_IS_BLOCKED");
}

#[tokio::test]
async fn a_press_is_answered_and_the_message_edited() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.member("Ann").await;
    let mut login = telegram.login(&bot).await;
    telegram.starts(member, &bot).await;
    let mut question = send_message(user(member), "which?", 1);
    question.reply_markup = Some(keyboard(&[("one", "1"), ("two", "2")]));
    login.invoke(&question).await.unwrap();
    let seen = telegram.seen(member, &bot).await;
    assert_eq!(
        seen[1]["keyboard"],
        json!([[{"text": "one", "data": "1"}, {"text": "two", "data": "2"}]])
    );

    let press = json!({"chat": {"user": bot.id}, "message_id": seen[1]["id"], "row": 0, "col": 1});
    let path = format!("/v1/members/{member}/press");
    let answered = telegram.post(&path, press);
    let bots_side = async {
        let query = login
            .update(|update| match update {
                tl::enums::Update::BotCallbackQuery(query) => Some(query.clone()),
                _ => None,
            })
            .await;
        assert_eq!(
            (query.user_id, query.data.as_deref()),
            (member, Some(&b"2"[..]))
        );
        login
            .invoke(&edit(member, query.msg_id, "two it is"))
            .await
            .unwrap();
        login.invoke(&answer(query.query_id, "done")).await.unwrap();
        let (_, name) = rpc_error(login.invoke(&answer(query.query_id, "again")).await);
        assert_eq!(name, "QUERY_ID_INVALID");
    };
    let (answered, ()) = tokio::join!(answered, bots_side);
    assert_eq!(
        (answered["answered"].as_bool(), answered["message"].as_str()),
        (Some(true), Some("done"))
    );
    let seen = telegram.seen(member, &bot).await;
    assert_eq!(seen[1]["text"], "two it is");
    assert_eq!(
        seen[1]["keyboard"],
        json!(null),
        "an edit without a keyboard takes it away"
    );
    assert!(seen[1]["edit_date"].is_i64());
}

#[tokio::test]
async fn an_unanswered_press_times_out() {
    let telegram = Telegram::start().await;
    telegram
        .put("/v1/doubts", json!({"press_timeout_ms": 150}))
        .await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.member("Ann").await;
    let login = telegram.login(&bot).await;
    telegram.starts(member, &bot).await;
    let mut question = send_message(user(member), "which?", 1);
    question.reply_markup = Some(keyboard(&[("one", "1")]));
    login.invoke(&question).await.unwrap();
    let seen = telegram.seen(member, &bot).await;
    let press = json!({"chat": {"user": bot.id}, "message_id": seen[1]["id"], "data": "1"});
    let path = format!("/v1/members/{member}/press");
    let refused = telegram
        .call(reqwest::Method::POST, &path, Some(press))
        .await;
    assert_eq!(refused.unwrap_err(), "BOT_RESPONSE_TIMEOUT");
    assert_eq!(telegram.events("press_timed_out").await.len(), 1);
}

#[tokio::test]
async fn beyond_the_limit_there_is_a_wait() {
    let telegram = Telegram::start().await;
    telegram
        .put("/v1/limits", json!({"per_chat_burst": 3}))
        .await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.member("Ann").await;
    let login = telegram.login(&bot).await;
    telegram.starts(member, &bot).await;
    let mut waits = 0;
    for n in 1..=5 {
        match login.invoke(&send_message(user(member), "hello", n)).await {
            Ok(_) => {}
            refused => {
                assert_eq!(rpc_error(refused), (420, "FLOOD_WAIT".to_owned()));
                waits += 1;
            }
        }
    }
    assert!(waits >= 1, "five messages at once and no wait");
    assert!(
        telegram.event("flood_wait", 1).await["seconds"]
            .as_u64()
            .unwrap()
            >= 1
    );
    telegram.unlimited().await;
    login
        .invoke(&send_message(user(member), "hello", 9))
        .await
        .unwrap();
}

#[tokio::test]
async fn floods_and_errors_are_set_per_method() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let login = telegram.login(&bot).await;
    let state = tl::functions::updates::GetState {};
    telegram
        .fault(json!({"kind": "rpc_error", "bot": bot.id, "method": "updates.getState", "code": 500, "message": "RPC_CALL_FAIL", "count": 1}))
        .await;
    assert_eq!(
        rpc_error(login.invoke(&state).await),
        (500, "RPC_CALL_FAIL".to_owned())
    );
    login.invoke(&state).await.unwrap();
    let flood = telegram
        .fault(json!({"kind": "flood", "bot": bot.id, "seconds": 30}))
        .await;
    assert_eq!(
        rpc_error(login.invoke(&state).await),
        (420, "FLOOD_WAIT".to_owned())
    );
    telegram.clear(flood).await;
    timeout(Duration::from_secs(5), login.invoke(&state))
        .await
        .unwrap()
        .unwrap();
}

fn edit(member: i64, id: i32, text: &str) -> tl::functions::messages::EditMessage {
    tl::functions::messages::EditMessage {
        no_webpage: false,
        invert_media: false,
        peer: user(member),
        id,
        message: Some(text.to_owned()),
        media: None,
        reply_markup: None,
        entities: None,
        schedule_date: None,
        schedule_repeat_period: None,
        quick_reply_shortcut_id: None,
        rich_message: None,
    }
}

fn answer(query_id: i64, text: &str) -> tl::functions::messages::SetBotCallbackAnswer {
    tl::functions::messages::SetBotCallbackAnswer {
        alert: false,
        query_id,
        message: Some(text.to_owned()),
        url: None,
        cache_time: 0,
    }
}
