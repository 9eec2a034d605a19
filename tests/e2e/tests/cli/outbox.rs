//! A reply that Telegram refuses for good: the member is not left waiting, and whoever looks after the pool sees it and sends it again or drops it.

use e2e::{Stage, Talk};
use serde_json::{Value, json};

use super::{cli, json, refused, text};

/// The bot's next message is refused as nothing that waiting would mend.
async fn refuse_the_next(stage: &Stage, bot: i64) {
    let fault = json!({
        "kind": "rpc_error", "bot": bot, "code": 400, "message": "MESSAGE_TOO_LONG",
        "method": "messages.sendMessage", "count": 1
    });
    stage.fault(fault).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_reply_is_moved_aside_shown_and_sent_again_or_dropped() {
    let stage = Stage::open(1).await.unwrap();
    let bot = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, bot);
    talk.open_upload().await.unwrap();
    let empty = text(&cli(&stage, &["outbox", "list"]).await, 0);
    assert_eq!(empty, "nothing is moved aside\n");

    refuse_the_next(&stage, bot).await;
    talk.say("Bread without kneading").await.unwrap();
    // What he was to be told is refused; he is shown where he stands, with live buttons.
    let shown = talk
        .see("Telegram did not take my last message")
        .await
        .unwrap();
    assert!(shown.text.contains("Step 2/6"), "{}", shown.text);
    assert!(
        shown.text.contains("Bread without kneading"),
        "{}",
        shown.text
    );
    stage.delivered().await.unwrap();

    let listed = json(&cli(&stage, &["outbox", "list", "--json"]).await, 0);
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    let why = "Telegram refuses it: MESSAGE_TOO_LONG";
    assert_eq!(
        (&listed[0]["why"], &listed[0]["kind"]),
        (&json!(why), &json!("say"))
    );
    assert!(
        !listed.to_string().contains("kneading"),
        "nobody's words: {listed}"
    );
    let status = stage.status().await.unwrap();
    let aside = &status["pools"][0]["moved_aside"];
    assert_eq!(*aside, json!({"count": 1, "reasons": [[why, 1]]}));
    assert_eq!(stage.counter("refused").await.unwrap(), 1);
    let card = String::from_utf8(cli(&stage, &["status"]).await.stdout).unwrap();
    assert!(
        card.contains("1 cannot be sent (1 x Telegram refuses it: MESSAGE_TOO_LONG)"),
        "{card}"
    );
    let events = stage
        .until("the refusal is in the events", async || {
            let said = text(&cli(&stage, &["events", "--json"]).await, 0);
            Ok(said.contains("reply_refused").then_some(said))
        })
        .await
        .unwrap();
    assert!(
        events.contains(why) && !events.contains("kneading"),
        "{events}"
    );

    // Its reason is mended (the fault is over): it is said after all.
    assert_eq!(talk.count("✓ Title: ").await.unwrap(), 0);
    let id = listed[0]["id"].as_str().unwrap();
    let again = json(&cli(&stage, &["outbox", "retry", id, "--json"]).await, 0);
    assert_eq!((&again["moved"], &again["asked"]), (&json!(1), &json!(1)));
    talk.see("✓ Title: ").await.unwrap();
    stage.delivered().await.unwrap();
    refused(
        &cli(&stage, &["outbox", "retry", id]).await,
        &["not there", "outbox list"],
    );

    // He goes on from the prompt that he was shown.
    refuse_the_next(&stage, bot).await;
    talk.say("Flour, water, salt and a long night.")
        .await
        .unwrap();
    talk.see("Step 3/6").await.unwrap();
    let dropped = text(&cli(&stage, &["outbox", "drop", "--all"]).await, 0);
    assert_eq!(dropped, "1 of 1 thrown away\n");
    let nothing: Value = json(&cli(&stage, &["outbox", "list", "--json"]).await, 0);
    assert_eq!(nothing, json!([]));
    stage
        .until("who did what is in the events", async || {
            let said = text(&cli(&stage, &["events"]).await, 0);
            let all = [
                ("outbox retry", "done"),
                ("outbox retry", "failed"),
                ("outbox drop", "done"),
            ];
            let is_there = |(word, verdict): (&str, &str)| {
                let mut lines = said.lines();
                lines.any(|line| line.contains(word) && line.contains(verdict))
            };
            Ok(all.into_iter().all(is_there).then_some(()))
        })
        .await
        .unwrap();
    let bad = cli(&stage, &["outbox", "drop", "what"]).await;
    assert_eq!(bad.status.code(), Some(2), "{bad:?}");
}
