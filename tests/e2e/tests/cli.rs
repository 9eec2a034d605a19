//! The commands of whoever looks after a pool, on a running system and through the real binary: what they do, print and end with.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use e2e::{Stage, built};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(20);

async fn cli(stage: &Stage, words: &[&str]) -> Output {
    tokio::process::Command::new(built("understudy").unwrap())
        .args(words)
        .arg("--config")
        .arg(stage.folder.config())
        .env("SUDO_USER", "ada")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap()
}

#[track_caller]
fn text(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[track_caller]
fn json(output: &Output, code: i32) -> Value {
    serde_json::from_str(&text(output, code)).unwrap()
}

/// Refused: one line on stderr with all of `parts`.
#[track_caller]
fn refused(output: &Output, parts: &[&str]) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let line = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(line.starts_with("understudy: "), "{line}");
    for part in parts {
        assert!(line.contains(part), "{part:?} is not in {line}");
    }
}

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
async fn a_running_system_is_tested_and_looked_through() {
    let stage = Stage::open(1).await.unwrap();
    let smoke = text(&cli(&stage, &["smoke"]).await, 0);
    for part in [
        "first",
        "passed",
        "Telegram answers",
        "Redis takes a write",
        "rights in",
    ] {
        assert!(smoke.contains(part), "{part:?} is not in {smoke}");
    }
    let all = json(&cli(&stage, &["smoke", "--all", "--json"]).await, 0);
    assert_eq!(all.as_array().unwrap().len(), 3);
    assert!(
        all.as_array()
            .unwrap()
            .iter()
            .all(|test| test["passed"] == true),
        "{all}"
    );

    let doctor = json(&cli(&stage, &["doctor", "--json"]).await, 0);
    assert_eq!(doctor["failed"], 0, "{doctor:#}");
    let verdict = |check: &str| {
        let findings = doctor["findings"].as_array().unwrap();
        let found = findings.iter().find(|finding| finding["check"] == check);
        found.unwrap_or_else(|| panic!("no check {check}: {doctor:#}"))["verdict"].clone()
    };
    for check in [
        "redis-server",
        "understudy-worker",
        "configuration",
        "data folder",
        "sealing key",
        "sealed secrets",
        "database",
        "redis",
        "redis' clock",
        "redis durability",
        "redis eviction",
        "supervisor",
        "workers",
        "bot",
    ] {
        assert_eq!(verdict(check), "ok", "{check}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_the_private_redis_are_put_back() {
    let stage = Stage::open(1).await.unwrap();
    let mut redis = stage.redis().await.unwrap();
    for (setting, value) in [("maxmemory-policy", "allkeys-lru"), ("appendfsync", "no")] {
        let () = redis::cmd("CONFIG")
            .arg("SET")
            .arg(setting)
            .arg(value)
            .query_async(&mut redis)
            .await
            .unwrap();
    }
    let ill = text(&cli(&stage, &["doctor"]).await, 1);
    for part in [
        "FAIL  redis durability",
        "30 s of acknowledged state can go",
        "FAIL  redis eviction",
    ] {
        assert!(ill.contains(part), "{part:?} is not in {ill}");
    }
    let mended = text(&cli(&stage, &["doctor", "--fix"]).await, 0);
    assert!(mended.contains("fixed redis durability"), "{mended}");
    assert!(mended.contains("fixed redis eviction"), "{mended}");
    let well = text(&cli(&stage, &["doctor"]).await, 0);
    assert!(
        well.contains("appendfsync always: what is acknowledged is on disk"),
        "{well}"
    );
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
async fn a_second_supervisor_is_told_what_it_needs() {
    let stage = Stage::open(1).await.unwrap();
    let second = cli(&stage, &["run"]).await;
    assert_eq!(second.status.code(), Some(2), "{second:?}");
    let line = String::from_utf8(second.stderr).unwrap();
    assert_eq!(line.lines().count(), 1, "{line}");
    for part in [
        "another supervisor runs on",
        "redis.url",
        "data_dir of its own",
        "PostgreSQL",
    ] {
        assert!(line.contains(part), "{part:?} is not in {line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealing_key_is_rotated_while_everything_runs() {
    let stage = Stage::open(1).await.unwrap();
    let before = json(&cli(&stage, &["secrets", "status", "--json"]).await, 0);
    assert_eq!(
        (&before["keys"], &before["current"]),
        (&1.into(), &true.into()),
        "{before}"
    );
    let sealed = before["tokens"]["by_key"][0].as_u64().unwrap();
    assert_eq!(sealed, 3, "{before}");

    text(&cli(&stage, &["secrets", "add-key"]).await, 0);
    let doctor = cli(&stage, &["doctor"]).await;
    let said = String::from_utf8_lossy(&doctor.stdout);
    assert!(said.contains("run `understudy secrets reseal`"), "{said}");
    text(&cli(&stage, &["secrets", "reseal"]).await, 0);
    let after = json(&cli(&stage, &["secrets", "status", "--json"]).await, 0);
    assert_eq!(
        (&after["keys"], &after["current"]),
        (&2.into(), &true.into()),
        "{after}"
    );

    let untold = cli(&stage, &["secrets", "give-up"]).await;
    refused(&untold, &["--yes", "nothing was changed"]);
    text(&cli(&stage, &["rotate"]).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_followed() {
    use tokio::io::AsyncBufReadExt;
    let stage = Stage::open(1).await.unwrap();
    let mut child = tokio::process::Command::new(built("understudy").unwrap())
        .args(["events", "--follow", "--json", "--config"])
        .arg(stage.folder.config())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = tokio::io::BufReader::new(child.stdout.take().unwrap()).lines();
    let mut seen = BTreeSet::new();
    // What was there is shown first; the order comes behind it, once.
    let first: Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
    seen.insert(first["id"].to_string());
    text(&cli(&stage, &["rotate"]).await, 0);
    let found = tokio::time::timeout(SOON, async {
        loop {
            let line = lines.next_line().await.unwrap().expect("it goes on");
            let line: Value = serde_json::from_str(&line).unwrap();
            assert!(seen.insert(line["id"].to_string()), "twice: {line}");
            if line["kind"] == "order" && line["text"].as_str().unwrap().contains("rotate") {
                return line;
            }
        }
    });
    let order = found.await.expect("the order is shown");
    assert_eq!(order["pool"], "main");
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

/// Every command of the document is run as it stands there, in its order, and does what it is there for.
#[tokio::test(flavor = "multi_thread")]
async fn the_daily_work_is_done_as_its_document_says() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operate.md");
    let document = std::fs::read_to_string(file).unwrap();
    let stage = Stage::open(1).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let program = built("understudy").unwrap();
    let path = std::env::join_paths(
        std::iter::once(program.parent().unwrap().to_owned())
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    )
    .unwrap();
    let mut run = 0;
    let blocks = document.split("```sh\n").skip(1);
    for command in blocks.flat_map(|block| block.split("```").next().unwrap().lines()) {
        let command = command.split('#').next().unwrap().trim();
        // Following ends with whoever follows; its test is above.
        if command.is_empty() || command.ends_with("--follow") {
            continue;
        }
        // As a person would find it: whoever was replaced a moment ago is connected again.
        stage.served().await.unwrap();
        let output = tokio::process::Command::new("sh")
            .args(["-c", command])
            .current_dir(folder.path())
            .env("PATH", &path)
            .env("UNDERSTUDY_CONFIG", stage.folder.config())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
        run += 1;
    }
    assert!(run >= 15, "only {run} commands found");
    let status = stage.status().await.unwrap();
    assert!(status["pools"][0]["paused"].is_null() && status["pools"][0]["pinned"].is_null());
}

#[test]
fn completions_come_from_the_parser() {
    for (shell, mark) in [
        ("bash", "complete -F _understudy"),
        ("zsh", "#compdef understudy"),
        ("fish", "complete -c understudy"),
    ] {
        let output = plain(&["completions", shell]);
        let script = text(&output, 0);
        assert!(script.contains(mark), "{shell}: {script}");
        for command in ["switch", "doctor", "--dry-run"] {
            let word = command.trim_start_matches('-');
            assert!(script.contains(word), "{shell}: no {command}");
        }
    }
    assert_eq!(plain(&["completions", "tcsh"]).status.code(), Some(2));
}

#[test]
fn every_command_has_help_with_an_example_and_its_exit_codes() {
    let help = text(&plain(&["--help"]), 0);
    assert!(help.contains("Exit codes: 0 done"), "{help}");
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|word| *word != "help")
        .collect();
    assert!(commands.len() >= 12, "{commands:?}");
    let nested = [
        ("config", "check"),
        ("config", "show"),
        ("secrets", "status"),
        ("secrets", "reseal"),
    ];
    for command in commands {
        let mut words: Vec<Vec<&str>> = nested
            .iter()
            .filter(|(parent, _)| *parent == command)
            .map(|(parent, child)| vec![*parent, *child, "--help"])
            .collect();
        if words.is_empty() {
            words.push(vec![command, "--help"]);
        }
        for words in words {
            let help = text(&plain(&words), 0);
            assert!(help.contains("Example"), "{words:?}: {help}");
            let codes = help.contains("Exit codes: 0") || command == "completions";
            assert!(codes, "{words:?}: {help}");
        }
    }
}

/// Without a configuration.
fn plain(words: &[&str]) -> Output {
    Command::new(built("understudy").unwrap())
        .args(words)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}
