//! Connecting, logging in, and every way in which a line ends.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use shared_core::{AuthKey, ErrorClass, SendTarget, SessionFate};
use shared_io::telegram::Say;
use tokio::time::{Instant, timeout};

use super::support::{PATIENCE, Telegram};

const GONE: ErrorClass = ErrorClass::SessionDead(SessionFate::Gone);

fn hello(random_id: i64) -> Say<'static> {
    Say {
        text: "hello",
        keyboard: None,
        reply_to: None,
        random_id,
        silent: false,
    }
}

#[tokio::test]
async fn a_login_is_kept_by_its_key() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let key = telegram.key().await;
    let line = telegram.connect(key.clone()).await.unwrap();
    assert_eq!(
        line.identity().await.unwrap_err().class,
        GONE,
        "not logged in"
    );
    let identity = line.log_in(&bot.token).await.unwrap();
    assert_eq!(identity.bot, bot.id);
    assert_eq!(
        (identity.username.as_str(), identity.name.as_str()),
        ("alpha_bot", "alpha")
    );
    assert_eq!(line.auth_key().unwrap().expose(), key.expose());
    assert_eq!(line.home(), telegram.params(key.clone()).dc);
    line.close();
    telegram.event("connection_closed", 1).await;

    let again = telegram.connect(key).await.unwrap();
    assert_eq!(again.identity().await.unwrap(), identity);
}

#[tokio::test]
async fn an_unknown_key_is_a_dead_session_and_no_reason_for_another_key() {
    let telegram = Telegram::start().await;
    let begun = Instant::now();
    let refused = telegram.connect(AuthKey::new([9; 256])).await;
    assert_eq!(refused.err().map(|error| error.class), Some(GONE));
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "it does not wait for the deadline"
    );
}

#[tokio::test]
async fn a_key_that_dies_under_a_live_line_ends_the_session() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let line = telegram.line(&bot).await;
    let before = line.auth_key().unwrap().expose();
    telegram
        .fault(json!({"kind": "transport_error", "code": -404, "bot": bot.id.0}))
        .await;
    let error = line.calls().state().await.unwrap_err();
    assert_eq!(error.class, GONE, "{error}");
    assert_eq!(line.auth_key().unwrap().expose(), before);
}

#[tokio::test]
async fn a_revoked_bot_is_told_apart_from_a_revoked_token() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let line = telegram.line(&bot).await;
    telegram
        .fault(json!({"kind": "revoke", "bot": bot.id.0, "live_sessions": "killed"}))
        .await;
    let error = line.calls().state().await.unwrap_err();
    assert_eq!((error.class, error.code), (GONE, 401), "{error}");
    let fresh = telegram.connect(telegram.key().await).await.unwrap();
    let error = fresh.log_in(&bot.token).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::TokenDead, "{error}");
}

#[tokio::test]
async fn a_silent_line_times_out() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let mut params = telegram.params(telegram.key().await);
    params.timeouts.call = Duration::from_millis(300);
    let line = shared_io::telegram::Line::connect(params.clone())
        .await
        .unwrap();
    line.log_in(&bot.token).await.unwrap();
    telegram.fault(json!({"kind": "silent"})).await;
    let begun = Instant::now();
    let error = line.calls().state().await.unwrap_err();
    assert_eq!(
        (error.class, error.name.as_str()),
        (ErrorClass::Network, "TIMEOUT")
    );
    assert!(begun.elapsed() < Duration::from_secs(3));

    params.timeouts.connect = Duration::from_millis(300);
    params.key = Some(telegram.key().await);
    let error = shared_io::telegram::Line::connect(params)
        .await
        .err()
        .unwrap();
    assert_eq!(
        (error.class, error.name.as_str()),
        (ErrorClass::Network, "TIMEOUT")
    );
}

#[tokio::test]
async fn dropping_a_line_closes_its_socket_and_nothing_queued_leaves() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.friend("Ann", &bot).await;
    let line = telegram.line(&bot).await;
    let (calls, closed) = (line.calls(), line.closed());
    drop(line);
    timeout(PATIENCE, closed).await.unwrap();
    telegram.event("connection_closed", 1).await;
    let error = calls
        .say(SendTarget::Member(member), &hello(1))
        .await
        .unwrap_err();
    assert_eq!(
        (error.class, error.name.as_str()),
        (ErrorClass::Network, "LINE_CLOSED")
    );
    assert_eq!(
        telegram.seen(member, &bot).await.len(),
        1,
        "the member's own /start"
    );
}

#[tokio::test]
async fn calls_in_flight_end_with_the_line() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let line = telegram.line(&bot).await;
    telegram.fault(json!({"kind": "silent"})).await;
    let calls = line.calls();
    let waiting = tokio::spawn(async move { calls.state().await });
    tokio::task::yield_now().await;
    line.close();
    let error = timeout(Duration::from_secs(3), waiting)
        .await
        .unwrap()
        .unwrap()
        .unwrap_err();
    assert_eq!(error.name, "LINE_CLOSED", "long before its deadline");
}

#[tokio::test]
async fn a_reset_socket_is_reopened_by_the_next_call() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let line = telegram.line(&bot).await;
    let key = line.auth_key().unwrap().expose();
    telegram.fault(json!({"kind": "reset"})).await;
    telegram.event("connection_closed", 1).await;
    // The end of the socket may meet the first call; it is an error of the network, not of the session.
    let answered = async {
        loop {
            match line.calls().state().await {
                Ok(state) => return state,
                Err(error) => assert_eq!(error.class, ErrorClass::Network, "{error}"),
            }
        }
    };
    timeout(PATIENCE, answered).await.unwrap();
    assert_eq!(line.auth_key().unwrap().expose(), key);
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_the_network() {
    let telegram = Telegram::start().await;
    let mut params = telegram.params(telegram.key().await);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let std::net::SocketAddr::V4(addr) = free.local_addr().unwrap() else {
        panic!("IPv4 expected");
    };
    drop(free);
    params.dc = Some(shared_io::telegram::DcAddress { id: 2, addr });
    let error = shared_io::telegram::Line::connect(params)
        .await
        .err()
        .unwrap();
    assert_eq!(
        (error.class, error.name.as_str()),
        (ErrorClass::Network, "CONNECTION_REFUSED")
    );
}

#[tokio::test]
async fn a_closed_gate_lets_no_call_leave_and_the_line_lives() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.friend("Ann", &bot).await;
    let line = telegram.line(&bot).await;
    let open = Arc::new(AtomicBool::new(true));
    let gate = Arc::clone(&open);
    let calls = line
        .calls()
        .gated(Arc::new(move || gate.load(Ordering::SeqCst)));
    let to = SendTarget::Member(member);
    calls.say(to, &hello(1)).await.unwrap();
    open.store(false, Ordering::SeqCst);
    let error = calls.say(to, &hello(2)).await.unwrap_err();
    assert_eq!(
        (error.class, error.name.as_str()),
        (ErrorClass::Network, "GATE_CLOSED")
    );
    line.calls().say(to, &hello(3)).await.unwrap();
    assert_eq!(
        telegram.seen(member, &bot).await.len(),
        3,
        "the member's own /start, the first and the third"
    );
}
