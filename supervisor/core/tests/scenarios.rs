//! Scenario files: a fleet in, the plan and its reasons out; with an order in it, what the order comes to. `BLESS=1` rewrites what stands
//! below `---`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::path::PathBuf;

use common::fleet::{NOW, order, parse};
use shared_core::{Order, Overrides};
use supervisor_core::{
    Decision, Ordered, Policy, Snapshot, check_plan, decide, ordered, plan_id, preview,
};

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
        let got = match order(facts) {
            None => decided(&snapshot),
            Some(order) => carried_out(&snapshot, &order),
        };
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

fn decided(snapshot: &Snapshot) -> String {
    let policy = Policy::default();
    let decision = decide(snapshot, &policy, NOW);
    check_plan(snapshot, &policy, NOW, &decision.plan).expect("a decided plan passes the audit");
    written(&decision)
}

fn written(decision: &Decision) -> String {
    let mut text = format!("{}\n", decision.plan);
    for reason in &decision.reasons {
        text.push_str(&format!("  {reason}\n"));
    }
    text
}

fn carried_out(snapshot: &Snapshot, order: &Order) -> String {
    let policy = Policy::default();
    let shown = preview(snapshot, &policy, NOW, order);
    let result = match ordered(snapshot, &policy, NOW, order, "cli:ann") {
        Ok(Ordered::Move(decision)) => {
            assert_eq!(
                shown.plan,
                Some(plan_id(snapshot, &decision.plan)),
                "the plan that is shown is the one that is carried out"
            );
            written(&decision)
        }
        Ok(Ordered::Lay(overrides)) => laid(&overrides),
        Err(refusal) => {
            assert_eq!(shown.plan, None);
            return format!("refused: {refusal}\n");
        }
    };
    format!("{result}shown as: {}\n", shown.text)
}

fn laid(overrides: &Overrides) -> String {
    let paused = overrides.paused.as_ref().map(|laid| laid.by.as_str());
    let pinned = overrides.pinned.as_ref();
    let pinned = pinned.map(|(bot, laid)| format!("{bot} by {}", laid.by));
    let scheduled = overrides.scheduled.as_ref().map(|scheduled| {
        let (order, due_ms) = (scheduled.order(), scheduled.due.since(NOW));
        format!(", {order} in {due_ms} ms by {}", scheduled.laid.by)
    });
    format!(
        "paused by {}, pinned to {}{}\n",
        paused.unwrap_or("nobody"),
        pinned.as_deref().unwrap_or("nobody"),
        scheduled.unwrap_or_default()
    )
}
