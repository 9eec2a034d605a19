//! What nobody can be blamed for, with the proof that is asked of it. Pure.
//!
//! Telegram keeps a private message in the box of the bot that it was written to. Redis's files tell how far each box was committed ([`Boxes`]), and Telegram
//! where in it a message is. What a cursor has passed is taken in: either its conversation has it, and then its effect is seen whatever was struck; or the bot,
//! which did not answer at that time, kept it. What was kept may still wait for the bot, and what was taken up later may have been found outdated, but only
//! where its member went on with another bot, or so shortly after that one's word that nobody can tell, and he was told so.
//!
//! What no cursor passed was acknowledged by nobody. When the pool moves away from that bot, somebody else goes on, who cannot see it. That explains a message
//! only when the bot served nobody who wrote later before it was left: what is served later proves that the box was read past the message.

use std::collections::{BTreeSet, HashMap};

use sandbox::course::Input;
use sandbox::fault::{Move, active_at};
use sandbox::ledger::{Entry, Fate};
use sandbox::member::Heard;
use sandbox::texts;

use super::Evidence;
use crate::person::Person;

/// What was sent so shortly before a bot was cut off may not have been committed when it was; conversations are committed side by side.
const IN_FLIGHT_MS: i64 = 500;
/// Who is turned away is told within so long, or when the next bot shows him where he stands.
const TOLD_WITHIN_MS: i64 = 75_000;
/// How a bot begins that goes on from where another one stopped.
const GOES_ON: &str = "↻";
/// How a bot begins that says where he stands when nothing has been entered yet.
const NOTHING_YET: &str = "Nothing has been entered yet.";
/// From a word to its being noted by whoever heard it: telling what came first by two clocks of one machine.
const SLACK_MS: i64 = 500;
/// Telegram's dates are whole seconds.
const TELEGRAM_ROUNDS_MS: i64 = 1_000;

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
    /// With what proves that it was there to be answered, if there is something.
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
    let passed = entry
        .received
        .and_then(|message| evidence.boxes.passed(bot, message));
    if let Some(passed_ms) = passed {
        return of_taken_in(person, entry, bot, passed_ms, evidence);
    }
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
        let witness = Some(format!(
            "although {} was read, which came later",
            read.label
        ));
        return match back.is_some_and(|back| back <= read.answered_ms) {
            true => told(witness),
            false => Verdict::Lost(witness),
        };
    }
    match was_cut(bot, entry.sent_ms, away, evidence) {
        true => Verdict::Excused(Excuse::Unreachable),
        false => told(None),
    }
}

/// Could nobody read the bot's box at some time between a message and the bot's being left?
fn was_cut(bot: i64, sent_ms: i64, away_ms: i64, evidence: &Evidence<'_>) -> bool {
    let until = away_ms.max(sent_ms);
    evidence.strikes.iter().any(|strike| {
        strike.cuts_bot && strike.bot == Some(bot) && strike.meets(sent_ms - IN_FLIGHT_MS, until)
    })
}

/// Of what its bot's cursor has passed, whatever was struck.
fn of_taken_in(
    person: &Person,
    entry: &Entry,
    bot: i64,
    passed_ms: i64,
    evidence: &Evidence<'_>,
) -> Verdict {
    let kept = entry
        .received
        .and_then(|message| evidence.boxes.kept(bot, message));
    let Some(kept) = kept else {
        // By its conversation. A question where one stands is answered as well by whoever shows it.
        if entry.only_asks() && was_told(person, entry, bot) {
            return Verdict::Excused(Excuse::TurnedAway);
        }
        let after = (passed_ms - entry.sent_ms).max(0);
        let why = format!("although bot {bot}'s cursor passed it within {after} ms");
        return Verdict::Lost(Some(why));
    };
    let is_explained = match kept.settled_ms {
        // It waits for a bot that has not answered since.
        None => active_at(i64::MAX, evidence.moves) != Some(bot),
        // A question where one stands is answered by whoever shows it, also where it was kept first.
        Some(settled_ms) => {
            went_on_elsewhere(person, entry, bot, settled_ms, evidence)
                || was_too_close(person, entry, bot, settled_ms)
                || entry.only_asks() && was_told(person, entry, bot)
        }
    };
    if !is_explained {
        let then = kept.settled_ms.map_or("is there still", |_| "was taken up");
        let why = format!("although bot {bot} kept it, and it {then}");
        return Verdict::Lost(Some(why));
    }
    let away = left(bot, entry.sent_ms, evidence.moves).unwrap_or(entry.sent_ms);
    Verdict::Excused(match was_cut(bot, entry.sent_ms, away, evidence) {
        true => Excuse::Unreachable,
        false => Excuse::TurnedAway,
    })
}

/// Another bot went on with him after he wrote this, so that it was an answer to nothing when its own bot took it up: he heard it, or something that he wrote
/// to that one took effect.
fn went_on_elsewhere(
    person: &Person,
    entry: &Entry,
    bot: i64,
    until_ms: i64,
    evidence: &Evidence<'_>,
) -> bool {
    let between = entry.sent_ms..=until_ms + SLACK_MS;
    let heard = person.heard.iter().map(|note| &note.heard).any(|it| {
        it.bot != bot
            && between.contains(&it.at_ms)
            && (texts::read(&it.text).is_conversation() || texts::is_nothing_open(&it.text))
    });
    let mut entries = person.member.ledger.entries.iter();
    heard
        || entries.any(|later| {
            later.to.is_some_and(|to| to != bot)
                && later.sent_ms > entry.sent_ms
                && later.sent_ms < until_ms
                && (later.fate == Fate::Answered || was_taken_in(later, evidence))
        })
}

/// Its conversation has it, also where nobody could tell him.
fn was_taken_in(entry: &Entry, evidence: &Evidence<'_>) -> bool {
    entry.to.zip(entry.received).is_some_and(|(bot, message)| {
        let boxes = evidence.boxes;
        boxes.passed(bot, message).is_some() && boxes.kept(bot, message).is_none()
    })
}

/// Another bot took a step with him in the second in which he wrote this, before he did, and he was told that this was not taken.
fn was_too_close(person: &Person, entry: &Entry, bot: i64, settled_ms: i64) -> bool {
    let heard = |by: &dyn Fn(&Heard) -> bool| person.heard.iter().any(|note| by(&note.heard));
    // From the step to its being heard, and back to the second that Telegram's date rounds down to.
    let stepped = entry.sent_ms - TELEGRAM_ROUNDS_MS - SLACK_MS..=entry.sent_ms + SLACK_MS;
    let told = entry.sent_ms..=settled_ms + TOLD_WITHIN_MS;
    heard(&|it| {
        it.bot != bot && stepped.contains(&it.at_ms) && texts::read(&it.text).is_conversation()
    }) && heard(&|it| it.bot == bot && told.contains(&it.at_ms) && texts::read(&it.text).not_taken)
}

/// He asked one bot, waited in vain, and asked another one for the same thing, in words whose answer does not tell whose it is. Then somebody whom he had not
/// asked the second time answered the first question: its own bot, or the one that goes on for it. He took that for the answer to his second one. So that is
/// the one that went astray, if it is explained.
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
            && other.confirmed_by.iter().all(|by| other.to != Some(by.bot))
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

/// After he had given it up he read that the file is missing: its conversation has it, and its bot was left.
pub fn is_missed(person: &Person, entry: &Entry, moves: &[Move]) -> bool {
    let Input::File(name) = &entry.input else {
        return false;
    };
    let mut heard = person.heard.iter().map(|note| &note.heard);
    let named = heard.find(|it| {
        let mut lines = it.text.lines();
        it.at_ms >= entry.sent_ms
            && lines.any(|line| !line.contains("✓ ") && line.contains(name.as_str()))
    });
    named.is_some_and(|it| was_left_by(entry, it.at_ms, moves))
}

/// A file in private that was asked for again: its bot was left before the file was in the storage channel, and nobody else can reach it.
pub fn is_out_of_reach(entry: &Entry, moves: &[Move]) -> bool {
    was_left_by(entry, entry.answered_ms.unwrap_or(i64::MAX), moves)
}

fn was_left_by(entry: &Entry, until: i64, moves: &[Move]) -> bool {
    let Some(bot) = entry.to else { return false };
    moves.iter().any(|one| {
        let between = entry.sent_ms - IN_FLIGHT_MS..=until;
        one.from == Some(bot) && between.contains(&one.fenced_ms)
    })
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

/// Its bot said that it only listens or that it did not take this, or somebody showed him where he stands.
fn was_told(person: &Person, entry: &Entry, bot: i64) -> bool {
    let soon = |at: i64| (entry.sent_ms..entry.sent_ms + TOLD_WITHIN_MS).contains(&at);
    let pointed = person
        .pointers
        .iter()
        .any(|one| one.bot == bot && soon(one.at_ms));
    let mut heard = person.heard.iter().map(|note| &note.heard);
    pointed || heard.any(|it| soon(it.at_ms) && shows_where_he_stands(&it.text))
}

/// After a change of bots unasked, or because he asks: with all that is known, or that there is nothing.
fn shows_where_he_stands(text: &str) -> bool {
    let said = texts::read(text);
    let has_nothing = said.prompt.is_some() && text.contains(NOTHING_YET);
    text.starts_with(GOES_ON) || said.so_far || has_nothing || texts::is_nothing_open(text)
}
