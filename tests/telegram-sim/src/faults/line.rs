//! What active faults do to one line: swallow, delay, drop, refuse.

use rand::Rng;

use super::{Effect, Fault, Faults};
use crate::transport::TransportCode;
use crate::world::UserId;

/// How much later something leaves the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delay {
    pub ms: u64,
}

/// What happens to updates on their way to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateFate {
    Pass,
    LostTo(u64),
}

impl Faults {
    /// The fault that swallows this connection's traffic; `None` stands for one that is not logged in.
    pub fn is_silent(&self, account: Option<UserId>, connection: u64) -> Option<u64> {
        let mut faults = self.faults.values();
        let hits = |fault: &&Fault| fault.applies_to(account) && fault.silences(connection);
        faults.find(hits).map(|fault| fault.id)
    }

    pub fn is_refused(&self, account: Option<UserId>) -> Option<u64> {
        self.active(account, |effect| {
            matches!(effect, Effect::Reset { refuse: true })
        })
    }

    /// The code that this account's packets are answered with, and the fault that wants it.
    pub fn transport_code(&self, account: Option<UserId>) -> Option<(u64, TransportCode)> {
        self.faults
            .values()
            .filter(|fault| fault.applies_to(account))
            .find_map(|fault| match fault.spec.effect {
                Effect::TransportError { code } => {
                    Some((fault.id, TransportCode::from_code(code)?))
                }
                _ => None,
            })
    }

    pub fn fate_of_update(&mut self, account: UserId, connection: u64) -> UpdateFate {
        let Self { faults, rng, .. } = self;
        for fault in faults
            .values_mut()
            .filter(|fault| fault.applies_to(Some(account)))
        {
            let percent = match fault.spec.effect {
                Effect::DropUpdates { percent, .. } | Effect::Loss { percent, .. } => percent,
                Effect::Silent { .. } if fault.silences(connection) => 100.0,
                _ => continue,
            };
            if rng.random_bool(percent / 100.0) {
                fault.hit(1);
                return UpdateFate::LostTo(fault.id);
            }
        }
        UpdateFate::Pass
    }

    /// Drawn for each message that leaves.
    pub fn delay(&mut self, account: Option<UserId>) -> Delay {
        if self.faults.is_empty() {
            return Delay::default();
        }
        let Self { faults, rng, .. } = self;
        let mut delay = Delay::default();
        for fault in faults
            .values_mut()
            .filter(|fault| fault.applies_to(account))
        {
            let ms = match fault.spec.effect {
                Effect::Slow {
                    delay_ms,
                    jitter_ms,
                } => delay_ms + rng.random_range(0..=jitter_ms),
                Effect::Loss { percent, stall_ms } if rng.random_bool(percent / 100.0) => stall_ms,
                _ => continue,
            };
            fault.hit(1);
            delay.ms = delay.ms.saturating_add(ms);
        }
        delay
    }

    fn active(&self, account: Option<UserId>, wanted: impl Fn(&Effect) -> bool) -> Option<u64> {
        let hits = |fault: &&Fault| fault.applies_to(account) && wanted(&fault.spec.effect);
        self.faults.values().find(hits).map(|fault| fault.id)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use serde_json::json;

    use super::super::FaultSpec;
    use super::*;

    fn active(value: serde_json::Value) -> (Faults, u64) {
        let mut faults = Faults::new(3);
        let id = faults.add(FaultSpec::from_json(value).unwrap()).unwrap();
        faults.fire(id, 0).unwrap();
        (faults, id)
    }

    #[test]
    fn a_counted_drop_ends() {
        let (mut faults, id) = active(json!({"kind": "drop_updates", "bot": 1, "count": 2}));
        let fates: Vec<_> = (0..3)
            .map(|_| faults.fate_of_update(UserId(1), 5))
            .collect();
        assert_eq!(
            fates,
            [
                UpdateFate::LostTo(id),
                UpdateFate::LostTo(id),
                UpdateFate::Pass
            ]
        );
        assert_eq!(faults.fate_of_update(UserId(2), 5), UpdateFate::Pass);
    }

    #[test]
    fn a_silence_of_live_sockets_spares_later_ones() {
        let spec = json!({"kind": "silent", "bot": 1, "live_only": true});
        let mut faults = Faults::new(3);
        let id = faults.add(FaultSpec::from_json(spec).unwrap()).unwrap();
        faults.fire(id, 0).unwrap();
        faults.strike_sockets(id, [4, 7].into());
        assert_eq!(faults.is_silent(Some(UserId(1)), 7), Some(id));
        assert_eq!(faults.is_silent(Some(UserId(1)), 8), None, "a later socket");
        assert_eq!(faults.is_silent(Some(UserId(2)), 4), None, "another bot's");
        assert_eq!(faults.fate_of_update(UserId(1), 4), UpdateFate::LostTo(id));
        assert_eq!(faults.fate_of_update(UserId(1), 8), UpdateFate::Pass);
    }

    #[test]
    fn delays_lie_within_their_bounds_and_loss_hits_its_share() {
        let (mut slow, _) = active(json!({"kind": "slow", "delay_ms": 50, "jitter_ms": 10}));
        assert!((0..100).all(|_| (50..=60).contains(&slow.delay(None).ms)));
        let (mut loss, _) = active(json!({"kind": "loss", "percent": 5, "stall_ms": 7}));
        let stalls = (0..10_000)
            .filter(|_| loss.delay(Some(UserId(1))).ms == 7)
            .count();
        assert!((400..600).contains(&stalls), "{stalls} of 10000");
    }
}
