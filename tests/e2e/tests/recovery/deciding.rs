//! A Redis with somebody else's history is neither served nor written before a person has decided.

use std::process::Output;
use std::time::Duration;

use e2e::{Stage, TITLE, Talk, built};
use rustix::process::Signal;
use sandbox::processes::redis_of;
use serde_json::Value;

use super::redis_lost::{copied, epoch, lose, restored};

const SOON: Duration = Duration::from_secs(60);

async fn understudy(stage: &Stage, words: &[&str]) -> Output {
    tokio::process::Command::new(built("understudy").unwrap())
        .args(words)
        .arg("--config")
        .arg(stage.folder.config())
        .output()
        .await
        .unwrap()
}

/// As if another deployment's server had been put in its place.
async fn foreign_mark(stage: &Stage) {
    let mut redis = stage.redis().await.unwrap();
    redis::cmd("SET")
        .arg("us:{main}:lineage")
        .arg("somebody else's")
        .exec_async(&mut redis)
        .await
        .unwrap();
    stage
        .wait("the pool is held", SOON, |status| {
            let why = status["pools"][0]["undecided"].as_str();
            why.is_some_and(|why| why.contains("--take database"))
        })
        .await
        .unwrap();
}

async fn go_on(stage: &Stage) {
    stage
        .wait("the pool is led again", SOON, |status| {
            let pool = &status["pools"][0];
            pool["phase"] == "open"
                && pool["undecided"] == Value::Null
                && pool["restoring"] == Value::Null
                && pool["checkpoint_lag_ms"]
                    .as_u64()
                    .is_some_and(|lag| lag < 2_000)
        })
        .await
        .unwrap();
}

/// A pool with one open conversation, all of it in the database.
async fn copied_with_one_conversation() -> (Stage, i64) {
    let stage = Stage::open(1).await.unwrap();
    let bot = stage.active().await.unwrap();
    Talk::private(&stage, 0, bot).open_upload().await.unwrap();
    stage.delivered().await.unwrap();
    go_on(&stage).await;
    copied(&stage).await;
    (stage, bot)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_history_waits_for_a_person_who_may_take_either_side() {
    let (stage, bot) = copied_with_one_conversation().await;
    let talk = Talk::private(&stage, 0, bot);

    foreign_mark(&stage).await;
    let dry = understudy(&stage, &["restore", "conversations", "--dry-run", "--json"]).await;
    assert!(dry.status.success(), "{dry:?}");
    let sides: Value = serde_json::from_slice(&dry.stdout).unwrap();
    assert_eq!(sides["redis"]["conversations_open"], 1);
    assert_eq!(sides["database"]["conversations_open"], 1);
    assert_ne!(sides["redis"]["lineage"], sides["database"]["lineage"]);

    let unasked = understudy(&stage, &["restore", "conversations"]).await;
    assert_eq!(
        unasked.status.code(),
        Some(2),
        "nobody is there to be asked"
    );

    let words = ["restore", "conversations", "--take", "redis", "--yes"];
    let kept = understudy(&stage, &words).await;
    assert!(kept.status.success(), "{kept:?}");
    go_on(&stage).await;
    talk.give_title().await.unwrap();
    stage.delivered().await.unwrap();
    go_on(&stage).await;
    copied(&stage).await;

    foreign_mark(&stage).await;
    let words = ["restore", "conversations", "--yes", "--json"];
    let restored = understudy(&stage, &words).await;
    assert!(restored.status.success(), "{restored:?}");
    let order: Value = serde_json::from_slice(&restored.stdout).unwrap();
    assert_eq!(order["progress"]["state"], "done", "{order:#}");
    go_on(&stage).await;
    // All bots connect anew; on a slow machine the one that answered last may be late.
    let active = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, active);
    if active != bot {
        // Who comes by Start is shown the step; the card is there when he asks.
        talk.start(None).await.unwrap();
        talk.see("Step 2/6").await.unwrap();
        talk.say("/resume").await.unwrap();
        let shown = talk.see("So far:").await.unwrap();
        assert!(shown.text.contains(TITLE), "{}", shown.text);
    }
    talk.give_description().await.unwrap();
    assert_eq!(talk.count("Step 3/6").await.unwrap(), 1);
}

/// Both stores forget the pool at one time; the workers live on and have seen it served.
#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_both_stores_have_lost_is_held_until_a_person_lets_it_begin_anew() {
    let (stage, _) = copied_with_one_conversation().await;
    let before = epoch(&stage).await;

    let sql = stage.sql().await.unwrap();
    let redis = redis_of(&stage.folder.root).unwrap();
    // It writes nothing to the database meanwhile: the leader needs Redis for that.
    redis.signal(Signal::STOP).unwrap();
    for table in [
        "checkpoint_conversations",
        "checkpoint_entries",
        "checkpoint_reach",
        "checkpoints",
        "lineages",
        "epochs",
    ] {
        sqlx::query(sqlx::AssertSqlSafe(format!("DELETE FROM {table}")))
            .execute(&sql)
            .await
            .unwrap();
    }
    lose(&stage, |_| {});
    stage
        .wait("the pool is held", SOON, |status| {
            let why = status["pools"][0]["undecided"].as_str();
            why.is_some_and(|why| why.contains("both have lost their data"))
        })
        .await
        .unwrap();

    let words = ["restore", "conversations", "--take", "redis", "--yes"];
    let begun = understudy(&stage, &words).await;
    assert!(begun.status.success(), "{begun:?}");
    restored(&stage, before).await;
    let active = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, active);
    talk.say("/help").await.unwrap();
    talk.see("/upload").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_no_supervisor_leads_the_command_restores_by_itself() {
    let mut stage = Stage::open(1).await.unwrap();
    let bot = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, bot);
    talk.open_upload().await.unwrap();
    stage.delivered().await.unwrap();
    go_on(&stage).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    stage.kill_supervisor().unwrap();
    stage
        .wait("its lead has run out", SOON, |status| {
            status["supervisor"]["leader"] == Value::Null
        })
        .await
        .unwrap();
    let words = ["restore", "conversations", "--yes", "--json"];
    let restored = understudy(&stage, &words).await;
    assert!(restored.status.success(), "{restored:?}");
    let report: Value = serde_json::from_slice(&restored.stdout).unwrap();
    assert_eq!(report["conversations"], 1, "{report:#}");
    stage.start_supervisor().unwrap();
    go_on(&stage).await;
    let talk = Talk::private(&stage, 0, bot);
    talk.give_title().await.unwrap();
    assert_eq!(talk.count("Step 2/6").await.unwrap(), 1);
}

/// Every command of the document is run as it stands there; nobody is at a terminal, so those that ask are told yes.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_document_says_is_done() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/recover.md");
    let document = std::fs::read_to_string(file).unwrap();
    let stage = Stage::open(1).await.unwrap();
    let bot = stage.active().await.unwrap();
    Talk::private(&stage, 0, bot).open_upload().await.unwrap();
    let blocks = document.split("```sh\n").skip(1);
    let mut run = 0;
    for line in blocks.flat_map(|block| block.split("```").next().unwrap().lines()) {
        let command = line.split('#').next().unwrap().trim();
        let mut words: Vec<&str> = command.split_whitespace().skip(1).collect();
        if words.contains(&"--take") {
            words.push("--yes");
        }
        stage.served().await.unwrap();
        go_on(&stage).await;
        let output = understudy(&stage, &words).await;
        assert!(output.status.success(), "{command}: {output:?}");
        run += 1;
    }
    assert!(run >= 5, "only {run} commands found");
}
