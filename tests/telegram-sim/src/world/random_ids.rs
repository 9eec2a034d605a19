//! Memory of `random_id`s: the same one again within the memory is not sent twice. Whether it is kept per account or per login, and for
//! how long, are doubts; so the scope comes in with each question.

use std::collections::{HashSet, VecDeque};

/// Account id or auth key id, by doubt.
pub(crate) type Scope = i64;

#[derive(Debug, Default)]
pub(crate) struct RandomIds {
    known: HashSet<(Scope, i64)>,
    /// In order of remembering; the memory's length may change, so each carries its own time.
    order: VecDeque<(u64, Scope, i64)>,
}

impl RandomIds {
    pub fn is_known(&mut self, scope: Scope, random_id: i64, memory_ms: u64, now_ms: u64) -> bool {
        while let Some((at, scope, id)) = self.order.front().copied() {
            if now_ms.saturating_sub(at) < memory_ms {
                break;
            }
            self.order.pop_front();
            self.known.remove(&(scope, id));
        }
        self.known.contains(&(scope, random_id))
    }

    pub fn remember(&mut self, scope: Scope, random_id: i64, now_ms: u64) {
        if self.known.insert((scope, random_id)) {
            self.order.push_back((now_ms, scope, random_id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_within_the_memory_and_the_scope() {
        let mut ids = RandomIds::default();
        assert!(!ids.is_known(1, 77, 1_000, 0));
        ids.remember(1, 77, 0);
        assert!(ids.is_known(1, 77, 1_000, 999));
        assert!(!ids.is_known(2, 77, 1_000, 999));
        assert!(!ids.is_known(1, 77, 1_000, 1_000));
    }
}
