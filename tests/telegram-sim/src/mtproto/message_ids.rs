//! The server's message ids: Unix time in the upper half, rising strictly, 1 modulo 4 for answers and 3 for the rest.

use std::sync::atomic::{AtomicI64, Ordering};

/// What a server message is, as far as its id tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An answer to one client message.
    Answer,
    /// A notification nobody asked for, or a container.
    Notice,
}

/// One generator for all sessions: ids then rise in each of them.
#[derive(Debug, Default)]
pub struct MessageIds {
    last: AtomicI64,
}

impl MessageIds {
    pub fn next(&self, unix_ms: i64, origin: Origin) -> i64 {
        let fraction = (unix_ms.rem_euclid(1000) << 32) / 1000;
        let floor = (unix_ms.div_euclid(1000) << 32 | fraction) & !3;
        let step = |last: i64| floor.max((last & !3) + 4);
        let previous = self
            .last
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
                Some(step(last))
            });
        // The closure never refuses, so both arms carry the previous value.
        let (Ok(last) | Err(last)) = previous;
        step(last) | origin.bits()
    }
}

impl Origin {
    fn bits(self) -> i64 {
        match self {
            Self::Answer => 1,
            Self::Notice => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_even_when_the_clock_stands_or_jumps_back() {
        let ids = MessageIds::default();
        let times = [
            1_700_000_000_123,
            1_700_000_000_123,
            1_600_000_000_000,
            1_700_000_000_124,
        ];
        let got: Vec<i64> = times
            .iter()
            .map(|&at| ids.next(at, Origin::Answer))
            .collect();
        assert!(got.is_sorted_by(|a, b| a < b), "{got:?}");
        assert_eq!(got[0] >> 32, 1_700_000_000);
        assert_eq!(got[0] & 3, 1);
        assert_eq!(ids.next(0, Origin::Notice) & 3, 3);
    }
}
