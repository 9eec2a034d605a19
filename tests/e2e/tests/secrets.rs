//! No secret leaves its place: canaries for each are looked for in everything that the system writes and shows.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::time::Duration;

use e2e::{Stage, Talk, built};
use sandbox::control::{Chat, Content, Event};
use secret_scan::{Finding, Scanner};
use serde_json::json;

fn canaries(stage: &Stage) -> Scanner {
    let mut scanner = Scanner::new();
    for bot in &stage.scene.bots {
        scanner
            .add(&format!("{}'s token", bot.name), bot.token.as_bytes())
            .unwrap();
        let secret = bot.token.split_once(':').unwrap().1;
        scanner
            .add(
                &format!("{}'s token without its id", bot.name),
                secret.as_bytes(),
            )
            .unwrap();
        for hex in &bot.auth_keys {
            let key: Vec<u8> = (0..hex.len() / 2)
                .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
                .collect();
            scanner
                .add(&format!("{}'s auth key", bot.name), &key)
                .unwrap();
        }
    }
    let folder = &stage.folder.root;
    let api_hash = std::fs::read(folder.join("secrets/api_hash")).unwrap();
    scanner.add("api_hash", &api_hash).unwrap();
    let sealing = std::fs::read_to_string(folder.join("state/sealing.key")).unwrap();
    let line = sealing
        .lines()
        .find(|line| line.starts_with("AGE-SECRET-KEY"))
        .unwrap();
    scanner.add("sealing key", line.as_bytes()).unwrap();
    scanner
}

/// Everything in the run's folder but the files that are there to hold secrets.
fn scan_folder(scanner: &Scanner, root: &Path) -> Vec<Finding> {
    let is_a_secrets_place =
        |file: &Path| file.starts_with(root.join("secrets")) || file.ends_with("sealing.key");
    let mut found = scanner.tree(root).unwrap();
    found.retain(|finding| !finding.file.as_deref().is_some_and(is_a_secrets_place));
    found
}

fn scan_processes(scanner: &Scanner, root: &Path) -> Vec<Finding> {
    let processes = sandbox::daemon::processes_of(root);
    assert!(
        processes.len() >= 4,
        "supervisor, two workers and Redis: {processes:?}"
    );
    let mut found = Vec::new();
    for (pid, command) in processes {
        found.extend(scanner.bytes(command.as_bytes()));
        found.extend(
            scanner.bytes(&std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default()),
        );
    }
    found
}

/// What a person is shown: every text that a bot sent or edited, and what the command line prints, its complaints too.
async fn scan_words(scanner: &Scanner, stage: &Stage) {
    for kind in ["message_sent", "message_edited", "press_answered"] {
        let events = stage.events_since(0, kind).await.unwrap();
        assert!(kind != "message_sent" || !events.is_empty(), "{kind}");
        for event in events {
            let text = serde_json::to_string(&event.fields).unwrap();
            assert_eq!(scanner.bytes(text.as_bytes()), vec![], "in {kind}");
        }
    }
    let config = stage.folder.config();
    let commands: [&[&str]; 8] = [
        &["status"],
        &["events"],
        &["events", "--json"],
        &["doctor"],
        &["config", "check"],
        &["config", "show"],
        &["secrets", "status"],
        &["smoke", "--all"],
    ];
    for command in commands {
        let output = tokio::process::Command::new(built("understudy").unwrap())
            .args(command)
            .arg("--config")
            .arg(&config)
            .output()
            .await
            .unwrap();
        assert!(!output.stdout.is_empty(), "{command:?}: {output:?}");
        for printed in [&output.stdout, &output.stderr] {
            assert_eq!(scanner.bytes(printed), vec![], "by {command:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_what_people_are_shown() {
    let stage = Stage::open_for_admin(2).await.unwrap();
    let admin = stage.scene.members[0].id;
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    for bot in &bots {
        stage.control.start(admin, *bot, None).await.unwrap();
    }
    stage.revoke(bots[0]).await.unwrap();
    let active = stage.switched_from(bots[0]).await.unwrap();
    for command in ["/drstatus", "/emergency_recovery", "/drhelp"] {
        let begin = stage.control.last_event().await.unwrap();
        let text = Content::Text(command.into());
        stage
            .control
            .send(admin, Chat::Bot(active), &text, None)
            .await
            .unwrap();
        let answered = |event: &Event| event.chat("user") == Some(admin);
        stage.event(begin, "message_sent", answered).await.unwrap();
    }
    let to = Talk::private(&stage, 1, active);
    to.open_upload().await.unwrap();
    to.give_title().await.unwrap();
    to.give_description().await.unwrap();
    to.choose_category().await.unwrap();
    scan_words(&canaries(&stage), &stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_what_is_stored_logged_or_listed() {
    let stage = Stage::open(3).await.unwrap();
    let (first, member) = (stage.scene.bots[0].id, stage.scene.members[0].id);
    stage
        .control
        .start(member, first, Some("upload"))
        .await
        .unwrap();
    let title = Content::Text("A title that is long enough".into());
    stage
        .control
        .send(member, Chat::Bot(first), &title, None)
        .await
        .unwrap();
    // A switch, so that its errors, its records and its smoke test are in what is looked at.
    stage
        .control
        .fault(json!({"kind": "revoke", "bot": first, "live_sessions": "killed"}))
        .await
        .unwrap();
    let switched = stage
        .wait("another bot is active", Duration::from_secs(20), |status| {
            let active = &status["pools"][0]["active"]["bot"];
            status["pools"][0]["phase"] == "open"
                && !active.is_null()
                && *active != json!(first)
                && *active != json!(format!("b{first}"))
        })
        .await
        .unwrap();
    let scanner = canaries(&stage);
    let root = &stage.folder.root;

    assert_eq!(
        scanner.bytes(switched.to_string().as_bytes()),
        vec![],
        "in the status"
    );
    assert_eq!(
        scan_processes(&scanner, root),
        vec![],
        "in the process list"
    );
    assert!(
        root.join("state/understudy.db").is_file(),
        "SQLite is where it is looked for"
    );
    assert!(
        root.join("state/redis").is_dir(),
        "Redis' files are where they are looked for"
    );
    assert_eq!(scan_folder(&scanner, root), vec![], "in a file");

    // The scanner does find one when there is one.
    let planted = root.join("state/log-with-a-leak.txt");
    std::fs::write(
        &planted,
        format!("Authorization: {}\n", stage.scene.bots[1].token),
    )
    .unwrap();
    let found = scan_folder(&scanner, root);
    assert!(
        found
            .iter()
            .any(|finding| finding.file.as_deref() == Some(planted.as_path())),
        "{found:?}"
    );
}
