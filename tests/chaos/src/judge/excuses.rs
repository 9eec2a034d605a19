//! What nobody can be blamed for, with the proof that is asked of it. Pure.
//!
//! Telegram keeps a private message in the box of the bot that it was written to. When the pool moves away from that bot, somebody else goes on, who
//! cannot see the message. That explains a message only when the bot served nobody who wrote later before it was left: what is served later proves that
//! the box was read past the message. When the bot is active again it reads its box, and takes in what still stands: whose conversation went on with
//! another bot meanwhile has to have been told.

use std::collections::HashMap;

use sandbox::fault::Move;
use sandbox::ledger::{Confirmer, Entry, Fate};

use super::Evidence;
use crate::person::Person;
use crate::strike::Strike;

/// What was sent so shortly before a bot was cut off may not have been committed when it was; conversations are committed side by side.
const IN_FLIGHT_MS: i64 = 500;
/// Who is turned away is told within so long, or when the next bot shows him where he stands.
const TOLD_WITHIN_MS: i64 = 75_000;
/// A reply and the fault that swallowed its acknowledgement.
const ACK_MS: i64 = 6_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excuse {
    Unreachable,
    TurnedAway,
}

/// Private messages that were served, by the bot that they were written to: when they were sent and when answered.
#[derive(Debug, Default)]
pub struct Served(HashMap<i64, Vec<(i64, i64)>>);

impl Served {
    pub fn by_bot(people: &[Person]) -> Self {
        let mut all: HashMap<i64, Vec<(i64, i64)>> = HashMap::new();
        for person in people {
            for entry in &person.member.ledger.entries {
                let read = entry.fate == Fate::Answered && entry.confirmations > 0;
                // A question where one stands is answered by whoever shows it, whether it was read or not.
                if !read || entry.input.is_press() || entry.only_asks() {
                    continue;
                }
                if let Some((bot, answered)) = entry.to.zip(entry.answered_ms) {
                    all.entry(bot).or_default().push((entry.sent_ms, answered));
                }
            }
        }
        Self(all)
    }

    /// When the bot first answered something that was sent after this time, before it stopped being active.
    fn after(&self, bot: i64, sent_ms: i64, until_ms: i64) -> Option<i64> {
        let served = self.0.get(&bot).into_iter().flatten();
        let later = served.filter(|(sent, _)| *sent > sent_ms + IN_FLIGHT_MS && *sent < until_ms);
        later.map(|(_, answered)| *answered).min()
    }
}

pub fn of(
    person: &Person,
    entry: &Entry,
    evidence: &Evidence<'_>,
    served: &Served,
) -> Option<Excuse> {
    // The group is everybody's.
    let bot = entry.to?;
    let away = left(bot, entry.sent_ms, evidence.moves)?;
    let told = || was_told(person, entry, bot).then_some(Excuse::TurnedAway);
    if away > entry.sent_ms
        && let Some(read) = served.after(bot, entry.sent_ms, away)
    {
        let is_back = returned(bot, away, evidence.moves).is_some_and(|back| back <= read);
        return if is_back { told() } else { None };
    }
    let until = away.max(entry.sent_ms);
    let mut strikes = evidence.strikes.iter();
    let cut = strikes.any(|strike| {
        strike.cuts_bot
            && strike.bot == Some(bot)
            && strike.meets(entry.sent_ms - IN_FLIGHT_MS, until)
    });
    if cut {
        return Some(Excuse::Unreachable);
    }
    told()
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

/// A standby said that it only listens, or another bot showed him where he stands.
fn was_told(person: &Person, entry: &Entry, bot: i64) -> bool {
    let soon = |at: i64| (entry.sent_ms..entry.sent_ms + TOLD_WITHIN_MS).contains(&at);
    let pointed = person
        .pointers
        .iter()
        .any(|one| one.bot == bot && soon(one.at_ms));
    let heard = person.member.received.iter();
    pointed
        || heard
            .into_iter()
            .any(|(from, at)| *from != bot && soon(*at))
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
