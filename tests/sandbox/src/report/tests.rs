//! The report: its field names, which are an interface, and what makes a run fail.

#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;
use crate::fault::{Details, Moment};

fn status() -> Status {
    serde_json::from_value(json!({
        "pools": [{
            "name": "main", "state": "ok", "reasons": [], "epoch": 2, "phase": "open",
            "active": {"bot": 2, "username": "second_bot", "worker": "w2"},
            "bots": [], "counters": {"updates_unknown": 0}, "outbox": 0, "conversations_open": 0,
            "switches": [
                {"id": "a", "kind": "first", "from": null, "to": 1, "cause": "first activation", "outcome": "done", "detected_at": 10},
                {"id": "b", "kind": "switch", "from": 1, "to": 2, "cause": "session dead", "outcome": "done",
                 "detected_at": 1_012, "fenced_at": 1_015, "activated_at": 1_020, "verified_at": 1_060, "first_reply_at": 1_090}
            ]
        }],
        "workers": [], "redis": {"ok": true, "appendfsync": "always", "rtt_us": 50}, "database": {"ok": true}, "supervisor": {"running": true}
    }))
    .unwrap()
}

fn outcome(findings: Findings) -> Outcome {
    Outcome {
        members: 3,
        seed: 7,
        doubts: Doubts::draw(7, FaultKind::Revoke, None),
        blows: Blows {
            first: blow(FaultKind::Revoke, 1_000),
            then: None,
        },
        missed: None,
        findings,
        status: status(),
        wire: WireFindings::default(),
        journal: JournalFindings {
            commits: 5,
            signed: 5,
            stale_commits: 0,
        },
        supervisor_down_ms: 0,
    }
}

fn blow(kind: FaultKind, at_ms: i64) -> Blow {
    Blow {
        kind,
        moment: Moment::AnyTime,
        details: Details::None,
        bot: 1,
        at_ms,
        seq: None,
        quiet_ms: at_ms,
    }
}

fn clean() -> Findings {
    Findings {
        conversations_open: 3,
        conversations_continued: 3,
        first_reply_ms: vec![20],
        first_reply_private_ms: vec![20],
        ..Findings::default()
    }
}

fn report(findings: Findings) -> Report {
    Report::new(&outcome(findings))
}

#[test]
fn it_has_the_fields_that_readers_of_it_know() {
    let findings = Findings {
        conversations_open: 3,
        conversations_continued: 3,
        first_reply_ms: vec![300, 100, 200],
        first_reply_private_ms: vec![300],
        ..Findings::default()
    };
    let json = serde_json::to_value(report(findings)).unwrap();
    let names = [
        "members",
        "conversations_open",
        "conversations_continued",
        "conversations_parked",
        "conversations_resumed",
        "conversations_waiting",
        "conversations_lost",
        "updates_sent",
        "updates_lost",
        "updates_unreachable",
        "updates_unknown",
        "files_to_resend",
        "replies_duplicated",
        "first_reply_ms",
        "reprompt_ms",
        "appendfsync",
        "switches",
        "invited",
        "invited_started",
        "invitations_seen",
    ];
    for name in names {
        assert!(json.get(name).is_some(), "{name} is missing");
    }
    assert_eq!(
        json["first_reply_ms"],
        json!({"count": 3, "p50": 200, "max": 300})
    );
    assert_eq!(json["reprompt_ms"], json!({"p50": null, "max": null}));
    assert_eq!(
        json["switches"],
        json!([{"kind": "switch", "from": "b1", "to": "b2", "cause": "session dead", "detected_ms": 12,
                "fenced_ms": 15, "activated_ms": 20, "first_reply_ms": 90, "verified_ms": 60}])
    );
    assert_eq!(json["passed"], true);
}

#[test]
fn a_run_in_which_nothing_was_open_has_not_passed() {
    assert!(!report(Findings::default()).passed);
}

#[test]
fn one_loss_is_enough_to_fail() {
    let findings = Findings {
        conversations_open: 3,
        updates_lost: 1,
        ..Findings::default()
    };
    assert!(!report(findings).passed);
}

#[test]
fn what_no_member_sees_fails_a_run_as_well() {
    let broken: [fn(&mut Outcome); 9] = [
        |outcome| {
            outcome.findings.first_reply_private_ms.clear();
            outcome.findings.first_reply_ms.clear();
        },
        |outcome| outcome.wire.flood_waits = 11,
        |outcome| outcome.journal.signed = 4,
        |outcome| outcome.status.pools[0].switches.clear(),
        |outcome| outcome.wire.auth_key_duplicated = 1,
        |outcome| outcome.wire.stale_sends.push("a send".into()),
        |outcome| outcome.journal.stale_commits = 1,
        |outcome| (outcome.journal.commits, outcome.journal.signed) = (0, 0),
        |outcome| outcome.missed = Some(FaultKind::Revoke),
    ];
    assert!(report(clean()).passed);
    for (at, breaks) in broken.iter().enumerate() {
        let mut outcome = outcome(clean());
        breaks(&mut outcome);
        let report = Report::new(&outcome);
        assert!(!report.passed && report.problems.len() == 1, "{at}");
    }
}

#[test]
fn a_first_reply_that_is_late_fails_a_run_with_one_fault() {
    let late = Findings {
        first_reply_private_ms: vec![20, 3_001],
        ..clean()
    };
    let mut outcome = outcome(late);
    let report = Report::new(&outcome);
    assert_eq!(report.first_reply_limit_ms, Some(3_000));
    assert_eq!(report.problems[0].seen, "3001 ms");
    outcome.blows.then = Some(blow(FaultKind::KillRedis, 1_500));
    let pair = Report::new(&outcome);
    // Everybody is shown where he stands, at 28 a second.
    let shown_ms = u64::try_from(outcome.members).unwrap() * 1_000 / 28;
    assert_eq!(
        (pair.first_reply_limit_ms, pair.passed),
        (Some(5_000 + shown_ms), true)
    );
    outcome.blows.then = Some(blow(FaultKind::KillSupervisor, 1_500));
    outcome.supervisor_down_ms = 700;
    assert_eq!(
        Report::new(&outcome).first_reply_limit_ms,
        Some(5_700 + shown_ms)
    );
    outcome.findings.first_reply_private_ms = vec![5_701 + shown_ms];
    assert!(!Report::new(&outcome).passed);
}

#[test]
fn a_file_that_is_asked_for_again_without_a_switch_fails_a_run() {
    let mut outcome = outcome(clean());
    outcome.findings.files_to_resend = 1;
    assert!(Report::new(&outcome).passed, "there was a switch");
    outcome.blows.first = blow(FaultKind::KillRedis, 2_000);
    assert!(!Report::new(&outcome).passed);
}

#[test]
fn a_killed_supervisor_is_no_reason_for_a_switch_and_a_killed_redis_may_be_one() {
    let mut outcome = outcome(clean());
    outcome.blows.first = blow(FaultKind::KillSupervisor, 1_000);
    assert!(!Report::new(&outcome).passed, "there is one in the record");
    outcome.blows.first = blow(FaultKind::KillRedis, 1_000);
    assert!(Report::new(&outcome).passed);
    outcome.blows.first = blow(FaultKind::KillRedis, 2_000);
    assert!(Report::new(&outcome).passed, "none is needed");
    outcome.blows.then = Some(blow(FaultKind::KillWorker, 2_050));
    let report = Report::new(&outcome);
    assert!(!report.passed, "the second one needs one");
    assert_eq!(report.faults[1].at_ms, 50);
    assert_eq!(report.problems[0].message, "kill-redis+kill-worker");
    outcome.blows.first = blow(FaultKind::KillSupervisor, 2_000);
    let passed = Report::new(&outcome).passed;
    assert!(passed, "the next supervisor starts the worker again");
}
