//! The only clock: wall time for Telegram's dates, monotonic time since the start for everything that is measured.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::world::Now;

#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    pub fn now(&self) -> Now {
        // A host clock before 1970 reads as 1970; clients' ids are then refused, as they should be.
        let unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Now {
            unix_ms: unix.as_millis() as i64,
            mono_ms: self.start.elapsed().as_millis() as u64,
        }
    }

    pub fn instant_of(&self, mono_ms: u64) -> Instant {
        self.start + Duration::from_millis(mono_ms)
    }
}
