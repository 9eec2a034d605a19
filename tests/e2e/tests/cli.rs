//! The commands of whoever looks after a pool, through the real binary: what they do, print and end with.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "cli/documented.rs"]
mod documented;
#[path = "cli/following.rs"]
mod following;
#[path = "cli/help.rs"]
mod help;
#[path = "cli/looking.rs"]
mod looking;
#[path = "cli/orders.rs"]
mod orders;
#[path = "cli/outbox.rs"]
mod outbox;

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

/// Without a configuration.
fn plain(words: &[&str]) -> Output {
    Command::new(built("understudy").unwrap())
        .args(words)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}
