//! Answers to questions that change nothing (`/resume`, `/help`), and to which of them an answer belongs: nothing in it says so.

use super::{asked_again, step_text};
use crate::course::Input;
use crate::ledger::{Entry, Fate};
use crate::member::{Heard, Member};
use crate::texts::{Said, Step};

impl Member {
    /// True only where his upload is over.
    pub(super) fn hear_that_nothing_is_open(&mut self, heard: &Heard) {
        if let Some(step) = self.upload.step() {
            let message = format!("message {}", heard.message);
            self.problem(&message, &step_text(Some(step)), "nothing is open");
        }
        let asks = |entry: &Entry| matches!(entry.input, Input::Resume | Input::Quit);
        let waiting = self.ledger.waiting_mut();
        if let Some(entry) = waiting.filter(|entry| asks(entry)) {
            entry.confirmed(heard.bot, heard.at_ms);
            entry.fate = Fate::Answered;
            entry.answered_ms = Some(heard.at_ms);
        }
    }

    /// Nothing in the list says which question it answers: the one he waits for, else the last that was not answered.
    pub(super) fn hear_help(&mut self, heard: &Heard) {
        let entries = &mut self.ledger.entries;
        let is_open = |entry: &Entry| entry.input == Input::Help && entry.fate != Fate::Answered;
        let at = entries
            .iter()
            .rposition(|entry| is_open(entry) && entry.is_waiting())
            .or_else(|| entries.iter().rposition(is_open))
            .or_else(|| entries.iter().rposition(|one| one.input == Input::Help));
        let Some(entry) = at.and_then(|at| entries.get_mut(at)) else {
            return self.problem("/help", "asked before it is answered", "never asked");
        };
        entry.confirmed(heard.bot, heard.at_ms);
        if entry.fate != Fate::Answered {
            entry.fate = Fate::Answered;
            entry.answered_ms = Some(heard.at_ms);
        }
    }

    /// The review's first sight answers the press that led there, however late it comes.
    pub(super) fn is_the_review_that_he_pressed_for(&mut self, said: &Said) -> bool {
        let last = self.ledger.latest(|entry| !entry.only_asks());
        let pressed =
            last.is_some_and(|one| one.input == Input::FilesDone && one.confirmations == 0);
        pressed && said.prompt == Some(Step::Review) && !said.so_far
    }

    /// Where he stands is told: for which question? The one he waits for, else the last that got no answer of its own.
    pub(super) fn asked_where_he_stands(&self) -> Option<usize> {
        let entries = &self.ledger.entries;
        let of = |wanted: &dyn Fn(&Entry) -> bool| {
            entries
                .iter()
                .rposition(|entry| entry.input == Input::Resume && wanted(entry))
        };
        if self
            .ledger
            .waiting()
            .is_some_and(|one| one.input == Input::Open)
        {
            return None;
        }
        of(&Entry::is_waiting)
            .or_else(|| of(&|entry| entry.confirmations == 0 && entry.fate != Fate::Refused))
            .or_else(|| of(&|_| true))
    }

    pub(super) fn shown_where_he_stands(&mut self, at: usize, said: &Said, heard: &Heard) {
        let Some(entry) = self.ledger.entries.get_mut(at) else {
            return;
        };
        entry.confirmed(heard.bot, heard.at_ms);
        if entry.fate != Fate::Answered {
            entry.fate = Fate::Answered;
            entry.answered_ms = Some(heard.at_ms);
        }
        let label = entry.label.clone();
        if said.prompt == self.upload.step() {
            self.compare_card(&label, said);
        }
    }

    /// The next bot asks for a file again after it has shown where he stands.
    pub(super) fn hear_that_a_file_is_missing(&mut self, heard: &Heard) {
        let given_up =
            |entry: &Entry| entry.fate == Fate::WithoutEffect && asked_again(entry, heard);
        if let Some(entry) = self.ledger.latest(given_up) {
            entry.fate = Fate::AskedAgain;
        }
    }
}
