//! A stock grammers client as a member: it lives on what people's clients call.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use grammers_client::tl;
use grammers_session::types::PeerRef;
use serde_json::json;

use super::support::{Bot, Login, Telegram, keyboard, new_message, rpc_error, send_message, user};

/// A device of the member.
async fn device(telegram: &Telegram, member: i64) -> Login {
    let login = telegram
        .post(&format!("/v1/members/{member}/login"), json!({}))
        .await;
    let key = hex::decode(login["auth_key"].as_str().unwrap()).unwrap();
    telegram.client(key.try_into().unwrap())
}

async fn named(login: &Login, username: &str) -> PeerRef {
    let peer = login.client.resolve_username(username).await.unwrap();
    peer.unwrap().to_ref().await.unwrap().unwrap()
}

async fn texts(login: &Login, peer: PeerRef) -> Vec<String> {
    let mut messages = login.client.iter_messages(peer);
    let mut texts = Vec::new();
    while let Some(message) = messages.next().await.unwrap() {
        texts.push(message.text().to_owned());
    }
    texts
}

#[tokio::test]
async fn a_member_reads_dialogs_and_messages() {
    let telegram = Telegram::start().await;
    telegram.unlimited().await;
    let ann = telegram.member("Ann").await;
    let bot = telegram.bot("alpha").await;
    let talking = telegram.login(&bot).await;
    telegram.starts(ann, &bot).await;
    // More than a page of them.
    for at in 1..=120 {
        let request = send_message(user(ann), &format!("news {at}"), at);
        talking.invoke(&request).await.unwrap();
    }
    let group = json!({"title": "Group", "kind": "supergroup", "members": [ann]});
    telegram.post("/v1/channels", group).await;

    let phone = device(&telegram, ann).await;
    assert!(phone.client.is_authorized().await.unwrap());
    let me = phone.client.get_me().await.unwrap();
    assert_eq!((me.id().bare_id(), me.is_bot()), (Some(ann), false));
    let mut dialogs = phone.client.iter_dialogs();
    let mut names = Vec::new();
    while let Some(dialog) = dialogs.next().await.unwrap() {
        names.push(dialog.peer().name().unwrap().to_owned());
    }
    names.sort_unstable();
    assert_eq!(names, ["Group", "alpha"]);
    let alpha = named(&phone, "alpha_bot").await;
    let all = texts(&phone, alpha).await;
    assert_eq!(all.len(), 121);
    assert_eq!((all[0].as_str(), all[120].as_str()), ("news 120", "/start"));
    phone.client.mark_as_read(alpha).await.unwrap();
    let mut found = phone.client.search_messages(alpha).query("NEWS 77");
    assert_eq!(found.next().await.unwrap().unwrap().text(), "news 77");
    assert!(found.next().await.unwrap().is_none());
    assert!(telegram.events("unknown_method").await.is_empty());
}

#[tokio::test]
async fn a_member_talks_and_all_devices_follow() {
    let telegram = Telegram::start().await;
    let ann = telegram.member("Ann").await;
    let bot: Bot = telegram.bot("alpha").await;
    let mut serving = telegram.login(&bot).await;
    let phone = device(&telegram, ann).await;
    let mut laptop = device(&telegram, ann).await;
    laptop.client.get_me().await.unwrap();
    let alpha = named(&phone, "alpha_bot").await;
    let sent = phone.client.send_message(alpha, "hello").await.unwrap();
    let received = serving.message().await;
    assert_eq!(received.message, "hello");
    let elsewhere = laptop.message().await;
    assert_eq!((elsewhere.id, elsewhere.out), (sent.id(), true));

    phone
        .client
        .edit_message(alpha, sent.id(), "hello!")
        .await
        .unwrap();
    let edited = |update: &tl::enums::Update| match update {
        tl::enums::Update::EditMessage(edit) => match &edit.message {
            tl::enums::Message::Message(message) => Some(message.message.clone()),
            _ => None,
        },
        _ => None,
    };
    assert_eq!(serving.update(edited).await, "hello!");
    assert_eq!(laptop.update(edited).await, "hello!");
    serving
        .invoke(&send_message(user(ann), "hi Ann", 1))
        .await
        .unwrap();
    assert_eq!(laptop.message().await.message, "hi Ann");
    phone
        .client
        .delete_messages(alpha, &[sent.id()])
        .await
        .unwrap();
    assert_eq!(texts(&phone, alpha).await, ["hi Ann"]);
    assert!(telegram.events("auth_key_duplicated").await.is_empty());
}

#[tokio::test]
async fn a_press_waits_for_its_answer_and_times_out_without_one() {
    let telegram = Telegram::start().await;
    let ann = telegram.member("Ann").await;
    let bot = telegram.bot("alpha").await;
    let mut serving = telegram.login(&bot).await;
    telegram.starts(ann, &bot).await;
    let mut phone = device(&telegram, ann).await;
    let alpha = named(&phone, "alpha_bot").await;
    let mut ask = send_message(user(ann), "sure?", 1);
    ask.reply_markup = Some(keyboard(&[("Yes", "yes")]));
    serving.invoke(&ask).await.unwrap();
    let asked = phone.update(new_message).await;
    let press = tl::functions::messages::GetBotCallbackAnswer {
        game: false,
        peer: alpha.into(),
        msg_id: asked.id,
        data: Some(b"yes".to_vec()),
        password: None,
    };
    let bots_part = async {
        let query_id = serving
            .update(|update| match update {
                tl::enums::Update::BotCallbackQuery(query) => Some(query.query_id),
                _ => None,
            })
            .await;
        let answer = tl::functions::messages::SetBotCallbackAnswer {
            alert: true,
            query_id,
            message: Some("thanks".to_owned()),
            url: None,
            cache_time: 0,
        };
        serving.invoke(&answer).await.unwrap();
    };
    let (answer, ()) = tokio::join!(phone.invoke(&press), bots_part);
    let tl::enums::messages::BotCallbackAnswer::Answer(answer) = answer.unwrap();
    assert_eq!(answer.message.as_deref(), Some("thanks"));
    telegram
        .put("/v1/doubts", json!({"press_timeout_ms": 50}))
        .await;
    let (code, name) = rpc_error(phone.invoke(&press).await);
    assert_eq!((code, name.as_str()), (400, "BOT_RESPONSE_TIMEOUT"));
}

#[tokio::test]
async fn a_member_joins_by_name_and_what_people_may_not_is_refused() {
    let telegram = Telegram::start().await;
    let ann = telegram.member("Ann").await;
    let bob = telegram.member("Bob").await;
    let open =
        json!({"title": "Open", "kind": "supergroup", "username": "open_group", "members": [bob]});
    let open = telegram.post("/v1/channels", open).await["id"].clone();
    let phone = device(&telegram, ann).await;
    let group = named(&phone, "open_group").await;
    phone.client.join_chat(group).await.unwrap();
    phone.client.send_message(group, "here I am").await.unwrap();
    let said = telegram.get(&format!("/v1/messages?channel={open}")).await;
    assert_eq!(said["messages"][0]["text"], "here I am");
    let mut participants = phone.client.iter_participants(group);
    assert_eq!(participants.total().await.unwrap(), 2);
    let refused = telegram
        .call(
            reqwest::Method::POST,
            &format!("/v1/members/{ann}/join"),
            Some(json!({"channel": open})),
        )
        .await;
    assert_eq!(refused, Err("USER_ALREADY_PARTICIPANT".to_owned()));
    let (code, name) = rpc_error(phone.invoke(&tl::functions::help::GetSupport {}).await);
    assert_eq!(code, 400);
    assert!(name.starts_with("INPUT_METHOD_INVALID"), "{name}");
}
