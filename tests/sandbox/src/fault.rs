//! Which fault, and when: drawn from the seed, so that a run can be had again.
//!
//! In half of the seeds the fault lands between the moment an update reaches the worker's socket and its commit; in the others at any
//! moment of the traffic. A revocation is armed in the simulator and fires under its lock at the delivery, so it is exact; a SIGKILL follows the
//! delivery's log entry by a few drawn fractions of a millisecond, so over many seeds it lands before, in and after the commit.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum FaultKind {
    /// The active bot's token is revoked; its sessions are killed
    Revoke,
    /// The worker that holds the active bot gets SIGKILL
    KillWorker,
}

impl FaultKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Revoke => "revoke",
            Self::KillWorker => "kill-worker",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    BetweenReceiveAndCommit,
    AnyTime,
}

impl Moment {
    pub fn words(self) -> &'static str {
        match self {
            Self::BetweenReceiveAndCommit => "between receive and commit",
            Self::AnyTime => "at a random moment",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultPlan {
    pub moment: Moment,
    /// So long after the members went on talking.
    pub lead_ms: u64,
    /// How many of them send at one instant when it lands.
    pub clump: usize,
    /// From the delivery to the SIGKILL.
    pub kill_delay_us: u64,
}

impl FaultPlan {
    /// The parity of the seed decides the kind of moment, so that any ten seeds in a row have five of each.
    pub fn draw(seed: u64, rng: &mut ChaCha8Rng) -> Self {
        Self {
            moment: if seed.is_multiple_of(2) {
                Moment::AnyTime
            } else {
                Moment::BetweenReceiveAndCommit
            },
            lead_ms: rng.random_range(300..1_500),
            clump: rng.random_range(8..=24),
            kill_delay_us: rng.random_range(0..2_500),
        }
    }
}

/// What happened, as the simulator's log or our own signal dates it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultFacts {
    pub kind: FaultKind,
    /// The bot that was active.
    pub bot: i64,
    pub at_ms: i64,
    /// Its entry in the simulator's log, which orders what the clock cannot; our own signal has none.
    pub seq: Option<u64>,
    /// From here on nothing that members receive is the struck connection's work any more.
    pub quiet_ms: i64,
}

/// What was sent to a bot so shortly before its token was revoked may not have been delivered, or not committed, when
/// it died; the way to a commit takes a few milliseconds. What is older must have been served.
pub const IN_FLIGHT_MS: i64 = 100;

impl FaultFacts {
    /// Whether a message was sent before it.
    pub fn is_after(&self, seq: Option<u64>, sent_ms: i64) -> bool {
        match (self.seq, seq) {
            (Some(fault), Some(message)) => message < fault,
            _ => sent_ms <= self.at_ms,
        }
    }

    /// Nobody can know what was said there: it lies in a dead bot's private box.
    pub fn out_of_reach(&self, to: Option<i64>, sent_ms: i64) -> bool {
        match self.kind {
            FaultKind::Revoke => to == Some(self.bot) && sent_ms >= self.at_ms - IN_FLIGHT_MS,
            FaultKind::KillWorker => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn any_two_seeds_in_a_row_have_both_moments() {
        for seed in 0..10 {
            let draw = |seed| FaultPlan::draw(seed, &mut ChaCha8Rng::seed_from_u64(seed)).moment;
            assert_ne!(draw(seed), draw(seed + 1));
        }
    }

    #[test]
    fn the_log_orders_what_happened_in_one_millisecond() {
        let fault = FaultFacts {
            kind: FaultKind::Revoke,
            bot: 1,
            at_ms: 1_000,
            seq: Some(50),
            quiet_ms: 1_000,
        };
        assert!(fault.is_after(Some(49), 1_000));
        assert!(!fault.is_after(Some(51), 1_000));
        assert!(fault.is_after(None, 1_000));
    }

    #[test]
    fn only_a_revoked_bots_private_box_is_out_of_reach() {
        let facts = |kind| FaultFacts {
            kind,
            bot: 1,
            at_ms: 1_000,
            seq: Some(50),
            quiet_ms: 1_000,
        };
        let revoke = facts(FaultKind::Revoke);
        assert!(revoke.out_of_reach(Some(1), 2_000));
        assert!(revoke.out_of_reach(Some(1), 950));
        assert!(
            !revoke.out_of_reach(Some(1), 800),
            "it had time to be committed"
        );
        assert!(
            !revoke.out_of_reach(None, 2_000),
            "the group is everybody's"
        );
        assert!(!revoke.out_of_reach(Some(2), 2_000), "another bot");
        assert!(
            !facts(FaultKind::KillWorker).out_of_reach(Some(1), 2_000),
            "the bot lives on"
        );
    }
}
