//! `[[pool]]`: a community, its bots in order of priority, its channels, what may be uploaded.
//!
//! Invariants of what is loaded: every bot is there once in the whole deployment; a pool has a bot, exactly one storage channel
//! and at most one broadcast channel; no group belongs to two pools, which would answer it twice.

mod channel;
mod upload;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use shared_core::{AuthKey, BotId, BotToken, ChannelId, MemberId, PoolId};

use super::error::{Fault, Problem};
use super::reference::{Resolver, SecretRef};

pub use channel::{ChannelConfig, ChannelRole};
pub use upload::UploadConfig;

/// More people than anybody should trust with this.
const ADMINS: usize = 100;
/// Telegram lets one owner have this many bots.
const BOTS_PER_POOL: usize = 20;
const POOLS: usize = 1000;

#[derive(Debug, Clone)]
pub struct PoolConfig {
    pub name: PoolId,
    /// The first is preferred.
    pub bots: Vec<BotConfig>,
    pub channels: Vec<ChannelConfig>,
    pub upload: UploadConfig,
    /// Who may use the admin commands in private with any of the bots.
    pub admins: BTreeSet<MemberId>,
}

#[derive(Debug, Clone)]
pub struct BotConfig {
    /// The operator's name for it, shown to him.
    pub name: String,
    pub token: BotToken,
    /// False: it stands by and answers admins, and is never made active, by nobody.
    pub promote: bool,
    /// Auth keys that the data centre knows already, one a login, taken in order; the sandbox hands them out. Without them keys are made.
    pub preset_keys: Vec<AuthKey>,
}

impl BotConfig {
    pub fn bot(&self) -> BotId {
        self.token.bot()
    }
}

impl PoolConfig {
    pub fn bot(&self, bot: BotId) -> Option<&BotConfig> {
        self.bots.iter().find(|config| config.bot() == bot)
    }

    pub fn groups(&self) -> impl Iterator<Item = ChannelId> {
        self.with_role(ChannelRole::Group)
    }

    /// Where files are kept; a loaded configuration has one.
    pub fn storage(&self) -> Option<ChannelId> {
        self.with_role(ChannelRole::Storage).next()
    }

    /// Where submissions are announced, if anywhere.
    pub fn broadcast(&self) -> Option<ChannelId> {
        self.with_role(ChannelRole::Broadcast).next()
    }

    fn with_role(&self, role: ChannelRole) -> impl Iterator<Item = ChannelId> {
        let matching = self
            .channels
            .iter()
            .filter(move |channel| channel.role == role);
        matching.map(|channel| channel.id)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    name: PoolId,
    #[serde(default)]
    bot: Vec<RawBot>,
    #[serde(default)]
    channel: Vec<channel::Raw>,
    #[serde(default)]
    upload: UploadConfig,
    #[serde(default)]
    admins: Vec<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBot {
    name: String,
    token: SecretRef,
    preset_key: Option<SecretRef>,
    #[serde(default = "yes")]
    promote: bool,
}

fn yes() -> bool {
    true
}

/// What can be said of pools without knowing a secret.
pub(super) fn validate(pools: &[Raw]) -> Result<(), Fault> {
    if pools.is_empty() {
        return Err(Fault::inconsistent(
            "pool",
            "there is no pool",
            "add a [[pool]] with its bots and channels as understudy.example.toml shows",
        ));
    }
    if pools.len() > POOLS {
        let text = format!(
            "has {} entries, the limit is {POOLS}; run a second deployment",
            pools.len()
        );
        return Err(Fault::at("pool", Problem::Value(text)));
    }
    let mut names = BTreeSet::new();
    let mut groups = BTreeMap::new();
    for (index, pool) in pools.iter().enumerate() {
        let key = format!("pool[{index}]");
        if !names.insert(&pool.name) {
            return Err(Fault::inconsistent(
                format!("{key}.name"),
                format!("a second pool is named `{}`", pool.name),
                "give each pool a name of its own",
            ));
        }
        pool.validate_bots(&key)?;
        channel::validate(&pool.channel, &key, &pool.name, &mut groups)?;
        pool.upload.validate(&key)?;
        validate_admins(&pool.admins, &key)?;
    }
    Ok(())
}

/// Admins are people, named by their user ids.
fn validate_admins(admins: &[i64], pool_key: &str) -> Result<(), Fault> {
    if admins.len() > ADMINS {
        let text = format!(
            "has {} entries, the limit is {ADMINS}; keep those who are on duty",
            admins.len()
        );
        return Err(Fault::at(
            format!("{pool_key}.admins"),
            Problem::Value(text),
        ));
    }
    match admins.iter().enumerate().find(|(_, id)| **id <= 0) {
        None => Ok(()),
        Some((at, id)) => Err(Fault::inconsistent(
            format!("{pool_key}.admins[{at}]"),
            format!("{id} is not a person's id"),
            "write the number that Telegram has for the person, not a group's and not a @name",
        )),
    }
}

/// Follows the references, and then sees to it that no bot is there twice.
pub(super) fn resolve(pools: Vec<Raw>, resolver: &Resolver<'_>) -> Result<Vec<PoolConfig>, Fault> {
    let mut places: BTreeMap<BotId, String> = BTreeMap::new();
    let mut resolved = Vec::with_capacity(pools.len());
    for (index, pool) in pools.into_iter().enumerate() {
        let mut bots = Vec::with_capacity(pool.bot.len());
        for (at, raw) in pool.bot.into_iter().enumerate() {
            let key = format!("pool[{index}].bot[{at}]");
            let bot = raw.resolve(&key, resolver)?;
            let place = format!("`{}` of pool `{}`", bot.name, pool.name);
            if let Some(other) = places.insert(bot.bot(), place) {
                return Err(Fault::inconsistent(
                    format!("{key}.token"),
                    format!("is of the same bot ({}) as {other}", bot.bot()),
                    "give each entry the token of another bot",
                ));
            }
            bots.push(bot);
        }
        resolved.push(PoolConfig {
            name: pool.name,
            bots,
            channels: pool
                .channel
                .into_iter()
                .map(channel::Raw::resolve)
                .collect(),
            upload: pool.upload,
            admins: pool.admins.into_iter().map(MemberId).collect(),
        });
    }
    Ok(resolved)
}

impl Raw {
    fn validate_bots(&self, key: &str) -> Result<(), Fault> {
        if self.bot.is_empty() {
            return Err(Fault::inconsistent(
                format!("{key}.bot"),
                format!("pool `{}` has no bot", self.name),
                "add a [[pool.bot]] with `name` and `token`; two or more, or there is no standby",
            ));
        }
        if self.bot.len() > BOTS_PER_POOL {
            return Err(Fault::inconsistent(
                format!("{key}.bot"),
                format!(
                    "pool `{}` has {} bots, the limit is {BOTS_PER_POOL}",
                    self.name,
                    self.bot.len()
                ),
                "remove the last ones",
            ));
        }
        if self.bot.iter().all(|bot| !bot.promote) {
            return Err(Fault::inconsistent(
                format!("{key}.bot"),
                format!("no bot of pool `{}` may be active", self.name),
                "take `promote = false` out of one of them at least",
            ));
        }
        let mut names = BTreeSet::new();
        for (at, bot) in self.bot.iter().enumerate() {
            let key = format!("{key}.bot[{at}].name");
            let fits = (1..=32).contains(&bot.name.len())
                && bot
                    .name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
            if !fits {
                return Err(Fault::inconsistent(
                    key,
                    "is not fit for a name",
                    "write 1 to 32 of a-z, A-Z, 0-9, '-' and '_'",
                ));
            }
            if !names.insert(&bot.name) {
                return Err(Fault::inconsistent(
                    key,
                    format!(
                        "a second bot of pool `{}` is named `{}`",
                        self.name, bot.name
                    ),
                    "give each bot a name of its own",
                ));
            }
        }
        Ok(())
    }
}

impl RawBot {
    fn resolve(self, key: &str, resolver: &Resolver<'_>) -> Result<BotConfig, Fault> {
        let token_key = format!("{key}.token");
        let token = resolver.secret(&token_key, &self.token)?;
        let token = BotToken::parse(token.expose()).map_err(|error| {
            Fault::inconsistent(token_key, error.to_string(), "copy it again, in one line")
        })?;
        let preset_keys = match &self.preset_key {
            None => Vec::new(),
            Some(reference) => {
                let key = format!("{key}.preset_key");
                let text = resolver.secret(&key, reference)?;
                let keys: Option<Vec<AuthKey>> =
                    text.expose().lines().map(AuthKey::from_hex).collect();
                keys.ok_or_else(|| {
                    Fault::inconsistent(
                        key,
                        "what it refers to is not an auth key",
                        "write its 512 hex digits there, one key a line, or remove the setting: without it a key is made",
                    )
                })?
            }
        };
        Ok(BotConfig {
            name: self.name,
            token,
            promote: self.promote,
            preset_keys,
        })
    }
}
