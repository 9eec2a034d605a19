//! SQL as the protocols use it: epochs reserved ahead, the bots' logins, and what is recorded of switches.
//!
//! It may be away; what it has said once stays. Invariant: what is reserved is never reserved again.

use shared_core::{BotId, Epoch, EpochBlock, LoginSlot, UnixMs};
use supervisor_core::{PastMove, SwitchKind};

use crate::fixed::{BOTS, bot_index};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Login {
    pub key: u64,
    pub lost: bool,
}

#[derive(Debug)]
pub struct Sql {
    ceiling: u64,
    logins: [[Login; 2]; BOTS.len()],
    moves: Vec<(u64, PastMove)>,
    keys: u64,
}

impl Sql {
    pub fn new() -> Self {
        let login = |bot: usize, slot: u64| Login {
            key: 2 * bot as u64 + slot,
            lost: false,
        };
        Self {
            ceiling: 0,
            logins: std::array::from_fn(|bot| [login(bot, 0), login(bot, 1)]),
            moves: Vec::new(),
            keys: 2 * BOTS.len() as u64,
        }
    }

    /// Reserves a block above everything that was reserved or seen.
    pub fn reserve(&mut self, seen: Epoch) -> EpochBlock {
        let block = EpochBlock::after(Epoch(self.ceiling.max(seen.0)));
        self.ceiling = block.ceiling.0;
        block
    }

    pub fn login(&self, bot: BotId, slot: LoginSlot) -> Login {
        self.logins[bot_index(bot)][slot as usize]
    }

    pub fn lose(&mut self, bot: BotId, slot: LoginSlot, key: u64) {
        let login = &mut self.logins[bot_index(bot)][slot as usize];
        login.lost |= login.key == key;
    }

    /// A new login takes the place of a lost one.
    pub fn new_key(&mut self) -> u64 {
        self.keys += 1;
        self.keys
    }

    pub fn keep(&mut self, bot: BotId, slot: LoginSlot, key: u64) {
        self.logins[bot_index(bot)][slot as usize] = Login { key, lost: false };
    }

    /// A switch that opened an epoch, once.
    pub fn record(&mut self, epoch: u64, kind: SwitchKind, at: UnixMs, on_a_guess: bool) {
        if self.moves.iter().all(|(known, _)| *known != epoch) {
            let past = PastMove {
                kind,
                at,
                on_a_guess,
            };
            self.moves.push((epoch, past));
        }
    }

    pub fn moves(&self) -> Vec<PastMove> {
        self.moves.iter().map(|(_, past)| *past).collect()
    }
}
