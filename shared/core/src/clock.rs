//! Two clocks that cannot be mixed up: wall time for records and Telegram's dates, boot time for durations.
//!
//! Invariant: a deadline is only ever compared on the clock it was made on. The crate reads neither clock.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01 UTC; for records, ages shown to people, and Telegram's dates. It may jump.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(transparent)]
pub struct UnixMs(pub i64);

impl UnixMs {
    /// Milliseconds from `earlier` to `self`, never below zero.
    pub fn since(self, earlier: UnixMs) -> u64 {
        self.0.saturating_sub(earlier.0).max(0).unsigned_abs()
    }

    /// Telegram dates are whole seconds.
    pub fn from_telegram_date(seconds: i32) -> Self {
        Self(i64::from(seconds) * 1000)
    }
}

impl fmt::Display for UnixMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Milliseconds on `CLOCK_BOOTTIME`: never jumps and goes on in suspend, so an overslept lease is seen as overslept.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(transparent)]
pub struct BootMs(pub u64);

impl BootMs {
    pub fn plus(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)),
        )
    }

    pub fn minus(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)),
        )
    }

    /// Time from `earlier` to `self`, never below zero.
    pub fn since(self, earlier: BootMs) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}
