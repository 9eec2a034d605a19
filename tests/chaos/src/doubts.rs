//! What public sources do not settle about Telegram, drawn for each segment: the product has to be right either way.
//!
//! The names and values are the simulator's (`PUT /v1/doubts`). Drawn apart from everything else, so that a seed's faults do not depend on it.

use std::str::FromStr;

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

/// A member presses again after so long; Telegram's patience is too much for a run that is to see many presses.
const PRESS_TIMEOUT_MS: u64 = 3_000;
const APART: u64 = 0xd0b7_5eed;
/// Telegram has been seen to say each of these to a session that is over.
const SESSION_ERRORS: [&str; 3] = [
    "SESSION_REVOKED",
    "AUTH_KEY_UNREGISTERED",
    "SESSION_EXPIRED",
];

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
        let known = settings(0);
        if !known.contains_key(name) {
            let names: Vec<&str> = known.keys().map(String::as_str).collect();
            return Err(format!(
                "'{name}' is not a doubt; there are {}",
                names.join(", ")
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

/// As the simulator takes them.
pub fn draw(seed: u64, fixed: &[Fixed]) -> Map<String, Value> {
    let mut all = settings(seed);
    for one in fixed {
        all.insert(one.name.clone(), one.value.clone());
    }
    all
}

fn settings(seed: u64) -> Map<String, Value> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ APART.rotate_left(24));
    let mut either = |one: Value, other: Value| if rng.random_bool(0.5) { one } else { other };
    let mut all = Map::new();
    let mut put = |name: &str, value: Value| drop(all.insert(name.to_owned(), value));
    put(
        "updates_to",
        either(json!("newest_login"), json!("all_logins")),
    );
    put("random_id_scope", either(json!("account"), json!("login")));
    put("random_id_memory_s", either(json!(86_400), json!(60)));
    put(
        "difference_replays_presses",
        either(json!(true), json!(false)),
    );
    put("seq_on_presses", either(json!(true), json!(false)));
    put("bots_see_bots", either(json!(true), json!(false)));
    put("promote_absent", either(json!(true), json!(false)));
    put("get_channels_max", either(json!(1), json!(200)));
    let lives_on = rng.random_bool(0.25);
    let error = SESSION_ERRORS.choose(&mut rng).copied();
    let killed = json!({"killed": {"code": 401, "message": error.unwrap_or(SESSION_ERRORS[0])}});
    put(
        "revoke_live_sessions",
        if lives_on { json!("live_on") } else { killed },
    );
    put("press_timeout_ms", PRESS_TIMEOUT_MS.into());
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn twenty_seeds_have_each_value_of_each_doubt() {
        let values = |name: &str| {
            let all = (1..=20).map(|seed| draw(seed, &[])[name].to_string());
            all.collect::<BTreeSet<_>>().len()
        };
        for name in [
            "updates_to",
            "random_id_scope",
            "random_id_memory_s",
            "difference_replays_presses",
            "seq_on_presses",
            "bots_see_bots",
            "promote_absent",
            "get_channels_max",
        ] {
            assert_eq!(values(name), 2, "{name}");
        }
        assert_eq!(values("revoke_live_sessions"), 4, "three errors, or none");
    }

    #[test]
    fn one_can_be_settled_and_an_unknown_one_is_named() {
        let fixed: Fixed = "random_id_scope=login".parse().unwrap();
        assert_eq!(draw(1, &[fixed])["random_id_scope"], "login");
        let number: Fixed = "get_channels_max=7".parse().unwrap();
        assert_eq!(draw(1, &[number])["get_channels_max"], 7);
        let error = "moon=full".parse::<Fixed>().unwrap_err();
        assert!(
            error.contains("moon") && error.contains("updates_to"),
            "{error}"
        );
        assert!("random_id_scope".parse::<Fixed>().is_err());
    }
}
