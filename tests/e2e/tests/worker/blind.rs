//! A worker that alone has lost Telegram, for each of its bots, while it reaches Redis and the other worker reaches both.

use std::time::{Duration, Instant};

use e2e::{Proxy, Stage, TITLE, Talk};
use serde_json::Value;

/// A silent line is noticed after some four seconds; a loaded machine is given more.
const REPLACED: Duration = Duration::from_secs(40);

const WORKERS: [&str; 2] = ["e1", "e2"];

/// A stage whose workers have lines to Telegram of their own.
async fn stage_with_lines(members: usize) -> (Stage, [Proxy; 2]) {
    let no_local = |config: &str| config.replace("local = 2", "local = 0");
    let mut stage = Stage::prepare(members, no_local).await.unwrap();
    let dc = stage.sim.mtproto_addr();
    let lines = [
        Proxy::start_plain(dc).await.unwrap(),
        Proxy::start_plain(dc).await.unwrap(),
    ];
    stage.start_supervisor().unwrap();
    for (worker, line) in WORKERS.iter().zip(&lines) {
        let dc = format!("2@{}", line.addr());
        let settings = [("UNDERSTUDY__TELEGRAM__DC", dc.as_str())];
        stage.start_worker_with(worker, &settings).unwrap();
    }
    stage.served().await.unwrap();
    logins_go_by_the_configuration(&stage).await;
    (stage, lines)
}

/// A login is kept with the address at which it was made, which is one worker's line here: forgotten, each worker goes its own way with it.
async fn logins_go_by_the_configuration(stage: &Stage) {
    let sql = stage.sql().await.unwrap();
    stage
        .until_stored("each bot has two logins", async || {
            let kept: (i64,) = sqlx::query_as("SELECT COUNT(*) FROM logins")
                .fetch_one(&sql)
                .await?;
            Ok((kept.0 == 6).then_some(()))
        })
        .await
        .unwrap();
    let forgotten = sqlx::query("UPDATE logins SET dc_addr = NULL").execute(&sql);
    forgotten.await.unwrap();
    // Workers read one another's logins anew every five seconds; nothing tells when.
    tokio::time::sleep(Duration::from_secs(7)).await;
}

async fn is_replaced(stalled: bool) {
    let (stage, lines) = stage_with_lines(2).await;
    let bot = stage.active().await.unwrap();
    for member in 0..2 {
        for standby in stage.scene.bots.iter().filter(|it| it.id != bot) {
            let talk = Talk::private(&stage, member, standby.id);
            talk.meet_standby().await.unwrap();
        }
        let talk = Talk::private(&stage, member, bot);
        talk.open_upload().await.unwrap();
    }
    let (one, other) = (Talk::private(&stage, 0, bot), Talk::private(&stage, 1, bot));
    other.give_title().await.unwrap();
    stage.delivered().await.unwrap();
    let status = stage.status().await.unwrap();
    let blind = status["pools"][0]["active"]["worker"].as_str().unwrap();
    let line = &lines[WORKERS.iter().position(|name| *name == blind).unwrap()];
    let began = Instant::now();
    match stalled {
        true => line.stall(),
        false => line.cut(),
    }
    one.say(TITLE).await.unwrap();
    let replaced = stage.wait("the other worker serves", REPLACED, |status| {
        let pool = &status["pools"][0];
        pool["phase"] == "open" && pool["active"]["worker"] != blind
    });
    replaced.await.unwrap();
    let took = began.elapsed().as_millis();
    eprintln!("blind, stalled: {stalled}: replaced after {took} ms");
    assert_eq!(stage.active().await.unwrap(), bot, "the bot stays");
    one.see("✓ Title: ").await.unwrap();
    one.give_description().await.unwrap();
    other.give_description().await.unwrap();
    each_bot_is_with_who_reaches_telegram(&stage, blind).await;

    line.open();
    stage.served().await.unwrap();
    one.choose_category().await.unwrap();
    stage.delivered().await.unwrap();
    for talk in [&one, &other] {
        for answer in ["✓ Title: ", "✓ Description: "] {
            assert_eq!(talk.count(answer).await.unwrap(), 1, "{answer}");
        }
    }
    assert_eq!(stage.active().await.unwrap(), bot, "the bot stays");
    let duplicated = stage.events_since(0, "auth_key_duplicated").await.unwrap();
    assert!(duplicated.is_empty(), "{duplicated:#?}");
}

/// None is left to the blind worker.
async fn each_bot_is_with_who_reaches_telegram(stage: &Stage, blind: &str) {
    let seen = |status: &Value| {
        let bots = status["pools"][0]["bots"].as_array().cloned();
        let mut bots = bots.into_iter().flatten();
        bots.all(|bot| bot["worker"] != blind && bot["connection"] == "ready")
    };
    stage
        .wait("no bot is with the blind worker", REPLACED, seen)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_alone_loses_telegram_is_replaced_with_all_its_bots() {
    is_replaced(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_packets_to_telegram_vanish_is_replaced_with_all_its_bots() {
    is_replaced(true).await;
}
