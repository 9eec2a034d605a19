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

    /// The operator's names in place of the bots' ids, which others' words are full of.
    pub(super) fn in_words(&self, text: &str) -> String {
        let Some((board, _)) = self.board else {
            return text.to_owned();
        };
        let mut words = text.to_owned();
        for bot in board.bots.iter().filter(|bot| !bot.name.is_empty()) {
            words = replace_whole(&words, &bot.bot.to_string(), &bot.name);
        }
        words
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

/// Only where the id stands alone: `b1` is not in `b10` and not in `web1`.
fn replace_whole(text: &str, id: &str, name: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(id) {
        let (before, found) = rest.split_at(at);
        let after = &found[id.len()..];
        let alone = |next: Option<char>| next.is_none_or(|c| !c.is_alphanumeric());
        let follows = before.chars().next_back().or(replaced.chars().next_back());
        let stands_alone = alone(follows) && alone(after.chars().next());
        replaced.push_str(before);
        replaced.push_str(if stands_alone { name } else { id });
        rest = after;
    }
    replaced + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_replaced_where_it_stands_alone() {
        for (text, said) in [
            ("b1", "first"),
            ("b1@w1 -> b2, b1", "first@w1 -> b2, first"),
            ("b10 web1 b1: no", "b10 web1 first: no"),
            ("b1b1 b1", "b1b1 first"),
            ("", ""),
        ] {
            assert_eq!(replace_whole(text, "b1", "first"), said, "{text:?}");
        }
    }
}
