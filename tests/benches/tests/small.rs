//! The measurements themselves, small enough for every test run.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::{Command, Output};

use serde_json::Value;

fn bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_understudy-bench"))
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn a_session_is_measured_with_all_that_it_takes() {
    let output = bench(&["session-bytes", "--sessions", "2000"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["sessions"], 2_000);
    let within = report["within"].as_bool().unwrap();
    assert_eq!(output.status.code(), Some(i32::from(!within)), "{report}");
    let bytes = report["bytes_per_session"].as_f64().unwrap();
    assert_eq!(within, bytes <= 500.0, "{report}");
    let first = &report["memory_usage_of_a_key_by_stage"][0]["p50"];
    assert!(bytes > first.as_f64().unwrap(), "less than a key: {report}");
    // Redis' own tables and buffers weigh more on so few.
    assert!(bytes < 600.0, "{report}");
}

#[test]
fn commits_are_under_way_beside_one_another() {
    let output = bench(&["commit", "--seconds", "1"]);
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rate = |in_flight: &str| {
        let rates = &report["commits_per_second_by_in_flight"];
        rates[in_flight].as_u64().unwrap()
    };
    assert!(rate("64") > rate("1"), "one waits for another: {report}");
    assert!(
        report["bytes_on_average"].as_u64().unwrap() <= 500,
        "{report}"
    );
}

#[test]
fn what_redis_lost_is_given_back_by_either_database() {
    let output = bench(&["rehydrate", "--conversations", "2000"]);
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    for database in ["sqlite", "postgres"] {
        assert_eq!(report[database]["conversations"], 2_000, "{report}");
        assert!(report[database]["took_s"].as_f64().unwrap() > 0.0);
    }
}

#[test]
fn the_copy_follows_what_is_committed() {
    let arguments = ["--seconds", "2", "--rate", "100", "--backlog", "2000"];
    let output = bench(&[&["checkpoint"], &arguments[..]].concat());
    // On a loaded machine it may be older than it is to be; that it was measured is what is tested here.
    assert_ne!(output.status.code(), Some(2), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    for database in ["sqlite", "postgres"] {
        let report = &report[database];
        assert!(report["lag_ms"]["count"].as_u64().unwrap() > 10, "{report}");
        assert!(
            report["backlog"]["conversations"].as_u64().unwrap() >= 2_000,
            "{report}"
        );
        assert!(report["commit_ms"]["count"].as_u64().unwrap() > 100);
    }
}

#[test]
fn what_cannot_be_measured_is_one_line() {
    for arguments in [
        ["session-bytes", "--sessions", "0"],
        ["commit", "--seconds", "0"],
        ["kill-worker", "--kills", "0"],
        ["leader-kill", "--kills", "0"],
        ["promotion", "--rounds", "0"],
        ["promotion", "--switches", "0"],
        ["promotion", "--lately", "0"],
        ["rehydrate", "--conversations", "0"],
        ["checkpoint", "--rate", "0"],
    ] {
        let output = bench(&arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(line.contains("measures nothing"), "{line}");
    }
}
