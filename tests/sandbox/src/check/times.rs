//! How long members waited: for the first words after the fault, for their prompt, for answers. Pure.

use super::{Evidence, Findings, was_open};
use crate::course::Input;
use crate::fault::Blow;
use crate::ledger::Fate;
use crate::member::{Member, Problem};

/// An answer that takes longer is noticed. A clump of members gets theirs within about a second, by Telegram's 30 a second.
pub const NOTICED_MS: u64 = 2_000;
/// The workers send 18 messages a minute into a group or channel.
const CHANNEL_MESSAGE_MS: u64 = 3_334;

/// A fault at the delivery of a press strikes before the clump's messages are there: where nobody in private waited yet, those who wrote in
/// that instant did, and their wait is counted from the fault like everybody's.
const CLUMP_MS: i64 = 250;

/// Most members whose first reply is measured, in private and through a channel.
const WAITING_PRIVATE: usize = 30;
const WAITING_SLOW: usize = 5;

pub(super) fn measure(evidence: &Evidence<'_>, findings: &mut Findings) {
    let fault = &evidence.blows.first;
    let served = |member: &Member| {
        let mut times = member.received.iter().map(|(_, at)| *at);
        times.find(|at| *at > fault.quiet_ms)
    };
    // Who has to come by himself is heard when he does.
    let reached = |one: &&Member| {
        !evidence.parked.contains(&one.number) && !evidence.waited.contains(&one.number)
    };
    let waiting_by = |until_ms: i64| {
        let open = evidence.members.iter().filter(|one| was_open(one, fault));
        let open = open.filter(reached);
        let since = open.filter_map(|one| Some((waited_for(one, fault, until_ms)?, one)));
        since.collect::<Vec<(Waited, &Member)>>()
    };
    let mut waiting = waiting_by(fault.at_ms);
    if waiting.iter().all(|(waited, _)| waited.slow) {
        waiting = waiting_by(fault.at_ms + CLUMP_MS);
    }
    waiting.sort_by_key(|(waited, member)| (waited.since_ms, member.number));
    let (mut private, mut slow) = (WAITING_PRIVATE, WAITING_SLOW);
    waiting.retain(|(waited, _)| {
        let left = if waited.slow { &mut slow } else { &mut private };
        let kept = *left > 0;
        *left = left.saturating_sub(1);
        kept
    });
    let since_fault = |at: i64| u64::try_from(at - fault.at_ms).unwrap_or(0);
    for member in evidence
        .members
        .iter()
        .filter(|member| was_open(member, fault))
        .filter(reached)
    {
        let waited = waiting.iter().find(|(_, one)| one.number == member.number);
        if let Some((waited, _)) = waited {
            let first = served(member).map(since_fault);
            findings.first_reply_ms.extend(first);
            let of_place = if waited.slow {
                &mut findings.first_reply_slow_ms
            } else {
                &mut findings.first_reply_private_ms
            };
            of_place.extend(first);
        } else {
            let again = member
                .resumptions
                .iter()
                .find(|resumption| resumption.at_ms > fault.quiet_ms);
            findings
                .reprompt_ms
                .extend(again.map(|resumption| since_fault(resumption.at_ms)));
        }
    }
}

/// What a member waited for when the fault landed.
struct Waited {
    since_ms: i64,
    /// Its answer goes through the group, or waits for a channel: those take 20 messages a minute, whoever serves him.
    slow: bool,
}

/// The message whose answer he waited for when the fault landed. A press is not counted here: it waits for Telegram's
/// time-out and the member's next press, whoever serves him.
fn waited_for(member: &Member, fault: &Blow, until_ms: i64) -> Option<Waited> {
    let silence = fault.quiet_ms.max(fault.at_ms);
    let entries = member.ledger.entries.iter();
    let messages = entries.filter(|entry| !entry.input.is_press() && entry.fate != Fate::Refused);
    let waited = messages.filter(|entry| {
        let unanswered = entry.answered_ms.is_none_or(|answered| answered > silence);
        let before = fault.is_after(entry.seq, entry.sent_ms);
        unanswered && (before || (until_ms > fault.at_ms && entry.sent_ms <= until_ms))
    });
    let first = waited.min_by_key(|entry| entry.sent_ms)?;
    Some(Waited {
        since_ms: first.sent_ms,
        slow: is_slow(member, &first.input),
    })
}

/// Who waits in the group, for the storage or for the posts waits behind at most one of each other: they write one thing at a time.
fn slow_limit_ms(members: &[Member]) -> u64 {
    let slow = members
        .iter()
        .filter(|one| !one.is_private() || one.intention.finishes);
    NOTICED_MS + CHANNEL_MESSAGE_MS * u64::try_from(slow.count()).unwrap_or(u64::MAX)
}

/// Nobody waited longer than ever, and nobody had to press twice.
pub(super) fn unnoticed(evidence: &Evidence<'_>, findings: &mut Findings) {
    let limit = |who: &str, times: &[u64], limit: u64| {
        let slowest = times.iter().max().copied().unwrap_or(0);
        (slowest > limit).then(|| Problem {
            member: who.into(),
            message: "while the supervisor was away".into(),
            expected: format!("at most {limit} ms"),
            seen: format!("{slowest} ms"),
        })
    };
    let slow_ms = slow_limit_ms(evidence.members);
    let private = limit(
        "the slowest answer in private",
        &findings.answer_ms,
        NOTICED_MS,
    );
    let slow = limit(
        "the slowest answer through a channel",
        &findings.answer_slow_ms,
        slow_ms,
    );
    findings.problems.extend(private.into_iter().chain(slow));
    if findings.presses_repeated > 0 {
        findings.problems.push(Problem {
            member: "the members".into(),
            message: "while the supervisor was away".into(),
            expected: "no press is done again".into(),
            seen: format!("{} of them", findings.presses_repeated),
        });
    }
}

/// In private without files and submissions, or all the others: those go through channels, which take 20 messages a minute.
pub(super) fn answers(evidence: &Evidence<'_>, slow: bool) -> Vec<u64> {
    let fault = &evidence.blows.first;
    let of_member = |member: &Member| {
        let entries = member.ledger.entries.iter().filter(move |entry| {
            entry.fate == Fate::Answered && slow == is_slow(member, &entry.input)
        });
        let since = entries.filter_map(|entry| {
            let answered = entry.answered_ms.filter(|at| *at > fault.at_ms)?;
            u64::try_from(answered - entry.sent_ms).ok()
        });
        since.collect::<Vec<u64>>()
    };
    evidence.members.iter().flat_map(of_member).collect()
}

/// Does the answer go through the group, the storage or the channel of posts?
fn is_slow(member: &Member, input: &Input) -> bool {
    !member.is_private() || input.goes_through_a_channel()
}
