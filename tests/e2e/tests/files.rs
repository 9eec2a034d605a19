//! Files: acknowledged only when they are in the storage channel, an album item by item, asked for again when their bot dies on the way.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use e2e::{Stage, Talk};
use reqwest::Method;
use sandbox::control::Event;
use serde_json::{Value, json};

const NAMES: [&str; 3] = ["dough.pdf", "oven.pdf", "crust.pdf"];

async fn send_album(stage: &Stage, talk: &Talk<'_>, bot: i64) {
    let items: Vec<Value> = NAMES
        .iter()
        .map(|name| json!({"name": name, "mime": "application/pdf", "size": 4_000}))
        .collect();
    let path = format!("/members/{}/send", talk.member);
    let album = json!({"to": {"user": bot}, "album": items});
    stage
        .sim_call(Method::POST, &path, Some(album))
        .await
        .unwrap();
}

fn text_of(event: &Event) -> &str {
    let text = event.fields.get("text").and_then(Value::as_str);
    text.unwrap_or_default()
}

fn acknowledged(number: usize) -> String {
    format!("✓ File {number}: {}", NAMES[number - 1])
}

/// How many files are in the storage channel.
async fn stored(stage: &Stage) -> usize {
    let posts = stage.control.posts(stage.scene.storage).await.unwrap();
    posts.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_item_of_an_album_is_acknowledged_after_it_was_stored() {
    let stage = Stage::open(1).await.unwrap();
    let bot = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, bot);
    talk.upload_until_files().await.unwrap();
    let begin = stage.control.last_event().await.unwrap();
    send_album(&stage, &talk, bot).await;
    for number in 1..=3 {
        talk.see(&acknowledged(number)).await.unwrap();
    }
    let sent = stage.events_since(begin, "message_sent").await.unwrap();
    for number in 1..=3 {
        let told = sent
            .iter()
            .position(|event| text_of(event).contains(&acknowledged(number)))
            .unwrap();
        let stored_before = sent[..told]
            .iter()
            .filter(|event| event.chat("channel") == Some(stage.scene.storage))
            .count();
        assert!(stored_before >= number, "file {number}: {sent:#?}");
        assert_eq!(talk.count(&acknowledged(number)).await.unwrap(), 1);
    }
    assert_eq!(stored(&stage).await, 3);
    talk.submit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_its_way_when_the_bot_dies_is_asked_for_again() {
    let stage = Stage::open(1).await.unwrap();
    let bot = stage.active().await.unwrap();
    for standby in stage.scene.bots.iter().filter(|other| other.id != bot) {
        Talk::private(&stage, 0, standby.id)
            .meet_standby()
            .await
            .unwrap();
    }
    let talk = Talk::private(&stage, 0, bot);
    talk.upload_until_files().await.unwrap();
    // The first copy is made and acknowledged to the member; no other one is, then the token goes.
    let refusing = stage
        .fault(json!({
            "kind": "rpc_error", "bot": bot, "method": "messages.forwardMessages", "code": 500, "message": "RPC_CALL_FAIL",
            "after": {"event": {"kind": "message_sent", "account": bot, "chat": {"channel": stage.scene.storage}}},
        }))
        .await
        .unwrap();
    send_album(&stage, &talk, bot).await;
    talk.see(&acknowledged(1)).await.unwrap();
    stage.fired(refusing).await.unwrap();
    stage.revoke(bot).await.unwrap();
    let next = stage.switched_from(bot).await.unwrap();

    let there = Talk::private(&stage, 0, next);
    there.see("Stored: 1 of 10").await.unwrap();
    for name in &NAMES[1..] {
        let asked = format!("Please send it again: {name}");
        let listed = "Missing, please send again";
        let heard = stage
            .until("both are asked for again", async || {
                let heard = there.heard().await?;
                let is_asked = heard.iter().any(|one| {
                    one.text.contains(&asked)
                        || (one.text.contains(listed) && one.text.contains(*name))
                });
                Ok(is_asked.then_some(heard))
            })
            .await
            .unwrap();
        let claimed = heard
            .iter()
            .any(|one| one.text.contains("✓ File") && one.text.contains(*name));
        assert!(!claimed, "{name} was never stored: {heard:#?}");
    }
    for (number, name) in NAMES.iter().enumerate().skip(1) {
        there.send_file(name, 4_000).await.unwrap();
        there.see(&acknowledged(number + 1)).await.unwrap();
    }
    there.submit().await.unwrap();
    stage.settled().await.unwrap();
    assert_eq!(stage.counter("files_to_resend").await.unwrap(), 2);
    let posts = stage.control.posts(stage.scene.broadcast).await.unwrap();
    assert_eq!(posts.len(), 1, "{posts:#?}");
    assert!(
        NAMES.iter().all(|name| posts[0].text.contains(name)),
        "{posts:#?}"
    );
}
