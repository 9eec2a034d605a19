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
fn a_session_takes_what_is_promised() {
    let output = bench(&["session-bytes", "--sessions", "2000"]);
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["sessions"], 2_000);
    let bytes = report["bytes_per_session"].as_f64().unwrap();
    let key = report["memory_usage_of_a_key"]["p50"].as_f64().unwrap();
    assert!(bytes > key, "with less than its own key: {report}");
    assert!(bytes <= 500.0, "{report}");
}

#[test]
fn what_cannot_be_measured_is_one_line() {
    for arguments in [
        ["session-bytes", "--sessions", "0"],
        ["kill-worker", "--kills", "0"],
        ["promotion", "--rounds", "0"],
    ] {
        let output = bench(&arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(line.contains("measures nothing"), "{line}");
    }
}
