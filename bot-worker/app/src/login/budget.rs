//! How often Telegram may be asked for a login: 4 times an hour and 10 times a day for each bot, and never before a wait that it gave is over.
//!
//! Waits of 1,057 to 3,135 s were seen after repeated logins from empty sessions, so running out of logins hurts for long; the
//! attempts of all workers count, and they are in SQL. Pure but for its one query: without SQL there is no login, since its key could
//! not be kept either.

use shared_core::UnixMs;
use shared_io::clock;
use shared_io::sql::{LoginAttempt, LoginOutcome};
use shared_io::telegram::CallError;
use tracing::warn;

use crate::context::BotContext;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const IN_AN_HOUR: usize = 4;
const IN_A_DAY: usize = 10;

/// May this bot log in? An error says how long it may not.
pub async fn check(context: &BotContext) -> Result<(), CallError> {
    let now = clock::unix_now();
    let (pool, bot) = (&context.pool, context.lease.bot);
    let attempts = context.shared.store.login_attempts();
    let attempts = attempts.since(pool, bot, UnixMs(now.0 - DAY_MS)).await;
    let attempts = attempts.map_err(|error| {
        warn!(%bot, %error, "what was tried before could not be read");
        CallError::not_made("login", "LOGIN_ATTEMPTS_NOT_READ")
    })?;
    match not_before(&attempts, now) {
        None => Ok(()),
        Some(at) => {
            let seconds = u32::try_from(at.since(now).div_ceil(1000)).unwrap_or(u32::MAX);
            Err(CallError::held_back("login", "LOGIN_BUDGET", seconds))
        }
    }
}

/// When the next login may be tried; `None`: at once. A login counts from when its key was sealed; what Telegram said to it afterwards is an
/// entry of its own and counts by its wait only.
fn not_before(attempts: &[LoginAttempt], now: UnixMs) -> Option<UnixMs> {
    let told = attempts.iter().filter_map(|attempt| attempt.not_before);
    let mut made: Vec<UnixMs> = attempts
        .iter()
        .filter(|attempt| attempt.outcome == LoginOutcome::Made)
        .map(|attempt| attempt.at)
        .collect();
    made.sort_unstable();
    let spent = |limit: usize, window: i64| {
        let at = made.len().checked_sub(limit)?;
        Some(UnixMs(made.get(at)?.0 + window))
    };
    told.chain(spent(IN_AN_HOUR, HOUR_MS))
        .chain(spent(IN_A_DAY, DAY_MS))
        .filter(|at| *at > now)
        .max()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use shared_core::{BotId, LoginSlot, Nonce, PoolId};

    use super::*;

    const NOW: UnixMs = UnixMs(100 * DAY_MS);

    fn attempt(minutes_ago: i64, outcome: LoginOutcome, wait_s: Option<i64>) -> LoginAttempt {
        let at = UnixMs(NOW.0 - minutes_ago * 60_000);
        LoginAttempt {
            id: Nonce([1; 8]),
            pool: PoolId::new("main").unwrap(),
            bot: BotId(1),
            slot: LoginSlot::A,
            at,
            outcome,
            not_before: wait_s.map(|wait| UnixMs(at.0 + wait * 1000)),
        }
    }

    fn minutes_to_wait(attempts: &[LoginAttempt]) -> Option<u64> {
        not_before(attempts, NOW).map(|at| at.since(NOW) / 60_000)
    }

    fn made(minutes_ago: impl IntoIterator<Item = i64>) -> Vec<LoginAttempt> {
        let made = |at| attempt(at, LoginOutcome::Made, None);
        minutes_ago.into_iter().map(made).collect()
    }

    #[test]
    fn four_in_an_hour_and_ten_in_a_day() {
        assert_eq!(minutes_to_wait(&made([])), None);
        assert_eq!(minutes_to_wait(&made([1, 2, 3])), None);
        assert_eq!(minutes_to_wait(&made([1, 2, 3, 50])), Some(10));
        assert_eq!(minutes_to_wait(&made([1, 2, 3, 50, 55])), Some(10));
        assert_eq!(minutes_to_wait(&made([1, 2, 3, 61])), None);
        assert_eq!(
            minutes_to_wait(&made((1..=10).map(|n| n * 100))),
            Some(24 * 60 - 1000)
        );
    }

    #[test]
    fn what_telegram_says_is_waited_for_and_a_refusal_costs_nothing_more() {
        let waits = attempt(10, LoginOutcome::Refused, Some(3_000));
        assert_eq!(minutes_to_wait(&[waits]), Some(40));
        let over = attempt(60, LoginOutcome::Refused, Some(3_000));
        assert_eq!(minutes_to_wait(&[over]), None);
        let refused: Vec<_> = (1..9)
            .map(|at| attempt(at, LoginOutcome::Refused, None))
            .collect();
        assert_eq!(minutes_to_wait(&refused), None);
    }
}
