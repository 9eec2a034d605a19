//! What nobody can be blamed for, with the proof that is asked of it. Pure.
//!
//! Telegram keeps a private message in the box of the bot that it was written to. When the pool moves away from that bot, somebody else goes on, who
//! cannot see the message. That explains a message only when the bot served nobody who wrote later before it was left: what is served later proves that
//! the box was read past the message. When the bot is active again it reads its box, and takes in what still stands: whose conversation went on with
//! another bot meanwhile has to have been told.

use std::collections::{BTreeSet, HashMap};

use sandbox::course::Input;
use sandbox::fault::Move;
use sandbox::ledger::{Confirmer, Entry, Fate};

use super::Evidence;
use crate::person::Person;
use crate::strike::Strike;

/// What was sent so shortly before a bot was cut off may not have been committed when it was; conversations are committed side by side.
const IN_FLIGHT_MS: i64 = 500;
/// Who is turned away is told within so long, or when the next bot shows him where he stands.
const TOLD_WITHIN_MS: i64 = 75_000;
/// How a bot begins that goes on from where another one stopped.
const GOES_ON: &str = "↻";
/// A reply and the fault that swallowed its acknowledgement.
const ACK_MS: i64 = 6_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excuse {
    Unreachable,
    TurnedAway,
}

/// Private messages that were read, by the bot that they were written to.
#[derive(Debug, Default)]
pub struct Served(HashMap<i64, Vec<Witness>>);

/// One message that was read: what proves that its box was read up to there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    sent_ms: i64,
    answered_ms: i64,
    pub label: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Excused(Excuse),
    /// With the message that was read although it came later, if that is why.
    Lost(Option<String>),
}

impl Served {
    pub fn by_bot(people: &[Person]) -> Self {
        let mut all: HashMap<i64, Vec<Witness>> = HashMap::new();
        for person in people {
            for entry in &person.member.ledger.entries {
                let Some((bot, answered_ms)) = entry.to.zip(entry.answered_ms) else {
                    continue;
                };
                if is_proof(entry, bot) {
                    all.entry(bot).or_default().push(Witness {
                        sent_ms: entry.sent_ms,
                        answered_ms,
                        label: entry.label.clone(),
                    });
                }
            }
        }
        Self(all)
    }

    /// What was sent after this time and before the bot stopped being active, and was answered first.
    fn after(&self, bot: i64, sent_ms: i64, until_ms: i64) -> Option<&Witness> {
        let served = self.0.get(&bot).into_iter().flatten();
        let later =
            served.filter(|it| it.sent_ms > sent_ms + IN_FLIGHT_MS && it.sent_ms < until_ms);
        later.min_by_key(|it| it.answered_ms)
    }
}

/// Does its answer prove that it was read? What somebody named is in the answer to that and to nothing else. Another bot may give the answer to what this
/// one took in. `Cancelled`, a first question and the like may be another input's, so only the bot itself counts there; and a question where one stands
/// is answered by whoever shows it, whether it was read or not.
fn is_proof(entry: &Entry, bot: i64) -> bool {
    if entry.fate != Fate::Answered || entry.confirmations == 0 {
        return false;
    }
    if entry.input.is_press() || entry.only_asks() {
        return false;
    }
    let is_its_own = matches!(
        entry.input,
        Input::Title(_) | Input::Description(_) | Input::File(_)
    );
    is_its_own || entry.confirmed_by.iter().any(|by| by.bot == bot)
}

pub fn of(person: &Person, entry: &Entry, evidence: &Evidence<'_>, served: &Served) -> Verdict {
    // The group is everybody's.
    let Some(bot) = entry.to else {
        return Verdict::Lost(None);
    };
    let Some(away) = left(bot, entry.sent_ms, evidence.moves) else {
        return Verdict::Lost(None);
    };
    let told = |witness| match was_told(person, entry, bot) {
        true => Verdict::Excused(Excuse::TurnedAway),
        false => Verdict::Lost(witness),
    };
    if away > entry.sent_ms
        && let Some(read) = served.after(bot, entry.sent_ms, away)
    {
        let back = returned(bot, away, evidence.moves);
        let witness = Some(read.label.clone());
        return match back.is_some_and(|back| back <= read.answered_ms) {
            true => told(witness),
            false => Verdict::Lost(witness),
        };
    }
    let until = away.max(entry.sent_ms);
    let mut strikes = evidence.strikes.iter();
    let cut = strikes.any(|strike| {
        strike.cuts_bot
            && strike.bot == Some(bot)
            && strike.meets(entry.sent_ms - IN_FLIGHT_MS, until)
    });
    if cut {
        return Verdict::Excused(Excuse::Unreachable);
    }
    told(None)
}

/// He asked one bot, waited in vain, and asked another one for the same thing, in words whose answer does not tell whose it is. Then the first one
/// answered, and he took that for the answer to his second question. So that is the one that went astray, if it is explained.
/// `taken`: those that an earlier question was found to have the answer of.
pub fn of_its_answers(
    person: &Person,
    at: usize,
    evidence: &Evidence<'_>,
    served: &Served,
    taken: &mut BTreeSet<usize>,
) -> Option<Excuse> {
    let entries = &person.member.ledger.entries;
    let entry = entries.get(at)?;
    let bot = entry.to?;
    let takes_its_answer = |other: &Entry| {
        other.input == entry.input
            && other.to.is_some_and(|to| to != bot)
            && other.fate == Fate::Answered
            && !other.confirmed_by.is_empty()
            && other.confirmed_by.iter().all(|by| by.bot == bot)
    };
    let later = entries.iter().enumerate().skip(at + 1);
    for (place, other) in later.filter(|(_, other)| takes_its_answer(other)) {
        if let Verdict::Excused(excuse) = of(person, other, evidence, served)
            && taken.insert(place)
        {
            return Some(excuse);
        }
    }
    None
}

/// When the pool came back to the bot after it had left it.
fn returned(bot: i64, away_ms: i64, moves: &[Move]) -> Option<i64> {
    let back = moves
        .iter()
        .filter(|one| one.to == bot && one.from != Some(bot) && one.activated_ms > away_ms);
    back.map(|one| one.activated_ms).min()
}

/// When the pool moved away from the bot, for a message of that time: the next time, or, where the bot is not active at all, the last time.
fn left(bot: i64, sent_ms: i64, moves: &[Move]) -> Option<i64> {
    let next = moves
        .iter()
        .filter(|one| one.from == Some(bot) && one.fenced_ms >= sent_ms - IN_FLIGHT_MS);
    let next = next.map(|one| one.fenced_ms).min();
    let came = moves.iter().filter(|one| one.to == bot);
    let came = came
        .map(|one| one.activated_ms)
        .filter(|at| *at <= sent_ms + IN_FLIGHT_MS)
        .max();
    let last = moves
        .iter()
        .filter(|one| one.from == Some(bot) && one.fenced_ms < sent_ms);
    let last = last.map(|one| one.fenced_ms).max();
    match last {
        Some(last) if came.is_none_or(|came| came < last) => Some(last),
        // Never active so far.
        None if came.is_none() && moves.iter().any(|one| one.from != Some(bot)) => {
            let first = moves.iter().map(|one| one.activated_ms).min()?;
            (first <= sent_ms).then_some(first).or(next)
        }
        _ => next,
    }
}

/// A standby said that it only listens, or he was shown where he stands: by another bot, or by this one when it was active again.
fn was_told(person: &Person, entry: &Entry, bot: i64) -> bool {
    let soon = |at: i64| (entry.sent_ms..entry.sent_ms + TOLD_WITHIN_MS).contains(&at);
    let pointed = person
        .pointers
        .iter()
        .any(|one| one.bot == bot && soon(one.at_ms));
    let shown = person.heard.iter().map(|note| &note.heard);
    pointed
        || shown
            .into_iter()
            .any(|it| soon(it.at_ms) && (it.bot != bot || it.text.starts_with(GOES_ON)))
}

/// Two bots gave the same answer: the second one could not know that the first had been received.
pub fn crosses_bots(first: Confirmer, second: Confirmer, evidence: &Evidence<'_>) -> bool {
    if first.bot == second.bot {
        return false;
    }
    let between = (first.at_ms - ACK_MS)..=second.at_ms;
    let moved = evidence
        .moves
        .iter()
        .any(|one| one.from == Some(first.bot) && between.contains(&one.fenced_ms));
    let harms = |strike: &Strike| {
        strike.bot == Some(first.bot) && strike.meets(first.at_ms - ACK_MS, second.at_ms)
    };
    moved && evidence.strikes.iter().any(harms)
}
