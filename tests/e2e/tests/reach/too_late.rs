//! What a standby kept for so long that nobody acts on it: its member is told, once, and shown where he stands.

use e2e::{Stage, TITLE, Talk};
use serde_json::Value;

const HALF_AN_HOUR_MS: i64 = 30 * 60 * 1000;

/// Makes everything that the bot keeps half an hour older, as if it had stood by for so long.
async fn make_older(stage: &Stage, bot: i64) {
    let key = format!("us:{{main}}:held:b{bot}");
    let mut redis = stage.redis().await.unwrap();
    let kept: Vec<(String, Vec<(String, String)>)> = redis::cmd("XRANGE")
        .arg(&key)
        .arg("-")
        .arg("+")
        .query_async(&mut redis)
        .await
        .unwrap();
    for (position, fields) in kept {
        let mut message: Value = serde_json::from_str(&fields[0].1).unwrap();
        let date = message["date"].as_i64().unwrap() - HALF_AN_HOUR_MS;
        message["date"] = date.into();
        let mut pipeline = redis::pipe();
        pipeline.cmd("XDEL").arg(&key).arg(position).ignore();
        pipeline
            .cmd("XADD")
            .arg(&key)
            .arg("*")
            .arg("u")
            .arg(message.to_string())
            .ignore();
        let () = pipeline.query_async(&mut redis).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wrote_too_long_ago_is_told_and_shown_where_he_stands() {
    const NOT_TAKEN: &str = "was not taken";
    let stage = Stage::open(2).await.unwrap();
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    let active = Talk::private(&stage, 0, bots[0]);
    let [one, other] = [0, 1].map(|member| Talk::private(&stage, member, bots[1]));
    for talk in [&one, &other] {
        talk.meet_standby().await.unwrap();
    }
    // One has nothing open and wrote twice; the other's conversation went on after what he wrote.
    active.open_upload().await.unwrap();
    one.say("an old title").await.unwrap();
    for text in ["hello", "/upload"] {
        other.say(text).await.unwrap();
    }
    stage
        .until_stored("the standby keeps all three", async || {
            Ok((stage.held(bots[1]).await? == 3).then_some(()))
        })
        .await
        .unwrap();
    make_older(&stage, bots[1]).await;
    stage.revoke(bots[0]).await.unwrap();
    assert_eq!(stage.switched_from(bots[0]).await.unwrap(), bots[1]);

    let told = other.see(NOT_TAKEN).await.unwrap();
    assert!(told.text.contains("Nothing is open"), "{}", told.text);
    let shown = one.see("Step 1/6").await.unwrap();
    assert!(
        shown.text.starts_with("↻ "),
        "he went on since: {}",
        shown.text
    );
    one.say(TITLE).await.unwrap();
    one.see(&format!("✓ Title: {TITLE}")).await.unwrap();
    stage
        .until_stored("nothing is kept any longer", async || {
            Ok((stage.held(bots[1]).await? == 0).then_some(()))
        })
        .await
        .unwrap();
    stage.delivered().await.unwrap();
    assert_eq!(other.count(NOT_TAKEN).await.unwrap(), 1, "once for both");
    assert_eq!(other.count("Step 1/6").await.unwrap(), 0, "not acted on");
    assert_eq!(one.count(NOT_TAKEN).await.unwrap(), 0);
    assert_eq!(one.count("an old title").await.unwrap(), 0);
    assert_eq!(stage.counter("held_dropped").await.unwrap(), 3);
}
