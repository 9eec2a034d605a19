//! The report: one JSON object, the field names of which are an interface.
//!
//! From the members' side: all counts, `first_reply_ms`, `reprompt_ms`, `answer_ms`. From the simulator's log: `stale_sends`,
//! `auth_key_duplicated`. From Redis's file: `stale_commits`. From the processes' own words, because nobody else can see them:
//! `updates_unknown`, `commits_refused`, `appendfsync` and `switches`. From our own clock: `supervisor_down_ms`.

use serde::Serialize;

use crate::check::Findings;
use crate::fault::{Blow, Blows, FaultKind};
use crate::journal::JournalFindings;
use crate::member::Problem;
use crate::status::{Status, Switch};
use crate::wire::WireFindings;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub members: usize,
    pub conversations_open: usize,
    pub conversations_continued: usize,
    pub conversations_parked: usize,
    pub conversations_lost: usize,
    pub updates_sent: usize,
    pub updates_lost: usize,
    pub updates_unreachable: usize,
    pub updates_unknown: u64,
    pub files_to_resend: usize,
    pub replies_duplicated: usize,
    pub first_reply_ms: FirstReply,
    /// More than this fails the run; `null` where no limit is set.
    pub first_reply_limit_ms: Option<u64>,
    pub reprompt_ms: Spread,
    pub appendfsync: String,
    pub switches: Vec<SwitchReport>,
    pub presses_repeated: usize,
    /// From asking to the answer, in private and without files, for what was waited for from the first fault on.
    pub answer_ms: FirstReply,
    /// Commits of a fenced worker that stand in Redis's append-only file: written while the epoch was not open.
    pub stale_commits: u64,
    /// Attempts of fenced workers that Redis turned away.
    pub commits_refused: u64,
    /// Messages that Telegram took over a fenced holder's connection.
    pub stale_sends: usize,
    pub auth_key_duplicated: usize,
    /// Without a supervisor that is ready; 0 when it was not killed.
    pub supervisor_down_ms: u64,
    /// How to have this run again, and what it came to.
    pub seed: u64,
    /// The first one.
    pub fault: &'static str,
    /// The first one's.
    pub moment: String,
    pub faults: Vec<FaultReport>,
    pub passed: bool,
    pub problems: Vec<Problem>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FaultReport {
    pub kind: &'static str,
    /// Milliseconds since the first.
    pub at_ms: i64,
    pub moment: String,
    pub details: String,
}

/// `null` where nobody waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FirstReply {
    pub count: usize,
    pub p50: Option<u64>,
    pub max: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Spread {
    pub p50: Option<u64>,
    pub max: Option<u64>,
}

/// Milliseconds since the first fault; `null` for what did not happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SwitchReport {
    pub kind: String,
    pub from: Option<String>,
    pub to: Option<String>,
    pub cause: String,
    pub detected_ms: Option<i64>,
    pub fenced_ms: Option<i64>,
    pub activated_ms: Option<i64>,
    pub first_reply_ms: Option<i64>,
    pub verified_ms: Option<i64>,
}

/// All that a run came to.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub members: usize,
    pub seed: u64,
    pub blows: Blows,
    /// A second fault that found nobody to strike.
    pub missed: Option<FaultKind>,
    pub findings: Findings,
    pub status: Status,
    pub wire: WireFindings,
    pub journal: JournalFindings,
    pub supervisor_down_ms: u64,
}

impl Report {
    pub fn new(outcome: &Outcome) -> Self {
        let (findings, status) = (&outcome.findings, &outcome.status);
        let blows = &outcome.blows;
        let switches = switches_since(status, blows.first.at_ms);
        let mut problems = findings.problems.clone();
        problems.extend(problems_of(outcome, switches.len()));
        let updates_unknown = status.counter("updates_unknown");
        let passed = problems.is_empty()
            && findings.updates_lost == 0
            && findings.replies_duplicated == 0
            && findings.conversations_lost == 0
            && findings.conversations_open > 0
            && updates_unknown == 0;
        Self {
            members: outcome.members,
            conversations_open: findings.conversations_open,
            conversations_continued: findings.conversations_continued,
            conversations_parked: findings.conversations_parked,
            conversations_lost: findings.conversations_lost,
            updates_sent: findings.updates_sent,
            updates_lost: findings.updates_lost,
            updates_unreachable: findings.updates_unreachable,
            updates_unknown,
            files_to_resend: findings.files_to_resend,
            replies_duplicated: findings.replies_duplicated,
            first_reply_ms: FirstReply::of(&findings.first_reply_ms),
            first_reply_limit_ms: blows.first_reply_limit_ms(),
            reprompt_ms: Spread {
                p50: median(&findings.reprompt_ms),
                max: findings.reprompt_ms.iter().max().copied(),
            },
            appendfsync: status
                .redis
                .appendfsync
                .clone()
                .unwrap_or_else(|| "unknown".into()),
            switches,
            presses_repeated: findings.presses_repeated,
            answer_ms: FirstReply::of(&findings.answer_ms),
            stale_commits: outcome.journal.stale_commits,
            commits_refused: status.counter("commits_refused"),
            stale_sends: outcome.wire.stale_sends.len(),
            auth_key_duplicated: outcome.wire.auth_key_duplicated,
            supervisor_down_ms: outcome.supervisor_down_ms,
            seed: outcome.seed,
            fault: blows.first.kind.name(),
            moment: blows.first.moment.words(),
            faults: blows
                .iter()
                .map(|blow| FaultReport::of(blow, &blows.first))
                .collect(),
            passed,
            problems,
        }
    }
}

impl FirstReply {
    fn of(values: &[u64]) -> Self {
        Self {
            count: values.len(),
            p50: median(values),
            max: values.iter().max().copied(),
        }
    }
}

impl FaultReport {
    fn of(blow: &Blow, first: &Blow) -> Self {
        Self {
            kind: blow.kind.name(),
            at_ms: blow.at_ms - first.at_ms,
            moment: blow.moment.words(),
            details: blow.details.words(),
        }
    }
}

/// What is wrong although no member saw it.
fn problems_of(outcome: &Outcome, switches: usize) -> Vec<Problem> {
    let (blows, name) = (&outcome.blows, outcome.blows.name());
    let mut problems = Vec::new();
    let mut problem = |member: &str, message: &str, expected: &str, seen: String| {
        problems.push(Problem {
            member: member.into(),
            message: message.into(),
            expected: expected.into(),
            seen,
        });
    };
    if switches == 0 && blows.need_switch() {
        let expected = "a switch or takeover in its record";
        problem("the supervisor", &name, expected, "none".into());
    }
    if switches > 0 && blows.go_unnoticed() {
        let seen = format!("{switches} in its record");
        problem("the supervisor", &name, "no switch", seen);
    }
    let slowest = outcome.findings.first_reply_ms.iter().max().copied();
    if let (Some(limit), Some(slowest)) = (blows.first_reply_limit_ms(), slowest)
        && slowest > limit
    {
        let expected = format!("at most {limit} ms");
        problem("the first reply", &name, &expected, format!("{slowest} ms"));
    }
    if let Some(kind) = outcome.missed {
        let expected = "somebody active to strike";
        problem("the second fault", kind.name(), expected, "nobody".into());
    }
    for send in &outcome.wire.stale_sends {
        let expected = "nothing sent by who was fenced";
        problem("a fenced worker", "its sends", expected, send.clone());
    }
    if outcome.wire.auth_key_duplicated > 0 {
        let seen = format!("{} times", outcome.wire.auth_key_duplicated);
        problem("a bot", "AUTH_KEY_DUPLICATED", "never", seen);
    }
    if outcome.journal.stale_commits > 0 {
        let seen = outcome.journal.stale_commits.to_string();
        problem("Redis's file", "commits without a holder", "none", seen);
    }
    if outcome.journal.commits == 0 {
        problem("Redis's file", "commits", "some", "none".into());
    }
    problems
}

/// A switch can be dated some milliseconds before the fault that caused it: the supervisor reckons back from what it is told.
const CLOCK_SLACK_MS: i64 = 100;

fn switches_since(status: &Status, fault_ms: i64) -> Vec<SwitchReport> {
    let since = |at: Option<i64>| at.map(|at| at - fault_ms);
    let after = |switch: &&Switch| {
        switch
            .detected_at
            .is_some_and(|at| at >= fault_ms - CLOCK_SLACK_MS)
    };
    let switches = status.switches();
    switches
        .filter(|switch| switch.kind != "first")
        .filter(after)
        .map(|switch| SwitchReport {
            kind: switch.kind.clone(),
            from: switch.from_name(),
            to: switch.to_name(),
            cause: switch.cause.clone(),
            detected_ms: since(switch.detected_at),
            fenced_ms: since(switch.fenced_at),
            activated_ms: since(switch.activated_at),
            first_reply_ms: since(switch.first_reply_at),
            verified_ms: since(switch.verified_at),
        })
        .collect()
}

fn median(values: &[u64]) -> Option<u64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
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
            ..Findings::default()
        };
        let json = serde_json::to_value(report(findings)).unwrap();
        let names = [
            "members",
            "conversations_open",
            "conversations_continued",
            "conversations_parked",
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
        let broken: [fn(&mut Outcome); 5] = [
            |outcome| outcome.wire.auth_key_duplicated = 1,
            |outcome| outcome.wire.stale_sends.push("a send".into()),
            |outcome| outcome.journal.stale_commits = 1,
            |outcome| outcome.journal.commits = 0,
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
            first_reply_ms: vec![20, 3_001],
            ..clean()
        };
        let mut outcome = outcome(late);
        let report = Report::new(&outcome);
        assert_eq!(report.first_reply_limit_ms, Some(3_000));
        assert_eq!(report.problems[0].seen, "3001 ms");
        outcome.blows.then = Some(blow(FaultKind::KillRedis, 1_500));
        assert!(Report::new(&outcome).passed, "no limit is set for pairs");
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
}
