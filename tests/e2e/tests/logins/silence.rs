//! Lines that fall silent one after the other: what members wrote to the bot stays its to answer.

use std::time::Duration;

use e2e::{Stage, Talk};
use serde_json::json;

const TAKEN_OVER: Duration = Duration::from_secs(60);

/// A standby cannot read what was written to this bot: so a connection that is lost while it is tested is worth another one.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_falls_silent_while_it_takes_over_gets_one_more_connection() {
    let stage = Stage::open(1).await.unwrap();
    let bot = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, bot);
    talk.open_upload().await.unwrap();
    stage.settled().await.unwrap();
    let silent = json!({"kind": "silent", "bot": bot, "live_only": true});
    stage.fault(silent.clone()).await.unwrap();
    // The smoke test asks for the bot's rights; by then the new connection has been answered.
    let mut tested = silent;
    tested["after"] = json!({
        "event": {"kind": "rpc", "account": bot, "method": "channels.getChannels"},
    });
    let second = stage.fault(tested).await.unwrap();
    talk.say("Into the silence").await.unwrap();
    stage.fired(second).await.unwrap();
    let status = stage
        .wait("somebody answers", TAKEN_OVER, |status| {
            let pool = &status["pools"][0];
            pool["phase"] == "open" && pool["switches"][0]["cause"].to_string().contains("silent")
        })
        .await
        .unwrap();
    let cause = status["pools"][0]["switches"][0]["cause"].to_string();
    assert!(cause.contains("its new line fell silent"), "{cause}");
    assert_eq!(stage.active().await.unwrap(), bot, "the bot stays");
    talk.see("Step 2/6").await.unwrap();
    talk.give_description().await.unwrap();
    stage.settled().await.unwrap();
    assert_eq!(talk.count("✓ Title: ").await.unwrap(), 1);
}
