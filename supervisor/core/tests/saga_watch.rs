//! What a look at the pool says about a switch's target: is it lost, is it worth another connection?
#![allow(clippy::unwrap_used)]

mod common;

use common::drive::{Drive, relogin};
use common::fleet::{NOW, holder, parse, seed};
use shared_core::{BotId, LoginSlot};
use supervisor_core::*;

/// What is known of the target when its time is over, and with which login it is connected once more.
#[test]
fn only_a_target_that_was_answered_gets_another_connection() {
    let again = |seed: SagaSeed, b1: &str| {
        let saga = Drive::start(seed).fenced(4).activated().saga;
        let text =
            format!("epoch smoking b1@w1 prev=b1\nworker w1 running age=100\nbot b1 on w1 {b1}");
        saga.again(&parse(&text), 1600, NOW)
    };
    let of = |b1: &str| again(relogin(&["b2@w2"]), b1);
    assert_eq!(of("ready ok=1200 slot=b other=resting"), Some(LoginSlot::A));
    assert_eq!(
        of("ready ok=1200 slot=b other=resting rests_in=60000"),
        Some(LoginSlot::B),
        "somebody may still be connected with the other one"
    );
    assert_eq!(
        of("ready ok=300 slot=b other=resting"),
        None,
        "answered a moment ago: it is not the line"
    );
    assert_eq!(
        of("connecting slot=b other=resting"),
        None,
        "never answered"
    );
    assert_eq!(
        of("ready ok=1500 slot=b other=resting"),
        None,
        "not since it was named: the heartbeat is 100 ms old"
    );
    assert_eq!(
        of("ready ok=1200 slot=b said=a other=resting"),
        None,
        "that is about the login before"
    );
    let standby = |then: &[&str]| SagaSeed {
        previous_bot: Some(BotId(7)),
        ..seed(holder("b1@w1"), then)
    };
    let well = "ready ok=1200 other=resting";
    assert_eq!(
        again(standby(&["b2@w2"]), well),
        None,
        "members did not write to it"
    );
    assert_eq!(
        again(standby(&[]), well),
        Some(LoginSlot::B),
        "nobody else is left"
    );
}

/// Another leader could have ended the old worker; this one finds the saga and cannot.
#[test]
fn a_login_that_may_be_in_use_is_not_taken_by_the_next_leader() {
    let lost = |slot: LoginSlot, then: &[&str], w1: &str| {
        let seed = SagaSeed {
            assign: Some(slot),
            ..seed(holder("b1@w2"), then)
        };
        let saga = Drive::start(seed).fenced(4).saga;
        let text = format!(
            "epoch fenced prev=b1\nworker w1 {w1}\nworker w2 elsewhere age=100\nbot b1 on w1"
        );
        saga.lost(&parse(&text), &Policy::default())
    };
    assert_eq!(
        lost(LoginSlot::A, &["b2@w2"], "elsewhere age=1600").as_deref(),
        Some("login a of b1 may still be in use by w1")
    );
    assert_eq!(
        lost(LoginSlot::A, &["b2@w2"], "running age=1600"),
        None,
        "ours to end"
    );
    assert_eq!(lost(LoginSlot::A, &["b2@w2"], "dead"), None);
    assert_eq!(
        lost(LoginSlot::A, &["b2@w2"], "elsewhere age=100"),
        None,
        "it is heard"
    );
    assert_eq!(
        lost(LoginSlot::B, &["b2@w2"], "elsewhere age=1600"),
        None,
        "another login"
    );
    assert_eq!(
        lost(LoginSlot::A, &[], "elsewhere age=1600"),
        None,
        "nobody else is left"
    );
}

/// What is said of a target while its login changes, and whether the saga gives up on it.
#[test]
fn only_the_assigned_logins_death_ends_a_relogin() {
    let policy = Policy::default();
    let saga = Drive::start(relogin(&["b2@w2"])).fenced(4).activated().saga;
    let lost = |b1: &str| {
        let mut snapshot = parse(&format!(
            "epoch smoking b1@w1 prev=b1\nworker w1 running age=100\nbot b1 on w1 {b1}"
        ));
        snapshot.saga = Some(saga.clone());
        saga.lost(&snapshot, &policy)
    };
    assert_eq!(
        lost("failed error=SESSION_REVOKED slot=b said=a"),
        None,
        "the old login's death started it"
    );
    assert_eq!(lost("connecting slot=b"), None);
    assert_eq!(
        lost("failed error=SESSION_REVOKED slot=b").as_deref(),
        Some("b1: SESSION_REVOKED")
    );
}

#[test]
fn a_lost_target_is_seen_and_a_slow_one_is_waited_for() {
    let policy = Policy::default();
    let fleet = |b2: &str, w2: &str| {
        parse(&format!(
            "epoch smoking b2@w2 prev=b1\nworker w1 running age=100\nworker w2 {w2} age=100\n\
             bot b1 on w1 failed error=ACCESS_TOKEN_EXPIRED\nbot b2 on w2 {b2}\nsaga activated b2@w2"
        ))
    };
    let lost = |snapshot: Snapshot| snapshot.saga.clone().unwrap().lost(&snapshot, &policy);
    assert_eq!(lost(fleet("ready", "running")), None);
    assert_eq!(lost(fleet("connecting", "running")), None);
    assert_eq!(
        lost(fleet("ready", "dead")).as_deref(),
        Some("worker w2: its process is dead")
    );
    assert_eq!(
        lost(fleet("failed error=SESSION_REVOKED", "running")).as_deref(),
        Some("b2: SESSION_REVOKED")
    );
}
