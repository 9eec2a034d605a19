//! The pool epoch: who may commit conversations, move channel cursors and empty the outbox.
//!
//! ```text
//! phase      who writes it            what the holder may do                          next
//! fenced     leader, `fence`          nothing: there is no holder                     smoking
//! smoking    leader, `activate`       smoke test; no member sees anything             open | fenced (smoke test failed)
//! open       leader, `open`           catch up, commit, send                          fenced (the next switch)
//! ```
//! Every arrow into `fenced` is a new epoch with a new nonce; the other arrows keep both. Invariants: an epoch number is
//! never minted twice, not even after Redis lost its tail, because numbers are reserved in SQL before they are used
//! ([`EpochBlock`]); a writer whose (epoch, nonce) is not the record's writes nothing.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{BotId, Nonce, UnixMs, WorkerId};

/// A number that only grows. Prints as `e7`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "e{}", self.0)
    }
}

/// What a writer shows. The nonce tells two histories apart that gave out the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EpochStamp {
    pub epoch: Epoch,
    pub nonce: Nonce,
}

impl fmt::Display for EpochStamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.epoch.fmt(f)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    Fenced,
    Smoking,
    Open,
}

impl Phase {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fenced => "fenced",
            Self::Smoking => "smoking",
            Self::Open => "open",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "fenced" => Some(Self::Fenced),
            "smoking" => Some(Self::Smoking),
            "open" => Some(Self::Open),
            _ => None,
        }
    }
}

/// Who answers: a bot on a worker.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Holder {
    pub bot: BotId,
    pub worker: WorkerId,
}

/// The record as it stands in Redis, one per pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochRecord {
    pub stamp: EpochStamp,
    pub phase: Phase,
    pub holder: Option<Holder>,
    /// The bot that answered before this one; members of its private chats are continued from it.
    pub previous_bot: Option<BotId>,
    /// When the phase began, by the leader's wall clock; shown, never judged by.
    pub since: UnixMs,
}

impl EpochRecord {
    /// May this worker do the holder's work with this bot in the record's phase?
    pub fn is_held_by(&self, bot: BotId, worker: &WorkerId) -> bool {
        self.holder
            .as_ref()
            .is_some_and(|h| h.bot == bot && h.worker == *worker)
    }
}

/// Epoch numbers `next..=ceiling` that SQL has reserved for this leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochBlock {
    pub next: Epoch,
    pub ceiling: Epoch,
}

/// Why no number can be minted. Both are cured by reserving another block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MintRefused {
    #[error("the reserved epochs are used up at {ceiling}")]
    BlockUsedUp { ceiling: Epoch },
    #[error(
        "the pool is at {seen}, above the reserved {ceiling}: another leader has reserved since"
    )]
    Overtaken { seen: Epoch, ceiling: Epoch },
}

impl EpochBlock {
    pub const SIZE: u64 = 1000;

    /// The block that follows everything reserved so far (`ceiling_in_sql`).
    pub fn after(ceiling_in_sql: Epoch) -> Self {
        Self {
            next: Epoch(ceiling_in_sql.0 + 1),
            ceiling: Epoch(ceiling_in_sql.0 + Self::SIZE),
        }
    }

    /// Takes the next number, above both the block's start and what Redis has seen.
    pub fn mint(&mut self, seen: Epoch) -> Result<Epoch, MintRefused> {
        if seen > self.ceiling {
            return Err(MintRefused::Overtaken {
                seen,
                ceiling: self.ceiling,
            });
        }
        let minted = Epoch(self.next.0.max(seen.0 + 1));
        if minted > self.ceiling {
            return Err(MintRefused::BlockUsedUp {
                ceiling: self.ceiling,
            });
        }
        self.next = Epoch(minted.0 + 1);
        Ok(minted)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn minting_never_repeats_and_stays_in_the_block() {
        let mut block = EpochBlock::after(Epoch(0));
        assert_eq!(block.mint(Epoch(0)).unwrap(), Epoch(1));
        assert_eq!(
            block.mint(Epoch(0)).unwrap(),
            Epoch(2),
            "a rolled-back Redis does not roll epochs back"
        );
        assert_eq!(block.mint(Epoch(40)).unwrap(), Epoch(41));
        assert_eq!(
            block.mint(Epoch(1000)).unwrap_err(),
            MintRefused::BlockUsedUp {
                ceiling: Epoch(1000)
            }
        );
        assert_eq!(
            block.mint(Epoch(1001)).unwrap_err(),
            MintRefused::Overtaken {
                seen: Epoch(1001),
                ceiling: Epoch(1000)
            }
        );
        assert_eq!(
            EpochBlock::after(Epoch(1000)).mint(Epoch(3)).unwrap(),
            Epoch(1001)
        );
    }
}
