//! What fails a run although no member saw it: a switch that should not be there or is missing, a late first reply, work of who was fenced.
//!
//! Pure.

use super::Outcome;
use crate::member::Problem;

/// Telegram tells a bot to wait where it sends faster than the published limits; pacing is the workers' duty. A worker that takes over
/// knows nothing of what its predecessor sent in the same second, so a few are no fault, per fault and bot.
pub const FLOOD_WAITS: usize = 10;

/// What is wrong although no member saw it.
pub(super) fn problems_of(outcome: &Outcome, switches: usize) -> Vec<Problem> {
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
    let slowest = outcome.findings.first_reply_private_ms.iter().max();
    let (down_ms, members) = (outcome.supervisor_down_ms, outcome.members);
    if let Some(limit) = blows.first_reply_limit_ms(down_ms, members) {
        let expected = format!("at most {limit} ms");
        match slowest {
            Some(slowest) if *slowest <= limit => {}
            Some(slowest) => problem("the first reply", &name, &expected, format!("{slowest} ms")),
            None if outcome.findings.first_reply_ms.is_empty() => {
                problem("the first reply", &name, &expected, "nobody waited".into());
            }
            // Only in the group, or for a channel, whose pace it is.
            None => {}
        }
    }
    if outcome.findings.files_to_resend > 0 && switches == 0 {
        let seen = outcome.findings.files_to_resend.to_string();
        problem("files", "asked for again without a switch", "none", seen);
    }
    if outcome.wire.flood_waits > FLOOD_WAITS {
        let seen = outcome.wire.flood_waits.to_string();
        problem(
            "a bot",
            "told to wait",
            &format!("at most {FLOOD_WAITS} times"),
            seen,
        );
    }
    if outcome.journal.signed != outcome.journal.commits {
        let seen = format!(
            "{} do not",
            outcome.journal.commits - outcome.journal.signed
        );
        problem("Redis's file", "commits", "each names its epoch", seen);
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
