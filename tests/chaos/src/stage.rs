//! What one segment stands on: the simulated Telegram, the stores, the configuration, `understudy run`.
//!
//! Five bots: a revocation costs a bot its two logins, Telegram lets it make four an hour, so each can be revoked once in a segment. The send limits
//! are those of a large bot, in the simulator and, a little lower, in the configuration: with the published ones nobody could talk at 50 updates a second.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use sandbox::control::Control;
use sandbox::scene::{Cast, Scene};
use sandbox::setup::Folder;
use serde_json::{Map, Value, json};
use telegram_sim::{RunningSim, Sim, SimConfig};

use crate::cli::Cli;
use crate::doubts;
use crate::keeper::Daemons;
use crate::proxy::Proxy;
use crate::stores::{Database, Postgres, Redis, SharedRedis};

const BOTS: [(&str, &str); 5] = [
    ("first", "understudy_first_bot"),
    ("second", "understudy_second_bot"),
    ("third", "understudy_third_bot"),
    ("fourth", "understudy_fourth_bot"),
    ("fifth", "understudy_fifth_bot"),
];

/// Two logins, two more after a revocation, and some for attempts that a fault cut short.
const KEYS_PER_BOT: usize = 8;

/// What the members may ask for, answers a second: below what the bots send.
pub const PRIVATE_PER_SECOND: f64 = 160.0;
pub const CHANNEL_PER_SECOND: f64 = 6.0;

const RATES: &str = "\n[rates]\nchat_per_second = 8\nchat_burst = 10\ngroup_per_minute = 480\ngroup_burst = 40\nbulk_per_second = 240\n\
    \n[policy]\nswitches_per_hour = 3600\ncooldown_ms = 1000\n";

/// Of the second supervisor's, in the folder of the run.
const SECOND: &str = "second";
/// What the two supervisors' workers are called.
const HOSTS: [&str; 2] = ["a-w", "b-w"];

pub struct Stage {
    pub folder: Folder,
    /// Of supervisors on other hosts; in `folder`.
    others: Vec<Folder>,
    /// The service's own commands.
    pub cli: Cli,
    pub sim: RunningSim,
    pub control: Control,
    pub scene: Scene,
    pub redis: Redis,
    pub database: Database,
    /// Every process reaches Telegram by it, and can be cut from it.
    pub telegram: Proxy,
    /// What the live sessions of a revoked token are told in this segment; `None`: they live on.
    pub revoked_says: Option<String>,
}

/// What of the state is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    Private,
    Shared,
}

impl Stage {
    pub async fn set_up(
        place: &Path,
        shape: Shape,
        members: usize,
        seed: u64,
        doubts: &Map<String, Value>,
    ) -> Result<(Arc<Self>, Daemons)> {
        let folder = Folder::make(Some(place), seed)?;
        let sim = Sim::start(SimConfig {
            seed,
            ..SimConfig::default()
        })
        .await
        .context("the simulator")?;
        let control = Control::new(&sim.control_url())?;
        control.set_doubts(Value::Object(doubts.clone())).await?;
        control.set_limits(limits()).await?;
        let cast = Cast {
            bots: &BOTS,
            keys_per_bot: KEYS_PER_BOT,
            members,
            in_group: members / 10,
            finishers: members,
        };
        let scene = Scene::with(&control, cast, seed).await?;
        let telegram = Proxy::start(sim.mtproto_addr()).await?;
        let (redis, database) = match shape {
            Shape::Private => (
                Redis::Private(folder.root.clone()),
                Database::Sqlite(folder.state().join("understudy.db")),
            ),
            Shape::Shared => {
                let redis = SharedRedis::start(&folder.root.join("shared-redis")).await?;
                let postgres = Postgres::start().await?;
                (Redis::Shared(Box::new(redis)), Database::Postgres(postgres))
            }
        };
        let mut others = Vec::new();
        match (&redis, &database) {
            (Redis::Shared(redis), Database::Postgres(postgres)) => {
                others.push(Folder::make(Some(&folder.root.join(SECOND)), seed)?);
                let stores = shared_stores(&folder, &redis.url());
                for (folder, name) in std::iter::once(&folder).chain(&others).zip(HOSTS) {
                    folder.secret("database_url", &postgres.url)?;
                    folder.write_config_with(
                        &scene,
                        telegram.addr,
                        &(RATES.to_owned() + &stores),
                    )?;
                    name_workers(folder, name)?;
                }
            }
            _ => folder.write_config_with(&scene, telegram.addr, RATES)?,
        }
        let daemons = Daemons::start(&folder, &others)?;
        let stage = Self {
            cli: Cli::beside(&folder)?,
            folder,
            others,
            sim,
            control,
            scene,
            redis,
            database,
            telegram,
            revoked_says: doubts::revoked_says(doubts),
        };
        Ok((Arc::new(stage), daemons))
    }

    pub fn bots(&self) -> Vec<i64> {
        self.scene.bots.iter().map(|bot| bot.id).collect()
    }

    /// A bot's name in the configuration.
    pub fn name_of(&self, bot: i64) -> Result<&'static str> {
        let known = self.scene.bots.iter().find(|one| one.id == bot);
        Ok(known.context("a bot of the scene")?.name)
    }

    /// What the owner does once @BotFather has given him a bot's next token: writes it where the configuration points to, on each host.
    pub fn put_token(&self, bot: i64, token: &str) -> Result<()> {
        let name = self.name_of(bot)?;
        let next = format!("{name}.token.next");
        for folder in std::iter::once(&self.folder).chain(&self.others) {
            let secrets = folder.root.join("secrets");
            folder.secret(&next, token)?;
            std::fs::rename(secrets.join(&next), secrets.join(format!("{name}.token")))
                .context("a bot's next token")?;
        }
        Ok(())
    }
}

/// What supervisors on several hosts have in common, beside the pools.
fn shared_stores(folder: &Folder, redis_url: &str) -> String {
    let sealing = folder.root.join("secrets/sealing.key");
    let sealing = format!("file:{}", sealing.display());
    format!(
        "\n[redis]\nurl = {redis_url:?}\n\n[database]\nurl = \"file:secrets/database_url\"\n\
         \n[secrets]\nsealing_key = {sealing:?}\n"
    )
}

/// Two hosts with a worker each, as one host has two.
fn name_workers(folder: &Folder, name: &str) -> Result<()> {
    let config = std::fs::read_to_string(folder.config()).context("the configuration")?;
    let named = with_worker(&config, name)?;
    std::fs::write(folder.config(), named).context("the configuration")
}

fn with_worker(config: &str, name: &str) -> Result<String> {
    let two = "[workers]\nlocal = 2\n";
    if !config.contains(two) {
        bail!("the sandbox's configuration has no line for two local workers");
    }
    Ok(config.replace(two, &format!("[workers]\nlocal = 1\nname = {name:?}\n")))
}

fn limits() -> Value {
    json!({
        "per_chat_per_second": 10.0, "per_chat_burst": 20, "per_group_per_minute": 600.0, "per_group_burst": 60,
        "bulk_per_second": 300.0, "bulk_burst": 300, "other_per_second": 400.0, "other_burst": 800,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn two_hosts_have_a_worker_each_under_names_of_their_own_and_one_sealing_key() {
        let config = "x = 1\n[workers]\nlocal = 2\n\n[[pool]]\n";
        let named = HOSTS.map(|name| with_worker(config, name).unwrap());
        assert!(named[0].contains("[workers]\nlocal = 1\nname = \"a-w\"\n"));
        assert_ne!(named[0], named[1]);
        let error = with_worker("[workers]\nlocal = 3\n", "a-w").unwrap_err();
        assert!(error.to_string().contains("two local workers"), "{error}");
        let folder = Folder {
            root: "/data/s 1".into(),
        };
        let stores = shared_stores(&folder, "redis://127.0.0.1:7");
        assert!(
            stores.contains("sealing_key = \"file:/data/s 1/secrets/sealing.key\""),
            "{stores}"
        );
        assert!(stores.contains("url = \"redis://127.0.0.1:7\""), "{stores}");
    }
}
