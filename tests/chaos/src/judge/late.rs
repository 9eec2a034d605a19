//! Presses of a prompt that had been left behind: what proves that it had been.
//!
//! Invariant: a press of the prompt that is his latest is never explained here. Pure.

use sandbox::check::left_behind;
use sandbox::course::Input;
use sandbox::texts;

use super::Evidence;
use super::twice::SAME_QUESTION_MS;
use crate::person::{Note, Person};

/// From the opening of an epoch until everybody who was active lately has been looked at for a prompt.
const SHOWN_AGAIN_MS: i64 = 5_000;
/// For so long after a change of bots whoever comes may still have members to show where they stand.
const OWED_FOR_MS: i64 = 30_000;
/// A prompt that is shown unasked is committed before it is sent, at bulk rate; he may press the one before it meanwhile.
const SHOWN_WITHIN_MS: i64 = 30_000;
/// It was on its way to him.
const SHOWN_BEFORE_MS: i64 = 100;

impl Evidence<'_> {
    /// When somebody began to show everybody where he stands: after a change of bots, or in its place, where that was cut short.
    fn showings(&self) -> impl Iterator<Item = i64> {
        let begins_again = |at: &i64| {
            let shortly_before = at - OWED_FOR_MS..=*at;
            let mut moves = self.moves.iter();
            moves.any(|one| shortly_before.contains(&one.activated_ms))
        };
        self.openings.iter().copied().filter(begins_again)
    }
}

/// Who answered it died before the words that its prompt had been left behind left it; whoever came next knew the press and answered without a word.
pub fn was_left_without_a_word(person: &Person, at: usize, evidence: &Evidence<'_>) -> bool {
    let sent_ms = person.member.ledger.entries[at].sent_ms;
    let soon = sent_ms..=sent_ms + SHOWN_AGAIN_MS;
    let mut openings = evidence.openings.iter();
    openings.any(|at| soon.contains(at)) && was_left_behind(person, at, evidence)
}

/// A prompt that he had not asked for was put before him, or an earlier press of his had taken effect; or everybody was begun to be shown where he stands since he
/// was shown his prompt, or shortly before: then another one was made, which waits for its turn among those of all members, and is dropped when he asks or when
/// the pool moves on.
pub fn was_left_behind(person: &Person, at: usize, evidence: &Evidence<'_>) -> bool {
    let stale = &person.member.ledger.entries[at];
    let heard = person.heard.iter().map(|note| &note.heard);
    let before = heard.filter(|it| it.at_ms <= stale.sent_ms);
    let mut prompts = before.filter(|it| texts::read(&it.text).prompt.is_some());
    if let Some(shown) = prompts.next_back() {
        let since = shown.at_ms - SHOWN_AGAIN_MS..=stale.sent_ms;
        if evidence.showings().any(|at| since.contains(&at)) {
            return true;
        }
    }
    let shown = |note: &Note| {
        let around = stale.sent_ms - SHOWN_BEFORE_MS..stale.sent_ms + SHOWN_WITHIN_MS;
        around.contains(&note.heard.at_ms)
            && note.confirms.iter().all(|answered| *answered < at)
            && texts::read(&note.heard.text).prompt.is_some()
    };
    left_behind(&person.member, stale)
        || person.heard.iter().any(shown)
        || is_an_answer_to_come(person, at)
}

/// He had asked where he stands as often as he was told, and once been shown it unasked before his answer came: the latest answer is not there yet, and what
/// he presses is the one before it.
fn is_an_answer_to_come(person: &Person, at: usize) -> bool {
    let (asked, pressed) = person.member.ledger.entries[..=at].split_at(at);
    let sent_ms = pressed[0].sent_ms;
    let mut heard = person.heard.iter().map(|note| &note.heard);
    let since = asked.iter().rposition(|one| {
        one.input == Input::Resume
            && one.shown
            && one.confirmations == 0
            && sent_ms - one.sent_ms < SAME_QUESTION_MS
    });
    let Some(since) = since else { return false };
    let questions = asked[since..].iter();
    let questions = questions.filter(|one| one.input == Input::Resume).count();
    let from = asked[since].sent_ms;
    let told = heard.by_ref().filter(|it| {
        let said = texts::read(&it.text);
        (from..=sent_ms).contains(&it.at_ms) && said.so_far && !said.shows_where_he_stands()
    });
    told.count() < questions
}
