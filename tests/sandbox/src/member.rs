//! One simulated member: what he does next, and what he makes of what he receives.
//!
//! A pure state machine. He behaves as people do: one thing at a time, waits for the answer, presses again when a press times out,
//! types again what a new bot asks for again. Invariant: `upload` moves only by inputs whose effect a bot's message showed;
//! whatever contradicts it becomes a [`Problem`] instead of being explained away.

mod hearing;

use crate::course::{Hold, Input, Intention, Stage, Upload};
use crate::ledger::{Entry, Fate, Ledger};
use crate::texts::{STALE_PRESS, Step};

/// Where he talks with the bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Private,
    /// The supergroup's id.
    Group(i64),
}

/// A button as he sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    pub text: String,
    pub data: String,
}

/// A bot's message in his view of the chat, at first sight or after an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    pub bot: i64,
    pub message: i64,
    pub at_ms: i64,
    pub text: String,
    pub buttons: Vec<Button>,
}

/// The message whose buttons he may press and to which he replies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    pub bot: i64,
    pub message: i64,
    pub step: Step,
    pub buttons: Vec<Button>,
}

/// What went wrong, in the terms of the report.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    pub member: String,
    pub message: String,
    pub expected: String,
    pub seen: String,
}

/// What he does next, for the driver to carry out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Presses Start, in private.
    Start {
        bot: i64,
        payload: Option<&'static str>,
    },
    Say {
        text: String,
        reply_to: Option<i64>,
    },
    SendFile {
        name: String,
        reply_to: Option<i64>,
    },
    Press {
        bot: i64,
        message: i64,
        data: String,
    },
}

/// Whether he waits for a bot that may not write to him.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parking {
    No,
    /// He does nothing until somebody speaks to him.
    Waits,
    /// He was called up at the end: he looks where he stands, and leaves it at that.
    LooksOnly,
}

/// First message of a bot after the fault, and how the conversation stood in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resumption {
    pub bot: i64,
    pub at_ms: i64,
}

#[derive(Debug, Clone)]
pub struct Member {
    pub number: usize,
    pub id: i64,
    pub name: String,
    pub place: Place,
    pub intention: Intention,
    /// While set he stops where it says.
    pub hold: Option<Hold>,
    /// While set he goes on and only leaves the last step undone.
    pub stays_open: bool,
    pub upload: Upload,
    pub ledger: Ledger,
    /// The bot he writes to: the last one that talked about his upload.
    pub bot: i64,
    pub prompt: Option<Prompt>,
    pub resumptions: Vec<Resumption>,
    /// Each conversational message received: (bot, when).
    pub received: Vec<(i64, i64)>,
    pub problems: Vec<Problem>,
    pub parking: Parking,
    /// How often he was asked to press Start with the backups.
    pub invitations: usize,
    /// Set while he has to ask for his prompt again.
    wants_prompt: bool,
    inputs: usize,
}

impl Member {
    pub fn new(
        number: usize,
        id: i64,
        name: String,
        place: Place,
        bot: i64,
        intention: Intention,
    ) -> Self {
        Self {
            number,
            id,
            name,
            place,
            intention,
            hold: None,
            stays_open: false,
            upload: Upload::default(),
            ledger: Ledger::default(),
            bot,
            prompt: None,
            resumptions: Vec::new(),
            received: Vec::new(),
            problems: Vec::new(),
            parking: Parking::No,
            invitations: 0,
            wants_prompt: false,
            inputs: 0,
        }
    }

    pub fn is_private(&self) -> bool {
        self.place == Place::Private
    }

    pub fn is_done(&self) -> bool {
        self.upload.is_over() && self.ledger.waiting().is_none()
    }

    /// In place for the fault: where he was to stand, and nothing on its way.
    pub fn is_in_place(&self) -> bool {
        self.ledger.waiting().is_none() && self.hold.is_some_and(|hold| hold.reached(&self.upload))
    }

    /// What he would do now; `None` while he waits, is done, or holds.
    pub fn next_input(&self) -> Option<Input> {
        if self.ledger.waiting().is_some() || self.upload.is_over() || self.parking != Parking::No {
            return None;
        }
        if self.hold.is_some_and(|hold| hold.reached(&self.upload)) {
            return None;
        }
        if self.wants_prompt {
            return Some(Input::Resume);
        }
        let Stage::At(step) = self.upload.stage else {
            return Some(Input::Open);
        };
        if self.stays_open && step == Step::Review {
            return None;
        }
        let label = self.next_label();
        let subject = self.intention.subject;
        Some(match step {
            Step::Title => Input::Title(format!("{label} {subject}")),
            Step::Description => Input::Description(format!(
                "{label} {subject}: what one needs, in {} short parts.",
                self.number % 7 + 2
            )),
            Step::Category => Input::Category(self.intention.category.to_owned()),
            Step::Tags => self.next_tag(),
            Step::Files if self.upload.files.len() < self.intention.files => {
                Input::File(format!("{label} part {}.pdf", self.upload.files.len() + 1))
            }
            Step::Files => Input::FilesDone,
            Step::Review if self.intention.finishes => Input::Submit,
            Step::Review => Input::Cancel,
        })
    }

    /// How the input is carried out; `None` when the prompt that it needs is not there.
    pub fn act(&self, input: &Input) -> Option<Act> {
        let reply_to = match self.place {
            Place::Private => None,
            Place::Group(_) => self.prompt.as_ref().map(|prompt| prompt.message),
        };
        match input {
            Input::Open if self.is_private() => Some(Act::Start {
                bot: self.bot,
                payload: Some("upload"),
            }),
            Input::Open => Some(Act::Say {
                text: "/upload".into(),
                reply_to: None,
            }),
            Input::Resume => Some(Act::Say {
                text: "/resume".into(),
                reply_to: None,
            }),
            Input::Quit => Some(Act::Say {
                text: "/cancel".into(),
                reply_to: None,
            }),
            Input::Help => Some(Act::Say {
                text: "/help".into(),
                reply_to: None,
            }),
            Input::Title(text) | Input::Description(text) => Some(Act::Say {
                text: text.clone(),
                reply_to,
            }),
            Input::File(name) => Some(Act::SendFile {
                name: name.clone(),
                reply_to,
            }),
            Input::Category(label) | Input::ToggleTag(label) => self.press(&[label.as_str()]),
            Input::TagsDone => self.press(&["Done", "Skip"]),
            Input::FilesDone => self.press(&["Done", "Skip"]),
            Input::Cancel => self.press(&["Cancel"]),
            Input::Submit => self.press(&["Submit"]),
        }
    }

    /// He does it. The entry stands before Telegram answers: the bot's reply may be here first.
    pub fn begin(&mut self, input: Input, at_ms: i64) -> usize {
        self.inputs += 1;
        let prompt_bot = self.prompt.as_ref().map(|prompt| prompt.bot);
        let to = match self.place {
            Place::Private if input.is_press() => prompt_bot,
            Place::Private => Some(self.bot),
            Place::Group(_) => None,
        };
        let pressed = prompt_bot.filter(|_| input.is_press());
        self.wants_prompt = false;
        self.ledger.entries.push(Entry {
            label: format!("#{}-{}", self.number, self.inputs),
            input,
            to,
            pressed,
            sent_ms: at_ms,
            message: None,
            received: None,
            seq: None,
            fate: Fate::Waiting,
            confirmations: 0,
            confirmed_by: Vec::new(),
            shown: false,
            answered_ms: None,
            acknowledged: false,
        });
        self.ledger.entries.len() - 1
    }

    /// Telegram took his message.
    pub fn accepted(&mut self, entry: usize, message: i64, at_ms: i64) {
        if let Some(entry) = self.ledger.entries.get_mut(entry) {
            entry.message = Some(message);
            entry.sent_ms = at_ms;
        }
    }

    /// The simulator logged his message.
    pub fn logged(&mut self, message: i64, seq: u64) {
        if let Some(entry) = self.ledger.latest(|entry| entry.message == Some(message)) {
            entry.seq = Some(seq);
        }
    }

    /// Telegram refused it, so nobody got it.
    pub fn refused(&mut self, entry: usize, error: &str) {
        if let Some(entry) = self.ledger.entries.get_mut(entry) {
            entry.fate = Fate::Refused;
            let label = entry.label.clone();
            self.problem(&label, "Telegram takes it", error);
        }
    }

    /// Telegram gave up waiting for the bot's answer to his press.
    pub fn press_timed_out(&mut self, entry: usize) {
        if let Some(entry) = self
            .ledger
            .entries
            .get_mut(entry)
            .filter(|entry| entry.is_waiting())
        {
            entry.fate = Fate::TimedOut;
        }
    }

    /// His press was answered. `text` is what popped up: a word pops up only when the press changed nothing.
    pub fn press_answered(&mut self, entry: usize, text: Option<&str>) {
        let refused = text.is_some_and(|text| !text.is_empty());
        if let Some(unknown) = text.filter(|text| refused && *text != STALE_PRESS) {
            let label = self.ledger.entries.get(entry).map(|one| one.label.clone());
            self.problem(&label.unwrap_or_default(), STALE_PRESS, unknown);
        }
        if let Some(entry) = self.ledger.entries.get_mut(entry) {
            entry.acknowledged = true;
        }
        let waiting = self
            .ledger
            .entries
            .get_mut(entry)
            .filter(|entry| entry.is_waiting());
        if let Some(entry) = waiting.filter(|_| refused) {
            entry.fate = Fate::Stale;
            self.wants_prompt = true;
        }
    }

    /// The bot whose button he pressed said that another one answers; that one may have shown him where he stands before. What he took for this press'
    /// effect was the effect of an earlier one, then, that he had heard nothing of.
    pub fn press_turned_away(&mut self, at: usize, at_ms: i64) {
        let earlier = self.ledger.same_press_before(at);
        let entries = &mut self.ledger.entries;
        if let Some(earlier) = earlier.filter(|_| entries[at].fate == Fate::Answered) {
            let entry = &mut entries[at];
            let (shown, confirmations) = (entry.shown, std::mem::take(&mut entry.confirmations));
            let confirmed_by = std::mem::take(&mut entry.confirmed_by);
            let answered_ms = entry.answered_ms.take();
            (entry.fate, entry.shown) = (Fate::WithoutEffect, false);
            let earlier = &mut entries[earlier];
            (earlier.fate, earlier.shown, earlier.answered_ms) =
                (Fate::Answered, shown, answered_ms);
            earlier.confirmations += confirmations;
            earlier.confirmed_by.extend(confirmed_by);
        }
        let Some(entry) = entries.get_mut(at) else {
            return;
        };
        if !matches!(entry.fate, Fate::Waiting | Fate::WithoutEffect) {
            let (label, seen) = (entry.label.clone(), format!("{:?}", entry.fate));
            return self.problem(&label, "no effect, as he was told", &seen);
        }
        if entry.is_waiting() {
            self.wants_prompt = self.upload.is_open();
        }
        entry.fate = Fate::TurnedAway;
        entry.acknowledged = true;
        entry.answered_ms = Some(at_ms);
    }

    /// He goes to another bot by himself and presses Start there.
    pub fn moves_to(&mut self, bot: i64) {
        self.bot = bot;
    }

    /// The buttons that he needs are not there.
    pub fn asks_for_prompt(&mut self) {
        self.wants_prompt = true;
    }

    /// He waited long enough: what he sent is taken for lost, and he asks where he stands.
    pub fn lose_patience(&mut self) {
        if let Some(entry) = self.ledger.waiting_mut() {
            entry.fate = Fate::WithoutEffect;
            self.wants_prompt = self.upload.is_open();
        }
    }

    pub fn problem(&mut self, message: &str, expected: &str, seen: &str) {
        self.problems.push(Problem {
            member: format!("{} ({})", self.name, self.id),
            message: message.to_owned(),
            expected: expected.to_owned(),
            seen: seen.to_owned(),
        });
    }

    pub fn next_label(&self) -> String {
        format!("#{}-{}", self.number, self.inputs + 1)
    }

    /// Tags that are not as he wants them, then `Done`.
    fn next_tag(&self) -> Input {
        let chosen = &self.upload.tags;
        let missing = self
            .intention
            .tags
            .iter()
            .find(|tag| !chosen.iter().any(|one| one == *tag));
        let surplus = chosen
            .iter()
            .find(|tag| !self.intention.tags.contains(&tag.as_str()));
        match (missing, surplus) {
            (Some(tag), _) => Input::ToggleTag((*tag).to_owned()),
            (None, Some(tag)) => Input::ToggleTag(tag.clone()),
            (None, None) => Input::TagsDone,
        }
    }

    fn press(&self, labels: &[&str]) -> Option<Act> {
        let prompt = self.prompt.as_ref()?;
        let button = prompt
            .buttons
            .iter()
            .find(|button| labels.contains(&bare(&button.text)))?;
        Some(Act::Press {
            bot: prompt.bot,
            message: prompt.message,
            data: button.data.clone(),
        })
    }
}

/// A button's label without the mark of a chosen one.
fn bare(label: &str) -> &str {
    label.strip_prefix("✓ ").unwrap_or(label)
}

#[cfg(test)]
mod tests;
