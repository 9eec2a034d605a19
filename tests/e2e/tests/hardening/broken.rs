//! What is broken for good, and who is not held up by it: a login that Telegram has ended, a file that may not be copied.

use std::time::Duration;

use e2e::{Stage, Talk, built};
use sandbox::control::Event;
use serde_json::json;

/// The first retry finds the login dead, the second makes a new one.
const LOGGED_IN: Duration = Duration::from_secs(40);

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_whose_session_was_ended_logs_in_again_and_stands_by() {
    let stage = Stage::open(1).await.unwrap();
    let bot = stage.active().await.unwrap();
    let begin = stage.control.last_event().await.unwrap();
    // The session dies, and the login that rested is dead too when it is tried; the token is fine.
    for method in ["users.getUsers", "updates.getState"] {
        stage
            .fault(json!({
                "kind": "rpc_error", "bot": bot, "method": method,
                "code": 401, "message": "SESSION_REVOKED", "count": 1,
            }))
            .await
            .unwrap();
    }
    let next = stage.switched_from(bot).await.unwrap();
    let own = |event: &Event| event.number("account") == Some(bot);
    stage
        .event_within(LOGGED_IN, begin, "logged_in", own)
        .await
        .unwrap();
    stage.ready(bot).await.unwrap();
    assert_eq!(stage.active().await.unwrap(), next, "it stands by");
    let talk = Talk::private(&stage, 0, bot);
    let hint = talk.meet_standby().await.unwrap();
    assert_eq!(hint.from, bot);
    // It serves as well as any other.
    let ordered = tokio::process::Command::new(built("understudy").unwrap())
        .args(["switch", "--to", stage.scene.bots[0].name, "--config"])
        .arg(stage.folder.config())
        .stdin(std::process::Stdio::null())
        .output()
        .await
        .unwrap();
    assert!(ordered.status.success(), "{ordered:?}");
    assert_eq!(stage.active().await.unwrap(), bot);
    talk.open_upload().await.unwrap();
    let logins = stage.events_since(begin, "logged_in").await.unwrap();
    let made = logins.iter().filter(|it| own(it)).count();
    assert!((1..=2).contains(&made), "one a login: {logins:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_may_not_be_copied_is_asked_for_again() {
    const FILE: &str = "bread.pdf";
    let stage = Stage::open(1).await.unwrap();
    let bot = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, bot);
    talk.upload_until_files().await.unwrap();
    stage
        .fault(json!({
            "kind": "rpc_error", "bot": bot, "method": "messages.forwardMessages",
            "code": 400, "message": "CHAT_FORWARDS_RESTRICTED", "count": 1,
        }))
        .await
        .unwrap();
    talk.send_file(FILE, 70_000).await.unwrap();
    let asked = talk.see("did not arrive").await.unwrap();
    assert!(asked.text.contains(FILE), "{}", asked.text);
    talk.send_file(FILE, 70_000).await.unwrap();
    talk.see(&format!("✓ File 1: {FILE}")).await.unwrap();
    talk.submit().await.unwrap();
    stage.delivered().await.unwrap();
    assert_eq!(talk.count("did not arrive").await.unwrap(), 1);
    assert_eq!(talk.count("✓ File").await.unwrap(), 1);
    stage.has_one_file_and_one_post(FILE).await.unwrap();
}
