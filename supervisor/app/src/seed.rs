//! What the configuration says, brought into SQL before anything runs: bots with their sealed tokens, in their order, and channels.
//!
//! Invariant: a token is in SQL only sealed, and sealed anew only when it changed. What the configuration does not name any more is
//! retired, never deleted.

use std::collections::BTreeSet;

use anyhow::Context;
use shared_core::{BotId, ChannelId};
use shared_io::clock;
use shared_io::config::{BotConfig, Config, PoolConfig};
use shared_io::secrets::{SealContext, Sealer};
use shared_io::sql::{BotRow, ChannelRow, Store};

pub async fn store(config: &Config, store: &Store, sealer: &Sealer) -> anyhow::Result<()> {
    bots(config, store, sealer).await?;
    for pool in &config.pools {
        let known = store.channels().list(&pool.name).await?;
        for channel in &pool.channels {
            let row = ChannelRow {
                pool: pool.name.clone(),
                channel: channel.id,
                role: channel.role,
                rights: channel.rights.clone(),
                title: None,
                added: clock::unix_now(),
                retired: None,
            };
            store.channels().put(&row).await?;
        }
        let configured: BTreeSet<ChannelId> = pool.channels.iter().map(|c| c.id).collect();
        for row in known {
            if configured.contains(&row.channel) {
                continue;
            }
            tracing::info!(pool = %pool.name, channel = %row.channel, "channel is not configured any more, retired");
            let retired = Some(clock::unix_now());
            store.channels().put(&ChannelRow { retired, ..row }).await?;
        }
    }
    Ok(())
}

async fn bots(config: &Config, store: &Store, sealer: &Sealer) -> anyhow::Result<()> {
    for pool in &config.pools {
        let known = store.bots().list(&pool.name).await?;
        for (priority, bot) in pool.bots.iter().enumerate() {
            let row = known.iter().find(|row| row.bot == bot.bot());
            let priority = u32::try_from(priority).unwrap_or(u32::MAX);
            put(pool, bot, priority, row, store, sealer)
                .await
                .with_context(|| format!("storing bot `{}` of pool `{}`", bot.name, pool.name))?;
        }
        let configured: BTreeSet<BotId> = pool.bots.iter().map(BotConfig::bot).collect();
        for row in known.iter().filter(|row| !configured.contains(&row.bot)) {
            tracing::info!(pool = %pool.name, bot = %row.bot, "bot is not configured any more, retired");
            store
                .bots()
                .retire(&pool.name, row.bot, clock::unix_now())
                .await?;
        }
    }
    Ok(())
}

async fn put(
    pool: &PoolConfig,
    bot: &BotConfig,
    priority: u32,
    known: Option<&BotRow>,
    store: &Store,
    sealer: &Sealer,
) -> anyhow::Result<()> {
    let context = SealContext::token(&pool.name, bot.bot());
    let kept = known.filter(|row| {
        sealer
            .open(&row.sealed_token, &context)
            .is_ok_and(|token| token.as_slice() == bot.token.expose().as_bytes())
    });
    let sealed_token = match kept {
        Some(row) if row.name == bot.name && row.priority == priority => return Ok(()),
        Some(row) => row.sealed_token.clone(),
        None => sealer.seal(bot.token.expose().as_bytes(), &context)?,
    };
    let row = BotRow {
        pool: pool.name.clone(),
        bot: bot.bot(),
        name: bot.name.clone(),
        username: None,
        priority,
        sealed_token,
        added: clock::unix_now(),
        retired: None,
    };
    Ok(store.bots().put(&row).await?)
}
