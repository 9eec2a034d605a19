//! Faults that answer a call with an error before the world looks at it: by account, by method, so many times, with a probability,
//! or a flood wait that lasts. Wire faults (silence, resets, loss) are not here.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::api::{RpcFault, RpcFaultEffect};
use super::error::RpcError;
use super::ids::UserId;

#[derive(Debug)]
struct Armed {
    id: u64,
    fault: RpcFault,
    set_ms: u64,
    hits_left: Option<u32>,
}

#[derive(Debug, Default)]
pub(crate) struct RpcFaults {
    armed: Vec<Armed>,
}

/// A fault that hit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub fault: u64,
    pub error: RpcError,
}

impl RpcFaults {
    pub fn add(&mut self, id: u64, fault: RpcFault, now_ms: u64) {
        let hits_left = fault.count;
        self.armed.push(Armed {
            id,
            fault,
            set_ms: now_ms,
            hits_left,
        });
    }

    pub fn clear(&mut self, id: u64) -> bool {
        let before = self.armed.len();
        self.armed.retain(|armed| armed.id != id);
        before != self.armed.len()
    }

    /// The first fault that hits this call; faults that are used up or over are dropped.
    pub fn consult(
        &mut self,
        account: Option<UserId>,
        method: &str,
        now_ms: u64,
        rng: &mut ChaCha8Rng,
    ) -> Option<Hit> {
        if self.armed.is_empty() {
            return None;
        }
        self.armed
            .retain(|armed| armed.hits_left != Some(0) && armed.rest_ms(now_ms) != Some(0));
        let armed = self.armed.iter_mut().find(|armed| {
            armed.matches(account, method) && rng.random_range(0.0..100.0) < armed.fault.percent
        })?;
        armed.hits_left = armed.hits_left.map(|left| left.saturating_sub(1));
        let error = match &armed.fault.effect {
            RpcFaultEffect::Error(error) => error.clone(),
            RpcFaultEffect::Flood { .. } => {
                RpcError::flood_wait(armed.rest_ms(now_ms).unwrap_or(0))
            }
        };
        Some(Hit {
            fault: armed.id,
            error,
        })
    }
}

impl Armed {
    fn matches(&self, account: Option<UserId>, method: &str) -> bool {
        self.fault
            .account
            .is_none_or(|wanted| Some(wanted) == account)
            && self
                .fault
                .method
                .as_deref()
                .is_none_or(|wanted| wanted == method)
    }

    /// What is left of a wait; `None` for faults without a length.
    fn rest_ms(&self, now_ms: u64) -> Option<u64> {
        match self.fault.effect {
            RpcFaultEffect::Flood { seconds } => {
                Some((self.set_ms + seconds * 1_000).saturating_sub(now_ms))
            }
            RpcFaultEffect::Error(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn fault(effect: RpcFaultEffect) -> RpcFault {
        RpcFault {
            account: Some(UserId(1)),
            method: Some("messages.sendMessage".into()),
            effect,
            count: None,
            percent: 100.0,
        }
    }

    fn consult(faults: &mut RpcFaults, account: i64, method: &str, now_ms: u64) -> Option<String> {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        faults
            .consult(Some(UserId(account)), method, now_ms, &mut rng)
            .map(|hit| hit.error.message)
    }

    #[test]
    fn hits_only_what_it_names_and_only_so_often() {
        let mut faults = RpcFaults::default();
        let error = RpcFaultEffect::Error(RpcError::server("RPC_CALL_FAIL"));
        faults.add(
            7,
            RpcFault {
                count: Some(1),
                ..fault(error)
            },
            0,
        );
        assert_eq!(consult(&mut faults, 2, "messages.sendMessage", 0), None);
        assert_eq!(consult(&mut faults, 1, "help.getConfig", 0), None);
        assert_eq!(
            consult(&mut faults, 1, "messages.sendMessage", 0).as_deref(),
            Some("RPC_CALL_FAIL")
        );
        assert_eq!(consult(&mut faults, 1, "messages.sendMessage", 0), None);
    }

    #[test]
    fn a_flood_tells_the_rest_of_the_wait_and_ends() {
        let mut faults = RpcFaults::default();
        faults.add(7, fault(RpcFaultEffect::Flood { seconds: 30 }), 1_000);
        let mut at = |now_ms| consult(&mut faults, 1, "messages.sendMessage", now_ms);
        assert_eq!(at(1_000).as_deref(), Some("FLOOD_WAIT_30"));
        assert_eq!(at(21_500).as_deref(), Some("FLOOD_WAIT_10"));
        assert_eq!(at(31_000), None);
    }
}
