//! The report: one JSON object, the field names of which are an interface.
//!
//! From the members' side: all counts, `first_reply_ms`, `reprompt_ms`. From the processes' own words, because no member can see
//! them: `updates_unknown`, `appendfsync` and `switches`.

use serde::Serialize;

use crate::check::Findings;
use crate::fault::{FaultFacts, FaultPlan};
use crate::member::Problem;
use crate::status::{Status, Switch};

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
    pub reprompt_ms: Spread,
    pub appendfsync: String,
    pub switches: Vec<SwitchReport>,
    pub presses_repeated: usize,
    /// How to have this run again, and what it came to.
    pub seed: u64,
    pub fault: &'static str,
    pub moment: &'static str,
    pub passed: bool,
    pub problems: Vec<Problem>,
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

/// Milliseconds since the fault; `null` for what did not happen.
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

impl Report {
    pub fn new(
        members: usize,
        seed: u64,
        plan: &FaultPlan,
        fault: &FaultFacts,
        findings: Findings,
        status: &Status,
    ) -> Self {
        let switches = switches_since(status, fault.at_ms);
        let mut problems = findings.problems;
        if switches.is_empty() {
            problems.push(Problem {
                member: "the supervisor".into(),
                message: format!("the {}", fault.kind.name()),
                expected: "a switch or takeover in its record".into(),
                seen: "none".into(),
            });
        }
        let updates_unknown = status.counter("updates_unknown");
        let passed = problems.is_empty()
            && findings.updates_lost == 0
            && findings.replies_duplicated == 0
            && findings.conversations_lost == 0
            && findings.conversations_open > 0
            && updates_unknown == 0;
        Self {
            members,
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
            first_reply_ms: FirstReply {
                count: findings.first_reply_ms.len(),
                p50: median(&findings.first_reply_ms),
                max: findings.first_reply_ms.iter().max().copied(),
            },
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
            seed,
            fault: fault.kind.name(),
            moment: plan.moment.words(),
            passed,
            problems,
        }
    }
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
    use crate::fault::{FaultKind, Moment};

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

    fn report(findings: Findings) -> Report {
        let plan = FaultPlan {
            moment: Moment::AnyTime,
            lead_ms: 1,
            clump: 4,
            kill_delay_us: 0,
        };
        let fault = FaultFacts {
            kind: FaultKind::Revoke,
            bot: 1,
            at_ms: 1_000,
            seq: None,
            quiet_ms: 1_000,
        };
        Report::new(3, 7, &plan, &fault, findings, &status())
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
}
