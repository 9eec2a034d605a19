//! `login_attempts`: every login that was tried, so that whoever wants to log in knows how often Telegram has been asked lately.
//!
//! Deliberately absent: a limit. The policy has it; here is only what happened.

use std::str::FromStr;

use shared_core::{BotId, IdError, LoginSlot, Nonce, PoolId, UnixMs};
use sqlx::any::AnyRow;

use super::StoreError;
use super::db::{Columns, Db, statement};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LoginOutcome {
    /// There is an auth key for it.
    Made,
    /// Telegram said no, or wait.
    Refused,
}

impl LoginOutcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Refused => "refused",
        }
    }
}

impl FromStr for LoginOutcome {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        match text {
            "made" => Ok(Self::Made),
            "refused" => Ok(Self::Refused),
            _ => Err(IdError::Malformed {
                what: "LoginOutcome",
                expected: "`made` or `refused`",
            }),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginAttempt {
    pub id: Nonce,
    pub pool: PoolId,
    pub bot: BotId,
    pub slot: LoginSlot,
    pub at: UnixMs,
    pub outcome: LoginOutcome,
    /// Telegram said to wait until then.
    pub not_before: Option<UnixMs>,
}

#[derive(Clone, Copy)]
pub struct LoginAttempts<'a>(pub(super) &'a Db);

impl LoginAttempts<'_> {
    /// Adds it; the same id again changes nothing.
    pub async fn add(&self, attempt: &LoginAttempt) -> Result<(), StoreError> {
        let query = statement(
            "INSERT INTO login_attempts (id, pool, bot, slot, at, outcome, not_before) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING",
        )
        .bind(attempt.id.to_string())
        .bind(attempt.pool.as_str())
        .bind(attempt.bot.to_string())
        .bind(attempt.slot.as_str())
        .bind(attempt.at.0)
        .bind(attempt.outcome.as_str())
        .bind(attempt.not_before.map(|at| at.0))
        .execute(self.0.pool());
        self.0
            .bounded("storing a login attempt of bot", attempt.bot, query)
            .await?;
        Ok(())
    }

    /// Those at or behind `since`, the latest first.
    pub async fn since(
        &self,
        pool: &PoolId,
        bot: BotId,
        since: UnixMs,
    ) -> Result<Vec<LoginAttempt>, StoreError> {
        let list = async {
            let rows = statement(
                "SELECT id, pool, bot, slot, at, outcome, not_before \
                    FROM login_attempts WHERE pool = $1 AND bot = $2 AND at >= $3 ORDER BY at DESC, id",
            )
            .bind(pool.as_str())
            .bind(bot.to_string())
            .bind(since.0)
            .fetch_all(self.0.pool())
            .await?;
            rows.iter().map(read).collect()
        };
        self.0
            .bounded("listing the login attempts of bot", bot, list)
            .await
    }

    /// Forgets those before `before` whose waiting has ended too; says how many.
    pub async fn prune(&self, before: UnixMs) -> Result<u64, StoreError> {
        let query =
            statement("DELETE FROM login_attempts WHERE at < $1 AND COALESCE(not_before, 0) < $1")
                .bind(before.0)
                .execute(self.0.pool());
        let done = self
            .0
            .bounded("forgetting login attempts before", before.0, query)
            .await?;
        Ok(done.rows_affected())
    }
}

fn read(row: &AnyRow) -> Result<LoginAttempt, sqlx::Error> {
    Ok(LoginAttempt {
        id: row.id("id")?,
        pool: row.name("pool")?,
        bot: row.id("bot")?,
        slot: row.id("slot")?,
        at: row.time("at")?,
        outcome: row.id("outcome")?,
        not_before: row.time_or_none("not_before")?,
    })
}
