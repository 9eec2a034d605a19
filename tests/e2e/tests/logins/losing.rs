//! A login is lost while members talk: its bot goes on with the other one, and gets a new one beside.

use std::time::Duration;

use e2e::{Stage, Talk};
use serde_json::json;
use shared_core::AuthKey;
use shared_io::sql::LoginState;
use shared_io::telegram::CallError;

use super::keys::Logins;

const RELOGIN: Duration = Duration::from_secs(20);

/// Waits until the pool is open after a relogin of the same bot.
async fn relogged_in(stage: &Stage, bot: i64) {
    stage
        .wait("a relogin", RELOGIN, |status| {
            let pool = &status["pools"][0];
            pool["phase"] == "open" && pool["switches"][0]["kind"] == "relogin"
        })
        .await
        .unwrap();
    assert_eq!(stage.active().await.unwrap(), bot, "the bot stays");
}

/// Two connections that call in turn: the key is dead.
async fn kill_resting_key(logins: &Logins, key: &AuthKey) {
    let one = logins.second_line(key).await;
    one.calls().state().await.unwrap();
    let other = logins.second_line(key).await;
    other.calls().state().await.unwrap();
    let error = one.calls().state().await.unwrap_err();
    assert_eq!(error.name, "AUTH_KEY_DUPLICATED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_used_twice_is_replaced_and_members_talk_on() {
    let stage = Stage::open(2).await.unwrap();
    let logins = Logins::of(&stage).await;
    let bot = stage.active().await.unwrap();
    let (one, other) = (Talk::private(&stage, 0, bot), Talk::private(&stage, 1, bot));
    one.open_upload().await.unwrap();
    other.open_upload().await.unwrap();
    stage.settled().await.unwrap();

    let live = logins.key(bot, LoginState::Live).await;
    let resting = logins.key(bot, LoginState::Resting).await;
    let begin = stage.control.last_event().await.unwrap();
    let second = logins.second_line(&live).await;
    let answered: Result<_, CallError> = second.calls().state().await;
    answered.unwrap();
    // The bot's own next call finds out.
    stage
        .event(begin, "auth_key_duplicated", |_| true)
        .await
        .unwrap();
    drop(second);
    one.give_title().await.unwrap();
    relogged_in(&stage, bot).await;
    other.give_title().await.unwrap();
    one.give_description().await.unwrap();
    stage.settled().await.unwrap();
    for talk in [&one, &other] {
        assert_eq!(talk.count("✓ Title: ").await.unwrap(), 1);
        assert_eq!(talk.count("Step 1/6").await.unwrap(), 1);
    }
    // The one that rested is live, and the lost one is made anew beside it, with another key.
    stage
        .until_stored("both logins are good", async || {
            let states = logins.states(bot).await;
            Ok((!states.contains(&LoginState::Lost)).then_some(()))
        })
        .await
        .unwrap();
    let now_live = logins.key(bot, LoginState::Live).await;
    let now_resting = logins.key(bot, LoginState::Resting).await;
    assert_eq!(now_live.expose(), resting.expose());
    assert_ne!(now_resting.expose(), live.expose());
    let duplicated = stage
        .events_since(begin, "auth_key_duplicated")
        .await
        .unwrap();
    assert_eq!(duplicated.len(), 1, "only the one that was forced");
    let events = logins.events().await;
    for kind in ["login_lost", "login_replaced"] {
        assert!(events.contains(&kind), "{kind}: {events:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_telegram_ends_is_continued_by_the_other_login() {
    let stage = Stage::open(1).await.unwrap();
    let bot = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, bot);
    talk.open_upload().await.unwrap();
    stage.settled().await.unwrap();
    let dies = json!({
        "kind": "rpc_error", "bot": bot, "method": "updates.getState",
        "code": 401, "message": "AUTH_KEY_UNREGISTERED", "count": 1,
    });
    stage.fault(dies).await.unwrap();
    relogged_in(&stage, bot).await;
    talk.give_title().await.unwrap();
    stage.settled().await.unwrap();
    assert_eq!(talk.count("✓ Title: ").await.unwrap(), 1);
    // No new keyboard and no announcement: for members nothing has happened.
    assert_eq!(talk.count("Step 1/6").await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_lost_both_logins_comes_back_by_its_token() {
    let stage = Stage::open(1).await.unwrap();
    let logins = Logins::of(&stage).await;
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    let talk = Talk::private(&stage, 0, bots[1]);
    talk.meet_standby().await.unwrap();
    let old = Talk::private(&stage, 0, bots[0]);
    old.open_upload().await.unwrap();
    stage.settled().await.unwrap();
    let live = logins.key(bots[0], LoginState::Live).await;
    let resting = logins.key(bots[0], LoginState::Resting).await;
    kill_resting_key(&logins, &resting).await;
    let begin = stage.control.last_event().await.unwrap();
    let second = logins.second_line(&live).await;
    second.calls().state().await.unwrap();
    stage
        .event(begin, "auth_key_duplicated", |_| true)
        .await
        .unwrap();
    drop(second);
    assert_eq!(stage.switched_from(bots[0]).await.unwrap(), bots[1]);
    talk.see("↻ ").await.unwrap();
    talk.give_title().await.unwrap();
    // The token is fine: the bot logs in with the key that is left, and stands by.
    stage
        .event(begin, "logged_in", |event| {
            event.number("account") == Some(bots[0])
        })
        .await
        .unwrap();
    stage.ready(bots[0]).await.unwrap();
    old.say("/help").await.unwrap();
    old.see("I am a backup").await.unwrap();
    stage.settled().await.unwrap();
    assert_eq!(talk.count("✓ Title: ").await.unwrap(), 1);
}
