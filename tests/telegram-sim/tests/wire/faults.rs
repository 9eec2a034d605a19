//! Faults on the line, and faults that wait for their moment.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use grammers_client::{InvocationError, tl};
use serde_json::json;
use tokio::time::timeout;

use super::support::{Login, Telegram, send_message, user};

const STATE: tl::functions::updates::GetState = tl::functions::updates::GetState {};

/// A silent line has to be silent for some time to be seen as such.
const SILENCE: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_silent_line_swallows_both_ways_and_resets_nothing() {
    let telegram = Telegram::start().await;
    let (dead, well) = (telegram.bot("alpha").await, telegram.bot("beta").await);
    let (dead_login, well_login) = (telegram.login(&dead).await, telegram.login(&well).await);
    let fault = telegram
        .fault(json!({"kind": "silent", "bot": dead.id}))
        .await;
    let unanswered = timeout(SILENCE, dead_login.client.invoke(&STATE)).await;
    assert!(unanswered.is_err(), "{unanswered:?}");
    well_login.invoke(&STATE).await.unwrap();
    assert_eq!(telegram.events("connection_closed").await.len(), 0);
    telegram.clear(fault).await;
    dead_login.invoke(&STATE).await.unwrap();
}

#[tokio::test]
async fn a_silence_of_live_sockets_leaves_the_next_connection_well() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let login = telegram.login(&bot).await;
    let fault = telegram
        .fault(json!({"kind": "silent", "bot": bot.id, "live_only": true}))
        .await;
    let unanswered = timeout(SILENCE, login.client.invoke(&STATE)).await;
    assert!(unanswered.is_err(), "{unanswered:?}");
    let list = telegram.get("/v1/faults").await;
    assert_eq!(list[0]["live_only"], true);
    let again = Login::over(login.die().await);
    again.invoke(&STATE).await.unwrap();
    telegram.clear(fault).await;
    again.invoke(&STATE).await.unwrap();
}

#[tokio::test]
async fn a_reset_closes_sockets_once_or_until_it_is_cleared() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let login = telegram.login(&bot).await;
    let session = login.session.clone();
    telegram
        .fault(json!({"kind": "reset", "bot": bot.id}))
        .await;
    let closed = telegram.event("connection_closed", 1).await;
    assert_eq!(closed["reason"], "reset by a fault");
    assert_eq!(closed["account"], bot.id);
    let again = Login::over(session.clone());
    again.invoke(&STATE).await.unwrap();
    again.die().await;

    let fault = telegram
        .fault(json!({"kind": "reset", "bot": bot.id, "refuse": true}))
        .await;
    let refused = Login::over(session.clone()).invoke(&STATE).await;
    assert!(
        matches!(refused, Err(InvocationError::Io(_))),
        "{refused:?}"
    );
    telegram.clear(fault).await;
    Login::over(session).invoke(&STATE).await.unwrap();
}

#[tokio::test]
async fn a_slow_line_is_late_and_keeps_order() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let login = telegram.login(&bot).await;
    telegram
        .fault(json!({"kind": "slow", "bot": bot.id, "delay_ms": 120, "jitter_ms": 60}))
        .await;
    let started = Instant::now();
    let calls = (0..40).map(|_| login.invoke(&STATE));
    for result in futures_util::future::join_all(calls).await {
        result.unwrap();
    }
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(120), "{took:?}");
    // Latency, not bandwidth: forty calls at once do not take forty delays.
    assert!(took < Duration::from_millis(40 * 120), "{took:?}");
}

#[tokio::test]
async fn a_fault_lands_between_the_effect_and_the_answer() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.member("Ann").await;
    let login = telegram.login(&bot).await;
    telegram.starts(member, &bot).await;
    let fault = telegram
        .fault(json!({
            "kind": "silent", "bot": bot.id,
            "after": {"event": {"kind": "message_sent", "account": bot.id, "random_id": 77}},
        }))
        .await;
    login
        .invoke(&send_message(user(member), "answered", 76))
        .await
        .unwrap();
    let lost = timeout(
        SILENCE,
        login
            .client
            .invoke(&send_message(user(member), "sent, not answered", 77)),
    )
    .await;
    assert!(lost.is_err(), "{lost:?}");
    let seen = telegram.seen(member, &bot).await;
    assert_eq!(seen.last().unwrap()["text"], "sent, not answered");
    assert_eq!(telegram.event("fault_fired", 1).await["fault"], fault);
    telegram.clear(fault).await;
    let repeated = login
        .client
        .invoke(&send_message(user(member), "sent, not answered", 77))
        .await;
    assert!(
        matches!(&repeated, Err(InvocationError::Rpc(error)) if error.name == "RANDOM_ID_DUPLICATE")
    );
}

#[tokio::test]
async fn a_revocation_lands_right_after_a_delivery() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.member("Ann").await;
    let mut login = telegram.login(&bot).await;
    telegram
        .fault(json!({
            "kind": "revoke", "bot": bot.id, "live_sessions": "killed",
            "after": {"event": {"kind": "updates_delivered", "account": bot.id}},
        }))
        .await;
    telegram.starts(member, &bot).await;
    assert_eq!(login.message().await.message, "/start");
    telegram.event("revoked", 1).await;
    let refused = login.invoke(&STATE).await;
    assert!(
        matches!(&refused, Err(InvocationError::Rpc(error)) if error.name == "SESSION_REVOKED"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn faults_are_listed_and_end_by_themselves() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let login = telegram.login(&bot).await;
    let fault = telegram
        .fault(json!({"kind": "silent", "bot": bot.id, "for_ms": 100}))
        .await;
    let list = telegram.get("/v1/faults").await;
    assert_eq!(
        (list[0]["id"].as_u64(), list[0]["state"].as_str()),
        (Some(fault), Some("active"))
    );
    assert_eq!(telegram.event("fault_cleared", 1).await["fault"], fault);
    assert_eq!(telegram.get("/v1/faults").await, json!([]));
    login.invoke(&STATE).await.unwrap();
    let refused = telegram
        .call(
            reqwest::Method::POST,
            "/v1/faults",
            Some(json!({"kind": "slow"})),
        )
        .await;
    assert_eq!(refused.unwrap_err(), "REQUEST_INVALID");
}

#[tokio::test]
async fn lost_segments_stall_the_line_and_lose_updates() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.member("Ann").await;
    let login = telegram.login(&bot).await;
    telegram
        .fault(json!({"kind": "loss", "bot": bot.id, "percent": 100, "stall_ms": 150}))
        .await;
    let started = Instant::now();
    login.invoke(&STATE).await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(150));
    telegram.starts(member, &bot).await;
    assert_eq!(telegram.events("updates_lost").await.len(), 1);
}

#[tokio::test]
async fn a_transport_error_is_a_bare_code() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let login = telegram.login(&bot).await;
    let fault = telegram
        .fault(json!({"kind": "transport_error", "bot": bot.id, "code": -429}))
        .await;
    let refused = login.invoke(&STATE).await;
    assert!(
        matches!(&refused, Err(InvocationError::Transport(error)) if error.to_string().contains("429")),
        "{refused:?}"
    );
    let closed = telegram.event("connection_closed", 1).await;
    assert_eq!(closed["reason"], "transport error -429");
    telegram.clear(fault).await;
    Login::over(login.die().await).invoke(&STATE).await.unwrap();
}
