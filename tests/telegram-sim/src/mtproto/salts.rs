//! Server salts: a stream per auth key that nobody can guess, a value for each half hour, good for an hour.

use grammers_tl_types as tl;
use sha2::{Digest, Sha256};

const PERIOD_S: i64 = 30 * 60;
const LIFETIME_S: i64 = 2 * PERIOD_S;

/// The most salts that one `get_future_salts` is answered with.
const MAX_FUTURE: i32 = 64;

/// Derives salts from a secret of this run; nothing is stored.
#[derive(Debug)]
pub struct Salts {
    secret: [u8; 32],
}

impl Salts {
    pub fn new(secret: [u8; 32]) -> Self {
        Self { secret }
    }

    pub fn current(&self, key_id: i64, now_s: i64) -> i64 {
        self.of_period(key_id, now_s.div_euclid(PERIOD_S))
    }

    pub fn is_valid(&self, key_id: i64, salt: i64, now_s: i64) -> bool {
        let period = now_s.div_euclid(PERIOD_S);
        salt == self.of_period(key_id, period) || salt == self.of_period(key_id, period - 1)
    }

    /// The current salt and the ones that follow.
    pub fn future(&self, key_id: i64, count: i32, now_s: i64) -> Vec<tl::types::FutureSalt> {
        let period = now_s.div_euclid(PERIOD_S);
        (0..i64::from(count.clamp(1, MAX_FUTURE)))
            .map(|ahead| {
                let since = (period + ahead) * PERIOD_S;
                tl::types::FutureSalt {
                    valid_since: since as i32,
                    valid_until: (since + LIFETIME_S) as i32,
                    salt: self.of_period(key_id, period + ahead),
                }
            })
            .collect()
    }

    fn of_period(&self, key_id: i64, period: i64) -> i64 {
        let hash = Sha256::new()
            .chain_update(self.secret)
            .chain_update(key_id.to_le_bytes())
            .chain_update(period.to_le_bytes())
            .finalize();
        let mut raw = [0; 8];
        raw.copy_from_slice(&hash[..8]);
        i64::from_le_bytes(raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_salt_outlives_its_half_hour_by_one() {
        let salts = Salts::new([7; 32]);
        let salt = salts.current(1, 1800 * 10);
        for (at, valid) in [
            (1800 * 10, true),
            (1800 * 12 - 1, true),
            (1800 * 12, false),
            (1800 * 9, false),
        ] {
            assert_eq!(salts.is_valid(1, salt, at), valid, "at {at}");
        }
        assert!(
            !salts.is_valid(2, salt, 1800 * 10),
            "another key has other salts"
        );
    }

    #[test]
    fn future_salts_start_with_the_current_one() {
        let salts = Salts::new([7; 32]);
        let future = salts.future(1, 3, 1800 * 10 + 5);
        assert_eq!(future[0].salt, salts.current(1, 1800 * 10 + 5));
        assert_eq!(future[2].salt, salts.current(1, 1800 * 12));
        assert_eq!(future.len(), 3);
        assert_eq!(salts.future(1, 10_000, 0).len(), 64);
    }
}
