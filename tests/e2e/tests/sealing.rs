//! The sealing key is changed while members are served, and a start without it is refused.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use e2e::{Stage, TITLE, Talk, built};
use serde_json::Value;

fn understudy(stage: &Stage, arguments: &[&str]) -> Output {
    Command::new(built("understudy").unwrap())
        .args(arguments)
        .arg("--config")
        .arg(stage.folder.config())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn key_file(stage: &Stage) -> PathBuf {
    stage.folder.state().join("sealing.key")
}

/// What `secrets status` says: how many secrets each key opens, and how many none does.
fn sealed(stage: &Stage) -> (Vec<u64>, u64) {
    let output = understudy(stage, &["secrets", "status", "--json"]);
    let status: Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys = usize::try_from(status["keys"].as_u64().unwrap()).unwrap();
    let with = |at: usize| {
        let count = |what: &str| status[what]["by_key"][at].as_u64().unwrap_or(0);
        count("tokens") + count("logins")
    };
    let unreadable = status["unreadable"].as_u64().unwrap();
    ((0..keys).map(with).collect(), unreadable)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_changed_under_a_running_conversation() {
    let stage = Stage::open(1).await.unwrap();
    let bot = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, bot);
    talk.upload_until_files().await.unwrap();
    let (before, _) = sealed(&stage);
    assert!(
        before.len() == 1 && before[0] >= 6,
        "three tokens, a login each: {before:?}"
    );

    assert!(understudy(&stage, &["secrets", "add-key"]).status.success());
    let reseal = understudy(&stage, &["secrets", "reseal"]);
    assert!(reseal.status.success(), "{reseal:?}");
    let (after, unreadable) = sealed(&stage);
    assert_eq!((after.len(), after[1], unreadable), (2, 0, 0), "{after:?}");

    // The old key goes. The worker that takes over has begun with it, and opens what only the fresh one opens.
    let text = fs::read_to_string(key_file(&stage)).unwrap();
    let mut keys = text.lines().filter(|line| line.starts_with("AGE-"));
    fs::write(key_file(&stage), keys.next().unwrap()).unwrap();
    assert!(keys.next().is_some(), "there were two");
    stage.kill_active_worker().await.unwrap();
    talk.send_file("bread.pdf", 70_000).await.unwrap();
    talk.see("✓ File 1: bread.pdf").await.unwrap();
    talk.submit().await.unwrap();
    stage.settled().await.unwrap();
    assert_eq!(
        talk.count(&format!("✓ Submitted: {TITLE}")).await.unwrap(),
        1
    );
    let (after, unreadable) = sealed(&stage);
    assert_eq!((after.len(), unreadable), (1, 0), "{after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_the_key_is_refused_in_one_line_and_makes_none() {
    let mut stage = Stage::open(1).await.unwrap();
    stage.stop().unwrap();
    for (text, line) in [
        (
            None,
            "in the database were sealed with one; copy it from another host",
        ),
        (
            Some(""),
            "put the right file back, it is not replaced by a fresh one",
        ),
        (Some("AGE-SECRET-KEY-1CUT\n"), "line 1 of the sealing key"),
    ] {
        let key = key_file(&stage);
        match text {
            None => fs::remove_file(&key).unwrap(),
            Some(text) => {
                fs::write(&key, text).unwrap();
                let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
                fs::set_permissions(&key, mode).unwrap();
            }
        }
        let refused = understudy(&stage, &["run"]);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success());
        assert!(said.contains(line), "{said}");
        assert!(!said.contains("panicked"), "{said}");
        assert_eq!(
            fs::read_to_string(&key).ok().as_deref(),
            text,
            "it stays as it is"
        );
    }
}
