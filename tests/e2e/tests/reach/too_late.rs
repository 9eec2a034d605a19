//! What a standby kept and nobody acts on, because it is too old or was written so close to another bot's step that nobody can tell which was first: its
//! member is told, once, and shown where he stands.

use e2e::{Stage, TITLE, Talk};
use serde_json::Value;

const NOT_TAKEN: &str = "was not taken";
const HALF_AN_HOUR_MS: i64 = 30 * 60 * 1000;

/// Gives everything that the bot keeps another date.
async fn redate(stage: &Stage, bot: i64, dated: impl Fn(i64) -> i64) {
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
        message["date"] = dated(message["date"].as_i64().unwrap()).into();
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
    stage.held_is(bots[1], 3).await.unwrap();
    // As if the bot had stood by for so long.
    redate(&stage, bots[1], |date| date - HALF_AN_HOUR_MS).await;
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
    stage.held_is(bots[1], 0).await.unwrap();
    stage.delivered().await.unwrap();
    assert_eq!(other.count(NOT_TAKEN).await.unwrap(), 1, "once for both");
    assert_eq!(other.count("Step 1/6").await.unwrap(), 0, "not acted on");
    assert_eq!(one.count(NOT_TAKEN).await.unwrap(), 0);
    assert_eq!(one.count("an old title").await.unwrap(), 0);
    assert_eq!(stage.counter("held_dropped").await.unwrap(), 3);
}

/// Telegram's dates are whole seconds: a title that was written in the second of the other bot's step may have been meant for the step before it.
#[tokio::test(flavor = "multi_thread")]
async fn who_wrote_in_the_very_second_of_the_other_bots_step_is_asked_again() {
    const TYPED: [&str; 2] = ["Typed before or after that", "And then this"];
    let stage = Stage::open(1).await.unwrap();
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    let [active, standby] = [0, 1].map(|bot| Talk::private(&stage, 0, bots[bot]));
    standby.meet_standby().await.unwrap();
    active.open_upload().await.unwrap();
    active.give_title().await.unwrap();
    for text in TYPED {
        standby.say(text).await.unwrap();
    }
    stage.held_is(bots[1], 2).await.unwrap();
    let mut redis = stage.redis().await.unwrap();
    let open: Vec<(String, f64)> = redis::cmd("ZRANGE")
        .arg("us:{main}:open")
        .arg(0)
        .arg(-1)
        .arg("WITHSCORES")
        .query_async(&mut redis)
        .await
        .unwrap();
    let stepped = open[0].1 as i64;
    redate(&stage, bots[1], |_| stepped - 500).await;
    stage.revoke(bots[0]).await.unwrap();
    assert_eq!(stage.switched_from(bots[0]).await.unwrap(), bots[1]);

    let told = standby.see(NOT_TAKEN).await.unwrap();
    for part in ["Title: ", "Step 2/6"] {
        assert!(told.text.contains(part), "{}", told.text);
    }
    stage.held_is(bots[1], 0).await.unwrap();
    stage.delivered().await.unwrap();
    assert_eq!(standby.count(NOT_TAKEN).await.unwrap(), 1, "once for both");
    assert_eq!(standby.count("✓ ").await.unwrap(), 0, "acted on");
    standby.give_description().await.unwrap();
    standby.choose_category().await.unwrap();
    for text in TYPED {
        assert_eq!(standby.count(text).await.unwrap(), 0, "{text}");
    }
}
