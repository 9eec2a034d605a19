//! How logins are made: the resting one first, once each, and not while Telegram says to wait.

use std::collections::{BTreeMap, BTreeSet};

use e2e::Stage;
use serde_json::json;
use shared_io::sql::{LoginOutcome, LoginState};

use super::keys::Logins;

#[tokio::test(flavor = "multi_thread")]
async fn every_bot_gets_two_logins_and_one_of_them_rests_unconnected() {
    let stage = Stage::open(1).await.unwrap();
    let logins = Logins::of(&stage).await;
    let mut keys: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for made in stage.events_since(0, "logged_in").await.unwrap() {
        let bot = made.number("account").unwrap();
        keys.entry(bot)
            .or_default()
            .push(made.number("auth_key_id").unwrap());
    }
    for bot in stage.scene.bots.iter().map(|bot| bot.id) {
        let made = &keys[&bot];
        assert_eq!(made.len(), 2, "one attempt a login");
        assert_ne!(made[0], made[1], "each has a key of its own");
        let mut states = logins.states(bot).await;
        states.sort_by_key(|state| state.as_str());
        assert_eq!(states, [LoginState::Live, LoginState::Resting]);
        let attempts = logins.attempts(bot).await;
        assert_eq!(attempts.len(), 2, "{attempts:?}");
        // The resting one was made first, so that the newest login is the live one.
        let rows = logins.rows(bot).await;
        let live = rows.iter().find(|row| row.state == LoginState::Live);
        let rests = rows.iter().find(|row| row.state == LoginState::Resting);
        assert!(rests.unwrap().made <= live.unwrap().made);
        assert_eq!(open_connections(&stage, bot).await.len(), 1);
    }
    let made = logins.events().await;
    let count = made.iter().filter(|kind| **kind == "login_made").count();
    assert_eq!(count, 6, "{made:?}");
}

/// Connections of this bot that are open, by the log.
async fn open_connections(stage: &Stage, bot: i64) -> BTreeSet<i64> {
    let mut open = BTreeSet::new();
    let kinds = "connection_opened,connection_closed,rpc";
    for event in stage.events_since(0, kinds).await.unwrap() {
        let Some(connection) = event.number("connection") else {
            continue;
        };
        match event.kind.as_str() {
            "connection_closed" => drop(open.remove(&connection)),
            "rpc" if event.number("account") == Some(bot) => drop(open.insert(connection)),
            _ => {}
        }
    }
    open
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_has_to_wait_is_not_asked_for_again_before() {
    const WAIT_S: i64 = 7;
    let stage = Stage::open(1).await.unwrap();
    let logins = Logins::of(&stage).await;
    let bot = stage.active().await.unwrap();
    let begin = stage.control.last_event().await.unwrap();
    let flood = json!({
        "kind": "flood", "bot": bot, "method": "auth.importBotAuthorization", "seconds": WAIT_S, "count": 1,
    });
    stage.fault(flood).await.unwrap();
    // The live session dies once: the resting login takes over, and a new one has to be made.
    let dies = json!({
        "kind": "rpc_error", "bot": bot, "method": "updates.getState",
        "code": 401, "message": "SESSION_REVOKED", "count": 1,
    });
    let dead = logins.key(bot, LoginState::Live).await;
    stage.fault(dies).await.unwrap();
    // While Telegram has it wait, nobody is logged in with the next key, and it is sealed in SQL already.
    let sealed = stage
        .until_stored("the next key is sealed and not logged in", async || {
            let attempts = logins.attempts(bot).await;
            let waits = attempts
                .iter()
                .any(|it| it.outcome == LoginOutcome::Refused);
            let rows = logins.rows(bot).await;
            let lost = rows.into_iter().find(|row| row.state == LoginState::Lost);
            Ok(lost.filter(|_| waits))
        })
        .await
        .unwrap();
    assert_ne!(logins.opened(&sealed).expose(), dead.expose());
    stage
        .until_stored("the lost login is replaced", async || {
            let states = logins.states(bot).await;
            let replaced = logins.events().await.contains(&"login_replaced");
            Ok((replaced && !states.contains(&LoginState::Lost)).then_some(()))
        })
        .await
        .unwrap();
    let asked = stage.events_since(begin, "rpc").await.unwrap();
    let asked: Vec<i64> = asked
        .iter()
        .filter(|event| event.fields.get("method") == Some(&json!("auth.importBotAuthorization")))
        .map(|event| event.unix_ms)
        .collect();
    assert_eq!(asked.len(), 2, "{asked:?}");
    let attempts = logins.attempts(bot).await;
    let told: Vec<i64> = attempts
        .iter()
        .filter(|attempt| attempt.outcome == LoginOutcome::Refused)
        .map(|attempt| attempt.not_before.unwrap().0)
        .collect();
    assert_eq!(told.len(), 1, "{attempts:?}");
    assert!(
        told[0] > asked[0] && asked[1] >= told[0],
        "{told:?} {asked:?}"
    );
    assert_eq!(stage.active().await.unwrap(), bot, "the bot stays");
    // Members did not wait for it.
    let relogin = logins.last_move().await;
    assert_eq!(relogin.kind.as_str(), "relogin", "{relogin:?}");
    let rows = logins.rows(bot).await;
    let made = rows
        .iter()
        .find(|row| row.slot == sealed.slot)
        .unwrap()
        .made;
    let opened = relogin.timeline.opened_at.unwrap();
    assert!(opened < made && opened.0 < asked[1], "{opened:?} {made:?}");
}
