//! Failure scenarios of other systems' tests (Patroni's `features/*.feature`, Redis Sentinel's) that carry over and need a whole running
//! system. docs/scenarios.md has the table of all of them, with those that stand elsewhere.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use e2e::{Stage, Talk};
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

const SERVED: Duration = Duration::from_secs(60);

fn bots(stage: &Stage) -> Vec<i64> {
    stage.scene.bots.iter().map(|bot| bot.id).collect()
}

fn is_active(status: &Value, bot: i64) -> bool {
    let pool = &status["pools"][0];
    pool["phase"] == "open" && pool["active"]["bot"].to_string().contains(&bot.to_string())
}

async fn revoke(stage: &Stage, bot: i64) {
    let fault = json!({"kind": "revoke", "bot": bot, "live_sessions": "killed"});
    stage.control.fault(fault).await.unwrap();
}

async fn answers(stage: &Stage, member: usize, bot: i64) {
    let talk = Talk::private(stage, member, bot);
    talk.say("/help").await.unwrap();
    talk.see("What I know:").await.unwrap();
}

/// Everybody has met every bot, so that nobody's replies have to wait.
async fn everybody_starts_all(stage: &Stage) {
    for bot in bots(stage) {
        Talk::private(stage, 0, bot).start(None).await.unwrap();
    }
    stage.settled().await.unwrap();
}

/// Patroni: the leader dies, and so does whoever followed it.
#[tokio::test(flavor = "multi_thread")]
async fn consecutive_deaths_of_the_active_bot_leave_the_last_one_answering() {
    let stage = Stage::open(1).await.unwrap();
    everybody_starts_all(&stage).await;
    let bots = bots(&stage);
    let talk = Talk::private(&stage, 0, bots[0]);
    talk.open_upload().await.unwrap();
    for pair in bots.windows(2) {
        revoke(&stage, pair[0]).await;
        stage
            .wait("the next bot is active", SERVED, |status| {
                is_active(status, pair[1])
            })
            .await
            .unwrap();
        let next = Talk::private(&stage, 0, pair[1]);
        next.see("Step 1/6").await.unwrap();
    }
    let last = Talk::private(&stage, 0, bots[2]);
    last.give_title().await.unwrap();
    assert_eq!(last.count("Step 2/6").await.unwrap(), 1);
}

/// Patroni: the candidate is killed while it is being promoted.
#[tokio::test(flavor = "multi_thread")]
async fn a_standby_killed_during_the_switch_is_passed_over() {
    let stage = Stage::open_with(1, str::to_owned, &["e1", "e2", "e3"])
        .await
        .unwrap();
    everybody_starts_all(&stage).await;
    let bots = bots(&stage);
    // Its smoke test gets no answer, so the switch stands still at it; then its process is gone.
    let fault = json!({
        "kind": "silent", "bot": bots[1],
        "after": {"event": {"kind": "revoked", "bot": bots[0]}},
    });
    stage.control.fault(fault).await.unwrap();
    let victim = stage.worker_of(bots[1]).await.unwrap();
    revoke(&stage, bots[0]).await;
    stage
        .wait("the second bot is being tried", SERVED, |status| {
            status["pools"][0]["phase"] != "open"
        })
        .await
        .unwrap();
    kill_process(victim, Signal::KILL).unwrap();
    let status = stage
        .wait("the third bot is active", SERVED, |status| {
            is_active(status, bots[2])
        })
        .await
        .unwrap();
    answers(&stage, 0, bots[2]).await;
    assert!(!is_active(&status, bots[1]));
}

/// Patroni: a member is removed while it is watched; here the one that answers.
#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_is_taken_out_of_the_configuration_while_it_is_active_is_left() {
    let mut stage = Stage::open(1).await.unwrap();
    everybody_starts_all(&stage).await;
    let bots = bots(&stage);
    Talk::private(&stage, 0, bots[0])
        .open_upload()
        .await
        .unwrap();
    stage.stop().unwrap();
    let config = std::fs::read_to_string(stage.folder.config()).unwrap();
    std::fs::write(stage.folder.config(), without_first_bot(&config)).unwrap();
    stage.start_supervisor().unwrap();
    // Which of the others is ready first when everything starts is open.
    let status = stage
        .wait("another bot is active", SERVED, |status| {
            bots[1..].iter().any(|bot| is_active(status, *bot))
        })
        .await
        .unwrap();
    let others = bots[1..].iter();
    let next = others.copied().find(|bot| is_active(&status, *bot));
    let talk = Talk::private(&stage, 0, next.unwrap());
    talk.see("Step 1/6").await.unwrap();
    talk.give_title().await.unwrap();
}

/// Patroni's `nofailover`, Redis' `replica-priority 0`: by nobody and never.
#[tokio::test(flavor = "multi_thread")]
async fn a_bot_with_promote_false_is_never_promoted() {
    let never_second = |config: &str| {
        let (before, after) = config
            .split_once("name = \"second\"")
            .expect("a second bot");
        format!("{before}name = \"second\"\npromote = false{after}")
    };
    let stage = Stage::open_with(1, never_second, &[]).await.unwrap();
    everybody_starts_all(&stage).await;
    let bots = bots(&stage);
    revoke(&stage, bots[0]).await;
    stage
        .wait("the third bot is active", SERVED, |status| {
            is_active(status, bots[2])
        })
        .await
        .unwrap();
    answers(&stage, 0, bots[2]).await;
    revoke(&stage, bots[2]).await;
    let held = stage
        .wait("nobody is left", SERVED, |status| {
            status["pools"][0]["phase"] != "open"
        })
        .await
        .unwrap();
    assert!(!is_active(&held, bots[1]), "{held:#}");
    // The pool stays without an answer rather than with that bot's.
    let promoted = stage
        .wait("the second bot", Duration::from_secs(3), |status| {
            is_active(status, bots[1])
        })
        .await;
    assert!(promoted.is_err());
}

/// Sentinel's quorum: that one bot is not answered says nothing of it while nobody else is answered either.
#[tokio::test(flavor = "multi_thread")]
async fn a_silence_that_everybody_hears_moves_nobody() {
    let stage = Stage::open(1).await.unwrap();
    everybody_starts_all(&stage).await;
    let bot = bots(&stage)[0];
    let talk = Talk::private(&stage, 0, bot);
    talk.open_upload().await.unwrap();
    stage.settled().await.unwrap();
    let before = stage.status().await.unwrap();
    let silence = json!({"kind": "silent", "for_ms": 6_000});
    stage.control.fault(silence).await.unwrap();
    talk.say("Bread without kneading").await.unwrap();
    // Longer than any one line may be silent for.
    tokio::time::sleep(Duration::from_millis(5_500)).await;
    let amid = stage.status().await.unwrap();
    assert_eq!(standing(&amid), standing(&before), "{amid:#}");
    talk.see("Step 2/6").await.unwrap();
    talk.give_description().await.unwrap();
    stage.settled().await.unwrap();
    assert_eq!(talk.count("✓ Title: ").await.unwrap(), 1);
    // As it ends one line is answered before the others, and that is not taken for a silence of the others.
    let after = stage.status().await.unwrap();
    assert_eq!(standing(&after), standing(&before), "{after:#}");
}

/// Who answers, under which epoch, and how often the pool has been moved so far.
fn standing(status: &Value) -> (&Value, &Value, usize) {
    let pool = &status["pools"][0];
    let moves = pool["switches"].as_array().map_or(0, Vec::len);
    (&pool["active"]["bot"], &pool["epoch"], moves)
}

/// The configuration without its first `[[pool.bot]]`.
fn without_first_bot(config: &str) -> String {
    let mut parts = config.split("[[pool.bot]]");
    let head = parts.next().unwrap_or_default();
    let others: Vec<&str> = parts.skip(1).collect();
    format!("{head}[[pool.bot]]{}", others.join("[[pool.bot]]"))
}
