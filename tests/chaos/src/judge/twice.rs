//! An input that was answered more than once: what explains that. Pure.
//!
//! Invariant: an answer by one bot that comes twice is never explained, but by being another question's.

use std::collections::BTreeSet;

use sandbox::ledger::{Confirmer, Entry};

use super::repeats::{self, Repeat};
use super::{Evidence, Findings, Wrong, of_entry};
use crate::person::Person;

/// From a question whose answer is still to come to the last of those after it.
pub const SAME_QUESTION_MS: i64 = 60_000;

/// A question where one stands is answered by whatever shows it; what a bot says for another reason counts as its answer as well, in other words.
fn is_another_matter(person: &Person, entry: &Entry, at: usize, second: Confirmer) -> bool {
    let mut answers = person
        .heard
        .iter()
        .filter(|note| note.confirms.contains(&at));
    let Some(repeated) = answers
        .clone()
        .find(|note| note.heard.bot == second.bot && note.heard.at_ms == second.at_ms)
    else {
        return false;
    };
    entry.only_asks()
        && answers.all(|note| {
            note.heard.message == repeated.heard.message || note.heard.text != repeated.heard.text
        })
}

pub fn repeated(
    person: &Person,
    entry: &Entry,
    at: usize,
    evidence: &Evidence<'_>,
    repeats: &mut Vec<Repeat>,
    owed: &mut BTreeSet<usize>,
    findings: &mut Findings,
) {
    for pair in entry.confirmed_by.windows(2) {
        if let Some(repeat) = repeats::across_bots(pair[0], pair[1], evidence) {
            repeats.push(repeat);
            continue;
        }
        if is_another_matter(person, entry, at, pair[1])
            || is_an_earlier_ones(person, at, owed)
            || is_a_kept_ones(person, at, pair[1], evidence, owed)
        {
            continue;
        }
        if let Some(repeat) = of_the_same_before(person, entry, at, pair[0], evidence) {
            repeats.push(repeat);
            continue;
        }
        findings.duplicated += 1;
        let seen = format!("{:?}", entry.confirmed_by);
        let violation = of_entry(
            person,
            entry,
            evidence,
            Wrong::Duplicated,
            "one answer",
            &seen,
        );
        findings.violations.push(violation);
    }
}

/// The first time that he asked it he was shown the same unasked before its answer came, and took that for the answer; from then on he took each answer for the
/// next question's, so that the last one seems to have two. `owed`: those first ones that were found so.
fn is_an_earlier_ones(person: &Person, at: usize, owed: &mut BTreeSet<usize>) -> bool {
    let entries = &person.member.ledger.entries;
    let entry = &entries[at];
    let is_first = |one: &Entry| one.shown && one.confirmations == 0;
    let mut before = entries[..at].iter().enumerate().rev();
    let first = before.find(|(_, one)| {
        one.input == entry.input && is_first(one) && entry.sent_ms - one.sent_ms < SAME_QUESTION_MS
    });
    entry.only_asks() && first.is_some_and(|(place, _)| owed.insert(place))
}

/// He had written the same to this bot before, in vain: it was a backup then, kept it, and took it up before it answered this one. So there are as many
/// answers as questions.
fn is_a_kept_ones(
    person: &Person,
    at: usize,
    second: Confirmer,
    evidence: &Evidence<'_>,
    owed: &mut BTreeSet<usize>,
) -> bool {
    let entries = &person.member.ledger.entries;
    let entry = &entries[at];
    let was_taken_up = |one: &Entry| {
        let kept = one
            .received
            .and_then(|it| evidence.boxes.kept(second.bot, it));
        kept.and_then(|kept| kept.settled_ms)
            .is_some_and(|settled_ms| settled_ms <= second.at_ms)
    };
    let mut before = entries[..at].iter().enumerate().rev();
    let first = before.find(|(_, one)| {
        one.input == entry.input
            && one.to == Some(second.bot)
            && one.confirmations == 0
            && entry.sent_ms - one.sent_ms < SAME_QUESTION_MS
            && was_taken_up(one)
    });
    first.is_some_and(|(place, _)| owed.insert(place))
}

/// He asked the same thing twice, and the answer to the first question was said again by another bot: he took that for the answer to the second one.
fn of_the_same_before(
    person: &Person,
    entry: &Entry,
    at: usize,
    first: Confirmer,
    evidence: &Evidence<'_>,
) -> Option<Repeat> {
    let mut before = person.member.ledger.entries[..at].iter().rev();
    let same = before.find(|one| one.input == entry.input)?;
    let said = same.confirmed_by.last()?;
    repeats::across_bots(*said, first, evidence)
}
