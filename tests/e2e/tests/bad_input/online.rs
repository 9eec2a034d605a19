//! What only Telegram can tell: a basic group under a channel's id, a bot that is in no channel. Found while it runs, named by `smoke`, `doctor`
//! and `status`, and nothing is done about it but saying so.

use std::process::{Output, Stdio};
use std::time::Duration;

use e2e::{Stage, built};
use reqwest::Method;
use serde_json::json;

/// A bot looks at its channels shortly after it has connected.
const NOTICED: Duration = Duration::from_secs(40);

async fn cli(stage: &Stage, words: &[&str]) -> Output {
    tokio::process::Command::new(built("understudy").unwrap())
        .args(words)
        .arg("--config")
        .arg(stage.folder.config())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap()
}

fn failed_with(output: &Output, parts: &[&str]) {
    let out = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        out.lines()
            .any(|line| parts.iter().all(|part| line.contains(part))),
        "{parts:?} is in no line of: {out}"
    );
}

/// Stops everything, and starts it again on another configuration.
async fn restart_on(stage: &mut Stage, configuration: &str) {
    stage.stop().unwrap();
    std::fs::write(stage.folder.config(), configuration).unwrap();
    stage.start_supervisor().unwrap();
    stage.served().await.unwrap();
}

async fn troubled(stage: &Stage, bot: usize) {
    stage
        .wait(
            "the bot says what is wrong with its channels",
            NOTICED,
            |status| {
                let channels = &status["pools"][0]["bots"][bot]["channels"];
                channels.as_array().is_some_and(|list| !list.is_empty())
            },
        )
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_is_not_in_a_channel_is_named() {
    let mut stage = Stage::open(1).await.unwrap();
    let (second, storage) = (stage.scene.bots[1].id, stage.scene.storage);
    let path = format!("/channels/{storage}/members/{second}");
    stage.sim_call(Method::DELETE, &path, None).await.unwrap();
    let id = storage.to_string();
    let parts = ["is not in channel", &id, "make it an administrator there"];

    failed_with(&cli(&stage, &["smoke", "--bot", "second"]).await, &parts);
    let well = cli(&stage, &["smoke"]).await;
    assert_eq!(
        well.status.code(),
        Some(0),
        "the active bot is well: {well:?}"
    );

    let configuration = std::fs::read_to_string(stage.folder.config()).unwrap();
    restart_on(&mut stage, &configuration).await;
    troubled(&stage, 1).await;
    failed_with(&cli(&stage, &["doctor"]).await, &parts);
    assert!(
        stage.status().await.unwrap()["pools"][0]["active"].is_object(),
        "members are served"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_basic_group_is_named_with_the_step_that_converts_it() {
    let mut stage = Stage::open(1).await.unwrap();
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    let group = json!({"title": "Old group", "kind": "basic_group", "members": bots, "admins": []});
    let made = stage
        .sim_call(Method::POST, "/channels", Some(group))
        .await
        .unwrap();
    let id = made["id"].as_i64().unwrap().to_string();
    let before = std::fs::read_to_string(stage.folder.config()).unwrap();
    let with = format!("{before}\n[[pool.channel]]\nid = {id}\nrole = \"group\"\nrights = []\n");
    // A table of the pool may not stand behind one of its tables: it goes before the upload's.
    let with = match before.split_once("[pool.upload]") {
        Some((head, tail)) => format!(
            "{head}[[pool.channel]]\nid = {id}\nrole = \"group\"\nrights = []\n\n[pool.upload]{tail}"
        ),
        None => with,
    };
    stage.stop().unwrap();
    std::fs::write(stage.folder.config(), with).unwrap();
    stage.start_supervisor().unwrap();
    troubled(&stage, 0).await;

    let parts = [id.as_str(), "is a basic group", "turn it into a supergroup"];
    failed_with(&cli(&stage, &["doctor"]).await, &parts);
    failed_with(&cli(&stage, &["smoke", "--all"]).await, &parts);
}
