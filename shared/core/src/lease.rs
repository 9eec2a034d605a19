//! The login lease: who may hold a bot's connection, commit its private box and answer its admins.
//!
//! The holder judges its own expiry, and only from what it knows: the moment the renewal was *sent*, plus the time to
//! live, minus a margin for the clocks' drift. Redis expires the key one margin later at the earliest, so there is no moment in
//! which the old holder believes in a lease that another could have taken. Invariant: [`LeaseClock::holds`] is false from the
//! deadline on, until a renewal that was sent later succeeds.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{BootMs, BotId, LoginSlot, Nonce, WorkerId};

/// Who holds a bot's connection, as it stands in Redis under the bot's lease key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginLease {
    pub bot: BotId,
    pub slot: LoginSlot,
    pub worker: WorkerId,
    pub nonce: Nonce,
}

/// A worker whose lease ran out because Redis does not answer keeps its connection for so long, quietly, to answer admins.
pub const QUIET_AT_MOST: Duration = Duration::from_secs(600);

/// Whoever used a login and is not known to have let go of it has done so after this long: a quiet worker by [`QUIET_AT_MOST`], one that
/// hangs because Telegram drops a connection that does not ping for 75 s.
pub const LETS_GO_AFTER: Duration = Duration::from_secs(660);

/// How long a lease lives and how early its holder stops believing in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTiming {
    pub ttl: Duration,
    pub renew_every: Duration,
    pub margin: Duration,
}

impl Default for LeaseTiming {
    /// For a Redis on the same machine: a dead holder is replaced after at most a second, and three renewals may fail.
    fn default() -> Self {
        Self {
            ttl: Duration::from_millis(1000),
            renew_every: Duration::from_millis(250),
            margin: Duration::from_millis(100),
        }
    }
}

/// The holder's own judgement of its lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseClock {
    deadline: Option<BootMs>,
}

impl LeaseClock {
    pub fn not_held() -> Self {
        Self { deadline: None }
    }

    /// A renewal that was sent at `sent_at` has been confirmed.
    pub fn renewed(&mut self, sent_at: BootMs, timing: &LeaseTiming) {
        let deadline = sent_at.plus(timing.ttl).minus(timing.margin);
        self.deadline = Some(self.deadline.map_or(deadline, |known| known.max(deadline)));
    }

    /// Redis said that somebody else has it, or it was given back.
    pub fn lost(&mut self) {
        self.deadline = None;
    }

    pub fn holds(&self, now: BootMs) -> bool {
        self.deadline.is_some_and(|deadline| now < deadline)
    }

    pub fn deadline(&self) -> Option<BootMs> {
        self.deadline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_counted_from_when_the_renewal_was_sent() {
        let timing = LeaseTiming::default();
        let mut clock = LeaseClock::not_held();
        assert!(!clock.holds(BootMs(0)));
        clock.renewed(BootMs(1000), &timing);
        assert!(clock.holds(BootMs(1899)));
        assert!(!clock.holds(BootMs(1900)), "the margin is not ours");
    }

    #[test]
    fn a_late_answer_to_an_early_renewal_does_not_shorten_the_lease() {
        let timing = LeaseTiming::default();
        let mut clock = LeaseClock::not_held();
        clock.renewed(BootMs(2000), &timing);
        clock.renewed(BootMs(1000), &timing);
        assert!(clock.holds(BootMs(2899)));
        clock.lost();
        assert!(!clock.holds(BootMs(2001)));
    }
}
