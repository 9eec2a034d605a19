//! Every sealed column of the database, for whoever changes the key: read in portions, replaced one by one.
//!
//! Invariant: a value is replaced only while it is the one that was read, so nothing that others store meanwhile is lost.

use shared_core::{BotId, LoginSlot, PoolId};
use sqlx::any::AnyRow;

use super::StoreError;
use super::db::{Columns, Db, statement};

/// How many rows are read at once.
const PORTION: i64 = 200;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedToken {
    pub pool: PoolId,
    pub bot: BotId,
    pub sealed: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedLogin {
    pub pool: PoolId,
    pub bot: BotId,
    pub slot: LoginSlot,
    pub sealed: String,
}

#[derive(Clone, Copy)]
pub struct Sealed<'a>(pub(super) &'a Db);

impl Sealed<'_> {
    /// Those behind `last`, retired bots included; none when there are no more.
    pub async fn tokens(&self, last: Option<&SealedToken>) -> Result<Vec<SealedToken>, StoreError> {
        let list = async {
            let rows = statement(
                "SELECT pool, bot, sealed_token FROM bots WHERE (pool, bot) > ($1, $2) ORDER BY pool, bot LIMIT $3",
            )
            .bind(last.map_or("", |last| last.pool.as_str()))
            .bind(last.map(|last| last.bot.to_string()).unwrap_or_default())
            .bind(PORTION)
            .fetch_all(self.0.pool())
            .await?;
            rows.iter().map(token).collect()
        };
        self.0.bounded("reading", "the sealed tokens", list).await
    }

    /// The same for logins.
    pub async fn logins(&self, last: Option<&SealedLogin>) -> Result<Vec<SealedLogin>, StoreError> {
        let list = async {
            let rows = statement(
                "SELECT pool, bot, slot, sealed_key FROM logins WHERE (pool, bot, slot) > ($1, $2, $3) \
                 ORDER BY pool, bot, slot LIMIT $4",
            )
            .bind(last.map_or("", |last| last.pool.as_str()))
            .bind(last.map(|last| last.bot.to_string()).unwrap_or_default())
            .bind(last.map_or("", |last| last.slot.as_str()))
            .bind(PORTION)
            .fetch_all(self.0.pool())
            .await?;
            rows.iter().map(login).collect()
        };
        self.0.bounded("reading", "the sealed logins", list).await
    }

    /// `false` when another value stands there by now.
    pub async fn replace_token(
        &self,
        known: &SealedToken,
        sealed: &str,
    ) -> Result<bool, StoreError> {
        let query = statement(
            "UPDATE bots SET sealed_token = $4 WHERE pool = $1 AND bot = $2 AND sealed_token = $3",
        )
        .bind(known.pool.as_str())
        .bind(known.bot.to_string())
        .bind(&known.sealed)
        .bind(sealed)
        .execute(self.0.pool());
        let done = self
            .0
            .bounded("sealing anew the token of bot", known.bot, query)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// `false` when another value stands there by now.
    pub async fn replace_login(
        &self,
        known: &SealedLogin,
        sealed: &str,
    ) -> Result<bool, StoreError> {
        let query = statement(
            "UPDATE logins SET sealed_key = $5 WHERE pool = $1 AND bot = $2 AND slot = $3 AND sealed_key = $4",
        )
        .bind(known.pool.as_str())
        .bind(known.bot.to_string())
        .bind(known.slot.as_str())
        .bind(&known.sealed)
        .bind(sealed)
        .execute(self.0.pool());
        let done = self
            .0
            .bounded("sealing anew a login of bot", known.bot, query)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Marks the login as lost, so that it is made anew; `false` when another one stands there by now, or it is lost already.
    pub async fn give_up_login(&self, known: &SealedLogin) -> Result<bool, StoreError> {
        let query = statement(
            "UPDATE logins SET state = 'lost' \
             WHERE pool = $1 AND bot = $2 AND slot = $3 AND sealed_key = $4 AND state <> 'lost'",
        )
        .bind(known.pool.as_str())
        .bind(known.bot.to_string())
        .bind(known.slot.as_str())
        .bind(&known.sealed)
        .execute(self.0.pool());
        let done = self
            .0
            .bounded("giving up a login of bot", known.bot, query)
            .await?;
        Ok(done.rows_affected() == 1)
    }
}

fn token(row: &AnyRow) -> Result<SealedToken, sqlx::Error> {
    Ok(SealedToken {
        pool: row.name("pool")?,
        bot: row.id("bot")?,
        sealed: row.text("sealed_token")?,
    })
}

fn login(row: &AnyRow) -> Result<SealedLogin, sqlx::Error> {
    Ok(SealedLogin {
        pool: row.name("pool")?,
        bot: row.id("bot")?,
        slot: row.id("slot")?,
        sealed: row.text("sealed_key")?,
    })
}
