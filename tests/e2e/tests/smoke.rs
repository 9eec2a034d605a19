//! The smoke test after a switch: breaking any one of its parts makes the supervisor take the next standby, and members see none of it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use e2e::{Stage, Talk};
use reqwest::Method;
use serde_json::{Value, json};

const SWITCHED: Duration = Duration::from_secs(20);

/// Revokes the active bot once the second one is broken; the third one has to end up active, and the second never served.
async fn third_takes_over(stage: &Stage) -> Value {
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    assert_eq!(
        stage.active().await.unwrap(),
        bots[0],
        "the first bot begins"
    );
    let fault = json!({"kind": "revoke", "bot": bots[0], "live_sessions": "killed"});
    stage.control.fault(fault).await.unwrap();
    let status = stage
        .wait("the third bot is active", SWITCHED, |status| {
            let pool = &status["pools"][0];
            // SQL hears of the switch a moment after members are served.
            pool["phase"] == "open"
                && is_bot(&pool["active"]["bot"], bots[2])
                && pool["switches"][0]["kind"] == "switch"
        })
        .await
        .unwrap();
    for member in &stage.scene.members {
        let seen = stage
            .sim_call(
                Method::GET,
                &format!("/members/{}/chat?user={}", member.id, bots[1]),
                None,
            )
            .await;
        let messages = seen.unwrap()["messages"].as_array().unwrap().len();
        assert_eq!(
            messages, 0,
            "the second bot's failed test must not be seen by members"
        );
    }
    status
}

fn is_bot(value: &Value, bot: i64) -> bool {
    value.as_i64() == Some(bot) || value.as_str() == Some(&format!("b{bot}"))
}

async fn redis(stage: &Stage) -> redis::aio::MultiplexedConnection {
    let socket = stage.folder.state().join("redis/redis.sock");
    let client = redis::Client::open(format!("redis+unix://{}", socket.display())).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

async fn sql(stage: &Stage) -> sqlx::SqlitePool {
    let file = stage.folder.state().join("understudy.db");
    sqlx::SqlitePool::connect(&format!("sqlite://{}", file.display()))
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_second_bot_takes_over() {
    let stage = Stage::open(2).await.unwrap();
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    stage
        .control
        .fault(json!({"kind": "revoke", "bot": bots[0], "live_sessions": "killed"}))
        .await
        .unwrap();
    stage
        .wait("the second bot is active", SWITCHED, |status| {
            let pool = &status["pools"][0];
            pool["phase"] == "open" && is_bot(&pool["active"]["bot"], bots[1])
        })
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_telegrams_answer_the_next_standby_is_taken() {
    let stage = Stage::open(2).await.unwrap();
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    let fault = json!({
        "kind": "rpc_error", "bot": bots[1], "method": "updates.getState", "code": 500, "message": "INTERNAL",
        "after": {"event": {"kind": "revoked", "bot": bots[0]}},
    });
    stage.control.fault(fault).await.unwrap();
    third_takes_over(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_the_next_standby_is_taken() {
    let stage = Stage::open(2).await.unwrap();
    let second = stage.scene.bots[1].id;
    let key = format!("us:{{main}}:probe:b{second}");
    let mut connection = redis(&stage).await;
    // The smoke test's own key holds something that it cannot count in.
    let () = redis::cmd("SET")
        .arg(&key)
        .arg("broken")
        .query_async(&mut connection)
        .await
        .unwrap();
    let status = third_takes_over(&stage).await;
    assert!(tried(&status).contains("Redis"), "{}", tried(&status));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_login_in_sql_the_next_standby_is_taken() {
    let stage = Stage::open(2).await.unwrap();
    let second = stage.scene.bots[1].id;
    let pool = sql(&stage).await;
    let deleted = sqlx::query("DELETE FROM logins WHERE bot = $1")
        .bind(format!("b{second}"))
        .execute(&pool)
        .await
        .unwrap();
    assert!(
        deleted.rows_affected() > 0,
        "the second bot had a stored login"
    );
    let status = third_takes_over(&stage).await;
    assert!(tried(&status).contains("Sql"), "{}", tried(&status));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_rights_in_one_channel_the_next_standby_is_taken() {
    let stage = Stage::open(2).await.unwrap();
    let second = stage.scene.bots[1].id;
    let path = format!("/channels/{}/admins/{second}", stage.scene.storage);
    stage.sim_call(Method::DELETE, &path, None).await.unwrap();
    let status = third_takes_over(&stage).await;
    assert!(tried(&status).contains("Rights"), "{}", tried(&status));
}

/// The broadcast channel lets none of the bots post any more: who writes to them is answered by whichever there is.
#[tokio::test(flavor = "multi_thread")]
async fn where_no_bot_has_all_rights_members_are_served_all_the_same() {
    let stage = Stage::open(1).await.unwrap();
    let first = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, first);
    talk.open_upload().await.unwrap();
    for bot in &stage.scene.bots {
        let path = format!("/channels/{}/admins/{}", stage.scene.broadcast, bot.id);
        stage.sim_call(Method::DELETE, &path, None).await.unwrap();
    }
    stage.settled().await.unwrap();
    stage.kill_active_worker().await.unwrap();
    talk.give_title().await.unwrap();
    let status = stage
        .wait("somebody serves", Duration::from_secs(30), |status| {
            let pool = &status["pools"][0];
            pool["phase"] == "open" && tried(status).contains("Rights")
        })
        .await
        .unwrap();
    // It stays shown to whoever can mend it.
    let bots = status["pools"][0]["bots"].as_array().unwrap();
    let shown = bots.iter().filter(|bot| bot["channels"] != json!([]));
    assert_eq!(shown.count(), bots.len(), "{status:#}");
}

/// What the status says about standbys that were tried and failed.
fn tried(status: &Value) -> String {
    status["pools"][0]["switches"].to_string()
}

/// Telegram slows the bot down just when it is tested on another worker: that is no reason to leave it.
#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_is_told_to_wait_while_it_is_tested_passes() {
    let stage = Stage::open(1).await.unwrap();
    let bot = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, bot);
    talk.open_upload().await.unwrap();
    stage.settled().await.unwrap();
    let flood = json!({
        "kind": "rpc_error", "bot": bot, "code": 420, "message": "FLOOD_WAIT_7",
        "method": "channels.getChannels", "count": 3
    });
    let flood = stage.fault(flood).await.unwrap();
    stage.kill_active_worker().await.unwrap();
    stage
        .wait("a takeover", Duration::from_secs(30), |status| {
            let pool = &status["pools"][0];
            pool["phase"] == "open" && pool["switches"][0]["kind"] == "takeover"
        })
        .await
        .unwrap();
    stage.fired(flood).await.unwrap();
    assert_eq!(stage.active().await.unwrap(), bot, "the bot stays");
    talk.give_title().await.unwrap();
}
