//! What `understudy status --json` says, as far as the sandbox reads it. Unknown fields are ignored: the status may grow.
//!
//! It is read for three things only: who is active in which process (to aim the fault), the reach of the bots (to know that the
//! warm-up took), and the switch's timeline.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::fault::Move;

#[derive(Debug, Clone, Deserialize)]
pub struct Status {
    pub pools: Vec<Pool>,
    #[serde(default)]
    pub workers: Vec<Worker>,
    pub redis: Redis,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Pool {
    pub name: String,
    pub state: String,
    #[serde(default)]
    pub reasons: Vec<String>,
    pub active: Option<Active>,
    #[serde(default)]
    pub bots: Vec<Bot>,
    #[serde(default)]
    pub counters: BTreeMap<String, i64>,
    #[serde(default)]
    pub switches: Vec<Switch>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Active {
    pub bot: Value,
    pub worker: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Bot {
    pub bot: Value,
    #[serde(default)]
    pub reach: Option<u64>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Worker {
    pub name: String,
    pub pid: Option<i32>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Redis {
    pub appendfsync: Option<String>,
}

/// Times in unix milliseconds.
#[derive(Debug, Clone, Deserialize)]
pub struct Switch {
    pub kind: String,
    #[serde(default)]
    pub from: Value,
    #[serde(default)]
    pub to: Value,
    #[serde(default)]
    pub from_worker: Option<String>,
    #[serde(default)]
    pub to_worker: Option<String>,
    #[serde(default)]
    pub cause: String,
    #[serde(default)]
    pub detected_at: Option<i64>,
    #[serde(default)]
    pub fenced_at: Option<i64>,
    #[serde(default)]
    pub activated_at: Option<i64>,
    #[serde(default)]
    pub verified_at: Option<i64>,
    #[serde(default)]
    pub first_reply_at: Option<i64>,
}

impl Status {
    pub fn active(&self) -> Option<&Active> {
        self.pools.first()?.active.as_ref()
    }

    /// The process that holds the active bot.
    pub fn active_pid(&self) -> Option<i32> {
        let name = self.active()?.worker.as_deref()?;
        self.workers.iter().find(|worker| worker.name == name)?.pid
    }

    pub fn counter(&self, name: &str) -> u64 {
        let counts = self.pools.iter().filter_map(|pool| pool.counters.get(name));
        counts.map(|count| u64::try_from(*count).unwrap_or(0)).sum()
    }

    pub fn switches(&self) -> impl Iterator<Item = &Switch> {
        self.pools.iter().flat_map(|pool| &pool.switches)
    }

    /// When the active bot changed, the first activation left out. Where nobody was active in between, it is one move.
    pub fn moves(&self) -> Vec<Move> {
        let mut all: Vec<&Switch> = self.switches().collect();
        all.sort_by_key(|switch| switch.fenced_at);
        let mut left = None;
        let changed = all.into_iter().filter_map(|switch| {
            let fenced_ms = switch.fenced_at?;
            let Some(to) = switch.to_id() else {
                left = left.or(switch.from_id().map(|bot| (bot, fenced_ms)));
                return None;
            };
            let before = left.take();
            let from = switch.from_id().or(before.map(|(bot, _)| bot));
            let moved = from != Some(to) && switch.kind != "first";
            moved.then_some(Move {
                from,
                to,
                fenced_ms: before.map_or(fenced_ms, |(_, left_ms)| left_ms),
                activated_ms: switch.activated_at?,
            })
        });
        changed.collect()
    }

    /// The smallest reach among the pool's bots.
    pub fn least_reach(&self) -> u64 {
        let bots = self.pools.iter().flat_map(|pool| &pool.bots);
        bots.map(|bot| bot.reach.unwrap_or(0)).min().unwrap_or(0)
    }
}

impl Active {
    pub fn id(&self) -> Option<i64> {
        bot_id(&self.bot)
    }
}

impl Switch {
    pub fn from_id(&self) -> Option<i64> {
        bot_id(&self.from)
    }

    pub fn to_id(&self) -> Option<i64> {
        bot_id(&self.to)
    }

    pub fn from_name(&self) -> Option<String> {
        bot_id(&self.from).map(|id| format!("b{id}"))
    }

    pub fn to_name(&self) -> Option<String> {
        bot_id(&self.to).map(|id| format!("b{id}"))
    }
}

/// A bot's id is a number, or its short form `b7`.
fn bot_id(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.trim_start_matches('b').parse().ok(),
        other => other.as_i64(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn moves(switches: &[(&str, Option<&str>, Option<&str>, i64)]) -> Vec<(Option<i64>, i64, i64)> {
        let switch = |(kind, from, to, at): &(&str, Option<&str>, Option<&str>, i64)| {
            serde_json::json!({
                "kind": kind, "from": from, "to": to, "fenced_at": at, "activated_at": at + 10,
            })
        };
        let switches: Vec<_> = switches.iter().map(switch).collect();
        let pool = serde_json::json!({
            "name": "main", "state": "ok", "active": null, "switches": switches,
        });
        let status = Status {
            pools: vec![serde_json::from_value(pool).unwrap()],
            workers: Vec::new(),
            redis: Redis { appendfsync: None },
        };
        let moves = status.moves().into_iter();
        moves.map(|it| (it.from, it.to, it.fenced_ms)).collect()
    }

    #[test]
    fn a_pool_that_nobody_served_for_a_moment_moved_once() {
        let (one, two) = (Some("b1"), Some("b2"));
        // The newest first, as the supervisor tells them.
        let all = [
            ("switch", None, two, 30),
            ("relogin", one, None, 20),
            ("first", None, one, 10),
        ];
        assert_eq!(moves(&all), [(Some(1), 2, 20)]);
        let back = [("takeover", None, one, 30), ("takeover", one, None, 20)];
        assert_eq!(moves(&back), [], "it is the same bot");
    }
}
