//! What a member makes of a bot's message: which of his inputs it confirms, and whether it fits what he knows.
//!
//! Confirmations are counted on first sight of a message only; an edit of a message can show a choice of tags and nothing else.

mod asking;

use super::{Heard, Member, Parking, Prompt, Resumption, bare};
use crate::course::{Input, Stage, Upload, set};
use crate::ledger::{Entry, Fate};
use crate::texts::{self, Card, Confirmed, DESCRIPTION_SHOWN, Said, Step, WELCOME, authors};

impl Member {
    /// A message that he had not seen before.
    pub fn hear(&mut self, heard: &Heard) {
        self.check_authors(&heard.text);
        let said = texts::read(&heard.text);
        if !said.is_conversation() {
            self.hear_aside(heard);
            return;
        }
        self.received.push((heard.bot, heard.at_ms));
        if self.parking == Parking::Waits {
            self.parking = Parking::No;
        }
        for confirmed in &said.confirmed {
            self.confirm(confirmed, heard);
        }
        if said.resumed {
            self.resumptions.push(Resumption {
                bot: heard.bot,
                at_ms: heard.at_ms,
            });
        }
        let silent = said.confirmed.is_empty();
        if silent && !said.shows_where_he_stands() {
            self.confirm_by_prompt(&said, heard);
        }
        let unsettled = self.ledger.unsettled_mut();
        let elsewhere = unsettled.is_some_and(|entry| entry.to.is_some_and(|to| to != heard.bot));
        // What he wrote to one bot is not answered by another one that asks for something.
        if said.shows_where_he_stands() || (elsewhere && (silent || said.prompt.is_some())) {
            self.resume(&said, heard);
        }
        self.bot = heard.bot;
        self.take_prompt(&said, heard);
    }

    /// A message that was edited.
    pub fn hear_edit(&mut self, heard: &Heard) {
        self.check_authors(&heard.text);
        let Some(prompt) = &mut self.prompt else {
            return;
        };
        if (prompt.bot, prompt.message) != (heard.bot, heard.message) {
            return;
        }
        prompt.buttons.clone_from(&heard.buttons);
        if prompt.step == Step::Tags && self.upload.step() == Some(Step::Tags) {
            self.see_chosen(heard);
        }
    }

    /// Not part of the upload's dialogue: the file could not be kept, or small talk.
    fn hear_aside(&mut self, heard: &Heard) {
        if texts::is_help(&heard.text) {
            return self.hear_help(heard);
        }
        if texts::is_nothing_open(&heard.text) {
            return self.hear_that_nothing_is_open(heard);
        }
        // He came by Start, and what he was told before it was that his upload has ended.
        let is_over = self.upload.is_over() && heard.text.starts_with(WELCOME);
        let asked = self.ledger.waiting_mut();
        if let Some(entry) = asked.filter(|one| is_over && one.input == Input::Resume) {
            entry.fate = Fate::Answered;
            entry.confirmed(heard.bot, heard.at_ms);
            entry.answered_ms = Some(heard.at_ms);
            return;
        }
        let again = self
            .ledger
            .waiting_mut()
            .filter(|entry| asked_again(entry, heard));
        if let Some(entry) = again {
            entry.fate = Fate::AskedAgain;
            entry.answered_ms = Some(heard.at_ms);
        }
    }

    /// A bot asked him to press Start with the backups.
    pub fn hear_invitation(&mut self) {
        self.invitations += 1;
        if self.invitations > 1 {
            let seen = self.invitations.to_string();
            self.problem("invitations to the backups", "one at most", &seen);
        }
        if self.upload.is_open() {
            self.problem("an invitation", "none in the middle of an upload", "one");
        }
    }

    /// What one member wrote is shown to nobody else.
    fn check_authors(&mut self, text: &str) {
        let strangers = authors(text).find(|author| *author != self.number);
        if let Some(stranger) = strangers.filter(|_| self.is_private()) {
            let seen = format!("member {stranger}'s");
            self.problem("a message in private", "his own words only", &seen);
        }
    }

    fn confirm(&mut self, confirmed: &Confirmed, heard: &Heard) {
        let Some(entry) = self
            .ledger
            .latest(|entry| is_confirmed_by(entry, confirmed))
        else {
            let seen = format!("{confirmed:?}");
            self.problem("a confirmation", "one of something that he sent", &seen);
            return;
        };
        entry.confirmed(heard.bot, heard.at_ms);
        let label = entry.label.clone();
        let input = entry.input.clone();
        if entry.fate == Fate::Answered {
            return;
        }
        entry.fate = Fate::Answered;
        entry.answered_ms = Some(heard.at_ms);
        if let Confirmed::Tags(seen) = confirmed
            && set(seen) != set(&self.upload.tags)
        {
            let expected = set(&self.upload.tags);
            self.problem(
                &label,
                &format!("tags {expected}"),
                &format!("tags {}", set(seen)),
            );
        }
        self.upload = self.upload.after(&input);
    }

    /// Where the answer is a prompt without a `✓` line.
    fn confirm_by_prompt(&mut self, said: &Said, heard: &Heard) {
        self.settle_what_seemed_lost(said, heard);
        let upload = self.upload.clone();
        if let Some(entry) = self
            .ledger
            .waiting_mut()
            .filter(|entry| asked_again(entry, heard))
        {
            entry.fate = Fate::AskedAgain;
            entry.answered_ms = Some(heard.at_ms);
            return;
        }
        self.hear_that_a_file_is_missing(heard);
        let step = said.prompt;
        let asked = said.so_far.then(|| self.asked_where_he_stands()).flatten();
        if let Some(entry) = asked.filter(|_| step.is_some()) {
            return self.shown_where_he_stands(entry, said, heard);
        }
        let own_answer = self.is_the_review_that_he_pressed_for(said);
        let entry = self.ledger.latest(|entry| match entry.input {
            Input::Open => step == Some(Step::Title),
            Input::FilesDone => step == Some(Step::Review) && !said.so_far,
            Input::Resume => step.is_some() && entry.is_waiting() && !own_answer,
            Input::Cancel | Input::Quit => said.cancelled,
            _ => false,
        });
        let Some(entry) = entry else { return };
        entry.confirmed(heard.bot, heard.at_ms);
        if entry.fate == Fate::Answered {
            return;
        }
        entry.fate = Fate::Answered;
        entry.answered_ms = Some(heard.at_ms);
        let looks = match entry.input {
            Input::Resume => step == upload.step(),
            _ => said.cancelled,
        };
        let (label, input) = (entry.label.clone(), entry.input.clone());
        // Who came to a bot by Start sees a prompt without a card.
        if looks && (said.cancelled || said.card != Card::default()) {
            self.compare_card(&label, said);
        }
        self.upload = upload.after(&input);
    }

    /// He asked where he stands because something that he did seemed to have come to nothing: what he sees now shows that it had not.
    fn settle_what_seemed_lost(&mut self, said: &Said, heard: &Heard) {
        let asks = |entry: &Entry| entry.input == Input::Resume;
        if !self.ledger.waiting().is_some_and(asks) {
            return;
        }
        let upload = self.upload.clone();
        let last = self.ledger.latest(Entry::may_change);
        let seemed_lost = |one: &&mut Entry| {
            matches!(one.fate, Fate::TimedOut | Fate::Stale | Fate::WithoutEffect)
        };
        let Some(entry) = last.filter(seemed_lost) else {
            return;
        };
        let after = upload.after(&entry.input);
        if fits(&after, said, heard) && !fits(&upload, said, heard) {
            entry.shown = true;
            entry.fate = Fate::Answered;
            entry.answered_ms = Some(heard.at_ms);
            self.upload = after;
        }
    }

    fn compare_card(&mut self, message: &str, said: &Said) {
        for (field, expected, seen) in self.upload.differences(&said.card) {
            self.problem(
                message,
                &format!("{field} {expected:?}"),
                &format!("{field} {seen:?}"),
            );
        }
    }

    /// Another bot goes on: what he waits for either shows in what it knows, or has to be done again.
    fn resume(&mut self, said: &Said, heard: &Heard) {
        self.settle_what_seemed_lost(said, heard);
        let without = self.upload.clone();
        if let Some(entry) = self
            .ledger
            .waiting_mut()
            .filter(|entry| entry.input == Input::Resume)
        {
            // Its own answer may still come.
            entry.fate = Fate::Answered;
            entry.shown = true;
            entry.answered_ms = Some(heard.at_ms);
        }
        let unsettled = self.ledger.unsettled_mut().cloned();
        let with = unsettled.map(|entry| without.after(&entry.input));
        if let Some(with) =
            with.filter(|with| fits(with, said, heard) && !fits(&without, said, heard))
        {
            self.upload = with;
            if let Some(entry) = self.ledger.unsettled_mut() {
                entry.shown = true;
                entry.fate = Fate::Answered;
                entry.answered_ms = Some(heard.at_ms);
            }
            return;
        }
        if !fits(&without, said, heard) && !self.settle_what_came_late(&without, said, heard) {
            self.contradiction(&without, said, heard);
        }
        // The group, and the same bot's own chat, bring a message to whoever is active: it may still be answered.
        let out_of_reach = |entry: &&mut Entry| entry.to.is_some_and(|to| to != heard.bot);
        if let Some(entry) = self.ledger.waiting_mut().filter(out_of_reach) {
            entry.fate = if asked_again(entry, heard) {
                Fate::AskedAgain
            } else {
                Fate::WithoutEffect
            };
            entry.answered_ms = Some(heard.at_ms);
        }
    }

    /// What he had been asked for again was in the box of a bot that was active again for a moment, and has been taken in after all.
    fn settle_what_came_late(&mut self, without: &Upload, said: &Said, heard: &Heard) -> bool {
        let late = |entry: &&mut Entry| {
            let is_content = matches!(
                entry.input,
                Input::Title(_) | Input::Description(_) | Input::File(_)
            );
            let given_up = matches!(entry.fate, Fate::AskedAgain | Fate::WithoutEffect);
            is_content && given_up && fits(&without.after(&entry.input), said, heard)
        };
        let Some(entry) = self.ledger.entries.iter_mut().rev().find(late) else {
            return false;
        };
        entry.shown = true;
        entry.fate = Fate::Answered;
        entry.answered_ms = Some(heard.at_ms);
        self.upload = without.after(&entry.input);
        true
    }

    fn contradiction(&mut self, model: &Upload, said: &Said, heard: &Heard) {
        let message = format!("the prompt after the switch, {}", heard.message);
        if said.prompt != model.step() {
            self.problem(&message, &step_text(model.step()), &step_text(said.prompt));
        }
        self.compare_card(&message, said);
        let chosen = chosen_of(heard);
        if model.step() == Some(Step::Tags) && set(&chosen) != set(&model.tags) {
            self.problem(
                &message,
                &format!("tags {}", set(&model.tags)),
                &format!("tags {}", set(&chosen)),
            );
        }
    }

    fn take_prompt(&mut self, said: &Said, heard: &Heard) {
        let Some(step) = said.prompt else { return };
        self.prompt = Some(Prompt {
            bot: heard.bot,
            message: heard.message,
            step,
            buttons: heard.buttons.clone(),
        });
        if step == Step::Tags && self.upload.step() == Some(Step::Tags) {
            self.see_chosen(heard);
        }
        if said.shows_where_he_stands() {
            self.wants_prompt = false;
            return;
        }
        if self.upload.stage != Stage::At(step) {
            let expected = step_text(self.upload.step());
            self.problem(
                &format!("prompt {}", heard.message),
                &expected,
                &step_text(Some(step)),
            );
        } else if step == Step::Review {
            self.compare_card("the review card", said);
        }
    }

    /// The marks on the tags' buttons, against the press that he waits for.
    fn see_chosen(&mut self, heard: &Heard) {
        let (buttons, at_ms) = (&heard.buttons[..], heard.at_ms);
        let chosen = set(&chosen_in(buttons));
        let upload = self.upload.clone();
        let waiting = self
            .ledger
            .waiting_mut()
            .filter(|entry| matches!(entry.input, Input::ToggleTag(_)));
        if let Some(entry) = waiting {
            let next = upload.after(&entry.input);
            if set(&next.tags) == chosen {
                entry.fate = Fate::Answered;
                entry.confirmed(heard.bot, at_ms);
                entry.answered_ms = Some(at_ms);
                self.upload = next;
            }
            return;
        }
        if set(&upload.tags) == chosen {
            return;
        }
        // A press that timed out for him had taken effect; people see the marks and go on from there.
        let late = self.ledger.latest(|entry| {
            entry.fate == Fate::TimedOut && set(&upload.after(&entry.input).tags) == chosen
        });
        match late {
            Some(entry) => {
                entry.fate = Fate::Answered;
                entry.confirmed(heard.bot, at_ms);
                entry.answered_ms = Some(at_ms);
                self.upload.tags = chosen_in(buttons);
            }
            None => self.problem(
                "the tags' marks",
                &format!("tags {}", set(&upload.tags)),
                &format!("tags {chosen}"),
            ),
        }
    }
}

/// Whether this model is what the message shows.
fn fits(model: &Upload, said: &Said, heard: &Heard) -> bool {
    let bare_prompt = !said.shows_where_he_stands() && said.card == Card::default();
    model.step() == said.prompt
        && (bare_prompt || model.differences(&said.card).is_empty())
        && (model.step() != Some(Step::Tags) || set(&chosen_of(heard)) == set(&model.tags))
}

fn chosen_of(heard: &Heard) -> Vec<String> {
    chosen_in(&heard.buttons)
}

fn chosen_in(buttons: &[super::Button]) -> Vec<String> {
    let marked = buttons
        .iter()
        .filter(|button| bare(&button.text) != button.text);
    marked.map(|button| bare(&button.text).to_owned()).collect()
}

/// The bot names the file and does not confirm it.
fn asked_again(entry: &Entry, heard: &Heard) -> bool {
    matches!(&entry.input, Input::File(name) if heard.text.contains(name.as_str()) && !heard.text.contains("✓ File"))
}

fn is_confirmed_by(entry: &Entry, confirmed: &Confirmed) -> bool {
    match (&entry.input, confirmed) {
        (Input::Title(sent), Confirmed::Title(seen)) => sent == seen,
        (Input::Description(sent), Confirmed::Description(seen)) => {
            sent == seen || sent.chars().take(DESCRIPTION_SHOWN).eq(seen.chars())
        }
        (Input::Category(sent), Confirmed::Category(seen)) => sent == seen,
        (Input::File(sent), Confirmed::File(seen)) => sent == seen,
        (Input::TagsDone, Confirmed::Tags(_)) | (Input::Submit, Confirmed::Submitted(_)) => true,
        _ => false,
    }
}

fn step_text(step: Option<Step>) -> String {
    step.map_or("no step".to_owned(), |step| format!("step {}", step.name()))
}
