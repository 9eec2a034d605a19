//! `events --follow`.

use std::collections::BTreeSet;
use std::process::Stdio;

use e2e::{Stage, built};
use serde_json::Value;

use super::{SOON, cli, text};

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
