//! The stores of one measurement, and a pool in them.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use postgres_server::Server;
use serde_json::json;
use shared_core::{
    BotId, ConversationKey, Envelope, Epoch, EpochStamp, Holder, MemberId, Nonce, PoolId, Secret,
    UnixMs, WorkerId,
};
use shared_io::redis::{
    FenceAnswer, LeadAnswer, LeaderId, PoolState, RedisState, RedisTimeouts, StepAnswer,
};
use shared_io::sql::Store;

/// For as long as a measurement may take.
const LEAD: Duration = Duration::from_secs(3600);
const READY: Duration = Duration::from_secs(30);
pub const BOT: BotId = BotId(7_000_001);
pub const MARK: &str = "bench";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

pub struct Stage {
    pub pool: PoolState,
    pub store: Store,
    redis: Child,
    _postgres: Option<Server>,
    _place: tempfile::TempDir,
}

impl Drop for Stage {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.redis.kill();
        let _ = self.redis.wait();
    }
}

pub fn pool_id() -> Result<PoolId> {
    Ok(PoolId::new("main")?)
}

pub fn leader() -> LeaderId {
    LeaderId::new("bench", Nonce([1; 8]))
}

impl Stage {
    /// A Redis as the private one is by default, an empty database, and a pool that is led.
    pub async fn open(engine: Engine) -> Result<Self> {
        let place = tempfile::Builder::new().prefix("us").tempdir()?;
        let socket = place.path().join("s");
        let redis = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "yes"])
            .args(["--appendfsync", "always", "--unixsocket"])
            .arg(&socket)
            .arg("--dir")
            .arg(place.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .context("starting redis-server (install the package redis-server)")?;
        let postgres = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(Server::start()?),
        };
        let url = match &postgres {
            None => format!(
                "sqlite://{}?mode=rwc",
                place.path().join("d/b.db").display()
            ),
            Some(server) => {
                server.create_database("bench")?;
                server.url("bench")
            }
        };
        let store = Store::open(&Secret::new(url), &place.path().join("d")).await?;
        let url = Secret::new(format!("redis+unix://{}", socket.display()));
        let pool = connect(&url).await?.pool(&pool_id()?);
        let stage = Self {
            pool,
            store,
            redis,
            _postgres: postgres,
            _place: place,
        };
        stage.lead().await?;
        Ok(stage)
    }

    pub async fn lead(&self) -> Result<()> {
        if !self
            .pool
            .take_lead_of_pool(&leader(), LEAD)
            .await?
            .is_ours()
        {
            bail!("somebody else leads a Redis of our own");
        }
        Ok(())
    }

    /// Marks the history and opens an epoch.
    pub async fn open_epoch(&self) -> Result<EpochStamp> {
        let (leader, pool) = (leader(), &self.pool);
        let epochs = self.store.epochs();
        epochs.set_lineage(&pool_id()?, None, MARK).await?;
        if pool.set_lineage(&leader, MARK).await? != LeadAnswer::Done {
            bail!("the lead is lost");
        }
        let stamp = EpochStamp {
            epoch: Epoch(1),
            nonce: Nonce([2; 8]),
        };
        let holder = Holder {
            bot: BOT,
            worker: WorkerId::new("w1")?,
        };
        let fenced = pool.fence(&leader, stamp, UnixMs(1), "").await?;
        let active = pool
            .activate(&leader, stamp, &holder, UnixMs(1), "")
            .await?;
        let open = pool.open_epoch(&leader, stamp, UnixMs(1), "").await?;
        match (fenced, active, open) {
            (FenceAnswer::Fenced, StepAnswer::Done, StepAnswer::Done) => Ok(stamp),
            steps => bail!("the epoch did not open: {steps:?}"),
        }
    }
}

async fn connect(url: &Secret) -> Result<RedisState> {
    let timeouts = RedisTimeouts {
        connect: Duration::from_secs(5),
        response: Duration::from_secs(10),
    };
    let until = Instant::now() + READY;
    loop {
        match RedisState::connect(url, "us", timeouts).await {
            Ok(redis) => return Ok(redis),
            Err(error) if Instant::now() > until => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

pub fn key(member: u64) -> ConversationKey {
    ConversationKey::private(MemberId(100_000_000 + member as i64))
}

/// A conversation as long as one in the middle of an upload is.
pub fn stored(member: u64, version: u64) -> Result<String> {
    let envelope = Envelope::<String> {
        version,
        at: UnixMs(1_790_000_000_000),
        state: json!({
            "v": 1, "upload": {
                "step": "files", "nonce": member, "title": format!("Bread without kneading, part {member}"),
                "description": "Flour, water, salt and a long night: what happens in the dough, and when.",
                "category": 2, "tags": [0, 3],
                "files": [{"name": "bread.pdf", "bytes": 70_000, "message": 4_711, "state": "stored"}],
            },
        })
        .to_string(),
        ..Envelope::default()
    };
    Ok(envelope.encode()?)
}
