//! What a member sent and what became of it, as he saw it.
//!
//! An entry is made when Telegram took the message or press, and afterwards only its fate and its count of confirmations change. Whether
//! an entry that had no effect is *lost* or was *out of reach* is the checker's judgement, not the ledger's.

use crate::control::Received;
use crate::course::Input;

/// What became of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing was heard of it yet.
    Waiting,
    /// It took effect, and the member was told.
    Answered,
    /// The next thing he was told shows that it had no effect; he did it again.
    WithoutEffect,
    /// A press that Telegram timed out; he pressed again.
    TimedOut,
    /// A press that was answered by a word that popped up, "from an earlier step": an earlier press of his had taken effect.
    Stale,
    /// A press whose bot said that another one answers: nothing came of it.
    TurnedAway,
    /// The bot asked for the file again.
    AskedAgain,
    /// Telegram did not take it.
    Refused,
}

/// One confirmation, as the member received it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Confirmer {
    pub bot: i64,
    pub at_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `#17-3`: member 17's third input.
    pub label: String,
    pub input: Input,
    /// The bot it was sent to; `None` in the group.
    pub to: Option<i64>,
    /// Whose button it was, of a press.
    pub pressed: Option<i64>,
    pub sent_ms: i64,
    /// Its message id as the member sees it; a press has none.
    pub message: Option<i64>,
    /// Where the bot has it in its own box, if it was sent to one and whoever sent it noted that.
    pub received: Option<Received>,
    /// Its entry in the simulator's log.
    pub seq: Option<u64>,
    pub fate: Fate,
    /// `✓` messages for it, or prompts where that is the confirmation.
    pub confirmations: u32,
    /// Who sent each of them, and when.
    pub confirmed_by: Vec<Confirmer>,
    /// A message after a switch showed its effect.
    pub shown: bool,
    pub answered_ms: Option<i64>,
    /// Telegram passed on the bot's answer to the press.
    pub acknowledged: bool,
}

impl Entry {
    pub fn is_waiting(&self) -> bool {
        self.fate == Fate::Waiting
    }

    /// Asks for something and changes nothing.
    pub fn only_asks(&self) -> bool {
        matches!(self.input, Input::Resume | Input::Help)
    }

    /// May have changed something, for all that he was told.
    pub fn may_change(&self) -> bool {
        !self.only_asks() && self.fate != Fate::TurnedAway
    }

    /// A press of which he heard nothing.
    pub fn is_unheard_press(&self) -> bool {
        let given_up = matches!(self.fate, Fate::TimedOut | Fate::WithoutEffect);
        self.input.is_press() && given_up && !self.acknowledged
    }

    pub fn confirmed(&mut self, bot: i64, at_ms: i64) {
        self.confirmations += 1;
        self.confirmed_by.push(Confirmer { bot, at_ms });
    }
}

#[derive(Debug, Clone, Default)]
pub struct Ledger {
    pub entries: Vec<Entry>,
}

impl Ledger {
    /// The input that is waited for; a member has at most one.
    pub fn waiting(&self) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.is_waiting())
    }

    pub fn waiting_mut(&mut self) -> Option<&mut Entry> {
        self.entries
            .iter_mut()
            .rev()
            .find(|entry| entry.is_waiting())
    }

    /// The last input of the upload, if its effect is not known: waited for, or a press that timed out, that he gave up, or that came too late because the
    /// same one before it may have taken effect.
    pub fn unsettled_mut(&mut self) -> Option<&mut Entry> {
        let last = self
            .entries
            .iter_mut()
            .rev()
            .find(|entry| entry.may_change())?;
        let is_given_up =
            last.fate == Fate::WithoutEffect && last.input.is_press() && last.answered_ms.is_none();
        let is_open = matches!(last.fate, Fate::Waiting | Fate::TimedOut | Fate::Stale);
        (is_given_up || is_open).then_some(last)
    }

    /// The same press right before this one, of which nothing was heard.
    pub fn same_press_before(&self, at: usize) -> Option<usize> {
        let input = &self.entries.get(at)?.input;
        let before = self.entries[..at].iter().rposition(Entry::may_change)?;
        let entry = &self.entries[before];
        (entry.is_unheard_press() && entry.input == *input).then_some(before)
    }

    /// The latest entry that `matches`, waiting or not.
    pub fn latest(&mut self, matches: impl Fn(&Entry) -> bool) -> Option<&mut Entry> {
        self.entries.iter_mut().rev().find(|entry| matches(entry))
    }
}
