//! Which pool and which bot a command is about.

use anyhow::bail;
use shared_core::{BotId, PoolId};
use shared_io::config::{Config, PoolConfig};
use shared_io::sql::{BotRow, Store};

/// The named one, or the only one.
pub fn the_pool<'a>(config: &'a Config, named: Option<&str>) -> anyhow::Result<&'a PoolConfig> {
    let names = || {
        let names: Vec<&str> = config.pools.iter().map(|pool| pool.name.as_str()).collect();
        names.join(", ")
    };
    match (named, config.pools.as_slice()) {
        (None, [only]) => Ok(only),
        (None, _) => bail!("which pool? add --pool with one of: {}", names()),
        (Some(name), pools) => {
            let found = pools.iter().find(|pool| pool.name.as_str() == name);
            found.ok_or_else(|| {
                anyhow::anyhow!("there is no pool `{name}`; --pool is one of: {}", names())
            })
        }
    }
}

/// The configuration with the named pool alone; as it is when none is named.
pub fn only(mut config: Config, named: Option<&str>) -> anyhow::Result<Config> {
    if let Some(name) = named {
        let wanted = the_pool(&config, Some(name))?.name.clone();
        config.pools.retain(|pool| pool.name == wanted);
    }
    Ok(config)
}

/// A bot by its configured name, its id (`b7`, `7`) or its @username as far as SQL knows it.
pub async fn the_bot(
    pool: &PoolConfig,
    store: Option<&Store>,
    text: &str,
) -> anyhow::Result<BotId> {
    if let Some(bot) = pool.bots.iter().find(|bot| bot.name == text) {
        return Ok(bot.bot());
    }
    let configured = |bot: &BotId| pool.bot(*bot).is_some();
    if let Some(bot) = text.parse::<BotId>().ok().filter(configured) {
        return Ok(bot);
    }
    let rows = usernames(store, &pool.name).await;
    let name = text.trim_start_matches('@');
    let named = rows.iter().find(|row| {
        let username = row.username.as_deref().unwrap_or_default();
        !name.is_empty() && username.trim_start_matches('@').eq_ignore_ascii_case(name)
    });
    match named.map(|row| row.bot).filter(configured) {
        Some(bot) => Ok(bot),
        None => {
            let names: Vec<&str> = pool.bots.iter().map(|bot| bot.name.as_str()).collect();
            bail!(
                "pool `{}` has no bot `{text}`; write one of: {} (or a @username, or an id like b7000001)",
                pool.name,
                names.join(", ")
            )
        }
    }
}

async fn usernames(store: Option<&Store>, pool: &PoolId) -> Vec<BotRow> {
    match store {
        Some(store) => store.bots().list(pool).await.unwrap_or_default(),
        None => Vec::new(),
    }
}

/// How a bot is called when a person reads it.
pub fn bot_name(pool: &PoolConfig, bot: BotId) -> String {
    match pool.bot(bot) {
        Some(config) => format!("{} ({bot})", config.name),
        None => bot.to_string(),
    }
}
