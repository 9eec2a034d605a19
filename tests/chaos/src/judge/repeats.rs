//! The same answer by two bots: when may it come, and did the product count it? Pure.
//!
//! ```text
//! a bot says it               Telegram has it
//! its sender hears that       within milliseconds; later where the line is slow or lost the answer, never where the bot or its worker was struck
//! and notes it in Redis       at once, and again every 50 ms while Redis does not answer
//! ```
//! From then on nobody says it again. So a second bot may only say what was in doubt when the pool moved away from the first one: the first one was struck
//! before its acknowledgement was noted, and the move came before anybody could have found out.

use sandbox::fault::Move;
use sandbox::ledger::Confirmer;

use super::Evidence;
use crate::fault::Kind;
use crate::strike::Strike;

/// From Telegram's taking a message to the note in Redis that it was sent, where nothing is struck: some milliseconds, on a busy machine much more. What was
/// in the socket of a process that is struck comes within it too.
pub const NOTED_MS: i64 = 500;
/// So much later may answers come while everything is slow.
const SLOW_MS: i64 = 400;
/// What a sender cannot tell it finds out within this time, by listening (`PATIENCE` in the worker's `sender/doubt.rs`). It is also more than it takes to
/// see that a worker hangs (1.5 s) or that a line is silent (3.5 s), and to leave it.
const FOUND_OUT_MS: i64 = 10_000;

/// One answer that was given by two bots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeat {
    /// When the pool moved away from the first bot.
    left_ms: i64,
    second: Confirmer,
}

/// `None` where nothing explains it.
pub fn across_bots(first: Confirmer, second: Confirmer, evidence: &Evidence<'_>) -> Option<Repeat> {
    if first.bot == second.bot {
        return None;
    }
    let said = first.at_ms - NOTED_MS;
    let noted_ms = noted_by(first, evidence.strikes);
    let harms = |strike: &&Strike| takes_the_answer(strike, first.bot);
    let mut harmful = evidence.strikes.iter().filter(harms);
    // Where answers get lost nobody has to be struck: the sender does not know whether Telegram took it, and the pool may move before it has found out.
    let lost = |strike: &Strike| strike.kind == Kind::Loss && strike.meets(said, first.at_ms);
    let struck =
        harmful.any(|strike| strike.meets(said, noted_ms)) || evidence.strikes.iter().any(lost);
    let left_ms = left_after(said, first.bot, evidence.moves)?;
    let by = found_out_by(noted_ms, first.bot, evidence.strikes);
    (struck && left_ms <= by && left_ms <= second.at_ms).then_some(Repeat { left_ms, second })
}

/// Those that the product had to count, and could: whoever takes over says it to Redis when it begins, and is gone or cut off where that does not arrive.
pub fn to_be_counted(repeats: &[Repeat], strikes: &[Strike]) -> usize {
    let could = |repeat: &&Repeat| {
        let until = repeat.second.at_ms + NOTED_MS;
        let mut strikes = strikes.iter();
        !strikes.any(|strike| {
            let hinders = stops_redis(strike.kind) || takes_the_answer(strike, repeat.second.bot);
            hinders && strike.meets(repeat.left_ms - NOTED_MS, until)
        })
    };
    repeats.iter().filter(could).count()
}

fn left_after(since_ms: i64, bot: i64, moves: &[Move]) -> Option<i64> {
    let away = moves.iter().filter(|one| one.from == Some(bot));
    let away = away.map(|one| one.fenced_ms).filter(|at| *at >= since_ms);
    away.min()
}

/// By when what Telegram took is noted.
fn noted_by(said: Confirmer, strikes: &[Strike]) -> i64 {
    let from = said.at_ms - NOTED_MS;
    let on = |kind: Kind| {
        let mut strikes = strikes.iter();
        strikes.any(|one| one.kind == kind && one.meets(from, said.at_ms + NOTED_MS))
    };
    let mut by = said.at_ms + NOTED_MS;
    if on(Kind::Slow) {
        by += SLOW_MS;
    }
    if on(Kind::Loss) {
        by += FOUND_OUT_MS;
    }
    let holds_up = |strike: &Strike| stops_redis(strike.kind) || takes_the_answer(strike, said.bot);
    extended(from, by, strikes, holds_up)
}

/// By when whoever was struck is left, or has found out by listening; who is cut off again before he has heard everything begins again.
fn found_out_by(noted_ms: i64, bot: i64, strikes: &[Strike]) -> i64 {
    let holds_up = |strike: &Strike| {
        let stops_supervisor = matches!(strike.kind, Kind::KillSupervisor | Kind::HangSupervisor);
        stops_supervisor || stops_redis(strike.kind) || takes_the_answer(strike, bot)
    };
    extended(noted_ms, noted_ms + FOUND_OUT_MS, strikes, holds_up)
}

/// The end of this time, put off by each fault in it that holds things up, and by those that follow.
fn extended(from: i64, by: i64, strikes: &[Strike], holds_up: impl Fn(&Strike) -> bool) -> i64 {
    let mut in_order: Vec<&Strike> = strikes.iter().filter(|one| holds_up(one)).collect();
    in_order.sort_by_key(|strike| strike.at_ms);
    in_order.into_iter().fold(by, |by, strike| {
        let until = strike.until_ms.unwrap_or(i64::MAX).saturating_add(NOTED_MS);
        match strike.meets(from, by) {
            true => by.max(until),
            false => by,
        }
    })
}

/// Does it keep this bot's sender from hearing or noting what Telegram has taken?
fn takes_the_answer(strike: &Strike, bot: i64) -> bool {
    strike.bot == Some(bot) && (strike.kind.hits_a_worker() || strike.kind.takes_a_bot())
}

fn stops_redis(kind: Kind) -> bool {
    matches!(kind, Kind::KillRedis | Kind::HangRedis | Kind::CutRedis)
}
