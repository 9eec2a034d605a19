//! Scenario files: a fleet in, the plan and its reasons out. `BLESS=1` rewrites what stands below `---`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::path::PathBuf;

use common::fleet::{NOW, parse};
use supervisor_core::{Policy, check_plan, decide};

#[test]
fn every_scenario_is_decided_as_written() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 20, "the scenarios are missing");
    let mut wrong = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let (facts, expected) = text.split_once("---\n").expect("a line `---`");
        let snapshot = parse(facts);
        let policy = Policy::default();
        let decision = decide(&snapshot, &policy, NOW);
        check_plan(&snapshot, &policy, NOW, &decision.plan)
            .expect("a decided plan passes the audit");
        let mut got = format!("{}\n", decision.plan);
        for reason in &decision.reasons {
            got.push_str(&format!("  {reason}\n"));
        }
        if got == expected {
            continue;
        }
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&file, format!("{facts}---\n{got}")).unwrap();
        }
        wrong.push(format!(
            "{}\nexpected:\n{expected}got:\n{got}",
            file.display()
        ));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
