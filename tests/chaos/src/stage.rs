//! What one segment stands on: the simulated Telegram, the stores, the configuration, `understudy run`.
//!
//! Five bots: a revocation costs a bot its two logins, Telegram lets it make four an hour, so each can be revoked once in a segment. The send limits
//! are those of a large bot, in the simulator and, a little lower, in the configuration: with the published ones nobody could talk at 50 updates a second.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use sandbox::control::Control;
use sandbox::daemon::Daemon;
use sandbox::scene::{Cast, Scene};
use sandbox::setup::Folder;
use serde_json::{Map, Value, json};
use telegram_sim::{RunningSim, Sim, SimConfig};

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

pub struct Stage {
    pub folder: Folder,
    pub sim: RunningSim,
    pub control: Control,
    pub scene: Scene,
    pub redis: Redis,
    pub database: Database,
    /// The sessions of a revoked token live on, in this segment.
    pub revoked_live_on: bool,
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
    ) -> Result<(Arc<Self>, Daemon)> {
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
        let mut more = RATES.to_owned();
        let (redis, database) = match shape {
            Shape::Private => (
                Redis::Private(folder.root.clone()),
                Database::Sqlite(folder.state().join("understudy.db")),
            ),
            Shape::Shared => {
                let redis = SharedRedis::start(&folder.root.join("shared-redis")).await?;
                let postgres = Postgres::start().await?;
                folder.secret("database_url", &postgres.url)?;
                more += &format!(
                    "\n[redis]\nurl = {:?}\n\n[database]\nurl = \"file:secrets/database_url\"\n",
                    redis.url()
                );
                (Redis::Shared(Box::new(redis)), Database::Postgres(postgres))
            }
        };
        folder.write_config_with(&scene, sim.mtproto_addr(), &more)?;
        let daemon = Daemon::start(&folder)?;
        let stage = Self {
            folder,
            sim,
            control,
            scene,
            redis,
            database,
            revoked_live_on: doubts.get("revoke_live_sessions") == Some(&json!("live_on")),
        };
        Ok((Arc::new(stage), daemon))
    }

    pub fn bots(&self) -> Vec<i64> {
        self.scene.bots.iter().map(|bot| bot.id).collect()
    }

    /// What the owner does once @BotFather has given him a bot's next token: writes it where the configuration points to.
    pub fn put_token(&self, bot: i64, token: &str) -> Result<()> {
        let known = self.scene.bots.iter().find(|one| one.id == bot);
        let name = known.context("a bot of the scene")?.name;
        let secrets = self.folder.root.join("secrets");
        let next = format!("{name}.token.next");
        self.folder.secret(&next, token)?;
        std::fs::rename(secrets.join(next), secrets.join(format!("{name}.token")))
            .context("a bot's next token")
    }
}

fn limits() -> Value {
    json!({
        "per_chat_per_second": 10.0, "per_chat_burst": 20, "per_group_per_minute": 600.0, "per_group_burst": 60,
        "bulk_per_second": 300.0, "bulk_burst": 300, "other_per_second": 400.0, "other_burst": 800,
    })
}
