//! The judgement: what everybody sent and saw, SQL's rows and the channel's posts, against each other.
//!
//! ```text
//! answered once                                              well
//! answered twice by one bot                                  duplicated
//! answered by two bots, the first of which or whose worker   repeated across bots: its acknowledgement may have died with the first one
//!   was struck before its acknowledgement was noted, and       (`repeats`); the product has counted at least as many
//!   the pool moved away from it before anybody could know
//! a press that was not acknowledged                          pressed again, as people do
//! a press whose prompt had been left behind                  stale (`late`)
//! a file to a bot that was left before it was stored         to be sent again
//! its bot's cursor never passed it, and:
//!   nobody could read the bot, and it stopped being active   unreachable
//!     before it served anybody who wrote later
//!   the bot could be read, or was active again and read      turned away
//!     then, and the member was told who answers
//! its bot's cursor passed it, but only to keep it, and it    unreachable or turned away, by what was struck
//!   waits still or its member went on with another bot, or
//!   wrote it too close to that one's step and was told so
//! without effect, and its answer was taken for that to the     what that one is
//!   same thing asked of another bot, which is one of the above
//! anything else without effect                               lost
//! ```
//! Pure. Invariant: what is not explained by a row of this table is a [`Violation`].

mod excuses;
mod late;
mod repeats;
#[cfg(test)]
mod tests;
mod twice;

use std::collections::{BTreeMap, BTreeSet};

use sandbox::fault::{Move, stood_by};
use sandbox::journal::Boxes;
use sandbox::ledger::{Confirmer, Entry, Fate};
use sandbox::member::Problem;
use serde::Serialize;

use crate::person::Person;
use crate::strike::Strike;
use excuses::{Excuse, Served, Verdict};
pub use repeats::NOTED_MS;
use repeats::Repeat;

/// What the sandbox's member expects where he is shown what somebody else wrote.
const OTHERS_WORDS: &str = "his own words only";
/// A fault that was over so long before is told with a violation too.
const TELLS_BEFORE_MS: i64 = 12_000;
/// And one that came so soon after.
const TELLS_AFTER_MS: i64 = 8_000;
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wrong {
    Lost,
    Duplicated,
    /// A commit of who was fenced.
    StaleCommit,
    /// A send of who was fenced.
    StaleSend,
    /// Shown to somebody whom it does not concern.
    Misdirected,
    /// A bot showed something else than what it had acknowledged.
    Contradiction,
    /// One key in two connections.
    KeyTwice,
    /// The system did not come to rest, or left something behind.
    Unrest,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    pub wrong: Wrong,
    pub member: String,
    pub input: String,
    pub expected: String,
    pub seen: String,
    /// When it was sent, unix milliseconds; absent where nobody sent anything.
    pub sent_ms: Option<i64>,
    /// What was on then, or shortly before or after.
    pub faults: Vec<String>,
}

/// All that there is to judge by.
pub struct Evidence<'a> {
    pub people: &'a [Person],
    pub strikes: &'a [Strike],
    pub moves: &'a [Move],
    /// When an epoch was opened, by whichever bot.
    pub openings: &'a [i64],
    /// Titles of the recorded courses, one a row.
    pub titles: &'a [String],
    /// What stands in the broadcast channel.
    pub posts: &'a [Post],
    /// What each bot's box was read up to, and what it kept, by Redis's files.
    pub boxes: &'a Boxes,
    /// Answers that may have come twice, by the product's own count.
    pub maybe_repeated: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// Who posted it, and when.
    pub by: Confirmer,
    pub first_line: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    pub violations: Vec<Violation>,
    pub updates: usize,
    pub lost: usize,
    pub duplicated: usize,
    pub updates_unreachable: usize,
    /// Written to a bot that only listens by then, and said so.
    pub updates_turned_away: usize,
    /// The same answer by two bots, where the first one's acknowledgement may have died with it.
    pub repeated_across_bots: usize,
    pub presses_repeated: usize,
    pub presses_stale: usize,
    pub files_to_resend: usize,
    pub uploads_submitted: usize,
}

pub fn judge(evidence: &Evidence<'_>) -> Findings {
    let served = Served::by_bot(evidence.people);
    let mut findings = Findings::default();
    let mut repeats = Vec::new();
    for person in evidence.people {
        let (mut taken, mut owed) = (BTreeSet::new(), BTreeSet::new());
        for (at, entry) in person.member.ledger.entries.iter().enumerate() {
            if entry.fate != Fate::Refused {
                findings.updates += 1;
                twice::repeated(
                    person,
                    entry,
                    at,
                    evidence,
                    &mut repeats,
                    &mut owed,
                    &mut findings,
                );
                without_effect(person, at, evidence, &served, &mut taken, &mut findings);
            }
        }
        for problem in &person.member.problems {
            findings
                .violations
                .push(contradiction(person, problem, evidence));
        }
        if !person.is_at_his_end() {
            let seen = format!("{:?}", person.member.upload.stage);
            let violation = about(
                person,
                Wrong::Unrest,
                "an answer to the last question",
                &seen,
            );
            findings.violations.push(violation);
        }
    }
    records(evidence, &mut repeats, &mut findings);
    findings.repeated_across_bots = repeats.len();
    let counted = usize::try_from(evidence.maybe_repeated).unwrap_or(usize::MAX);
    let to_be_counted = repeats::to_be_counted(&repeats, evidence.strikes);
    if to_be_counted > counted {
        findings.violations.push(Violation::of_system(
            Wrong::Duplicated,
            "the pool",
            &format!("at least {to_be_counted} answers counted as maybe repeated"),
            &counted.to_string(),
        ));
    }
    findings
}

/// `taken`: inputs whose answers were found to be earlier ones'.
fn without_effect(
    person: &Person,
    at: usize,
    evidence: &Evidence<'_>,
    served: &Served,
    taken: &mut BTreeSet<usize>,
    findings: &mut Findings,
) {
    let entry = &person.member.ledger.entries[at];
    match entry.fate {
        Fate::Refused => return,
        Fate::Stale => {
            findings.presses_stale += 1;
            if !late::was_left_behind(person, at, evidence) {
                let expected = "a prompt that had been left behind";
                let wrong = Wrong::Contradiction;
                let violation =
                    of_entry(person, entry, evidence, wrong, expected, "the latest one");
                findings.violations.push(violation);
            }
            return;
        }
        Fate::TurnedAway => {
            findings.presses_stale += 1;
            if !stood_by(entry, evidence.moves) {
                let expected = "a bot that stands by";
                let wrong = Wrong::Contradiction;
                let seen = "the one that answers";
                let violation = of_entry(person, entry, evidence, wrong, expected, seen);
                findings.violations.push(violation);
            }
            return;
        }
        Fate::AskedAgain => {
            findings.files_to_resend += 1;
            if !excuses::is_out_of_reach(entry, evidence.moves) {
                findings.lost += 1;
                let seen = "asked for again, and its bot had not been left";
                let violation = of_entry(person, entry, evidence, Wrong::Lost, "its effect", seen);
                findings.violations.push(violation);
            }
            return;
        }
        Fate::Answered if entry.confirmations > 0 || entry.shown => return,
        Fate::TimedOut => {
            findings.presses_repeated += 1;
            return;
        }
        Fate::WithoutEffect if entry.input.is_press() && !entry.acknowledged => {
            findings.presses_repeated += 1;
            return;
        }
        Fate::WithoutEffect
            if entry.input.is_press() && late::was_left_without_a_word(person, at, evidence) =>
        {
            findings.presses_stale += 1;
            return;
        }
        Fate::WithoutEffect if excuses::is_missed(person, entry, evidence.moves) => {
            findings.files_to_resend += 1;
            return;
        }
        Fate::Answered | Fate::WithoutEffect | Fate::Waiting => {}
    }
    let verdict = match excuses::of(person, entry, evidence, served) {
        Verdict::Lost(witness) => {
            match excuses::of_its_answers(person, at, evidence, served, taken) {
                Some(excuse) => Verdict::Excused(excuse),
                None => Verdict::Lost(witness),
            }
        }
        excused => excused,
    };
    match verdict {
        Verdict::Excused(Excuse::Unreachable) => findings.updates_unreachable += 1,
        Verdict::Excused(Excuse::TurnedAway) => findings.updates_turned_away += 1,
        Verdict::Lost(witness) => {
            findings.lost += 1;
            let mut seen = format!("none, {:?}", entry.fate);
            if let Some(why) = witness {
                seen += &format!(", {why}");
            }
            let violation = of_entry(person, entry, evidence, Wrong::Lost, "its effect", &seen);
            findings.violations.push(violation);
        }
    }
}

/// A row and a post for each course that its member was told is submitted; no row and no post twice.
fn records(evidence: &Evidence<'_>, repeats: &mut Vec<Repeat>, findings: &mut Findings) {
    let mut rows: BTreeMap<&str, usize> = BTreeMap::new();
    for title in evidence.titles {
        *rows.entry(title).or_default() += 1;
    }
    let mut posts: BTreeMap<&str, Vec<Confirmer>> = BTreeMap::new();
    for post in evidence.posts {
        if let Some(title) = post.first_line.strip_prefix("New course: ") {
            posts.entry(title).or_default().push(post.by);
        }
    }
    for person in evidence.people {
        for title in &person.submitted {
            findings.uploads_submitted += 1;
            let made = rows.get(title.as_str()).copied().unwrap_or(0);
            let posted = posts.get(title.as_str()).map_or(0, Vec::len);
            if made == 0 || posted == 0 {
                findings.lost += 1;
                let seen = format!("{made} rows, {posted} posts of {title:?}");
                let violation = about(person, Wrong::Lost, "a row and a post", &seen);
                findings.violations.push(violation);
            }
        }
    }
    let twice = rows.iter().filter(|(_, count)| **count > 1);
    for (title, count) in twice {
        findings.duplicated += 1;
        findings.violations.push(Violation::of_system(
            Wrong::Duplicated,
            "the recorded courses",
            "one row of a course",
            &format!("{count} of {title:?}"),
        ));
    }
    for (title, posted) in &posts {
        for pair in posted.windows(2) {
            if let Some(repeat) = repeats::across_bots(pair[0], pair[1], evidence) {
                repeats.push(repeat);
                continue;
            }
            findings.duplicated += 1;
            findings.violations.push(Violation::of_system(
                Wrong::Duplicated,
                "the channel",
                "one post of a course",
                &format!("{posted:?} posted {title:?}"),
            ));
        }
    }
}

impl Violation {
    pub fn of_system(wrong: Wrong, who: &str, expected: &str, seen: &str) -> Self {
        Self {
            wrong,
            member: who.to_owned(),
            input: String::new(),
            expected: expected.to_owned(),
            seen: seen.to_owned(),
            sent_ms: None,
            faults: Vec::new(),
        }
    }
}

fn contradiction(person: &Person, problem: &Problem, evidence: &Evidence<'_>) -> Violation {
    // A number of somebody else's in what he was shown.
    let own = format!("#{}-", person.member.number);
    let foreign = (problem.seen.contains('#') && !problem.seen.contains(&own))
        || problem.expected == OTHERS_WORDS;
    let wrong = if foreign {
        Wrong::Misdirected
    } else {
        Wrong::Contradiction
    };
    let entries = &person.member.ledger.entries;
    let entry = entries.iter().find(|entry| entry.label == problem.message);
    match entry {
        Some(entry) => of_entry(
            person,
            entry,
            evidence,
            wrong,
            &problem.expected,
            &problem.seen,
        ),
        None => Violation {
            input: problem.message.clone(),
            ..about(person, wrong, &problem.expected, &problem.seen)
        },
    }
}

fn about(person: &Person, wrong: Wrong, expected: &str, seen: &str) -> Violation {
    Violation::of_system(wrong, &name_of(person), expected, seen)
}

fn of_entry(
    person: &Person,
    entry: &Entry,
    evidence: &Evidence<'_>,
    wrong: Wrong,
    expected: &str,
    seen: &str,
) -> Violation {
    let (from, to) = (
        entry.sent_ms - TELLS_BEFORE_MS,
        entry.sent_ms + TELLS_AFTER_MS,
    );
    let near = evidence.strikes.iter().filter(|one| one.meets(from, to));
    let addressee = entry
        .to
        .map_or("the group".into(), |bot| format!("bot {bot}"));
    Violation {
        input: format!("{} {:?} to {addressee}", entry.label, entry.input),
        sent_ms: Some(entry.sent_ms),
        faults: near.map(|one| one.words(entry.sent_ms)).collect(),
        ..about(person, wrong, expected, seen)
    }
}

fn name_of(person: &Person) -> String {
    let place = if person.member.is_private() {
        ""
    } else {
        ", group"
    };
    format!("{} ({}{place})", person.member.name, person.member.id)
}
