//! The sandbox as a user runs it, small: each fault, exit code 0, and the report's promises.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::process::Command;

use e2e::built;
use secret_scan::Scanner;
use serde_json::Value;

fn run(fault: &str, seed: u32) -> Value {
    run_reaching(fault, seed, 12, 100)
}

fn run_reaching(fault: &str, seed: u32, members: u32, reach: u32) -> Value {
    let place = tempfile::tempdir().unwrap();
    let report = place.path().join("report.json");
    let output = Command::new(built("understudy-sandbox").unwrap())
        .args([
            "--members",
            &members.to_string(),
            "--reach",
            &reach.to_string(),
            "--fault",
            fault,
            "--seed",
            &seed.to_string(),
            "--data",
        ])
        .arg(place.path().join("data"))
        .arg("--report")
        .arg(&report)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let shown = [
        output.stdout.clone(),
        output.stderr.clone(),
        std::fs::read(&report).unwrap_or_default(),
    ];
    no_secret_in(&place.path().join("data/secrets"), &shown.concat());
    assert!(
        output.status.success(),
        "exit {:?}\n{told}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_str(&std::fs::read_to_string(report).unwrap()).unwrap()
}

/// What the sandbox prints and reports holds none of the run's secrets.
fn no_secret_in(secrets: &Path, shown: &[u8]) {
    let mut scanner = Scanner::new();
    for file in std::fs::read_dir(secrets)
        .unwrap()
        .map(|entry| entry.unwrap().path())
    {
        let secret = std::fs::read(&file).unwrap();
        scanner
            .add(&file.file_name().unwrap().to_string_lossy(), &secret)
            .unwrap();
        let planted = [shown, b" ", &secret].concat();
        assert!(
            !scanner.bytes(&planted).is_empty(),
            "the scanner finds a planted one"
        );
    }
    assert_eq!(
        scanner.bytes(shown),
        vec![],
        "in the report or on the terminal"
    );
}

fn nothing_lost_nothing_twice(report: &Value) {
    for field in [
        "updates_lost",
        "replies_duplicated",
        "conversations_lost",
        "updates_unknown",
    ] {
        assert_eq!(report[field], 0, "{field} in {report:#}");
    }
    assert!(
        report["conversations_open"].as_u64().unwrap() > 0,
        "{report:#}"
    );
    assert_eq!(
        report["conversations_open"], report["conversations_continued"],
        "{report:#}"
    );
    assert_eq!(report["appendfsync"], "always");
}

#[test]
fn a_revoked_token_loses_nothing() {
    let report = run("revoke", 2);
    nothing_lost_nothing_twice(&report);
    assert_eq!(report["switches"][0]["kind"], "switch");
}

#[test]
fn a_killed_worker_loses_nothing() {
    let report = run("kill-worker", 3);
    nothing_lost_nothing_twice(&report);
    assert_eq!(report["switches"][0]["kind"], "takeover");
    assert_eq!(
        report["updates_unreachable"], 0,
        "the same bot comes back: nothing is out of reach"
    );
}

#[test]
fn whom_the_next_bot_may_not_write_to_loses_nothing() {
    let report = run_reaching("revoke", 4, 20, 60);
    let count = |field: &str| report[field].as_u64().unwrap();
    for field in ["updates_lost", "replies_duplicated", "conversations_lost"] {
        assert_eq!(report[field], 0, "{field} in {report:#}");
    }
    let parked = count("conversations_parked");
    assert_eq!(
        parked,
        count("conversations_resumed") + count("conversations_waiting")
    );
    assert_eq!(
        count("conversations_open"),
        count("conversations_continued") + parked
    );
    assert!(count("conversations_resumed") > 0, "some come: {report:#}");
    assert!(count("conversations_waiting") > 0, "some wait: {report:#}");
}
