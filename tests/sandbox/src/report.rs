//! The report: one JSON object, the field names of which are an interface.
//!
//! From the members' side: all counts, `first_reply_ms`, `reprompt_ms`, `answer_ms`. From the simulator's log: `stale_sends`,
//! `auth_key_duplicated`, `flood_waits`. From Redis's file: `stale_commits`. From the processes' own words, because nobody else can see them:
//! `updates_unknown`, `commits_refused`, `maybe_repeated`, `invited`, `invited_started`, `appendfsync` and `switches`. From our own clock: `supervisor_down_ms`.

mod hidden;

use serde::Serialize;

use crate::check::Findings;
use crate::doubts::Doubts;
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
    /// Of the parked: their members came during the run, and they went on to the end.
    pub conversations_resumed: usize,
    /// Of the parked: still waited at the end, and stood where they had been left when their members looked.
    pub conversations_waiting: usize,
    pub conversations_lost: usize,
    pub updates_sent: usize,
    pub updates_lost: usize,
    pub updates_unreachable: usize,
    pub updates_unknown: u64,
    pub files_to_resend: usize,
    pub replies_duplicated: usize,
    pub repeated_across_bots: usize,
    pub first_reply_ms: FirstReply,
    pub first_reply_private_ms: FirstReply,
    pub first_reply_slow_ms: FirstReply,
    /// More than this in private, or nobody who waited, fails the run; `null` where no limit is set.
    pub first_reply_limit_ms: Option<u64>,
    pub reprompt_ms: Spread,
    pub appendfsync: String,
    pub switches: Vec<SwitchReport>,
    pub presses_repeated: usize,
    /// Presses of a prompt that had been left behind, answered by a word that says so.
    pub presses_stale: usize,
    /// How often Telegram told a bot to wait.
    pub flood_waits: usize,
    /// Replies whose acknowledgement died with a bot, by the workers' count.
    pub maybe_repeated: u64,
    /// Invitations to the backups: sent and followed by the workers' count, seen by the members.
    pub invited: u64,
    pub invited_started: u64,
    pub invitations_seen: usize,
    /// How Telegram behaved where nobody knows.
    pub doubts: Doubts,
    /// The same as `answer_ms` in the group, and of files and submissions.
    pub answer_slow_ms: FirstReply,
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
    pub doubts: Doubts,
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
        problems.extend(hidden::problems_of(outcome, switches.len()));
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
            conversations_resumed: findings.conversations_resumed,
            conversations_waiting: findings.conversations_waiting,
            conversations_lost: findings.conversations_lost,
            updates_sent: findings.updates_sent,
            updates_lost: findings.updates_lost,
            updates_unreachable: findings.updates_unreachable,
            updates_unknown,
            files_to_resend: findings.files_to_resend,
            replies_duplicated: findings.replies_duplicated,
            repeated_across_bots: findings.repeated_across_bots,
            first_reply_ms: FirstReply::of(&findings.first_reply_ms),
            first_reply_private_ms: FirstReply::of(&findings.first_reply_private_ms),
            first_reply_slow_ms: FirstReply::of(&findings.first_reply_slow_ms),
            first_reply_limit_ms: blows
                .first_reply_limit_ms(outcome.supervisor_down_ms, outcome.members),
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
            presses_stale: findings.presses_stale,
            flood_waits: outcome.wire.flood_waits,
            maybe_repeated: status.counter("maybe_repeated"),
            invited: status.counter("invited"),
            invited_started: status.counter("invited_started"),
            invitations_seen: findings.invitations_seen,
            doubts: outcome.doubts,
            answer_slow_ms: FirstReply::of(&findings.answer_slow_ms),
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
mod tests;
