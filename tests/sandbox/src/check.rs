//! The judgement: what the members saw, the rows in SQL and the posts in the channel, against the reference model.
//!
//! Pure. Invariant: everything that is not explained by what `telegram.md` puts out of reach is a [`Problem`] and counts; a run without
//! problems is one in which each input took effect once and was answered once.

#[cfg(test)]
mod tests;

use crate::course::{Input, Stage, set};
use crate::fault::{Blow, Blows, OutOfReach, out_of_reach};
use crate::ledger::{Entry, Fate};
use crate::member::{Member, Place, Problem};

/// A course as SQL has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CourseRow {
    pub member: i64,
    pub title: String,
    pub description: String,
    pub category: String,
    pub tags: Vec<String>,
    pub files: Vec<String>,
}

/// All that there is to judge by.
#[derive(Debug)]
pub struct Evidence<'a> {
    pub members: &'a [Member],
    /// Numbers of the members who had to press Start with the new bot themselves.
    pub parked: &'a [usize],
    pub blows: Blows,
    pub courses: &'a [CourseRow],
    /// Texts in the broadcast channel.
    pub posts: &'a [String],
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    pub problems: Vec<Problem>,
    pub conversations_open: usize,
    pub conversations_continued: usize,
    pub conversations_parked: usize,
    pub conversations_lost: usize,
    pub updates_sent: usize,
    pub updates_lost: usize,
    pub updates_unreachable: usize,
    pub files_to_resend: usize,
    pub replies_duplicated: usize,
    /// Presses that Telegram timed out and the member did again: a press that finds nobody is gone.
    pub presses_repeated: usize,
    /// Milliseconds from the fault to the first words of an active bot, for those who waited.
    pub first_reply_ms: Vec<u64>,
    /// The same for the others, to the prompt that was shown again.
    pub reprompt_ms: Vec<u64>,
    /// From asking to the answer, in private, for what was asked or waited for from the first fault on.
    pub answer_ms: Vec<u64>,
}

/// An answer that takes longer is noticed. A clump of members gets theirs within about a second, by Telegram's 30 a second.
pub const NOTICED_MS: u64 = 2_000;

/// Most members whose first reply is measured, in private and in the group.
const WAITING_PRIVATE: usize = 30;
const WAITING_GROUP: usize = 5;

pub fn check(evidence: &Evidence<'_>) -> Findings {
    let mut findings = Findings::default();
    let unreachable = out_of_reach(&evidence.blows, evidence.members);
    for member in evidence.members {
        let before = (findings.problems.len(), findings.updates_lost);
        findings.problems.extend(member.problems.iter().cloned());
        for entry in member
            .ledger
            .entries
            .iter()
            .filter(|entry| entry.fate != Fate::Refused)
        {
            judge(member, entry, &unreachable, &mut findings);
        }
        check_end(member, evidence, &mut findings);
        let clean = before == (findings.problems.len(), findings.updates_lost);
        count_conversation(member, evidence, clean, &mut findings);
    }
    check_strangers(evidence, &mut findings);
    measure(evidence, &mut findings);
    findings.answer_ms = answers(evidence);
    if evidence.blows.go_unnoticed() {
        let slowest = findings.answer_ms.iter().max().copied().unwrap_or(0);
        if slowest > NOTICED_MS {
            findings.problems.push(Problem {
                member: "the slowest answer in private".into(),
                message: "while the supervisor was away".into(),
                expected: format!("at most {NOTICED_MS} ms"),
                seen: format!("{slowest} ms"),
            });
        }
    }
    findings
}

/// Files and submissions are left out: they go through channels, which take 20 messages a minute.
fn answers(evidence: &Evidence<'_>) -> Vec<u64> {
    let fault = &evidence.blows.first;
    let private = evidence.members.iter().filter(|one| one.is_private());
    let entries = private.flat_map(|member| &member.ledger.entries);
    let quick = entries.filter(|entry| {
        entry.fate == Fate::Answered && !matches!(entry.input, Input::File(_) | Input::Submit)
    });
    let since = quick.filter_map(|entry| {
        let answered = entry.answered_ms.filter(|at| *at > fault.at_ms)?;
        u64::try_from(answered - entry.sent_ms).ok()
    });
    since.collect()
}

fn judge(member: &Member, entry: &Entry, unreachable: &[OutOfReach], findings: &mut Findings) {
    findings.updates_sent += 1;
    let mut problem = |expected: &str, seen: &str| {
        findings
            .problems
            .push(problem_of(member, &entry.label, expected, seen));
    };
    if entry.confirmations > 1 {
        findings.replies_duplicated += entry.confirmations as usize - 1;
        problem(
            "one confirmation",
            &format!("{} confirmations of {:?}", entry.confirmations, entry.input),
        );
    }
    match entry.fate {
        Fate::Answered if entry.confirmations == 0 && !entry.shown => {
            findings.updates_lost += 1;
            problem("a confirmation", "its effect without one");
        }
        Fate::Answered | Fate::Stale | Fate::Refused => {}
        Fate::AskedAgain => findings.files_to_resend += 1,
        Fate::WithoutEffect | Fate::TimedOut if unreachable.iter().any(|one| one.covers(entry)) => {
            findings.updates_unreachable += 1;
        }
        // Never acknowledged.
        Fate::TimedOut => findings.presses_repeated += 1,
        Fate::WithoutEffect if entry.input.is_press() && !entry.acknowledged => {
            findings.presses_repeated += 1;
        }
        Fate::WithoutEffect => {
            findings.updates_lost += 1;
            problem("its effect", &format!("none of {:?}", entry.input));
        }
        Fate::Waiting => {
            findings.updates_lost += 1;
            problem(
                "an answer",
                &format!("none to {:?} until the end", entry.input),
            );
        }
    }
}

/// The course as it was recorded and posted.
fn check_end(member: &Member, evidence: &Evidence<'_>, findings: &mut Findings) {
    let upload = &member.upload;
    let rows: Vec<&CourseRow> = evidence
        .courses
        .iter()
        .filter(|row| row.member == member.id)
        .collect();
    let mut problem = |message: &str, expected: &str, seen: &str| {
        findings
            .problems
            .push(problem_of(member, message, expected, seen));
    };
    let title = upload.title.clone().unwrap_or_default();
    let head = format!("New course: {title}");
    let posts = evidence
        .posts
        .iter()
        .filter(|post| post.lines().next() == Some(head.as_str()))
        .count();
    let wanted = usize::from(upload.stage == Stage::Submitted);
    if !upload.is_over() {
        problem("the upload", "its end", &format!("{:?}", upload.stage));
    }
    if posts != wanted {
        problem(
            "the post in the channel",
            &wanted.to_string(),
            &posts.to_string(),
        );
    }
    match rows[..] {
        [] if wanted == 0 => {}
        [row] if wanted == 1 => {
            let fields = [
                ("title", &title, &row.title),
                (
                    "description",
                    &upload.description.clone().unwrap_or_default(),
                    &row.description,
                ),
                (
                    "category",
                    &upload.category.clone().unwrap_or_default(),
                    &row.category,
                ),
                ("tags", &set(&upload.tags), &set(&row.tags)),
                ("files", &set(&upload.files), &set(&row.files)),
            ];
            for (field, expected, seen) in fields
                .into_iter()
                .filter(|(_, expected, seen)| expected != seen)
            {
                problem(&format!("the recorded {field}"), expected, seen);
            }
        }
        _ => problem(
            "the recorded course",
            &format!("{wanted} rows"),
            &format!("{} rows", rows.len()),
        ),
    }
}

fn count_conversation(
    member: &Member,
    evidence: &Evidence<'_>,
    clean: bool,
    findings: &mut Findings,
) {
    if !was_open(member, &evidence.blows.first) {
        return;
    }
    findings.conversations_open += 1;
    if !clean || !member.is_done() {
        findings.conversations_lost += 1;
    } else if evidence.parked.contains(&member.number) {
        findings.conversations_parked += 1;
    } else {
        findings.conversations_continued += 1;
    }
}

/// In the middle of an upload when the first fault landed.
fn was_open(member: &Member, fault: &Blow) -> bool {
    let answered = |wanted: fn(&Input) -> bool| {
        member.ledger.entries.iter().any(|entry| {
            wanted(&entry.input) && entry.answered_ms.is_some_and(|at| at <= fault.quiet_ms)
        })
    };
    answered(|input| *input == Input::Open)
        && !answered(|input| matches!(input, Input::Submit | Input::Cancel))
}

fn check_strangers(evidence: &Evidence<'_>, findings: &mut Findings) {
    let known = |id| evidence.members.iter().any(|member| member.id == id);
    for row in evidence.courses.iter().filter(|row| !known(row.member)) {
        findings.problems.push(Problem {
            member: row.member.to_string(),
            message: "the recorded course".into(),
            expected: "none of a stranger".into(),
            seen: row.title.clone(),
        });
    }
}

fn measure(evidence: &Evidence<'_>, findings: &mut Findings) {
    let fault = &evidence.blows.first;
    let served = |member: &Member| {
        let mut times = member.received.iter().map(|(_, at)| *at);
        times.find(|at| *at > fault.quiet_ms)
    };
    let mut waiting: Vec<(i64, &Member)> = evidence
        .members
        .iter()
        .filter(|member| was_open(member, fault))
        .filter_map(|member| Some((waited_since(member, fault)?, member)))
        .collect();
    waiting.sort_by_key(|(since, member)| (*since, member.number));
    let (mut private, mut group) = (WAITING_PRIVATE, WAITING_GROUP);
    waiting.retain(|(_, member)| {
        let left = if member.is_private() {
            &mut private
        } else {
            &mut group
        };
        let kept = *left > 0;
        *left = left.saturating_sub(1);
        kept
    });
    let since_fault = |at: i64| u64::try_from(at - fault.at_ms).unwrap_or(0);
    for member in evidence
        .members
        .iter()
        .filter(|member| was_open(member, fault))
    {
        if waiting.iter().any(|(_, one)| one.number == member.number) {
            findings
                .first_reply_ms
                .extend(served(member).map(since_fault));
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

/// Since when he waited for the answer to a message when the fault landed. A press is not counted here: it waits for Telegram's
/// time-out and the member's next press, whoever serves him.
fn waited_since(member: &Member, fault: &Blow) -> Option<i64> {
    let silence = fault.quiet_ms.max(fault.at_ms);
    let entries = member.ledger.entries.iter();
    let messages = entries.filter(|entry| !entry.input.is_press() && entry.fate != Fate::Refused);
    let waited = messages.filter(|entry| {
        let unanswered = entry.answered_ms.is_none_or(|answered| answered > silence);
        unanswered && fault.is_after(entry.seq, entry.sent_ms)
    });
    waited.map(|entry| entry.sent_ms).min()
}

fn problem_of(member: &Member, message: &str, expected: &str, seen: &str) -> Problem {
    let place = match member.place {
        Place::Private => "",
        Place::Group(_) => ", group",
    };
    Problem {
        member: format!("{} ({}{place})", member.name, member.id),
        message: message.to_owned(),
        expected: expected.to_owned(),
        seen: seen.to_owned(),
    }
}
