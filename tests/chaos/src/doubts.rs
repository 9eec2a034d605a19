//! What public sources do not settle about Telegram, drawn for each segment: the product has to be right either way.
//!
//! The names and values are the simulator's (`PUT /v1/doubts`). Drawn apart from everything else, so that a seed's faults do not depend on it, and not by
//! coins: each doubt has a deck of [`ROUND`] cards that is shuffled for every [`ROUND`] segments, so that a run of so many has met each value of each doubt.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

/// A member presses again after so long; Telegram's patience is too much for a run that is to see many presses.
const PRESS_TIMEOUT_MS: u64 = 3_000;
const APART: u64 = 0xd0b7_5eed;
/// As many segments as it takes until each value of each doubt was drawn: a run of a thousand faults, a hundred to a segment.
const ROUND: usize = 10;
const REVOKED: &str = "revoke_live_sessions";
/// All that Telegram is known to say to a session that is over. The last one is the transport's own code: nobody knows the key any more.
const SESSION_ERRORS: [(i32, &str); 6] = [
    (401, "SESSION_REVOKED"),
    (401, "AUTH_KEY_UNREGISTERED"),
    (401, "SESSION_EXPIRED"),
    (401, "AUTH_KEY_INVALID"),
    (406, "AUTH_KEY_DUPLICATED"),
    (-404, "AUTH_KEY_UNKNOWN"),
];

/// How often each value of each doubt was drawn.
pub type Drawn = BTreeMap<&'static str, BTreeMap<String, usize>>;

/// `--doubt NAME=VALUE`.
#[derive(Debug, Clone, PartialEq)]
pub struct Fixed {
    pub name: String,
    pub value: Value,
}

impl FromStr for Fixed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((name, value)) = text.split_once('=') else {
            return Err(format!(
                "'{text}' has no '=': write for example random_id_scope=login"
            ));
        };
        let known: Vec<&str> = decks().iter().map(|(name, _)| *name).collect();
        if !known.contains(&name) {
            return Err(format!(
                "'{name}' is not a doubt; there are {}",
                known.join(", ")
            ));
        }
        // A word is a word, whatever else is JSON.
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        Ok(Self {
            name: name.to_owned(),
            value,
        })
    }
}

/// As the simulator takes them, for one segment of a run.
pub fn draw(seed: u64, segment: u32, fixed: &[Fixed]) -> Map<String, Value> {
    let at = usize::try_from(segment).unwrap_or(0);
    let round = u64::try_from(at / ROUND).unwrap_or(0);
    let mut rng =
        ChaCha8Rng::seed_from_u64(seed ^ APART.rotate_left(24) ^ round.wrapping_mul(APART));
    let mut all = Map::new();
    for (name, mut deck) in decks() {
        deck.shuffle(&mut rng);
        all.insert(name.to_owned(), deck.swap_remove(at % ROUND));
    }
    for one in fixed {
        all.insert(one.name.clone(), one.value.clone());
    }
    all
}

/// What live sessions of a revoked token are told; `None` when they live on.
pub fn revoked_says(doubts: &Map<String, Value>) -> Option<String> {
    let value = doubts.get(REVOKED)?;
    value.get("killed").is_some().then(|| words(value))
}

/// How often each was drawn, also those that never were.
pub fn drawn<'a>(segments: impl Iterator<Item = &'a Map<String, Value>>) -> Drawn {
    let mut all = Drawn::new();
    for (name, deck) in decks() {
        let values: BTreeSet<String> = deck.iter().map(words).collect();
        // A single one is no doubt but a setting.
        if values.len() > 1 {
            all.insert(name, values.into_iter().map(|value| (value, 0)).collect());
        }
    }
    for doubts in segments {
        for (name, counts) in &mut all {
            if let Some(value) = doubts.get(*name) {
                *counts.entry(words(value)).or_default() += 1;
            }
        }
    }
    all
}

/// Each doubt's cards: a value that is there twice as often is drawn twice as often.
fn decks() -> Vec<(&'static str, Vec<Value>)> {
    let either = |one: Value, other: Value| [vec![one; ROUND / 2], vec![other; ROUND / 2]].concat();
    let killed =
        SESSION_ERRORS.map(|(code, message)| json!({"killed": {"code": code, "message": message}}));
    let mut revoked = killed.to_vec();
    revoked.push(killed[0].clone());
    revoked.resize(ROUND, json!("live_on"));
    vec![
        (
            "updates_to",
            either(json!("newest_login"), json!("all_logins")),
        ),
        ("random_id_scope", either(json!("account"), json!("login"))),
        ("random_id_memory_s", either(json!(86_400), json!(60))),
        (
            "difference_replays_presses",
            either(json!(true), json!(false)),
        ),
        ("seq_on_presses", either(json!(true), json!(false))),
        ("bots_see_bots", either(json!(true), json!(false))),
        ("promote_absent", either(json!(true), json!(false))),
        ("get_channels_max", either(json!(1), json!(200))),
        (REVOKED, revoked),
        ("press_timeout_ms", vec![json!(PRESS_TIMEOUT_MS); ROUND]),
    ]
}

fn words(value: &Value) -> String {
    match (value, value.get("killed")) {
        (Value::String(word), _) => word.clone(),
        (_, Some(error)) => {
            let name = error["message"].as_str().unwrap_or_default();
            format!("{} {name}", error["code"])
        }
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn round(seed: u64, from: u32) -> Vec<Map<String, Value>> {
        let segments = from..from + u32::try_from(ROUND).unwrap();
        segments.map(|segment| draw(seed, segment, &[])).collect()
    }

    #[test]
    fn ten_segments_have_each_value_of_each_doubt() {
        for seed in 1..=20 {
            for from in [0, 10, 50] {
                let drawn = drawn(round(seed, from).iter());
                assert_eq!(drawn.len(), 9, "press_timeout_ms is none: {drawn:?}");
                for (name, counts) in drawn {
                    let expected = if name == REVOKED { 7 } else { 2 };
                    assert_eq!(counts.len(), expected, "{name}: {counts:?}");
                    assert!(
                        counts.values().all(|times| *times > 0),
                        "{name}: {counts:?}"
                    );
                }
            }
        }
        assert_ne!(round(1, 0), round(2, 0));
        assert_ne!(round(1, 0), round(1, 10), "each round is shuffled anew");
    }

    #[test]
    fn what_was_never_drawn_counts_nought() {
        let fixed: Fixed = "revoke_live_sessions=live_on".parse().unwrap();
        let segment = draw(1, 0, &[fixed]);
        assert_eq!(revoked_says(&segment), None);
        let drawn = drawn([&segment].into_iter());
        assert_eq!(drawn[REVOKED]["live_on"], 1);
        assert_eq!(drawn[REVOKED]["406 AUTH_KEY_DUPLICATED"], 0);
        assert_eq!(drawn[REVOKED]["-404 AUTH_KEY_UNKNOWN"], 0);
        let killed = round(1, 0);
        let mut said = killed.iter().filter_map(revoked_says);
        assert!(said.any(|error| error == "401 AUTH_KEY_INVALID"));
    }

    #[test]
    fn one_can_be_settled_and_an_unknown_one_is_named() {
        let fixed: Fixed = "random_id_scope=login".parse().unwrap();
        assert_eq!(draw(1, 0, &[fixed])["random_id_scope"], "login");
        let number: Fixed = "get_channels_max=7".parse().unwrap();
        assert_eq!(draw(1, 0, &[number])["get_channels_max"], 7);
        let error = "moon=full".parse::<Fixed>().unwrap_err();
        assert!(
            error.contains("moon") && error.contains("updates_to"),
            "{error}"
        );
        assert!("random_id_scope".parse::<Fixed>().is_err());
    }
}
