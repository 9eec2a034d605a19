//! The stores as a command opens them: to look, without making or upgrading anything, and with one line when that fails.

use anyhow::{Context, anyhow, bail};
use shared_io::config::Config;
use shared_io::redis::{RedisState, RedisTimeouts, StateError};
use shared_io::sql::{SchemaSeen, Store};

use crate::folder::Folder;

/// What is there of the database.
pub enum Database {
    /// SQLite's file does not exist; the first start makes it.
    NotYet,
    /// It was made by another version of this program, and is left alone.
    Other(SchemaSeen),
    Open(Store),
}

/// Changes nothing.
pub async fn database(config: &Config) -> anyhow::Result<Database> {
    if config.database.url.is_none() {
        Folder::new(config.data_dir()).may_be_read()?;
        if !config.data_dir().join("understudy.db").is_file() {
            return Ok(Database::NotYet);
        }
    }
    let schema = Store::peek(&config.database_url())
        .await
        .map_err(anyhow::Error::from)
        .with_context(|| format!("looking at {}", database_name(config)))?;
    if !schema.is_current() {
        return Ok(Database::Other(schema));
    }
    let store = Store::open_configured(config).await?;
    store.ping().await?;
    Ok(Database::Open(store))
}

/// For a command that is nothing without it.
pub async fn store(config: &Config) -> anyhow::Result<Store> {
    match database(config).await? {
        Database::Open(store) => Ok(store),
        Database::NotYet => bail!(
            "{} is not there yet: `understudy run` makes it at its first start",
            database_name(config)
        ),
        Database::Other(schema) => bail!("{}", other_schema(config, schema)),
    }
}

/// One line on a schema that is not ours.
pub fn other_schema(config: &Config, schema: SchemaSeen) -> String {
    let SchemaSeen { found, known } = schema;
    let name = database_name(config);
    if schema.is_newer() {
        format!(
            "{name} has schema version {found} and this program knows up to {known}; run the program that upgraded it, or restore a backup from before"
        )
    } else if found == 0 {
        format!("{name} is empty; the first start of `understudy run` makes its tables")
    } else {
        format!(
            "{name} has schema version {found} and this program needs {known}; the next start of `understudy run` upgrades it"
        )
    }
}

/// Where the database is, without a password.
pub fn database_name(config: &Config) -> String {
    match &config.database.url {
        Some(_) => "the database at database.url".to_owned(),
        None => format!(
            "the database {}",
            config.data_dir().join("understudy.db").display()
        ),
    }
}

/// Where Redis is, without a password.
pub fn redis_name(config: &Config) -> String {
    if config.redis_is_private() {
        format!("the private Redis at {}", config.redis_socket().display())
    } else {
        "Redis at redis.url".to_owned()
    }
}

pub async fn redis(config: &Config) -> anyhow::Result<RedisState> {
    if config.redis_is_private() {
        Folder::new(config.data_dir()).may_be_read()?;
    }
    let timeouts = RedisTimeouts::default();
    let connected = RedisState::connect(&config.redis_url(), &config.redis.prefix, timeouts).await;
    connected.map_err(|error| anyhow!("{}", unreachable(config, &error)))
}

/// One line on a Redis that did not let us in.
pub fn unreachable(config: &Config, error: &StateError) -> String {
    let name = redis_name(config);
    match error {
        StateError::Unreachable { why, .. } if config.redis_is_private() => {
            format!("{name} cannot be reached ({why}): {}", remedy(config))
        }
        StateError::Unreachable { why, .. } => {
            format!(
                "{name} cannot be reached ({why}): start it, or mend [redis] url in {}; one that hangs wants a restart",
                config.file.display()
            )
        }
        error => format!("{name}: {error}"),
    }
}

/// What brings the private server back. A supervisor starts it again the moment it is dead, and not before.
fn remedy(config: &Config) -> String {
    let folder = Folder::new(config.data_dir());
    match folder.is_locked() {
        Ok(true) => format!(
            "the supervisor runs and starts it again when it is dead; if it hangs, kill it (its pid is in {}); its log is {}",
            folder.redis().join("redis.pid").display(),
            folder.log("redis").display()
        ),
        Ok(false) => "`understudy run` starts it".to_owned(),
        Err(error) => error.to_string(),
    }
}
