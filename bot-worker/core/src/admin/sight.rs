//! All that a worker knows when an admin asks: the supervisor's last board, and what it sees itself.

use shared_core::{BotHealth, BotId, PoolBoard, PoolId, UnixMs, WorkerId};

/// A board that has not changed for longer is the word of somebody who is not heard any more: the leader renews it each second.
pub const FRESH_MS: u64 = 3_000;

/// When a store last answered this worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Answered {
    /// Since its last answer; `None` if it never did.
    pub ago_ms: Option<u64>,
    /// It should have answered by now, or the last question was not answered.
    pub failing: bool,
    /// How long the last answer took, where it is measured.
    pub took_us: u64,
}

impl Answered {
    pub fn is_well(&self) -> bool {
        !self.failing && self.ago_ms.is_some()
    }
}

/// What a worker knows at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    pub pool: &'a PoolId,
    pub worker: &'a WorkerId,
    /// The bot that was asked.
    pub me: BotId,
    /// The last board and how long ago it last changed.
    pub board: Option<(&'a PoolBoard, u64)>,
    /// This worker's bots in this pool.
    pub bots: &'a [BotHealth],
    pub redis: Answered,
    pub sql: Answered,
    pub now: UnixMs,
}

/// Is somebody there who could carry out an order?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard<'a> {
    Supervisor {
        board: &'a PoolBoard,
        age_ms: u64,
    },
    /// The supervisor is silent, or what it says does not reach this worker.
    Silent {
        board: &'a PoolBoard,
        age_ms: u64,
    },
    Never,
}

impl<'a> Sight<'a> {
    pub fn heard(&self) -> Heard<'a> {
        match self.board {
            Some((board, age_ms)) if age_ms <= FRESH_MS => Heard::Supervisor { board, age_ms },
            Some((board, age_ms)) => Heard::Silent { board, age_ms },
            None => Heard::Never,
        }
    }

    /// How a bot is called: by its username where that is known.
    pub fn name(&self, bot: BotId) -> String {
        let own = self
            .bots
            .iter()
            .find(|health| health.bot == bot)
            .map(|health| health.username.as_str());
        let said = self.board.and_then(|(board, _)| {
            let known = board.bots.iter().find(|known| known.bot == bot);
            known.map(|known| known.username.as_str())
        });
        let mut names = [own, said].into_iter().flatten();
        match names.find(|name| !name.is_empty()) {
            Some(name) => format!("@{name}"),
            None => bot.to_string(),
        }
    }
}
