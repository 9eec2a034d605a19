//! The sandbox's only look at the clock. Everything is measured in the wall clock's milliseconds, because the simulator's log, the
//! supervisor's timeline and this process share one machine and that clock; a run during which the clock is set is void.

use std::time::{SystemTime, UNIX_EPOCH};

pub fn unix_ms() -> i64 {
    #[allow(clippy::disallowed_methods)] // the one place; see the module's words
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}
