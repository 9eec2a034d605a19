//! How a pool stands: one word and its reasons.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::fleet::{NOW, parse};
use supervisor_core::{Policy, Standing};

fn standing(fleet: &str) -> String {
    let standing = Standing::of(&parse(fleet), &Policy::default(), NOW);
    format!("{:?}: {}", standing.state, standing.reasons.join("; "))
}

#[test]
fn a_pool_stands_as_its_members_feel_it() {
    let well = "epoch open b1@w1\nworker w1 running age=100\nworker w2 running age=100\nbot b1 on w1 ready";
    for (fleet, expected) in [
        (format!("{well}\nbot b2 on w2 ready"), "Ok: "),
        (
            format!("{well}\nbot b2 on w2 connecting"),
            "Degraded: bot b2 unknown: connecting",
        ),
        (
            format!("{well}\nbot b2 on w2 ready\ndatabase down"),
            "Degraded: the database cannot be reached",
        ),
        (
            format!("{well}\nredis down"),
            "Down: Redis cannot be reached",
        ),
        (
            format!("{well}\nbot b2 on w2 ready\nsaga activated b2@w2"),
            "Switching: switch in progress: ACCESS_TOKEN_EXPIRED",
        ),
        (
            format!("{well}\nbot b2 on w2 ready\npaused by=cli:bob ago=300000"),
            "Degraded: automation is paused (5 min ago, by cli:bob)",
        ),
        (
            format!("{well}\nbot b2 on w2 ready\npinned b1 by=cli:bob ago=9000"),
            "Degraded: pinned to b1 (9 s ago, by cli:bob)",
        ),
        (
            well.replace("open b1@w1", "fenced prev=b1"),
            "Down: no bot is active",
        ),
        (
            well.replace("b1 on w1 ready", "b1 on w1 failed error=SESSION_REVOKED"),
            "Down: bot b1 failed: SESSION_REVOKED",
        ),
    ] {
        assert_eq!(standing(&fleet), expected, "{fleet}");
    }
}

#[test]
fn a_second_login_that_is_missing_is_a_reason_after_a_while() {
    let fleet = |up: u64, other: &str, past: &str| {
        format!(
            "epoch open b1@w1\nworker w1 running age=100 up={up}\nbot b1 on w1 ready other={other}\n{past}"
        )
    };
    let alone = "Degraded: bot b1 has no second login";
    for (fleet, expected) in [
        (fleet(60_000, "missing", ""), "Ok: "),
        (fleet(700_000, "missing", ""), alone),
        (fleet(700_000, "lost", ""), alone),
        (fleet(700_000, "resting", ""), "Ok: "),
        (fleet(700_000, "unknown", ""), "Ok: "),
        (fleet(700_000, "lost", "past relogin ago=5000"), "Ok: "),
    ] {
        assert_eq!(standing(&fleet), expected, "{fleet}");
    }
}
