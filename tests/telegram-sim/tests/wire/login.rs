//! Logging in, and what keys are worth.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use grammers_client::{InvocationError, tl};
use serde_json::json;

use super::support::{Login, Telegram, rpc_error};

#[tokio::test]
async fn a_stock_client_logs_in_and_is_who_the_token_says() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let login = telegram.client(telegram.key().await);
    assert!(!login.client.is_authorized().await.unwrap());
    let me = login.client.bot_sign_in(&bot.token, "hash").await.unwrap();
    assert_eq!(me.id().bare_id(), Some(bot.id));
    let me = login.client.get_me().await.unwrap();
    assert_eq!(me.username(), Some("alpha_bot"));
    assert!(login.client.is_authorized().await.unwrap());
    assert_eq!(telegram.event("logged_in", 1).await["account"], bot.id);
    let rpc = telegram.events("rpc").await;
    let login_call = rpc
        .iter()
        .find(|event| event["method"] == "auth.importBotAuthorization")
        .unwrap();
    assert_eq!(login_call["account"], bot.id);
}

#[tokio::test]
async fn wrong_and_revoked_tokens_are_told_apart() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let login = telegram.client(telegram.key().await);
    let wrong = format!("{}:wrong", bot.id);
    let (code, name) = rpc_error(login.client.bot_sign_in(&wrong, "hash").await.map(drop));
    assert_eq!((code, name.as_str()), (400, "ACCESS_TOKEN_INVALID"));
    telegram
        .fault(json!({"kind": "revoke", "bot": bot.id}))
        .await;
    let (code, name) = rpc_error(login.client.bot_sign_in(&bot.token, "hash").await.map(drop));
    assert_eq!((code, name.as_str()), (400, "ACCESS_TOKEN_EXPIRED"));
    let next = telegram.get(&format!("/v1/bots/{}/token", bot.id)).await;
    let next = next["token"].as_str().unwrap();
    assert_ne!(next, bot.token);
    login.client.bot_sign_in(next, "hash").await.unwrap();
}

#[tokio::test]
async fn an_unknown_key_is_answered_minus_404() {
    let telegram = Telegram::start().await;
    // The stock client then tries a key exchange, which there is not: the same answer again.
    let login = telegram.client([7; 256]);
    let refused = login.invoke(&tl::functions::updates::GetState {}).await;
    let Err(InvocationError::Transport(error)) = refused else {
        panic!("{refused:?}")
    };
    assert!(error.to_string().contains("404"), "{error}");
    assert_eq!(telegram.events("key_refused").await.len(), 2);
}

#[tokio::test]
async fn a_clean_reconnect_keeps_the_login() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let login = telegram.login(&bot).await;
    let session = login.die().await;
    let again = Login::over(session);
    again
        .invoke(&tl::functions::updates::GetState {})
        .await
        .unwrap();
    assert_eq!(
        again.client.get_me().await.unwrap().id().bare_id(),
        Some(bot.id)
    );
    assert_eq!(telegram.events("auth_key_duplicated").await.len(), 0);
}

#[tokio::test]
async fn calls_over_two_live_connections_kill_the_key() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let key = telegram.key().await;
    let first = telegram.client(key);
    first.client.bot_sign_in(&bot.token, "hash").await.unwrap();
    let second = telegram.client(key);
    let state = tl::functions::updates::GetState {};
    second.invoke(&state).await.unwrap();
    for login in [&first, &second] {
        let (code, name) = rpc_error(login.invoke(&state).await);
        assert_eq!((code, name.as_str()), (406, "AUTH_KEY_DUPLICATED"));
    }
    assert_eq!(
        telegram.event("auth_key_duplicated", 1).await["account"],
        bot.id
    );
    // The token is fine: another key logs in.
    telegram.login(&bot).await;
}

#[tokio::test]
async fn a_revoked_bot_dies_or_lives_on_as_the_doubt_says() {
    let telegram = Telegram::start().await;
    let state = tl::functions::updates::GetState {};
    let (killed, lives) = (telegram.bot("alpha").await, telegram.bot("beta").await);
    let killed_login = telegram.login(&killed).await;
    let lives_login = telegram.login(&lives).await;
    telegram
        .fault(json!({"kind": "revoke", "bot": killed.id, "live_sessions": "killed", "error": "AUTH_KEY_UNREGISTERED"}))
        .await;
    telegram
        .fault(json!({"kind": "revoke", "bot": lives.id, "live_sessions": "live_on"}))
        .await;
    let (code, name) = rpc_error(killed_login.invoke(&state).await);
    assert_eq!((code, name.as_str()), (401, "AUTH_KEY_UNREGISTERED"));
    lives_login.invoke(&state).await.unwrap();
}

#[tokio::test]
async fn a_key_that_a_revocation_makes_unknown_is_a_bare_code_on_every_connection() {
    let telegram = Telegram::start().await;
    let (gone, well) = (telegram.bot("alpha").await, telegram.bot("beta").await);
    let (login, other) = (telegram.login(&gone).await, telegram.login(&well).await);
    let killed = json!({"killed": {"code": -404, "message": "AUTH_KEY_UNKNOWN"}});
    telegram
        .put("/v1/doubts", json!({"revoke_live_sessions": killed}))
        .await;
    telegram
        .fault(json!({"kind": "revoke", "bot": gone.id}))
        .await;
    let state = tl::functions::updates::GetState {};
    let refused = login.invoke(&state).await;
    let is_coded = |refused: &Result<_, InvocationError>| matches!(refused, Err(InvocationError::Transport(error)) if error.to_string().contains("404"));
    assert!(is_coded(&refused), "{refused:?}");
    let closed = telegram.event("connection_closed", 1).await;
    assert_eq!(closed["reason"], "transport error -404");
    let again = Login::over(login.die().await).invoke(&state).await;
    assert!(again.is_err(), "the key stays unknown: {again:?}");
    other.invoke(&state).await.unwrap();
}

#[tokio::test]
async fn a_deleted_bot_is_deactivated_until_the_fault_is_cleared() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let login = telegram.login(&bot).await;
    let fault = telegram
        .fault(json!({"kind": "delete", "bot": bot.id}))
        .await;
    let (code, name) = rpc_error(login.invoke(&tl::functions::updates::GetState {}).await);
    assert_eq!((code, name.as_str()), (401, "USER_DEACTIVATED"));
    telegram.clear(fault).await;
    telegram.login(&bot).await;
}
