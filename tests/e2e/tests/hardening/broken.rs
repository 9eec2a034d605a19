//! What is broken for good, and who is not held up by it: a login that Telegram has ended, a file that may not be copied, a state that nobody can
//! read.

use std::time::Duration;

use e2e::{Stage, TITLE, Talk, built};
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

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_cannot_be_read_holds_nobody_up_and_is_left_as_it_is() {
    const GARBAGE: &str = "no version, no line";
    /// More than the messages that the bot itself has sent before, which its cursor may not have passed yet.
    const SAID: usize = 6;
    let stage = Stage::open(2).await.unwrap();
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    let (damaged, other) = (
        Talk::private(&stage, 0, bots[0]),
        Talk::private(&stage, 1, bots[0]),
    );
    for member in 0..2 {
        let standby = Talk::private(&stage, member, bots[1]);
        standby.meet_standby().await.unwrap();
    }
    damaged.open_upload().await.unwrap();
    other.open_upload().await.unwrap();
    stage.delivered().await.unwrap();
    let own = stage.sent_to_members(0, bots[0], "").await.unwrap();
    assert!(own.values().map(Vec::len).sum::<usize>() < SAID);
    stage
        .overwrite_conversation(damaged.member, GARBAGE)
        .await
        .unwrap();

    let before = stage.private_pts(bots[0]).await.unwrap();
    for _ in 0..SAID {
        damaged.say(TITLE).await.unwrap();
    }
    other.give_title().await.unwrap();
    stage
        .until_stored("the cursor has passed it", async || {
            let moved = stage.private_pts(bots[0]).await? - before;
            Ok((moved > i64::try_from(SAID)?).then_some(()))
        })
        .await
        .unwrap();
    assert_eq!(damaged.count("✓ ").await.unwrap(), 0);
    let stored = stage.stored_conversation(damaged.member).await.unwrap();
    assert_eq!(stored.as_deref(), Some(GARBAGE));

    // It is open still, as far as a switch knows.
    stage.revoke(bots[0]).await.unwrap();
    assert_eq!(stage.switched_from(bots[0]).await.unwrap(), bots[1]);
    let other = Talk::private(&stage, 1, bots[1]);
    other.see("↻ ").await.unwrap();
    stage.resumed_by(bots[1]).await.unwrap();
    other.give_description().await.unwrap();
    stage.delivered().await.unwrap();
    let damaged = Talk::private(&stage, 0, bots[1]);
    assert_eq!(damaged.count("↻ ").await.unwrap(), 0);
    let stored = stage.stored_conversation(damaged.member).await.unwrap();
    assert_eq!(stored.as_deref(), Some(GARBAGE));
}
