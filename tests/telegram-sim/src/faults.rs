//! What is broken on purpose: the list of faults, what arms and fires them, and what they do to a line.
//!
//! A fault is active at once, or *armed*: then it fires when the first event is logged that its trigger matches, under
//! the same lock, before anything that the same step produced has left the server.
//! Faults in calls themselves (floods, errors by method) and in accounts (revoke, delete) are carried out by the world;
//! they are kept here so that all kinds can be armed, listed and cleared alike.

mod line;
mod spec;

use std::collections::{BTreeMap, BTreeSet};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

pub use line::{Delay, UpdateFate};
pub use spec::{Effect, FaultSpec, LiveMode, Trigger};

use crate::world::UserId;

/// More faults at once are a mistake in the test.
const MAX_FAULTS: usize = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum State {
    /// Waits for its trigger.
    Armed,
    Active {
        since_ms: u64,
        until_ms: Option<u64>,
    },
    /// Fired, and nothing lasts of it (or its count is used up).
    Spent { fired_ms: u64 },
}

#[derive(Clone, Debug, Serialize)]
pub struct Fault {
    pub id: u64,
    #[serde(flatten)]
    pub spec: FaultSpec,
    #[serde(flatten)]
    pub state: State,
    /// Packets, updates or sockets that it hit, as far as the wire side carries it out.
    pub hits: u64,
    /// The sockets that were open when it fired, where it hits only those.
    #[serde(skip)]
    sockets: BTreeSet<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("more than {MAX_FAULTS} faults at once")]
pub struct TooManyFaults;

#[derive(Debug)]
pub struct Faults {
    faults: BTreeMap<u64, Fault>,
    next_id: u64,
    rng: ChaCha8Rng,
}

impl Faults {
    pub fn new(seed: u64) -> Self {
        Self {
            faults: BTreeMap::new(),
            next_id: 1,
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// Keeps a fault as armed; the caller activates it when it has no trigger.
    pub fn add(&mut self, spec: FaultSpec) -> Result<u64, TooManyFaults> {
        if self.faults.len() >= MAX_FAULTS {
            return Err(TooManyFaults);
        }
        let id = self.next_id;
        self.next_id += 1;
        self.faults.insert(
            id,
            Fault {
                id,
                spec,
                state: State::Armed,
                hits: 0,
                sockets: BTreeSet::new(),
            },
        );
        Ok(id)
    }

    pub fn get(&self, id: u64) -> Option<&Fault> {
        self.faults.get(&id)
    }

    pub fn list(&self) -> impl Iterator<Item = &Fault> {
        self.faults.values()
    }

    pub fn remove(&mut self, id: u64) -> Option<Fault> {
        self.faults.remove(&id)
    }

    pub fn has_armed(&self) -> bool {
        self.faults
            .values()
            .any(|fault| fault.state == State::Armed)
    }

    /// Armed faults that this event fires, oldest first.
    pub fn triggered_by(&self, event: &Value) -> Vec<u64> {
        let armed = self
            .faults
            .values()
            .filter(|fault| fault.state == State::Armed);
        armed
            .filter(|fault| {
                fault
                    .spec
                    .after
                    .as_ref()
                    .is_some_and(|trigger| trigger.matches(event))
            })
            .map(|fault| fault.id)
            .collect()
    }

    /// Marks a fault as fired and returns it; `None` when it is not armed.
    pub fn fire(&mut self, id: u64, now_ms: u64) -> Option<Fault> {
        let fault = self
            .faults
            .get_mut(&id)
            .filter(|fault| fault.state == State::Armed)?;
        fault.state = if fault.spec.effect.lasts() {
            let until_ms = fault
                .spec
                .for_ms
                .map(|for_ms| now_ms.saturating_add(for_ms));
            State::Active {
                since_ms: now_ms,
                until_ms,
            }
        } else {
            State::Spent { fired_ms: now_ms }
        };
        Some(fault.clone())
    }

    pub fn count_hits(&mut self, id: u64, hits: u64) {
        if let Some(fault) = self.faults.get_mut(&id) {
            fault.hit(hits);
        }
    }

    /// For a fault that hits what is open when it fires: which sockets that is.
    pub fn strike_sockets(&mut self, id: u64, sockets: BTreeSet<u64>) {
        if let Some(fault) = self.faults.get_mut(&id) {
            fault.sockets = sockets;
        }
    }

    /// Takes out what has outlived its `for_ms`.
    pub fn expire(&mut self, now_ms: u64) -> Vec<Fault> {
        let over: Vec<u64> = self
            .faults
            .values()
            .filter(|fault| fault.until_ms().is_some_and(|until| until <= now_ms))
            .map(|fault| fault.id)
            .collect();
        over.into_iter()
            .filter_map(|id| self.faults.remove(&id))
            .collect()
    }

    pub fn next_expiry(&self) -> Option<u64> {
        self.faults.values().filter_map(Fault::until_ms).min()
    }
}

impl Fault {
    pub fn is_active(&self) -> bool {
        matches!(self.state, State::Active { .. })
    }

    /// Counts hits; a fault whose count is used up is spent.
    fn hit(&mut self, hits: u64) {
        self.hits += hits;
        if let (State::Active { since_ms, .. }, Some(count)) =
            (self.state, self.spec.effect.count())
            && self.hits >= u64::from(count)
        {
            self.state = State::Spent { fired_ms: since_ms };
        }
    }

    /// Whether it is a silence, and this connection's.
    fn silences(&self, connection: u64) -> bool {
        match self.spec.effect {
            Effect::Silent { live_only } => !live_only || self.sockets.contains(&connection),
            _ => false,
        }
    }

    fn until_ms(&self) -> Option<u64> {
        match self.state {
            State::Active { until_ms, .. } => until_ms,
            State::Armed | State::Spent { .. } => None,
        }
    }

    fn applies_to(&self, account: Option<UserId>) -> bool {
        self.is_active() && (self.spec.bot.is_none() || self.spec.bot == account)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use serde_json::json;

    use super::*;

    fn spec(value: Value) -> FaultSpec {
        FaultSpec::from_json(value).unwrap()
    }

    #[test]
    fn an_armed_fault_fires_once_on_the_first_event_that_matches() {
        let mut faults = Faults::new(1);
        let id = faults
            .add(spec(json!({
                "kind": "silent", "bot": 7, "for_ms": 100,
                "after": {"event": {"kind": "message_sent", "account": 7, "chat": {"user": 5}}},
            })))
            .unwrap();
        assert!(faults.is_silent(Some(UserId(7)), 1).is_none());
        let miss = json!({"kind": "message_sent", "account": 7, "chat": {"user": 6}});
        assert_eq!(faults.triggered_by(&miss), Vec::<u64>::new());
        let hit = json!({"kind": "message_sent", "account": 7, "chat": {"user": 5}, "text": "x"});
        assert_eq!(faults.triggered_by(&hit), [id]);
        assert!(faults.fire(id, 1_000).is_some());
        assert!(faults.fire(id, 1_000).is_none());
        assert_eq!(faults.is_silent(Some(UserId(7)), 1), Some(id));
        assert_eq!(faults.is_silent(Some(UserId(8)), 1), None);
        assert_eq!(faults.next_expiry(), Some(1_100));
        assert_eq!(faults.expire(1_099).len(), 0);
        assert_eq!(faults.expire(1_100).len(), 1);
        assert_eq!(faults.is_silent(Some(UserId(7)), 1), None);
    }

    #[test]
    fn a_misspelt_field_is_refused() {
        for bad in [
            json!({"kind": "slow", "delay": 5}),
            json!({"kind": "silent", "after": {"evnt": {}}}),
            json!({"kind": "revoke"}),
            json!({"kind": "unheard_of"}),
        ] {
            assert!(FaultSpec::from_json(bad.clone()).is_err(), "{bad}");
        }
    }
}
