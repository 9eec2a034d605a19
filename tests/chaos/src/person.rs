//! A member who talks without end: one upload after the other, some dropped half way, a `/help` in between.
//!
//! A thin layer over the sandbox's member, who is a pure state machine with a model of his upload. What is added: he begins again, he is told by a
//! standby who answers, he gives up on a bot that is silent while another one talks to everybody, and at the end he asks once more where he stands.
//! Pure.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sandbox::course::{Input, Intention, Upload};
use sandbox::ledger::Fate;
use sandbox::member::{Heard, Member};
use sandbox::texts::{self, Step};

/// He is told sooner than that where the bot can write to him; then he goes and looks.
const GIVES_UP_MS: i64 = 5_000;
/// Nobody waits longer.
const PATIENCE_MS: i64 = 60_000;
/// A reply that is sent again by the next bot comes soon.
const SAME_WITHIN_MS: i64 = 60_000;
const FINISHES: f64 = 0.3;
const QUITS: f64 = 0.3;
const ASKS_HELP: f64 = 0.12;

/// What he heard, and the inputs that it confirmed, by their place in the ledger.
#[derive(Debug, Clone)]
pub struct Note {
    pub heard: Heard,
    pub confirms: Vec<usize>,
}

/// A bot said that it only listens, and who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pointer {
    pub bot: i64,
    pub at_ms: i64,
}

#[derive(Debug, Clone)]
pub struct Person {
    pub member: Member,
    rng: ChaCha8Rng,
    quits_at: Option<Step>,
    asks_help: bool,
    closing: bool,
    /// His last question, once he is asked to come to an end.
    last_question: Option<usize>,
    pub pointers: Vec<Pointer>,
    /// All that bots said to him, and which of his inputs each of it confirmed.
    pub heard: Vec<Note>,
    /// The titles that he was told are submitted.
    pub submitted: Vec<String>,
}

impl Person {
    pub fn new(member: Member, seed: u64) -> Self {
        let number = u64::try_from(member.number).unwrap_or(0);
        let mut person = Self {
            member,
            rng: ChaCha8Rng::seed_from_u64(seed ^ number.rotate_left(33)),
            quits_at: None,
            asks_help: false,
            closing: false,
            last_question: None,
            pointers: Vec::new(),
            heard: Vec::new(),
            submitted: Vec::new(),
        };
        person.intend();
        person
    }

    pub fn is_waiting(&self) -> bool {
        self.member.ledger.waiting().is_some()
    }

    /// What he would do now; `None` while he waits or has come to his end.
    pub fn wants(&mut self) -> Option<Input> {
        if self.is_waiting() {
            return None;
        }
        if self.closing {
            return self.last_words();
        }
        if self.member.upload.is_over() {
            self.begin_again();
        }
        let next = self.member.next_input()?;
        if next == Input::Resume {
            return Some(next);
        }
        if std::mem::take(&mut self.asks_help) {
            return Some(Input::Help);
        }
        let quits = self.quits_at.is_some() && self.member.upload.step() >= self.quits_at;
        Some(if quits { Input::Quit } else { next })
    }

    pub fn begin(&mut self, input: Input, now_ms: i64) -> usize {
        self.member.begin(input, now_ms)
    }

    /// After what he heard he may want to know what else there is.
    pub fn think(&mut self) {
        self.asks_help = self.rng.random_bool(ASKS_HELP);
    }

    pub fn hear(&mut self, heard: &Heard, speaks: Option<i64>) {
        let again = self.heard_before(heard);
        let note = |confirms| Note {
            heard: heard.clone(),
            confirms,
        };
        if let Some(confirms) = again {
            for entry in &confirms {
                if let Some(entry) = self.member.ledger.entries.get_mut(*entry) {
                    entry.confirmed(heard.bot, heard.at_ms);
                }
            }
            self.heard.push(note(confirms));
            return;
        }
        if heard.text.starts_with(texts::NOT_TAKEN) {
            self.pointers.push(Pointer {
                bot: heard.bot,
                at_ms: heard.at_ms,
            });
        }
        if texts::is_of_a_backup(&heard.text) {
            self.pointed(heard, speaks);
            self.heard.push(note(Vec::new()));
            return;
        }
        let said = texts::read(&heard.text);
        for confirmed in &said.confirmed {
            if let texts::Confirmed::Submitted(title) = confirmed {
                self.submitted.push(title.clone());
            }
        }
        let before: Vec<u32> = self.confirmations().collect();
        self.member.hear(heard);
        let grown = (0..).zip(before.iter().zip(self.confirmations()));
        let grown = grown.filter(|(_, (before, now))| *before < now);
        let confirms = grown.map(|(at, _)| at).collect();
        self.heard.push(note(confirms));
    }

    fn confirmations(&self) -> impl Iterator<Item = u32> {
        let entries = self.member.ledger.entries.iter();
        entries.map(|entry| entry.confirmations)
    }

    /// Another bot says the very same thing again, and he does not wait for it: it is counted and changes nothing in his mind.
    fn heard_before(&self, heard: &Heard) -> Option<Vec<usize>> {
        let recent = self
            .heard
            .iter()
            .rev()
            .take_while(|note| heard.at_ms - note.heard.at_ms < SAME_WITHIN_MS);
        let mut same = recent.filter(|note| {
            note.heard.text == heard.text
                && note.heard.bot != heard.bot
                && !note.confirms.is_empty()
        });
        let first = same.next()?;
        let entries = &self.member.ledger.entries;
        let confirmed = entries.get(*first.confirms.first()?)?;
        // The same words may be the answer to something else that he did since.
        let since = entries
            .iter()
            .skip_while(|entry| entry.label != confirmed.label);
        let expected = since.skip(1).any(|entry| {
            is_answered_alike(&entry.input, &confirmed.input) && entry.confirmations == 0
        });
        (!expected).then(|| first.confirms.clone())
    }

    /// From here on he says nothing but one last question.
    pub fn close(&mut self) {
        self.closing = true;
    }

    pub fn is_at_his_end(&self) -> bool {
        let answered = |entry: usize| {
            let entry = self.member.ledger.entries.get(entry);
            entry.is_some_and(|entry| entry.fate == Fate::Answered)
        };
        self.closing && !self.is_waiting() && self.last_question.is_some_and(answered)
    }

    /// Who waits in vain does something about it. `speaks`: the bot that talks to the others, and since when.
    pub fn lose_patience(&mut self, now_ms: i64, speaks: Option<(i64, i64)>) -> bool {
        let Some(entry) = self.member.ledger.waiting() else {
            return false;
        };
        let waited = now_ms - entry.sent_ms;
        let elsewhere = speaks.filter(|(bot, since)| {
            let other = entry.to.is_some_and(|to| to != *bot);
            other && waited > GIVES_UP_MS && now_ms - since > GIVES_UP_MS
        });
        if let Some((bot, _)) = elsewhere {
            self.member.moves_to(bot);
        } else if waited <= PATIENCE_MS {
            return false;
        }
        self.member.lose_patience();
        true
    }

    /// A press that nobody answered, while another bot talks to everybody: he looks there.
    pub fn press_timed_out(&mut self, entry: usize, speaks: Option<i64>) {
        self.member.press_timed_out(entry);
        let to = self.member.ledger.entries.get(entry).and_then(|one| one.to);
        if let Some(bot) = speaks.filter(|bot| to.is_some_and(|to| to != *bot)) {
            self.member.moves_to(bot);
            self.member.asks_for_prompt();
        }
    }

    /// The bot of the button stands by: he looks where the others are talked to.
    pub fn press_turned_away(&mut self, entry: usize, now_ms: i64, speaks: Option<i64>) {
        self.member.press_turned_away(entry, now_ms);
        let to = self.member.ledger.entries.get(entry).and_then(|one| one.to);
        let Some(bot) = to else { return };
        self.pointers.push(Pointer { bot, at_ms: now_ms });
        if let Some(other) = speaks.filter(|other| *other != bot && self.member.bot == bot) {
            self.member.moves_to(other);
        }
    }

    fn pointed(&mut self, heard: &Heard, speaks: Option<i64>) {
        self.pointers.push(Pointer {
            bot: heard.bot,
            at_ms: heard.at_ms,
        });
        let waits_there = |to: Option<i64>| to == Some(heard.bot);
        if !self
            .member
            .ledger
            .waiting()
            .is_some_and(|entry| waits_there(entry.to))
        {
            return;
        }
        if let Some(bot) = speaks.filter(|bot| *bot != heard.bot) {
            self.member.lose_patience();
            self.member.moves_to(bot);
        }
    }

    fn last_words(&mut self) -> Option<Input> {
        if self.last_question.is_some() && self.is_at_his_end() {
            return None;
        }
        let input = match self.member.upload.is_open() {
            true => Input::Resume,
            false => Input::Help,
        };
        self.last_question = Some(self.member.ledger.entries.len());
        Some(input)
    }

    fn begin_again(&mut self) {
        self.member.upload = Upload::default();
        self.intend();
    }

    fn intend(&mut self) {
        let finishes = self.rng.random_bool(FINISHES);
        self.member.intention = Intention::draw(&mut self.rng, finishes);
        self.quits_at = self
            .rng
            .random_bool(QUITS)
            .then(|| Step::ALL[self.rng.random_range(0..Step::ALL.len())]);
    }
}

/// A prompt with tags to choose from is said in the same words whichever was pressed.
fn is_answered_alike(one: &Input, other: &Input) -> bool {
    let toggles = |input: &Input| matches!(input, Input::ToggleTag(_));
    one == other || (toggles(one) && toggles(other))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use sandbox::member::Place;

    fn person() -> Person {
        let intention = Intention {
            subject: "Bread",
            category: "Science",
            tags: vec![],
            files: 0,
            finishes: false,
        };
        Person::new(
            Member::new(7, 70, "Ada-7".into(), Place::Private, 1, intention),
            3,
        )
    }

    fn heard(bot: i64, text: &str) -> Heard {
        Heard {
            bot,
            message: 5,
            at_ms: 20,
            text: text.into(),
            buttons: vec![],
        }
    }

    fn waits_for(person: &mut Person, input: Input) -> usize {
        let entry = person.begin(input, 0);
        person.member.accepted(entry, 9, 0);
        entry
    }

    #[test]
    fn he_begins_again_and_again() {
        let mut person = person();
        for _ in 0..3 {
            assert_eq!(person.wants(), Some(Input::Open));
            waits_for(&mut person, Input::Open);
            assert_eq!(person.wants(), None, "he waits");
            person.hear(&heard(1, "Step 1/6: Title"), None);
            waits_for(&mut person, Input::Quit);
            person.hear(&heard(1, "Cancelled. Nothing had been entered yet."), None);
        }
        let all = &person.member.ledger.entries;
        assert!(all.iter().all(|entry| entry.confirmations == 1), "{all:?}");
        assert_eq!(person.member.problems, []);
    }

    #[test]
    fn help_is_counted_once_each_and_a_second_list_is_seen() {
        let list = "/upload – a course\n/help – this list";
        let mut person = person();
        let first = waits_for(&mut person, Input::Help);
        person.hear(&heard(1, list), None);
        person.hear(&heard(1, list), None);
        assert_eq!(person.member.ledger.entries[first].confirmations, 2);
        let second = waits_for(&mut person, Input::Help);
        person.hear(&heard(1, list), None);
        assert_eq!(person.member.ledger.entries[second].confirmations, 1);
    }

    #[test]
    fn who_is_pointed_elsewhere_goes_there_and_asks_again() {
        let mut person = person();
        waits_for(&mut person, Input::Open);
        person.hear(&heard(1, "Step 1/6: Title"), None);
        let title = waits_for(&mut person, Input::Title("#7-2 T".into()));
        let text = "I am a backup and listen only. @second answers";
        person.hear(&heard(1, text), Some(2));
        assert_eq!(
            person.member.ledger.entries[title].fate,
            Fate::WithoutEffect
        );
        assert_eq!(
            (person.member.bot, person.wants()),
            (2, Some(Input::Resume))
        );
    }

    #[test]
    fn he_gives_up_on_a_bot_that_is_silent_while_another_one_talks() {
        let mut person = person();
        waits_for(&mut person, Input::Open);
        assert!(!person.lose_patience(6_000, Some((1, 0))), "it is his bot");
        assert!(!person.lose_patience(6_000, Some((2, 5_000))), "just began");
        assert!(person.lose_patience(6_000, Some((2, 500))));
        assert_eq!(person.member.bot, 2);
    }

    #[test]
    fn the_same_reply_of_the_next_bot_is_counted_and_changes_nothing() {
        let mut person = person();
        let title = Input::Title("#7-2 T".into());
        waits_for(&mut person, Input::Open);
        person.hear(&heard(1, "Step 1/6: Title"), None);
        let entry = waits_for(&mut person, title);
        let text = "✓ Title: #7-2 T\n\nStep 2/6: Description";
        person.hear(&heard(1, text), None);
        let quit = waits_for(&mut person, Input::Quit);
        person.hear(
            &heard(1, "Cancelled. This was dropped:\nTitle: #7-2 T"),
            None,
        );
        assert_eq!(person.wants(), Some(Input::Open));
        waits_for(&mut person, Input::Open);
        person.hear(&heard(2, text), None);
        person.hear(
            &heard(2, "Cancelled. This was dropped:\nTitle: #7-2 T"),
            None,
        );
        let counts = |at: usize| person.member.ledger.entries[at].confirmed_by.len();
        assert_eq!([counts(entry), counts(quit)], [2, 2]);
        assert_eq!(person.member.problems, []);
        assert!(person.is_waiting(), "for the next upload's first prompt");
    }

    #[test]
    fn the_same_words_after_another_tag_are_no_second_answer_to_the_first() {
        let prompt = |bot: i64| heard(bot, "Step 4/6: Tags");
        let answers = |presses_again: bool| {
            let mut person = person();
            waits_for(&mut person, Input::Open);
            person.hear(&heard(1, "Step 1/6: Title"), None);
            let entry = waits_for(&mut person, Input::ToggleTag("text".into()));
            let note = Note {
                heard: prompt(1),
                confirms: vec![entry],
            };
            person.heard.push(note);
            person.member.ledger.entries[entry].confirmed(1, 20);
            person.member.ledger.entries[entry].fate = Fate::Answered;
            if presses_again {
                waits_for(&mut person, Input::ToggleTag("video".into()));
            }
            person.hear(&prompt(2), None);
            person.member.ledger.entries[entry].confirmed_by.len()
        };
        assert_eq!((answers(false), answers(true)), (2, 1));
    }

    #[test]
    fn at_the_end_he_asks_once_more() {
        let mut person = person();
        person.close();
        assert!(!person.is_at_his_end());
        let input = person.wants().unwrap();
        assert_eq!(input, Input::Help);
        waits_for(&mut person, input);
        assert!(!person.is_at_his_end());
        person.hear(&heard(1, "/upload – a course\n/help – this list"), None);
        assert!(person.is_at_his_end());
        assert_eq!(person.wants(), None);
    }
}
