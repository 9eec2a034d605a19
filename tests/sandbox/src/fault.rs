//! Which faults, and when: drawn from the seed, so that a run can be had again; and what came of them.
//!
//! In half of the seeds the first fault lands between the moment an update reaches the worker's socket and its commit; in the others at any
//! moment of the traffic. What the simulator does (revoke, silent) is armed and fires under its lock at the delivery, so it is exact; a signal
//! follows the delivery's log entry by a few drawn fractions of a millisecond, so over many seeds it lands before, in and after the commit.
//! A second fault lands a drawn time after the first.

mod reach;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::doubts::{Doubts, LiveSessions};

pub use reach::{Move, OutOfReach, active_at, out_of_reach, stood_by};

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum FaultKind {
    /// The active bot's token is revoked; its sessions are killed
    Revoke,
    /// The worker that holds the active bot gets SIGKILL
    KillWorker,
    /// The worker that holds the active bot gets SIGSTOP, and SIGCONT later
    HangWorker,
    /// The active bot's line swallows everything both ways; no socket is closed
    Silent,
    /// The supervisor gets SIGKILL and is started again, as a service manager would
    KillSupervisor,
    /// The private Redis gets SIGKILL
    KillRedis,
}

impl FaultKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Revoke => "revoke",
            Self::KillWorker => "kill-worker",
            Self::HangWorker => "hang-worker",
            Self::Silent => "silent",
            Self::KillSupervisor => "kill-supervisor",
            Self::KillRedis => "kill-redis",
        }
    }

    /// Whether it hits who serves the members, so that they are served by somebody else or by a new connection afterwards.
    pub fn hits_the_holder(self) -> bool {
        match self {
            Self::Revoke | Self::KillWorker | Self::HangWorker | Self::Silent => true,
            Self::KillSupervisor | Self::KillRedis => false,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    BetweenReceiveAndCommit,
    AnyTime,
    /// So long after the first fault.
    After {
        ms: u64,
    },
}

impl Moment {
    pub fn words(self) -> String {
        match self {
            Self::BetweenReceiveAndCommit => "between receive and commit".into(),
            Self::AnyTime => "at a random moment".into(),
            Self::After { ms } => format!("{ms} ms after the first or as soon as it can strike"),
        }
    }
}

/// One fault as it was drawn. What does not concern its kind is drawn all the same, so that a seed means the same for every kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlowPlan {
    pub kind: FaultKind,
    pub moment: Moment,
    /// From the delivery to the signal.
    pub delay_us: u64,
    /// From SIGSTOP to SIGCONT. A silent local worker is killed after about 1.5 s, so a third of them wake up.
    pub hang_ms: u64,
    /// Only the sockets that are open at that moment fall silent: another connection of the same bot is well.
    pub live_only: bool,
    /// The line is well again so long afterwards; else it stays silent.
    pub clears_after_ms: Option<u64>,
    /// From the supervisor's SIGKILL to its next start.
    pub down_ms: u64,
    /// The sessions of a revoked token live on; nothing stops then.
    pub live_on: bool,
    /// A second SIGKILL that found no supervisor strikes so long after its start.
    pub late_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultPlan {
    /// So long after the members went on talking.
    pub lead_ms: u64,
    /// How many of them send at one instant when it lands.
    pub clump: usize,
    pub first: BlowPlan,
    pub then: Option<BlowPlan>,
}

/// Of these a third is shorter than it takes to be found out.
const HANGS_MS: [std::ops::Range<u64>; 3] = [700..1_450, 1_450..3_000, 3_000..6_000];
const AFTER_MS: std::ops::Range<u64> = 50..2_500;

impl FaultPlan {
    /// The parity of the seed decides the kind of moment, so that any ten seeds in a row have five of each.
    pub fn draw(seed: u64, kind: FaultKind, then: Option<FaultKind>, rng: &mut ChaCha8Rng) -> Self {
        let doubts = Doubts::draw(seed, kind, then);
        let live_on = doubts.revoke_live_sessions == LiveSessions::LiveOn;
        let moment = if seed.is_multiple_of(2) {
            Moment::AnyTime
        } else {
            Moment::BetweenReceiveAndCommit
        };
        let lead_ms = rng.random_range(300..1_500);
        let clump = rng.random_range(8..=24);
        let first = BlowPlan::draw(kind, moment, live_on, rng);
        let after = Moment::After {
            ms: rng.random_range(AFTER_MS),
        };
        let then = then.map(|kind| BlowPlan::draw(kind, after, live_on, rng));
        Self {
            lead_ms,
            clump,
            first,
            then,
        }
    }
}

impl BlowPlan {
    fn draw(kind: FaultKind, moment: Moment, live_on: bool, rng: &mut ChaCha8Rng) -> Self {
        let delay_us = rng.random_range(0..2_500);
        let hangs = HANGS_MS[rng.random_range(0..HANGS_MS.len())].clone();
        Self {
            kind,
            moment,
            delay_us,
            hang_ms: rng.random_range(hangs),
            live_only: rng.random_bool(0.5),
            clears_after_ms: rng
                .random_bool(0.5)
                .then_some(rng.random_range(1_500..12_000)),
            down_ms: rng.random_range(300..4_000),
            late_ms: rng.random_range(0..1_500),
            live_on: live_on && kind == FaultKind::Revoke,
        }
    }

    pub fn details(&self) -> Details {
        match self.kind {
            FaultKind::Revoke if self.live_on => Details::LivesOn,
            FaultKind::Revoke | FaultKind::KillWorker | FaultKind::KillRedis => Details::None,
            FaultKind::HangWorker => Details::Hang { ms: self.hang_ms },
            FaultKind::Silent => Details::Silence {
                live_only: self.live_only,
                clears_after_ms: self.clears_after_ms,
            },
            FaultKind::KillSupervisor => Details::Down { ms: self.down_ms },
        }
    }
}

/// What belongs to one kind of fault only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Details {
    None,
    /// The token is gone, its sessions are not.
    LivesOn,
    Hang {
        ms: u64,
    },
    Silence {
        live_only: bool,
        clears_after_ms: Option<u64>,
    },
    Down {
        ms: u64,
    },
}

impl Details {
    pub fn words(self) -> String {
        match self {
            Self::None => String::new(),
            Self::LivesOn => "its sessions live on".into(),
            Self::Hang { ms } => format!("SIGCONT after {ms} ms"),
            Self::Silence {
                live_only,
                clears_after_ms,
            } => {
                let what = if live_only {
                    "the open connections"
                } else {
                    "every connection"
                };
                match clears_after_ms {
                    Some(ms) => format!("{what}, for {ms} ms"),
                    None => format!("{what}, for good"),
                }
            }
            Self::Down { ms } => format!("started again after {ms} ms"),
        }
    }
}

/// What happened, as the simulator's log or our own signal dates it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blow {
    pub kind: FaultKind,
    pub moment: Moment,
    pub details: Details,
    /// The bot that was active.
    pub bot: i64,
    pub at_ms: i64,
    /// Its entry in the simulator's log, which orders what the clock cannot; our own signal has none.
    pub seq: Option<u64>,
    /// From here on nothing that members receive is the struck connection's work any more.
    pub quiet_ms: i64,
}

/// A hang or a silence that lasts longer than this cannot go unnoticed: a local worker is given 1.5 s, a line 3.5 s, and a look is a
/// quarter of a second.
const HANG_IS_SEEN_MS: u64 = 2_500;
const SILENCE_IS_SEEN_MS: u64 = 6_000;

impl Blow {
    /// Whether a message was sent before it.
    pub fn is_after(&self, seq: Option<u64>, sent_ms: i64) -> bool {
        match (self.seq, seq) {
            (Some(fault), Some(message)) => message < fault,
            _ => sent_ms <= self.at_ms,
        }
    }

    /// Whether the supervisor cannot have dealt with it without a switch or a takeover.
    pub fn needs_switch(&self) -> bool {
        match (self.kind, self.details) {
            (_, Details::LivesOn) => false,
            (FaultKind::Revoke | FaultKind::KillWorker, _) => true,
            (_, Details::Hang { ms }) => ms >= HANG_IS_SEEN_MS,
            // Another connection of the same bot helps as well.
            (
                _,
                Details::Silence {
                    live_only,
                    clears_after_ms,
                },
            ) => !live_only && clears_after_ms.is_none_or(|ms| ms >= SILENCE_IS_SEEN_MS),
            _ => false,
        }
    }
}

/// One fault, or two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blows {
    pub first: Blow,
    pub then: Option<Blow>,
}

impl Blows {
    pub fn iter(&self) -> impl Iterator<Item = &Blow> {
        std::iter::once(&self.first).chain(self.then.as_ref())
    }

    /// `revoke`, or `revoke+kill-redis`.
    pub fn name(&self) -> String {
        let names: Vec<&str> = self.iter().map(|blow| blow.kind.name()).collect();
        names.join("+")
    }

    /// Whether there has to be a switch or a takeover in the record. A worker that died while the supervisor was away is started again by the
    /// next one, and goes on in its epoch.
    pub fn need_switch(&self) -> bool {
        let away = self
            .iter()
            .any(|blow| blow.kind == FaultKind::KillSupervisor);
        let of_worker = |kind| matches!(kind, FaultKind::KillWorker | FaultKind::HangWorker);
        self.iter()
            .any(|blow| blow.needs_switch() && !(away && of_worker(blow.kind)))
    }

    /// By when the first reply in private is to be there: the fault's own limit; for a pair the sum of both and of the time without a
    /// supervisor, who is needed to replace anybody. Where a bot dies in a pair, members may have written to it while nobody read: the next bot cannot
    /// know who, and shows all of them where they stand, at the bulk rate.
    pub fn first_reply_limit_ms(&self, supervisor_down_ms: u64, members: usize) -> Option<u64> {
        let Some(then) = self.then else {
            return first_reply_limit(self.first.kind);
        };
        if self.go_unnoticed() {
            return Some(UNNOTICED_MS);
        }
        let share = |kind| first_reply_limit(kind).unwrap_or(UNNOTICED_MS);
        let revoked = self.iter().any(|blow| blow.kind == FaultKind::Revoke);
        let shown = u64::try_from(members)
            .unwrap_or(u64::MAX)
            .saturating_mul(1_000)
            / BULK_PER_SECOND;
        let shown_ms = if revoked { shown } else { 0 };
        Some(share(self.first.kind) + share(then.kind) + supervisor_down_ms + shown_ms)
    }

    /// Members are served by the same connection all the time.
    pub fn go_unnoticed(&self) -> bool {
        self.iter()
            .all(|blow| blow.kind == FaultKind::KillSupervisor)
    }
}

/// Messages that a worker sends a second, by its default configuration.
const BULK_PER_SECOND: u64 = 28;

/// What a fault without a limit of its own adds to a pair's.
const UNNOTICED_MS: u64 = 2_000;

fn first_reply_limit(kind: FaultKind) -> Option<u64> {
    match kind {
        FaultKind::KillWorker => Some(2_000),
        FaultKind::Revoke | FaultKind::HangWorker => Some(3_000),
        FaultKind::Silent => Some(6_000),
        FaultKind::KillSupervisor | FaultKind::KillRedis => None,
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn plan(seed: u64, kind: FaultKind, then: Option<FaultKind>) -> FaultPlan {
        FaultPlan::draw(seed, kind, then, &mut ChaCha8Rng::seed_from_u64(seed))
    }

    #[test]
    fn any_two_seeds_in_a_row_have_both_moments() {
        for seed in 0..10 {
            let moment = |seed| plan(seed, FaultKind::Revoke, None).first.moment;
            assert_ne!(moment(seed), moment(seed + 1));
        }
    }

    #[test]
    fn a_second_fault_changes_nothing_about_the_first() {
        for seed in 0..10 {
            let alone = plan(seed, FaultKind::Silent, None);
            let pair = plan(seed, FaultKind::Silent, Some(FaultKind::Revoke));
            assert_eq!((alone.first, alone.clump), (pair.first, pair.clump));
            assert!(matches!(
                pair.then.map(|then| then.moment),
                Some(Moment::After { ms: 50..2_500 })
            ));
        }
    }

    #[test]
    fn ten_seeds_have_hangs_that_wake_and_hangs_that_are_found_out() {
        let hangs: Vec<u64> = (1..=10)
            .map(|seed| plan(seed, FaultKind::HangWorker, None).first.hang_ms)
            .collect();
        assert!(hangs.iter().any(|ms| *ms < 1_450), "{hangs:?}");
        assert!(hangs.iter().any(|ms| *ms > HANG_IS_SEEN_MS), "{hangs:?}");
        assert!(hangs.iter().all(|ms| (700..6_000).contains(ms)));
    }

    #[test]
    fn ten_seeds_have_both_kinds_of_silence() {
        let live: Vec<bool> = (1..=10)
            .map(|seed| plan(seed, FaultKind::Silent, None).first.live_only)
            .collect();
        assert!(live.contains(&true) && live.contains(&false), "{live:?}");
    }

    #[test]
    fn the_log_orders_what_happened_in_one_millisecond() {
        let fault = Blow {
            kind: FaultKind::Revoke,
            moment: Moment::AnyTime,
            details: Details::None,
            bot: 1,
            at_ms: 1_000,
            seq: Some(50),
            quiet_ms: 1_000,
        };
        assert!(fault.is_after(Some(49), 1_000));
        assert!(!fault.is_after(Some(51), 1_000));
        assert!(fault.is_after(None, 1_000));
    }
}
