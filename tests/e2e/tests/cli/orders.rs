//! Orders by hand on a running system.

use std::collections::BTreeSet;

use e2e::Stage;
use serde_json::Value;

use super::{SOON, cli, json, refused, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_is_switched_to_by_hand_and_everybody_can_read_what_happened() {
    let stage = Stage::open(2).await.unwrap();
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    assert_eq!(stage.active().await.unwrap(), bots[0]);

    let dry = cli(&stage, &["switch", "--to", "second", "--dry-run"]).await;
    let said = text(&dry, 0);
    assert!(
        said.contains("switch would") && said.contains("second"),
        "{said}"
    );
    let dry = json(&cli(&stage, &["rotate", "--dry-run", "--json"]).await, 0);
    assert_eq!(dry["would_act"], true, "{dry}");
    assert_eq!(
        stage.active().await.unwrap(),
        bots[0],
        "a dry run moves nothing"
    );

    let username = format!("@{}", stage.scene.username(bots[1]).trim_start_matches('@'));
    let done = json(
        &cli(&stage, &["switch", "--to", &username, "--json"]).await,
        0,
    );
    assert_eq!(done["progress"]["state"], "done", "{done}");
    assert_eq!(done["by"]["user"], "ada");
    assert_eq!(stage.active().await.unwrap(), bots[1]);

    let again = cli(&stage, &["switch", "--to", "second"]).await;
    refused(
        &again,
        &["switch", "pool main was refused", "is active already"],
    );
    let dry = cli(&stage, &["switch", "--to", "second", "--dry-run"]).await;
    assert!(text(&dry, 1).contains("would do nothing"), "{dry:?}");

    let rotated = text(&cli(&stage, &["rotate"]).await, 0);
    assert!(rotated.starts_with("main: "), "{rotated}");
    assert_ne!(stage.active().await.unwrap(), bots[1]);

    let events = cli(&stage, &["events", "--json", "--limit", "100"]).await;
    let kinds: BTreeSet<String> = text(&events, 0)
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["kind"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    for kind in ["supervisor_started", "first", "switch", "order"] {
        assert!(kinds.contains(kind), "{kind} is not in {kinds:?}");
    }
    let latest = text(&cli(&stage, &["events", "--limit", "1"]).await, 0);
    assert_eq!(latest.lines().count(), 1, "{latest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn automation_is_paused_and_a_bot_is_pinned_until_it_is_undone() {
    let stage = Stage::open(1).await.unwrap();
    let paused = text(&cli(&stage, &["pause"]).await, 0);
    assert!(paused.contains("paused"), "{paused}");
    let status = stage.status().await.unwrap();
    assert_eq!(status["pools"][0]["paused"]["by"], "cli:ada", "{status}");
    let card = text(&cli(&stage, &["status"]).await, 1);
    assert!(card.contains("undo it with `understudy resume`"), "{card}");
    let doctor = cli(&stage, &["doctor"]).await;
    assert!(
        String::from_utf8_lossy(&doctor.stdout).contains("automation is paused"),
        "{doctor:?}"
    );

    // What is ordered by hand works all the same.
    text(&cli(&stage, &["switch", "--to", "second"]).await, 0);
    text(&cli(&stage, &["resume"]).await, 0);
    assert!(stage.status().await.unwrap()["pools"][0]["paused"].is_null());

    text(&cli(&stage, &["pin", "second"]).await, 0);
    let status = stage.status().await.unwrap();
    assert_eq!(status["pools"][0]["pinned"]["by"], "cli:ada", "{status}");
    let away = cli(&stage, &["switch", "--to", "first"]).await;
    refused(&away, &["pinned to second", "unpin first"]);
    text(&cli(&stage, &["unpin"]).await, 0);
    stage.ready(stage.scene.bots[0].id).await.unwrap();
    text(&cli(&stage, &["switch", "--to", "first"]).await, 0);
    assert_eq!(stage.active().await.unwrap(), stage.scene.bots[0].id);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_supervisor_an_order_is_not_left_lying_about() {
    let mut stage = Stage::open(1).await.unwrap();
    let first = stage.active().await.unwrap();
    stage.kill_supervisor().unwrap();
    stage
        .until_stored("nobody leads", async || {
            let mut redis = stage.redis().await?;
            let leader: Option<String> = redis::cmd("GET")
                .arg("us:leader")
                .query_async(&mut redis)
                .await?;
            Ok(leader.is_none().then_some(()))
        })
        .await
        .unwrap();
    let order = cli(&stage, &["rotate"]).await;
    refused(
        &order,
        &[
            "no supervisor leads this deployment",
            "start `understudy run`",
            "nothing was changed",
        ],
    );

    stage.start_supervisor().unwrap();
    stage
        .wait("it is led again", SOON, |status| {
            status["supervisor"]["running"] == true && status["pools"][0]["state"] == "ok"
        })
        .await
        .unwrap();
    assert_eq!(
        stage.active().await.unwrap(),
        first,
        "the order was not kept for later"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_nobody_takes_is_said_to_be_open() {
    use rustix::process::{Pid, Signal, kill_process};
    let stage = Stage::open(1).await.unwrap();
    let processes = sandbox::daemon::processes_of(&stage.folder.root);
    let is_supervisor =
        |command: &String| command.contains("understudy") && command.contains("run");
    let found = processes.iter().find(|(_, command)| is_supervisor(command));
    let supervisor = Pid::from_raw(found.expect("the supervisor").0).unwrap();
    kill_process(supervisor, Signal::STOP).unwrap();
    // It still has the lead for a moment.
    let order = cli(&stage, &["rotate", "--timeout", "1"]).await;
    kill_process(supervisor, Signal::CONT).unwrap();
    refused(
        &order,
        &["nobody has taken the order `rotate`", "refused after 30 s"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_order_prints_how_it_ended_as_json_and_ends_with_the_same_code() {
    let stage = Stage::open(1).await.unwrap();
    let first = stage.active().await.unwrap();
    let dry = cli(&stage, &["switch", "--to", "second", "--dry-run", "--json"]).await;
    let dry = json(&dry, 0);
    assert_eq!(
        (&dry["pool"], &dry["would_act"]),
        (&"main".into(), &true.into()),
        "{dry}"
    );
    assert_eq!(stage.active().await.unwrap(), first);
    let none = cli(&stage, &["switch", "--to", "first", "--dry-run", "--json"]).await;
    assert_eq!(json(&none, 1)["would_act"], false);

    for (words, overridden, part) in [
        (
            ["pause", "--json"].as_slice(),
            ("paused", true),
            "is paused",
        ),
        (&["resume", "--json"], ("paused", false), "acts again"),
        (
            &["pin", "first", "--json"],
            ("pinned", true),
            "pinned to first",
        ),
        (
            &["unpin", "--json"],
            ("pinned", false),
            "any bot may be active",
        ),
    ] {
        let output = cli(&stage, words).await;
        let end = json(&output, 0);
        assert_eq!(end["progress"]["state"], "done", "{end}");
        let outcome = end["progress"]["outcome"].as_str().unwrap();
        assert!(outcome.contains(part), "{part:?} is not in {outcome}");
        assert_eq!(end["by"]["user"], "ada");
        assert!(output.stderr.is_empty(), "{output:?}");
        let status = stage.status().await.unwrap();
        let (field, is_laid) = overridden;
        assert_eq!(
            !status["pools"][0][field].is_null(),
            is_laid,
            "{words:?}: {status}"
        );
    }

    // Refused: the same object on stdout, the line on stderr, and exit code 1.
    let again = cli(&stage, &["switch", "--to", "first", "--json"]).await;
    refused(&again, &["pool main was refused", "is active already"]);
    let end = json(&again, 1);
    assert_eq!(end["progress"]["state"], "refused", "{end}");
    let why = end["progress"]["why"].as_str().unwrap();
    assert!(why.contains("is active already"), "{why}");

    let checked = json(&cli(&stage, &["config", "check", "--json"]).await, 0);
    assert_eq!(checked["pools"][0]["name"], "main", "{checked}");
    assert_eq!(checked["pools"][0]["bots"].as_array().unwrap().len(), 3);
}
