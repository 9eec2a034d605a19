//! The sandbox's faults beyond the active bot: pairs, a supervisor that is away, and nothing left behind by an interruption in the middle.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use e2e::built;
use rustix::process::{Pid, Signal, kill_process};
use sandbox::daemon::processes_of;
use serde_json::Value;

fn sandbox(seed: u32, faults: &[&str], place: &Path) -> Command {
    let mut command = Command::new(built("understudy-sandbox").unwrap());
    command
        .args(["--members", "12", "--seed", &seed.to_string()])
        .args(faults)
        .arg("--data")
        .arg(place.join("data"))
        .arg("--report")
        .arg(place.join("report.json"));
    command
}

fn passes(seed: u32, faults: &[&str]) -> Value {
    let place = tempfile::tempdir().unwrap();
    let output = sandbox(seed, faults, place.path()).output().unwrap();
    assert!(
        output.status.success(),
        "{faults:?}: exit {:?}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let report = std::fs::read_to_string(place.path().join("report.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    for field in [
        "updates_lost",
        "replies_duplicated",
        "conversations_lost",
        "updates_unknown",
        "stale_commits",
        "stale_sends",
        "auth_key_duplicated",
    ] {
        assert_eq!(report[field], 0, "{field} in {report:#}");
    }
    // Only where another bot follows may an answer be said again: nobody can know what the struck one got through.
    if !faults
        .iter()
        .any(|word| matches!(*word, "revoke" | "silent"))
    {
        assert_eq!(report["repeated_across_bots"], 0, "{report:#}");
    }
    assert!(
        report["conversations_open"].as_u64().unwrap() > 0,
        "{report:#}"
    );
    report
}

#[test]
fn a_killed_redis_comes_back_with_all_that_was_acknowledged() {
    let report = passes(1, &["--fault", "kill-redis"]);
    assert_eq!(report["appendfsync"], "always");
    assert_eq!(report["updates_unreachable"], 0);
}

#[test]
fn a_redis_that_dies_while_the_supervisor_is_away_comes_back_with_the_next_one() {
    let report = passes(3, &["--fault", "kill-supervisor", "--then", "kill-redis"]);
    assert!(report["supervisor_down_ms"].as_u64().unwrap() > 0);
    assert_eq!(report["faults"][0]["at_ms"], 0);
    assert_eq!(report["faults"][1]["kind"], "kill-redis");
    assert!(report["faults"][1]["at_ms"].as_i64().unwrap() >= 50);
}

#[test]
fn members_notice_nothing_of_a_killed_supervisor() {
    let report = passes(1, &["--fault", "kill-supervisor"]);
    assert_eq!(report["switches"], serde_json::json!([]), "{report:#}");
    assert!(report["supervisor_down_ms"].as_u64().unwrap() > 0);
}

#[test]
fn a_hung_worker_is_replaced_and_its_awakening_changes_nothing() {
    // Wakes after 1.8 s, when another worker has the bot.
    let report = passes(1, &["--fault", "hang-worker"]);
    assert_eq!(report["switches"][0]["kind"], "takeover", "{report:#}");
    assert_eq!(report["updates_unreachable"], 0);
}

#[test]
fn a_line_that_falls_silent_is_left_for_another_one() {
    let report = passes(2, &["--fault", "silent"]);
    assert_ne!(report["switches"], serde_json::json!([]), "{report:#}");
}

#[test]
fn two_revocations_leave_the_third_bot() {
    let report = passes(3, &["--fault", "revoke", "--then", "revoke"]);
    assert_eq!(report["switches"].as_array().unwrap().len(), 2);
}

#[test]
fn an_interruption_while_the_supervisor_is_away_leaves_no_process() {
    let place = tempfile::tempdir().unwrap();
    // This seed's supervisor is away for 2 s.
    let mut child = sandbox(4, &["--fault", "kill-supervisor"], place.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let struck = lines
        .map_while(Result::ok)
        .find(|line| line.contains("the supervisor gets SIGKILL"));
    assert!(struck.is_some(), "{:?}", child.wait());
    let alive = processes_of(place.path());
    let is = |program: &str| alive.iter().any(|(_, command)| command.contains(program));
    assert!(is("understudy-worker") && is("redis-server"), "{alive:?}");
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    kill_process(pid.unwrap(), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(processes_of(place.path()), vec![]);
}
