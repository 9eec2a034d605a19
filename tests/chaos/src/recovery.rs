//! How long members waited after a fault: from its landing to the first answer that somebody who waits receives from then on. Pure.
//!
//! Faults overlap, so a figure holds what else was on. An answer that was in the socket already when a process was struck is not counted: it arrives
//! within [`IN_SOCKET_MS`].

use std::collections::BTreeMap;

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

/// `answers` in order.
pub fn measure(strikes: &[Strike], answers: &[i64]) -> Recoveries {
    let mut found = Recoveries::new();
    for strike in strikes {
        let from = strike.at_ms + IN_SOCKET_MS;
        let next = answers.partition_point(|at| *at <= from);
        if let Some(answer) = answers.get(next) {
            let waited = u64::try_from(answer - strike.at_ms).unwrap_or(0);
            found.entry(strike.kind).or_default().push(waited);
        }
    }
    found
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
            details: String::new(),
            cuts_bot: false,
        }
    }

    #[test]
    fn it_is_the_first_answer_that_was_not_in_the_socket_already() {
        let strikes = [
            strike(Kind::KillWorker, 1_000, Some(1_000)),
            strike(Kind::Loss, 1_500, Some(1_900)),
            strike(Kind::Slow, 9_000, Some(9_100)),
        ];
        let found = measure(&strikes, &[900, 1_020, 1_700, 2_000]);
        assert_eq!(found[&Kind::KillWorker], [700]);
        assert_eq!(found[&Kind::Loss], [200]);
        assert!(
            !found.contains_key(&Kind::Slow),
            "nobody was answered again"
        );
        assert_eq!(overlapping(&strikes, &[900, 1_020, 1_700, 2_000]), 1);
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
