//! The judgement: what the members saw, the rows in SQL and the posts in the channel, against the reference model.
//!
//! Pure. Invariant: everything that is not explained by what `docs/telegram.md` puts out of reach is a [`Problem`] and counts; a run without
//! problems is one in which each input took effect once and was answered once.

#[cfg(test)]
mod tests;
mod times;

use crate::course::{Input, Stage, set};
use crate::fault::{Blow, Blows, Move, OutOfReach, out_of_reach, stood_by};
use crate::ledger::{Entry, Fate};
use crate::member::{Member, Place, Problem};
use times::{answers, measure, unnoticed};

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
    /// Numbers of those who waited to the end, and were only shown where they stand when they came.
    pub waited: &'a [usize],
    pub blows: Blows,
    /// All bots of the pool.
    pub bots: &'a [i64],
    /// When the active bot changed.
    pub moves: &'a [Move],
    pub courses: &'a [CourseRow],
    /// Texts in the broadcast channel.
    pub posts: &'a [String],
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    pub problems: Vec<Problem>,
    pub conversations_open: usize,
    pub conversations_continued: usize,
    /// Nobody may write to their members: they went on, or will, when these come by themselves.
    pub conversations_parked: usize,
    /// Of these: went on to their end.
    pub conversations_resumed: usize,
    /// Of these: still waited when all was over, and stood where they had been left.
    pub conversations_waiting: usize,
    /// Members who were asked to press Start with the backups, by what they saw.
    pub invitations_seen: usize,
    pub conversations_lost: usize,
    pub updates_sent: usize,
    pub updates_lost: usize,
    pub updates_unreachable: usize,
    pub files_to_resend: usize,
    pub replies_duplicated: usize,
    /// Said by two bots: Telegram took it from the first one, which was struck before its worker could know.
    pub repeated_across_bots: usize,
    /// Presses that Telegram timed out and the member did again: a press that finds nobody is gone.
    pub presses_repeated: usize,
    /// Milliseconds from the fault to the first words of an active bot, for those who waited.
    pub first_reply_ms: Vec<u64>,
    /// Those of them in private that go through no channel; there Telegram's 20 a minute set the pace.
    pub first_reply_private_ms: Vec<u64>,
    /// The others: in the group, and of who waited for a file to be stored.
    pub first_reply_slow_ms: Vec<u64>,
    /// The same for the others, to the prompt that was shown again.
    pub reprompt_ms: Vec<u64>,
    /// From asking to the answer, in private, for what was asked or waited for from the first fault on.
    pub answer_ms: Vec<u64>,
    /// The same in the group, and of files and submissions: they go through a channel.
    pub answer_slow_ms: Vec<u64>,
    /// Presses that were answered by the word that they come from an earlier step, or that another bot answers.
    pub presses_stale: usize,
}

pub fn check(evidence: &Evidence<'_>) -> Findings {
    let mut findings = Findings::default();
    let unreachable = out_of_reach(&evidence.blows, evidence.members, evidence.moves);
    for member in evidence.members {
        let before = (findings.problems.len(), findings.updates_lost);
        findings.problems.extend(member.problems.iter().cloned());
        for entry in member
            .ledger
            .entries
            .iter()
            .filter(|entry| entry.fate != Fate::Refused)
        {
            if is_repeated_across_bots(entry, evidence) {
                findings.repeated_across_bots += 1;
            }
            judge(member, entry, evidence, &unreachable, &mut findings);
        }
        check_resumptions(member, evidence, &mut findings);
        check_end(member, evidence, &mut findings);
        let clean = before == (findings.problems.len(), findings.updates_lost);
        count_conversation(member, evidence, clean, &mut findings);
    }
    findings.invitations_seen = evidence.members.iter().map(|one| one.invitations).sum();
    check_strangers(evidence, &mut findings);
    measure(evidence, &mut findings);
    findings.answer_ms = answers(evidence, false);
    findings.answer_slow_ms = answers(evidence, true);
    if evidence.blows.go_unnoticed() {
        unnoticed(evidence, &mut findings);
    }
    findings
}

/// A re-prompt follows from a change of bots: one of each bot that took over, to each member, and none of a bot that did not.
fn check_resumptions(member: &Member, evidence: &Evidence<'_>, findings: &mut Findings) {
    for bot in evidence.bots {
        let shown = member.resumptions.iter().filter(|one| one.bot == *bot);
        let shown = shown.count();
        let came = evidence.moves.iter().filter(|one| one.to == *bot).count();
        if shown > came {
            let expected = format!("at most {came} of bot {bot}, as often as it took over");
            let seen = shown.to_string();
            findings.problems.push(problem_of(
                member,
                "prompts after a switch",
                &expected,
                &seen,
            ));
        }
    }
}

/// How long before a blow Telegram may have taken what the struck bot said without its worker knowing, and how long after it what was on its way
/// may come.
const UNKNOWN_MS: i64 = 100;

/// Whether Telegram took a reply from a bot right at a blow against it, and the pool moved away: nobody can know, and the next bot says it again.
fn is_repeated_across_bots(entry: &Entry, evidence: &Evidence<'_>) -> bool {
    let [first, second] = entry.confirmed_by[..] else {
        return false;
    };
    let mut blows = evidence.blows.iter();
    let struck = blows.any(|blow| {
        let around = blow.at_ms - UNKNOWN_MS..=blow.quiet_ms + UNKNOWN_MS;
        blow.bot == first.bot && blow.kind.hits_the_holder() && around.contains(&first.at_ms)
    });
    let left = |one: &Move| one.from == Some(first.bot) && one.activated_ms <= second.at_ms;
    struck && first.bot != second.bot && evidence.moves.iter().any(left)
}

fn judge(
    member: &Member,
    entry: &Entry,
    evidence: &Evidence<'_>,
    unreachable: &[OutOfReach],
    findings: &mut Findings,
) {
    findings.updates_sent += 1;
    let mut problem = |expected: &str, seen: &str| {
        findings
            .problems
            .push(problem_of(member, &entry.label, expected, seen));
    };
    if entry.confirmations > 1 && !is_repeated_across_bots(entry, evidence) {
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
        Fate::Stale => {
            findings.presses_stale += 1;
            if !left_behind(member, entry) {
                problem("a prompt that had been left behind", "the latest one");
            }
        }
        Fate::Answered | Fate::Refused => {}
        Fate::AskedAgain => findings.files_to_resend += 1,
        Fate::WithoutEffect | Fate::TimedOut | Fate::TurnedAway
            if unreachable.iter().any(|one| one.covers(entry)) =>
        {
            findings.updates_unreachable += 1;
        }
        Fate::TurnedAway => {
            findings.presses_stale += 1;
            if !stood_by(entry, evidence.moves) {
                problem("a bot that stands by", "the one that answers");
            }
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

/// Whether the prompt of a press that was turned away as stale had been left behind: by the same press before it, or by a prompt that
/// was shown again.
pub fn left_behind(member: &Member, stale: &Entry) -> bool {
    let earlier = member
        .ledger
        .entries
        .iter()
        .take_while(|entry| entry.label != stale.label);
    let mut took_effect = earlier.filter(|entry| entry.fate == Fate::Answered);
    let shown_again =
        |at: i64| (stale.sent_ms - SHOWN_BEFORE_MS..stale.sent_ms + SHOWN_WITHIN_MS).contains(&at);
    took_effect.any(|entry| entry.input == stale.input && entry.input.is_press())
        || member.resumptions.iter().any(|one| shown_again(one.at_ms))
}

/// A prompt that is shown again is committed before it is sent, at bulk rate; a member may press the old one meanwhile.
const SHOWN_WITHIN_MS: i64 = 30_000;
/// It was on its way to him.
const SHOWN_BEFORE_MS: i64 = 100;

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
    let waited = evidence.waited.contains(&member.number);
    if !upload.is_over() && !waited {
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
    let waited = evidence.waited.contains(&member.number);
    let stands = waited && member.ledger.waiting().is_none();
    if !clean || !(member.is_done() || stands) {
        findings.conversations_lost += 1;
    } else if waited {
        findings.conversations_parked += 1;
        findings.conversations_waiting += 1;
    } else if evidence.parked.contains(&member.number) {
        findings.conversations_parked += 1;
        findings.conversations_resumed += 1;
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
