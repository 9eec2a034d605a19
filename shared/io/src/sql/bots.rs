//! `bots`: which bots a pool has, in which order, with their sealed tokens. Rows are retired, never deleted.

use shared_core::{BotId, PoolId, UnixMs};
use sqlx::any::AnyRow;

use super::StoreError;
use super::db::{Columns, Db, statement};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotRow {
    pub pool: PoolId,
    pub bot: BotId,
    pub name: String,
    /// Known once the bot has logged in.
    pub username: Option<String>,
    /// 0 is preferred.
    pub priority: u32,
    /// Sealed for the context `token/<pool>/<bot>`.
    pub sealed_token: String,
    pub added: UnixMs,
    pub retired: Option<UnixMs>,
}

#[derive(Clone, Copy)]
pub struct Bots<'a>(pub(super) &'a Db);

impl Bots<'_> {
    /// Adds the bot, or changes its name, priority, token and retirement. When it was added stays; a username that is known
    /// stays when the row brings none.
    pub async fn put(&self, row: &BotRow) -> Result<(), StoreError> {
        let query = statement(
            "INSERT INTO bots (pool, bot, name, username, priority, sealed_token, added, retired) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
             ON CONFLICT (pool, bot) DO UPDATE SET name = excluded.name, \
                 username = COALESCE(excluded.username, bots.username), priority = excluded.priority, \
                 sealed_token = excluded.sealed_token, retired = excluded.retired",
        )
        .bind(row.pool.as_str())
        .bind(row.bot.to_string())
        .bind(&row.name)
        .bind(&row.username)
        .bind(i64::from(row.priority))
        .bind(&row.sealed_token)
        .bind(row.added.0)
        .bind(row.retired.map(|at| at.0))
        .execute(self.0.pool());
        self.0.bounded("storing bot", row.bot, query).await?;
        Ok(())
    }

    pub async fn get(&self, pool: &PoolId, bot: BotId) -> Result<Option<BotRow>, StoreError> {
        let find = async {
            let row = statement(
                "SELECT pool, bot, name, username, priority, sealed_token, added, retired \
                FROM bots WHERE pool = $1 AND bot = $2",
            )
            .bind(pool.as_str())
            .bind(bot.to_string())
            .fetch_optional(self.0.pool())
            .await?;
            row.map(|row| read(&row)).transpose()
        };
        self.0.bounded("reading bot", bot, find).await
    }

    /// Those that are not retired, the preferred one first.
    pub async fn list(&self, pool: &PoolId) -> Result<Vec<BotRow>, StoreError> {
        let list = async {
            let rows = statement(
                "SELECT pool, bot, name, username, priority, sealed_token, added, retired \
                    FROM bots WHERE pool = $1 AND retired IS NULL ORDER BY priority, bot",
            )
            .bind(pool.as_str())
            .fetch_all(self.0.pool())
            .await?;
            rows.iter().map(read).collect()
        };
        self.0.bounded("listing the bots of pool", pool, list).await
    }

    /// What Telegram calls it.
    pub async fn set_username(
        &self,
        pool: &PoolId,
        bot: BotId,
        username: &str,
    ) -> Result<(), StoreError> {
        let query = statement("UPDATE bots SET username = $3 WHERE pool = $1 AND bot = $2")
            .bind(pool.as_str())
            .bind(bot.to_string())
            .bind(username)
            .execute(self.0.pool());
        self.0.bounded("naming bot", bot, query).await?;
        Ok(())
    }

    /// `false` when there is no such bot or it is retired already.
    pub async fn retire(&self, pool: &PoolId, bot: BotId, at: UnixMs) -> Result<bool, StoreError> {
        let query = statement(
            "UPDATE bots SET retired = $3 WHERE pool = $1 AND bot = $2 AND retired IS NULL",
        )
        .bind(pool.as_str())
        .bind(bot.to_string())
        .bind(at.0)
        .execute(self.0.pool());
        let done = self.0.bounded("retiring bot", bot, query).await?;
        Ok(done.rows_affected() == 1)
    }
}

fn read(row: &AnyRow) -> Result<BotRow, sqlx::Error> {
    Ok(BotRow {
        pool: row.name("pool")?,
        bot: row.id("bot")?,
        name: row.text("name")?,
        username: row.text_or_none("username")?,
        priority: row.count("priority")?,
        sealed_token: row.text("sealed_token")?,
        added: row.time("added")?,
        retired: row.time_or_none("retired")?,
    })
}
