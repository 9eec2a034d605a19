//! `channels`: the supergroups and channels of a pool and the rights wanted there. Rows are retired, never deleted.

use shared_core::{ChannelId, PoolId, UnixMs};
use sqlx::any::AnyRow;

use super::StoreError;
use super::db::{Columns, Db, statement, storable, to_json, undecodable};
use crate::config::{ChannelRole, Right};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelRow {
    pub pool: PoolId,
    pub channel: ChannelId,
    pub role: ChannelRole,
    pub rights: Vec<Right>,
    /// Known once a bot has seen it.
    pub title: Option<String>,
    pub added: UnixMs,
    pub retired: Option<UnixMs>,
}

#[derive(Clone, Copy)]
pub struct Channels<'a>(pub(super) &'a Db);

impl Channels<'_> {
    /// Adds the channel, or changes its role, rights and retirement. When it was added stays; a title that is known
    /// stays when the row brings none.
    pub async fn put(&self, row: &ChannelRow) -> Result<(), StoreError> {
        let store = async {
            let words: Vec<&str> = row.rights.iter().map(|right| right.as_str()).collect();
            statement(
                "INSERT INTO channels (pool, channel, role, rights, title, added, retired) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7) \
                 ON CONFLICT (pool, channel) DO UPDATE SET role = excluded.role, rights = excluded.rights, \
                     title = COALESCE(excluded.title, channels.title), retired = excluded.retired",
            )
            .bind(row.pool.as_str())
            .bind(row.channel.to_string())
            .bind(row.role.as_str())
            .bind(to_json(&words)?)
            .bind(row.title.as_deref().map(storable).as_deref())
            .bind(row.added.0)
            .bind(row.retired.map(|at| at.0))
            .execute(self.0.pool())
            .await
        };
        self.0
            .bounded("storing channel", row.channel, store)
            .await?;
        Ok(())
    }

    /// Those that are not retired.
    pub async fn list(&self, pool: &PoolId) -> Result<Vec<ChannelRow>, StoreError> {
        let list = async {
            let rows = statement(
                "SELECT pool, channel, role, rights, title, added, retired \
                    FROM channels WHERE pool = $1 AND retired IS NULL ORDER BY channel",
            )
            .bind(pool.as_str())
            .fetch_all(self.0.pool())
            .await?;
            rows.iter().map(read).collect()
        };
        self.0
            .bounded("listing the channels of pool", pool, list)
            .await
    }
}

fn read(row: &AnyRow) -> Result<ChannelRow, sqlx::Error> {
    let words: Vec<String> = row.json("rights")?;
    let rights = words
        .iter()
        .map(|word| word.parse())
        .collect::<Result<_, String>>();
    Ok(ChannelRow {
        pool: row.name("pool")?,
        channel: row.id("channel")?,
        role: row.id("role")?,
        rights: rights.map_err(|error| undecodable("rights", &error))?,
        title: row.text_or_none("title")?,
        added: row.time("added")?,
        retired: row.time_or_none("retired")?,
    })
}
