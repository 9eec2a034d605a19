//! `logins`: the auth keys kept for a bot, sealed. They are here before they are used, because a key that is lost is a login lost.

use std::net::SocketAddrV4;
use std::str::FromStr;

use shared_core::{BotId, IdError, LoginSlot, PoolId, UnixMs};
use sqlx::any::AnyRow;

use super::StoreError;
use super::db::{Columns, Db, statement};

/// What is known of a login's use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LoginState {
    /// In use by a worker, or the next to be used.
    Live,
    /// Logged in and kept unconnected.
    Resting,
    /// Telegram does not take it any more.
    Lost,
}

impl LoginState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Resting => "resting",
            Self::Lost => "lost",
        }
    }
}

impl FromStr for LoginState {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        match text {
            "live" => Ok(Self::Live),
            "resting" => Ok(Self::Resting),
            "lost" => Ok(Self::Lost),
            _ => Err(IdError::Malformed {
                what: "LoginState",
                expected: "`live`, `resting` or `lost`",
            }),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginRow {
    pub pool: PoolId,
    pub bot: BotId,
    pub slot: LoginSlot,
    /// Sealed for the context `login/<pool>/<bot>/<slot>`.
    pub sealed_key: String,
    pub dc_id: i32,
    /// Where the data centre is, when it is not one of Telegram's own.
    pub dc_addr: Option<SocketAddrV4>,
    pub made: UnixMs,
    pub state: LoginState,
}

#[derive(Clone, Copy)]
pub struct Logins<'a>(pub(super) &'a Db);

impl Logins<'_> {
    /// Adds the login or replaces the one in its slot. The bot's row must be there.
    pub async fn put(&self, row: &LoginRow) -> Result<(), StoreError> {
        let query = statement(
            "INSERT INTO logins (pool, bot, slot, sealed_key, dc_id, dc_addr, made, state) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
             ON CONFLICT (pool, bot, slot) DO UPDATE SET sealed_key = excluded.sealed_key, \
                 dc_id = excluded.dc_id, dc_addr = excluded.dc_addr, made = excluded.made, state = excluded.state",
        )
        .bind(row.pool.as_str())
        .bind(row.bot.to_string())
        .bind(row.slot.as_str())
        .bind(&row.sealed_key)
        .bind(i64::from(row.dc_id))
        .bind(row.dc_addr.map(|addr| addr.to_string()))
        .bind(row.made.0)
        .bind(row.state.as_str())
        .execute(self.0.pool());
        self.0
            .bounded("storing a login of bot", row.bot, query)
            .await?;
        Ok(())
    }

    pub async fn get(
        &self,
        pool: &PoolId,
        bot: BotId,
        slot: LoginSlot,
    ) -> Result<Option<LoginRow>, StoreError> {
        let logins = self.list(pool, bot).await?;
        Ok(logins.into_iter().find(|login| login.slot == slot))
    }

    /// Slot a first; at most two.
    pub async fn list(&self, pool: &PoolId, bot: BotId) -> Result<Vec<LoginRow>, StoreError> {
        let list = async {
            let rows = statement(
                "SELECT pool, bot, slot, sealed_key, dc_id, dc_addr, made, state \
                FROM logins WHERE pool = $1 AND bot = $2 ORDER BY slot",
            )
            .bind(pool.as_str())
            .bind(bot.to_string())
            .fetch_all(self.0.pool())
            .await?;
            rows.iter().map(read).collect()
        };
        self.0.bounded("listing the logins of bot", bot, list).await
    }

    /// `false` when there is no such login.
    pub async fn set_state(
        &self,
        pool: &PoolId,
        bot: BotId,
        slot: LoginSlot,
        state: LoginState,
    ) -> Result<bool, StoreError> {
        let query =
            statement("UPDATE logins SET state = $4 WHERE pool = $1 AND bot = $2 AND slot = $3")
                .bind(pool.as_str())
                .bind(bot.to_string())
                .bind(slot.as_str())
                .bind(state.as_str())
                .execute(self.0.pool());
        let done = self.0.bounded("marking a login of bot", bot, query).await?;
        Ok(done.rows_affected() == 1)
    }
}

fn read(row: &AnyRow) -> Result<LoginRow, sqlx::Error> {
    Ok(LoginRow {
        pool: row.name("pool")?,
        bot: row.id("bot")?,
        slot: row.id("slot")?,
        sealed_key: row.text("sealed_key")?,
        dc_id: row.count("dc_id")?,
        dc_addr: row.id_or_none("dc_addr")?,
        made: row.time("made")?,
        state: row.id("state")?,
    })
}
