//! Chaos as a user runs it, small: ten faults that overlap on each kind of stores, 0 lost, 0 answered twice, 0 stale; bad input is named.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::{Command, Output};

use e2e::built;
use sandbox::daemon::processes_of;
use serde_json::Value;

fn chaos(arguments: &[&str]) -> Output {
    Command::new(built("understudy-chaos").unwrap())
        .args(arguments)
        .output()
        .unwrap()
}

/// A run on a few members, as CI can afford it.
fn passes(stores: &str, seed: &str, faults: u64) -> Value {
    let place = tempfile::tempdir().unwrap();
    let (data, report) = (place.path().join("data"), place.path().join("report.json"));
    let output = chaos(&[
        "--members",
        "40",
        "--faults",
        &faults.to_string(),
        "--seed",
        seed,
        "--stores",
        stores,
        "--data",
        data.to_str().unwrap(),
        "--report",
        report.to_str().unwrap(),
    ]);
    assert!(
        output.status.success(),
        "exit {:?}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(processes_of(place.path()), vec![], "nothing is left");
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    for field in ["lost", "duplicated", "stale_commits", "stale_sends"] {
        assert_eq!(report[field], 0, "{field} in {report:#}");
    }
    assert_eq!(report["faults_total"], faults);
    assert_eq!(report["appendfsync"], "always");
    assert!(report["updates"].as_u64().unwrap() > 200, "{report:#}");
    assert!(report["commits"].as_u64().unwrap() > 200, "{report:#}");
    report
}

#[test]
fn ten_faults_on_a_redis_and_a_database_of_ones_own() {
    let report = passes("private", "11", 10);
    assert_eq!(report["segments"][0]["stores"], "private");
    assert!(report["faults_overlapping"].as_u64().unwrap() > 0);
}

#[test]
fn eight_faults_on_a_shared_redis_and_postgresql() {
    let report = passes("shared", "6", 8);
    assert_eq!(report["segments"][0]["stores"], "shared");
    assert!(report["recovery_ms"].as_object().unwrap().len() > 1);
}

#[test]
fn what_cannot_be_run_is_said_in_one_line() {
    let refused = |arguments: &[&str], names: &str| {
        let output = chaos(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(names), "{said}");
    };
    refused(&["--doubt", "moon=full"], "'moon' is not a doubt");
    refused(&["--only", "earthquake"], "earthquake");
    refused(&["--only", "cut-redis", "--stores", "private"], "shared");
    let used = tempfile::tempdir().unwrap();
    std::fs::write(used.path().join("x"), "x").unwrap();
    refused(&["--data", used.path().to_str().unwrap()], "is not empty");
}
