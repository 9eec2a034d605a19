//! How members come to the bot that answers: links, parked replies, announcements, invitations, `/go/<pool>`. Each test is one running system.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::Stdio;

use e2e::{Stage, built};
use sandbox::control::Viewed;

#[path = "reach/announcing.rs"]
mod announcing;
#[path = "reach/following.rs"]
mod following;
#[path = "reach/go.rs"]
mod go;
#[path = "reach/inviting.rs"]
mod inviting;
#[path = "reach/too_late.rs"]
mod too_late;

/// The old bot lives on.
async fn switch_to(stage: &Stage, name: &str) {
    let ordered = tokio::process::Command::new(built("understudy").unwrap())
        .args(["switch", "--to", name, "--config"])
        .arg(stage.folder.config())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    assert!(ordered.status.success(), "{ordered:?}");
}

fn urls(message: &Viewed) -> Vec<&str> {
    message.urls().collect()
}
