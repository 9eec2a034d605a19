//! The only place that reads a clock or asks for randomness; everyone else gets time and nonces as arguments or from here.
//!
//! Invariant: a duration is measured on `CLOCK_BOOTTIME`, which never jumps and goes on in suspend (`Instant` on Linux is
//! `CLOCK_MONOTONIC`, which stands still there); a date is read from the wall clock and never judged by.
//! Source: clock_gettime(2).

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use shared_core::{BootMs, Nonce, SwitchId, UnixMs};

/// Milliseconds since this machine was started, suspend included.
pub fn boot_now() -> BootMs {
    let now = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let millis = u64::try_from(now.tv_nsec / 1_000_000).unwrap_or(0);
    BootMs(seconds.saturating_mul(1000).saturating_add(millis))
}

/// How long it is until `deadline`; zero when it has passed.
pub fn until(deadline: BootMs) -> Duration {
    deadline.since(boot_now())
}

/// The wall clock, for records and for people.
pub fn unix_now() -> UnixMs {
    #[allow(clippy::disallowed_methods)] // this is the file that the ban points to
    let now = std::time::SystemTime::now();
    let millis = match now.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
    };
    UnixMs(millis)
}

/// A nonce that no other call, process or machine has. It tells holders apart; it is not a secret and none is made of it.
pub fn nonce() -> Nonce {
    Nonce(random_bytes())
}

/// The id of a switch that is about to be decided.
pub fn switch_id() -> SwitchId {
    SwitchId(random_bytes())
}

fn random_bytes() -> [u8; 8] {
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => bytes,
        Err(_) => unique_without_the_kernel(),
    }
}

/// Where the kernel gives no randomness (a sandbox that forbids the call), uniqueness is still owed: the standard
/// library's keyed hash over the process, both clocks and a counter.
fn unique_without_the_kernel() -> [u8; 8] {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let mut hash = RandomState::new().build_hasher();
    hash.write_u32(std::process::id());
    hash.write_u64(boot_now().0);
    hash.write_i64(unix_now().0);
    hash.write_u64(CALLS.fetch_add(1, Ordering::Relaxed));
    hash.finish().to_be_bytes()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_boot_clock_never_goes_back_and_a_passed_deadline_is_zero_away() {
        let first = boot_now();
        assert!(boot_now() >= first);
        assert!(first.0 > 0);
        assert_eq!(until(BootMs(0)), Duration::ZERO);
        assert!(until(first.plus(Duration::from_secs(3600))) > Duration::from_secs(3500));
    }

    #[test]
    fn the_wall_clock_is_in_this_century() {
        let (y2024, y2100) = (UnixMs(1_704_067_200_000), UnixMs(4_102_444_800_000));
        assert!((y2024..y2100).contains(&unix_now()));
    }

    #[test]
    fn nonces_do_not_repeat_with_or_without_the_kernel() {
        let kernel: HashSet<Nonce> = (0..1000).map(|_| nonce()).collect();
        assert_eq!(kernel.len(), 1000);
        let own: HashSet<[u8; 8]> = (0..1000).map(|_| unique_without_the_kernel()).collect();
        assert_eq!(own.len(), 1000);
    }
}
