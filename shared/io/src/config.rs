//! The configuration: defaults, then the file (TOML), then the environment (`UNDERSTUDY__SECTION__KEY`) over it.
//!
//! One pass: the layers are merged by the `config` crate (this module is the only one that names it), each section is read into
//! its type (a file per section, unknown keys are errors), each section's `validate` says what its numbers may be, and last
//! the references to secrets are followed. Invariants: a loaded [`Config`] is complete and consistent, its paths are
//! absolute; a secret is never written in the file, only where it is; every error is one line that names the file, the key, what is
//! wrong and how to mend it, and never a secret.
//! Deliberately absent: reloading, versions and their history, and asking Telegram whether any of it is true.

mod database;
mod environment;
mod error;
mod example;
mod http;
mod log;
mod policy;
mod pool;
mod rates;
mod reach;
mod redis;
mod reference;
mod rights;
mod sealing;
mod surroundings;
mod telegram;
mod timing;
mod value;
mod workers;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use shared_core::{PoolId, Secret};

pub use database::DatabaseConfig;
pub use error::{ConfigError, Problem};
pub use http::HttpConfig;
pub use log::{LogConfig, LogFormat, LogLevel};
pub use policy::PolicyConfig;
pub use pool::{BotConfig, ChannelConfig, ChannelRole, PoolConfig, UploadConfig};
pub use rates::RatesConfig;
pub use reach::ReachConfig;
pub use redis::{AppendFsync, RedisConfig};
pub use rights::Right;
pub use sealing::SecretsConfig;
pub use surroundings::Surroundings;
pub use telegram::{DataCentre, TelegramConfig};
pub use timing::TimingConfig;
pub use workers::WorkersConfig;

pub(crate) use value::url_path;

use error::Fault;
use reference::Resolver;

/// Everything that an operator decides, checked and with its secrets at hand.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it came from, absolute.
    pub file: PathBuf,
    /// Absolute; whoever needs it first makes it.
    pub data_dir: PathBuf,
    pub telegram: TelegramConfig,
    pub redis: RedisConfig,
    pub database: DatabaseConfig,
    pub workers: WorkersConfig,
    pub secrets: SecretsConfig,
    pub timing: TimingConfig,
    pub rates: RatesConfig,
    pub policy: PolicyConfig,
    pub reach: ReachConfig,
    pub http: HttpConfig,
    pub log: LogConfig,
    pub pools: Vec<PoolConfig>,
}

impl Config {
    /// Reads the file at `path`, with this process's environment over it.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Self::load_with(path, &Surroundings::of_process())
    }

    /// The same with a given environment.
    pub fn load_with(
        path: impl AsRef<Path>,
        surroundings: &Surroundings,
    ) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let file = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let text = std::fs::read_to_string(&file)
            .map_err(|error| Fault::whole_file(Problem::Unreadable(error.kind())).in_file(path))?;
        Raw::read(&text, surroundings)
            .and_then(|raw| raw.resolve(&file, surroundings))
            .map_err(|fault| fault.in_file(path))
    }

    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Is Redis a private server of our own?
    pub fn redis_is_private(&self) -> bool {
        self.redis.url.is_none()
    }

    /// Where the private server listens.
    pub fn redis_socket(&self) -> PathBuf {
        self.data_dir.join("redis").join("redis.sock")
    }

    /// Where Redis is: the configured one, or the private one's socket.
    pub fn redis_url(&self) -> Secret {
        match &self.redis.url {
            Some(url) => url.clone(),
            None => Secret::new(format!(
                "redis+unix://{}",
                value::url_path(&self.redis_socket())
            )),
        }
    }

    /// Where SQL is: the configured one, or SQLite in the data folder.
    pub fn database_url(&self) -> Secret {
        match &self.database.url {
            Some(url) => url.clone(),
            None => {
                let file = self.data_dir.join("understudy.db");
                Secret::new(format!("sqlite://{}?mode=rwc", value::url_path(&file)))
            }
        }
    }

    /// Is SQL a file of this machine?
    pub fn database_is_local(&self) -> bool {
        let url = self.database.url.as_ref();
        url.is_none_or(|url| url.expose().starts_with("sqlite:"))
    }

    pub fn sealing_key(&self) -> &Path {
        &self.secrets.sealing_key
    }

    pub fn pool(&self, name: &PoolId) -> Option<&PoolConfig> {
        self.pools.iter().find(|pool| pool.name == *name)
    }
}

/// The layers merged and typed; secrets are still references.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default = "default_data_dir")]
    data_dir: PathBuf,
    telegram: telegram::Raw,
    #[serde(default)]
    redis: redis::Raw,
    #[serde(default)]
    database: database::Raw,
    #[serde(default)]
    workers: WorkersConfig,
    #[serde(default)]
    secrets: sealing::Raw,
    #[serde(default)]
    timing: TimingConfig,
    #[serde(default)]
    rates: RatesConfig,
    #[serde(default)]
    policy: PolicyConfig,
    #[serde(default)]
    reach: ReachConfig,
    #[serde(default)]
    http: HttpConfig,
    #[serde(default)]
    log: LogConfig,
    #[serde(default)]
    pool: Vec<pool::Raw>,
}

fn default_data_dir() -> PathBuf {
    "data".into()
}

impl Raw {
    fn read(text: &str, surroundings: &Surroundings) -> Result<Self, Fault> {
        ::config::Config::builder()
            .add_source(::config::File::from_str(text, ::config::FileFormat::Toml))
            .add_source(environment::Variables::of(surroundings))
            .build()
            .and_then(::config::Config::try_deserialize)
            .map_err(|error| error::translate(error, surroundings))
    }

    /// Checks what needs no secret first, so that a wrong number is not hidden behind a missing file.
    fn resolve(self, file: &Path, surroundings: &Surroundings) -> Result<Config, Fault> {
        if self.data_dir.to_string_lossy().trim().is_empty() {
            let mend = "write a folder, as understudy.example.toml shows";
            return Err(Fault::inconsistent("data_dir", "is empty", mend));
        }
        let home = file.parent().unwrap_or(Path::new("/"));
        let data_dir = home.join(&self.data_dir);
        self.telegram.validate()?;
        self.redis.validate(&data_dir)?;
        self.workers.validate()?;
        self.timing.validate()?;
        self.rates.validate()?;
        self.policy.validate(&self.timing)?;
        self.reach.validate()?;
        self.http.validate()?;
        pool::validate(&self.pool)?;

        let resolver = Resolver { home, surroundings };
        Ok(Config {
            telegram: self.telegram.resolve(&resolver)?,
            redis: self.redis.resolve(&resolver)?,
            database: self.database.resolve(&resolver)?,
            secrets: self.secrets.resolve(&resolver, &data_dir)?,
            pools: pool::resolve(self.pool, &resolver)?,
            workers: self.workers,
            timing: self.timing,
            rates: self.rates,
            policy: self.policy,
            reach: self.reach,
            http: self.http,
            log: self.log,
            file: file.to_owned(),
            data_dir,
        })
    }
}
