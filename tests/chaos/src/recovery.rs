//! How long members waited after a fault: from its landing to the first answer to a question that was asked before it and went to what it hit. Pure.
//!
//! Whoever asks the active bot waits for it and its worker; what stops everybody (Redis, the supervisor, the database, a slow or lossy network) is waited for by
//! all who ask. A fault that hits a bot or a worker that nobody waits for, a bystander, is in no figure. Faults overlap, so a figure holds what
//! else was on. An answer that was in the socket already when a process was struck is not counted: it arrives within [`IN_SOCKET_MS`].

use std::collections::BTreeMap;

use sandbox::fault::{Move, active_at};
use serde::Serialize;

use crate::fault::Kind;
use crate::person::Person;
use crate::strike::Strike;

const IN_SOCKET_MS: i64 = 30;

/// By the fault's kind, in milliseconds.
pub type Recoveries = BTreeMap<Kind, Vec<u64>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Spread {
    pub count: usize,
    pub p50: u64,
    pub p99: u64,
    pub max: u64,
}

/// When each answer came to a message.
pub fn answers(people: &[Person]) -> Vec<i64> {
    let entries = people.iter().flat_map(|one| &one.member.ledger.entries);
    let messages = entries.filter(|entry| !entry.input.is_press() && entry.confirmations > 0);
    let mut all: Vec<i64> = messages.filter_map(|entry| entry.answered_ms).collect();
    all.sort_unstable();
    all
}

/// From asking to the answer, of every message that was answered.
pub fn waits(people: &[Person]) -> Vec<u64> {
    let entries = people.iter().flat_map(|one| &one.member.ledger.entries);
    let messages = entries.filter(|entry| !entry.input.is_press() && entry.confirmations > 0);
    messages
        .filter_map(|entry| u64::try_from(entry.answered_ms? - entry.sent_ms).ok())
        .collect()
}

/// A message, as far as its waiting goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// `None` in the group, which the active bot reads.
    to: Option<i64>,
    sent_ms: i64,
    answered_ms: i64,
}

/// What was asked and answered in the end, in the order of the answers.
pub fn questions(people: &[Person]) -> Vec<Question> {
    let entries = people.iter().flat_map(|one| &one.member.ledger.entries);
    let messages = entries.filter(|entry| !entry.input.is_press() && entry.confirmations > 0);
    let mut all: Vec<Question> = messages
        .filter_map(|entry| {
            Some(Question {
                to: entry.to,
                sent_ms: entry.sent_ms,
                answered_ms: entry.answered_ms?,
            })
        })
        .collect();
    all.sort_by_key(|one| one.answered_ms);
    all
}

/// `questions` in the order of their answers.
pub fn measure(strikes: &[Strike], questions: &[Question], moves: &[Move]) -> Recoveries {
    let mut found = Recoveries::new();
    for strike in strikes {
        let from = strike.at_ms + IN_SOCKET_MS;
        let next = questions.partition_point(|one| one.answered_ms <= from);
        let active = active_at(strike.at_ms, moves);
        let mut later = questions[next..].iter();
        let waits = later.find(|one| one.sent_ms <= strike.at_ms && is_asked(strike, one, active));
        if let Some(question) = waits {
            let waited = u64::try_from(question.answered_ms - strike.at_ms).unwrap_or(0);
            found.entry(strike.kind).or_default().push(waited);
        }
    }
    found
}

/// Does the question wait for what is struck? `active` is known where the pool moved at all; where it did not, who is struck and served is the active one.
fn is_asked(strike: &Strike, question: &Question, active: Option<i64>) -> bool {
    let Some(bot) = strike.bot else {
        // A worker without the active bot.
        return strike.pid.is_none();
    };
    let is_active = active.is_none_or(|active| active == bot);
    is_active && question.to.is_none_or(|to| to == bot)
}

/// How many began before the former ones were over: before it was taken back, or before anybody was answered again.
pub fn overlapping(strikes: &[Strike], answers: &[i64]) -> usize {
    let mut ends_ms = i64::MIN;
    let mut overlapping = 0;
    let mut in_order: Vec<&Strike> = strikes.iter().collect();
    in_order.sort_by_key(|strike| strike.at_ms);
    for strike in in_order {
        overlapping += usize::from(strike.at_ms < ends_ms);
        let next = answers.partition_point(|at| *at <= strike.at_ms + IN_SOCKET_MS);
        let answered = answers.get(next).copied().unwrap_or(i64::MAX);
        ends_ms = ends_ms
            .max(answered)
            .max(strike.until_ms.unwrap_or(i64::MAX));
    }
    overlapping
}

impl Spread {
    pub fn of(values: &[u64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        let max = *sorted.last()?;
        // The nearest rank: the smallest value that so many in a hundred do not exceed.
        let rank = |percent: usize| sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1];
        Some(Self {
            count: sorted.len(),
            p50: rank(50),
            p99: rank(99),
            max,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::fault::Moment;

    fn strike(kind: Kind, at_ms: i64, until_ms: Option<i64>) -> Strike {
        Strike {
            number: 1,
            kind,
            moment: Moment::AnyTime,
            at_ms,
            until_ms,
            bot: None,
            pid: None,
            worker: None,
            details: String::new(),
            cuts_bot: false,
        }
    }

    fn question(to: Option<i64>, sent_ms: i64, answered_ms: i64) -> Question {
        Question {
            to,
            sent_ms,
            answered_ms,
        }
    }

    #[test]
    fn it_is_the_first_answer_to_who_asked_before_and_not_what_was_in_the_socket() {
        let strikes = [
            strike(Kind::KillRedis, 1_000, Some(1_000)),
            strike(Kind::Loss, 1_500, Some(1_900)),
            strike(Kind::Slow, 9_000, Some(9_100)),
        ];
        let questions = [
            question(None, 800, 900),
            question(None, 990, 1_020),
            question(None, 1_100, 1_200),
            question(None, 995, 1_700),
            question(None, 1_400, 2_000),
        ];
        let found = measure(&strikes, &questions, &[]);
        assert_eq!(found[&Kind::KillRedis], [700], "not who asked later");
        assert_eq!(found[&Kind::Loss], [200]);
        assert!(!found.contains_key(&Kind::Slow), "nobody was waiting");
        assert_eq!(overlapping(&strikes, &[900, 1_020, 1_700, 2_000]), 1);
    }

    #[test]
    fn only_who_waits_for_what_is_struck_counts_and_nobody_waits_for_a_bystander() {
        let on = |kind, bot, pid| Strike {
            bot,
            pid,
            ..strike(kind, 1_000, Some(2_000))
        };
        let moves = [Move {
            from: Some(1),
            to: 2,
            fenced_ms: 500,
            activated_ms: 510,
        }];
        let questions = [question(Some(1), 900, 1_100), question(Some(2), 950, 3_000)];
        let measured = |one: Strike| {
            let kind = one.kind;
            let found = measure(&[one], &questions, &moves);
            found.get(&kind).cloned().unwrap_or_default()
        };
        assert_eq!(measured(on(Kind::Silent, Some(2), None)), [2_000]);
        assert_eq!(measured(on(Kind::Silent, Some(1), None)), [0; 0]);
        assert_eq!(measured(on(Kind::HangWorker, Some(2), Some(9))), [2_000]);
        assert_eq!(measured(on(Kind::HangWorker, None, Some(9))), [0; 0]);
        let group = [question(None, 900, 1_400)];
        let found = measure(&[on(Kind::Revoke, Some(2), None)], &group, &moves);
        assert_eq!(found[&Kind::Revoke], [400]);
    }

    #[test]
    fn a_spread_is_by_nearest_rank() {
        let values: Vec<u64> = (1..=200).rev().collect();
        let spread = Spread::of(&values).unwrap();
        assert_eq!((spread.p50, spread.p99, spread.max), (100, 198, 200));
        assert_eq!(Spread::of(&[7]).unwrap().p99, 7);
        assert_eq!(Spread::of(&[]), None);
    }
}
