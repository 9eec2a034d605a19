//! Waiting longer after each failure, with jitter, and giving up in time. The only file that names the `backoff` crate.
//!
//! Why it is behind our own words: `backoff` is archived (RUSTSEC-2025-0012) and so is `instant`, which it depends on
//! (RUSTSEC-2024-0384). Neither advisory is a vulnerability, both say *unmaintained*; what we use of it is the arithmetic of
//! `ExponentialBackoff` and nothing else, neither its futures nor its clock's wasm side. Replacing it means rewriting this file;
//! `deny.toml` names both advisories and points here.
//!
//! Invariants: a delay is never longer than the policy's `max`; a policy with `give_up_after` ends; what is permanent is not
//! tried again. This module does not decide what is worth trying again: the caller's [`Failure`] does.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use backoff::backoff::Backoff as _;
use backoff::{ExponentialBackoff, ExponentialBackoffBuilder};

/// How fast to come back and when to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The first delay, before jitter (half to one and a half times of it).
    pub initial: Duration,
    /// No delay is longer than this.
    pub max: Duration,
    /// Counted from the first delay or the last [`Backoff::reset`]; `None` goes on for ever.
    pub give_up_after: Option<Duration>,
}

impl RetryPolicy {
    /// For connections that are wanted as long as the process lives.
    pub const fn forever(initial: Duration, max: Duration) -> Self {
        Self {
            initial,
            max,
            give_up_after: None,
        }
    }
}

/// The delays of one policy, one after another, each about twice the one before.
pub struct Backoff {
    inner: ExponentialBackoff,
    max: Duration,
}

impl Backoff {
    pub fn new(policy: RetryPolicy) -> Self {
        let inner = ExponentialBackoffBuilder::new()
            .with_initial_interval(policy.initial.min(policy.max))
            .with_max_interval(policy.max)
            .with_multiplier(2.0)
            .with_randomization_factor(0.5)
            .with_max_elapsed_time(policy.give_up_after)
            .build();
        Self {
            inner,
            max: policy.max,
        }
    }

    /// How long to wait before the next attempt; `None` when it is time to give up.
    pub fn next_delay(&mut self) -> Option<Duration> {
        self.inner.next_backoff().map(|delay| delay.min(self.max))
    }

    /// After a success: the next failure starts again with the shortest delay.
    pub fn reset(&mut self) {
        self.inner.reset();
    }
}

impl fmt::Debug for Backoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backoff")
            .field("next_about", &self.inner.current_interval)
            .field("max", &self.max)
            .finish()
    }
}

/// What an attempt that did not succeed says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure<E> {
    /// Another attempt may succeed.
    Transient(E),
    /// No attempt will.
    Permanent(E),
}

/// Repeats `attempt` until it succeeds, fails permanently or the policy gives up; returns the last error then.
///
/// The time-out of each attempt is the attempt's own business: a policy bounds the pauses, not what hangs.
pub async fn retry<T, E, F, Fut>(policy: RetryPolicy, mut attempt: F) -> Result<T, E>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, Failure<E>>>,
{
    let mut backoff = Backoff::new(policy);
    loop {
        let error = match attempt().await {
            Ok(value) => return Ok(value),
            Err(Failure::Permanent(error)) => return Err(error),
            Err(Failure::Transient(error)) => error,
        };
        match backoff.next_delay() {
            Some(delay) => tokio::time::sleep(delay).await,
            None => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const QUICK: RetryPolicy =
        RetryPolicy::forever(Duration::from_millis(1), Duration::from_millis(4));

    #[test]
    fn delays_grow_with_jitter_up_to_the_maximum_and_start_over_after_a_reset() {
        let policy = RetryPolicy::forever(Duration::from_millis(100), Duration::from_millis(1000));
        let mut backoff = Backoff::new(policy);
        let delays: Vec<Duration> = (0..50).filter_map(|_| backoff.next_delay()).collect();
        assert_eq!(delays.len(), 50, "a policy without an end goes on");
        let first = Duration::from_millis(50)..=Duration::from_millis(151);
        assert!(first.contains(&delays[0]), "{:?}", delays[0]);
        assert!(delays.iter().all(|delay| *delay <= policy.max));
        assert!(
            delays[10..]
                .iter()
                .any(|delay| *delay > Duration::from_millis(600))
        );
        backoff.reset();
        assert!(
            backoff
                .next_delay()
                .is_some_and(|delay| first.contains(&delay))
        );
    }

    #[test]
    fn a_policy_with_an_end_gives_up() {
        let mut backoff = Backoff::new(RetryPolicy {
            initial: Duration::from_secs(10),
            max: Duration::from_secs(10),
            give_up_after: Some(Duration::from_secs(1)),
        });
        assert_eq!(
            backoff.next_delay(),
            None,
            "the pause alone would be too long"
        );
    }

    #[tokio::test]
    async fn the_transient_is_tried_again_and_the_permanent_is_not() {
        let calls = Cell::new(0);
        let third = retry(QUICK, || async {
            calls.set(calls.get() + 1);
            if calls.get() < 3 {
                Err(Failure::Transient("busy"))
            } else {
                Ok(calls.get())
            }
        });
        assert_eq!(third.await, Ok(3));
        calls.set(0);
        let refused: Result<(), &str> = retry(QUICK, || async {
            calls.set(calls.get() + 1);
            Err(Failure::Permanent("no such database"))
        })
        .await;
        assert_eq!((refused, calls.get()), (Err("no such database"), 1));
    }
}
