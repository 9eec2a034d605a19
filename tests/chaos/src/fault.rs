//! Which faults, when, for how long, on whom: drawn from the seed. Pure.
//!
//! Seven of ten are to hit work in flight, so that more than half of them do although some kinds cannot and some find nobody at work; six of ten begin
//! before the former one can be over. What can strike at a moment depends on what stands by then ([`Draw::next`] is told), so a seed gives the same draws, not the same run.

use clap::ValueEnum;
use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A worker gets SIGKILL
    KillWorker,
    /// A worker gets SIGSTOP, and SIGCONT later
    HangWorker,
    /// The supervisor gets SIGKILL and is started again, as a service manager would
    KillSupervisor,
    /// The supervisor gets SIGSTOP, and SIGCONT later
    HangSupervisor,
    /// Redis gets SIGKILL
    KillRedis,
    /// Redis gets SIGSTOP, and SIGCONT later
    HangRedis,
    /// A worker is cut from Redis; only with shared stores
    CutRedis,
    /// A bot's connections are reset, new ones refused
    CutTelegram,
    /// A worker is cut from Telegram, with all its bots
    CutWorker,
    /// A bot's line swallows everything both ways
    Silent,
    /// A bot's token is revoked; its owner puts the next one in place later
    Revoke,
    /// A bot is deactivated, and comes back later
    Delete,
    /// Telegram tells a bot to wait
    Flood,
    /// Five in a hundred answers and updates are lost
    Loss,
    /// What Telegram sends is late
    Slow,
    /// A third of a bot's updates are lost
    DropUpdates,
    /// The database does not answer, or takes no writes
    DatabaseGone,
    /// An operator moves the pool to another bot; no harm, whatever else is on
    Rotate,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::KillWorker => "kill-worker",
            Self::HangWorker => "hang-worker",
            Self::KillSupervisor => "kill-supervisor",
            Self::HangSupervisor => "hang-supervisor",
            Self::KillRedis => "kill-redis",
            Self::HangRedis => "hang-redis",
            Self::CutRedis => "cut-redis",
            Self::CutTelegram => "cut-telegram",
            Self::CutWorker => "cut-worker",
            Self::Silent => "silent",
            Self::Revoke => "revoke",
            Self::Delete => "delete",
            Self::Flood => "flood",
            Self::Loss => "loss",
            Self::Slow => "slow",
            Self::DropUpdates => "drop-updates",
            Self::DatabaseGone => "database-gone",
            Self::Rotate => "rotate",
        }
    }

    fn weight(self) -> u32 {
        match self {
            Self::KillWorker => 12,
            Self::HangWorker => 10,
            Self::KillSupervisor | Self::KillRedis | Self::CutRedis => 8,
            Self::CutTelegram | Self::CutWorker | Self::Silent => 8,
            Self::HangSupervisor | Self::HangRedis | Self::Flood | Self::Loss => 6,
            Self::Delete | Self::Slow | Self::DatabaseGone | Self::Rotate => 5,
            Self::Revoke | Self::DropUpdates => 4,
        }
    }

    /// How long it lasts, in milliseconds. A local worker is found out after 1.5 s and a line after 3.5 s, so some are over before.
    fn lasts(self) -> std::ops::Range<u64> {
        match self {
            Self::KillWorker | Self::Rotate => 0..1,
            Self::HangWorker => 400..6_000,
            Self::KillSupervisor => 200..4_000,
            Self::HangSupervisor => 500..6_000,
            Self::KillRedis => 50..1_500,
            Self::HangRedis => 200..4_000,
            Self::CutRedis => 300..6_000,
            Self::CutTelegram => 200..6_000,
            Self::CutWorker => 300..8_000,
            Self::Silent => 500..9_000,
            Self::Revoke => 6_000..15_000,
            Self::Delete => 4_000..15_000,
            Self::Flood => 1_000..6_000,
            Self::Loss | Self::Slow => 2_000..8_000,
            Self::DropUpdates => 1_000..5_000,
            Self::DatabaseGone => 500..8_000,
        }
    }

    /// Whether it hits a worker, and what that one holds.
    pub fn hits_a_worker(self) -> bool {
        matches!(
            self,
            Self::KillWorker | Self::HangWorker | Self::CutRedis | Self::CutWorker
        )
    }

    /// Whether the whole of it hits a bot's box: nobody can read what is written to the bot meanwhile.
    pub fn takes_a_bot(self) -> bool {
        matches!(
            self,
            Self::CutTelegram | Self::Silent | Self::Revoke | Self::Delete
        )
    }
}

/// What it is to hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    AnyTime,
    /// A delivery to the bot, and up to 2.5 ms.
    ReceiveCommit,
    /// Some milliseconds after a delivery.
    CommitSend,
    /// Telegram has the message, the bot has not got its answer.
    SendAck,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawn {
    pub kind: Kind,
    pub moment: Moment,
    /// From the moment's event to the deed.
    pub delay_us: u64,
    pub lasts_ms: u64,
    /// Not whoever is active, where there is another one.
    pub bystander: bool,
    /// One of two ways: the open sockets only, or all; refused, or without an answer.
    pub mild: bool,
    /// Something else about it.
    pub figure: u64,
}

pub struct Draw {
    rng: ChaCha8Rng,
    kinds: Vec<Kind>,
}

impl Draw {
    /// `only`: of these kinds; all when it is empty.
    pub fn new(seed: u64, only: &[Kind]) -> Self {
        let all = Kind::value_variants().iter().copied();
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            kinds: all
                .filter(|kind| only.is_empty() || only.contains(kind))
                .collect(),
        }
    }

    /// From the begin of one fault to the begin of the next.
    pub fn gap_ms(&mut self) -> u64 {
        if self.rng.random_bool(0.6) {
            self.rng.random_range(100..1_800)
        } else {
            self.rng.random_range(2_500..5_500)
        }
    }

    /// The next one of those that `can` strike; `None` when none can.
    pub fn next(&mut self, can: impl Fn(Kind) -> bool) -> Option<Drawn> {
        let kinds: Vec<Kind> = self.kinds.iter().copied().filter(|one| can(*one)).collect();
        let total: u32 = kinds.iter().map(|kind| kind.weight()).sum();
        let mut at = self.rng.random_range(0..total.max(1));
        let kind = kinds.into_iter().find(|kind| {
            let hit = at < kind.weight();
            at = at.saturating_sub(kind.weight());
            hit
        })?;
        let moment = match self.rng.random_range(0..10) {
            0..3 => Moment::AnyTime,
            3..5 => Moment::ReceiveCommit,
            5..7 => Moment::CommitSend,
            _ => Moment::SendAck,
        };
        let delay_us = match moment {
            Moment::AnyTime => 0,
            Moment::ReceiveCommit => self.rng.random_range(0..2_500),
            Moment::CommitSend => self.rng.random_range(2_000..12_000),
            Moment::SendAck => self.rng.random_range(0..400),
        };
        Some(Drawn {
            kind,
            moment,
            delay_us,
            lasts_ms: self.rng.random_range(kind.lasts()),
            bystander: self.rng.random_bool(0.25),
            mild: self.rng.random_bool(0.5),
            figure: self.rng.random_range(1..=4),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn one_seed_gives_one_series_and_every_kind_comes() {
        let series = |seed| {
            let mut draw = Draw::new(seed, &[]);
            (0..400)
                .map(|_| (draw.gap_ms(), draw.next(|_| true).unwrap()))
                .collect::<Vec<_>>()
        };
        assert_eq!(series(7), series(7));
        assert_ne!(series(7), series(8));
        let mut kinds: BTreeMap<Kind, usize> = BTreeMap::new();
        for (_, drawn) in series(7) {
            *kinds.entry(drawn.kind).or_default() += 1;
            assert!(drawn.kind.lasts().contains(&drawn.lasts_ms));
        }
        assert_eq!(kinds.len(), Kind::value_variants().len(), "{kinds:?}");
    }

    #[test]
    fn seven_of_ten_are_to_hit_work_in_flight_and_six_of_ten_follow_at_once() {
        let mut draw = Draw::new(3, &[]);
        let gaps: Vec<u64> = (0..1_000).map(|_| draw.gap_ms()).collect();
        let soon = gaps.iter().filter(|ms| **ms < 1_800).count();
        assert!((550..650).contains(&soon), "{soon}");
        let flying = (0..1_000)
            .filter(|_| draw.next(|_| true).unwrap().moment != Moment::AnyTime)
            .count();
        assert!((650..750).contains(&flying), "{flying}");
    }

    #[test]
    fn only_what_can_strike_is_drawn() {
        let mut draw = Draw::new(3, &[Kind::Flood, Kind::Loss]);
        assert!((0..50).all(|_| draw.next(|kind| kind != Kind::Loss).unwrap().kind == Kind::Flood));
        assert_eq!(draw.next(|_| false), None);
    }
}
