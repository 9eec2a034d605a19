//! A running system to measure on: the simulator in this process, `understudy run` as an operator would start it, its private Redis.
//!
//! It is made in two steps for those who run something else than one supervisor: a [`Ground`] has simulator and configuration, and nothing of ours runs
//! yet; [`System::on`] looks at whatever was started there.
//! Looked at through Redis, with the product's own reading of it, because a status command would take a part of the machine that is measured.
//! Invariant: nothing of it outlives this program.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use sandbox::control::Control;
use sandbox::daemon::Daemon;
use sandbox::doubts::Doubts;
use sandbox::processes::Held;
use sandbox::scene::Scene;
use sandbox::setup::Folder;
use shared_core::{
    BotId, Connection, EpochRecord, Heartbeat, LoginLease, Order, OrderId, Phase, PoolId, Progress,
    Request, Requester,
};
use shared_io::clock;
use shared_io::config::Config;
use shared_io::redis::{PoolState, RedisState, RedisTimeouts, Submitted};
use telegram_sim::{RunningSim, Sim, SimConfig};

/// Longest wait for a system to be whole again, on a loaded machine.
const WHOLE: Duration = Duration::from_secs(90);
const LOOK: Duration = Duration::from_millis(20);

/// Simulator and configuration.
pub struct Ground {
    pub control: Control,
    pub scene: Scene,
    pub folder: Folder,
    sim: RunningSim,
    place: tempfile::TempDir,
}

pub struct System {
    pub control: Control,
    pub scene: Scene,
    pub state: PoolState,
    pub redis: RedisState,
    pub folder: Folder,
    /// `None`: who made it started something else.
    daemon: Option<Daemon>,
    _sim: RunningSim,
    _place: tempfile::TempDir,
}

/// Who serves.
pub struct Serving {
    pub record: EpochRecord,
    pub bot: BotId,
    pub pid: i32,
}

impl Ground {
    /// With this many members in the simulator, and these lines in place of the section of workers.
    pub async fn lay(members: usize, sections: &str) -> Result<Self> {
        let sim = Sim::start(SimConfig::default()).await;
        let sim = sim.context("starting telegram-sim")?;
        let control = Control::new(&sim.control_url())?;
        let scene = Scene::make(&control, members, 1, &Doubts::usual()).await?;
        let place = tempfile::tempdir().context("a temporary folder")?;
        let folder = Folder::make(Some(&place.path().join("run")), 1)?;
        folder.write_config(&scene, sim.mtproto_addr())?;
        edit(&folder.config(), sections)?;
        Ok(Self {
            control,
            scene,
            folder,
            sim,
            place,
        })
    }
}

impl System {
    /// With this many members in the simulator, and these lines put before the section of workers.
    pub async fn open(members: usize, workers: u32, sections: &str) -> Result<Self> {
        let sections = format!("{sections}\n[workers]\nlocal = {workers}\n");
        let ground = Ground::lay(members, &sections).await?;
        Self::run(ground).await
    }

    /// Starts one supervisor on it.
    pub async fn run(ground: Ground) -> Result<Self> {
        let mut daemon = Daemon::start(&ground.folder)?;
        daemon.ready().await?;
        let mut system = Self::on(ground).await?;
        system.daemon = Some(daemon);
        system.whole(3).await?;
        Ok(system)
    }

    /// Looks at what was started there.
    pub async fn on(ground: Ground) -> Result<Self> {
        let config = Config::load(ground.folder.config())?;
        let (url, prefix) = (config.redis_url(), config.redis.prefix.clone());
        let redis = RedisState::connect(&url, &prefix, RedisTimeouts::default()).await?;
        let state = redis.pool(&PoolId::new("main")?);
        Ok(Self {
            control: ground.control,
            scene: ground.scene,
            state,
            redis,
            folder: ground.folder,
            daemon: None,
            _sim: ground.sim,
            _place: ground.place,
        })
    }

    /// Waits until an epoch is open and worked in, so many bots are connected, and another worker lives that can take over.
    pub async fn whole(&self, bots: usize) -> Result<Serving> {
        let until = clock::boot_now().plus(WHOLE);
        loop {
            if let Some(serving) = self.serving(bots).await? {
                return Ok(serving);
            }
            if clock::boot_now() > until {
                bail!("the system is not whole after {} s", WHOLE.as_secs());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn serving(&self, bots: usize) -> Result<Option<Serving>> {
        let Some(record) = self.state.epoch().await? else {
            return Ok(None);
        };
        let beats = self.beats().await?;
        let pool = self.state.id();
        let is_ready = |bot: i64| {
            let mut health = beats.iter().filter_map(|beat| beat.bot(pool, BotId(bot)));
            health.any(|health| health.connection == Connection::Ready)
        };
        let ready = self.scene.bots.iter().filter(|bot| is_ready(bot.id));
        let Some(holder) = record.holder.clone() else {
            return Ok(None);
        };
        let others = beats.iter().any(|beat| beat.worker != holder.worker);
        if record.phase != Phase::Open || ready.count() < bots || !others {
            return Ok(None);
        }
        Ok(self.at_work(&beats, &record).map(|pid| Serving {
            bot: holder.bot,
            record,
            pid,
        }))
    }

    /// What the workers that live say of themselves: a dead one's last words stand for some seconds.
    async fn beats(&self) -> Result<Vec<Heartbeat>> {
        let seen = self.redis.heartbeats().await?;
        let beats = seen.into_iter().map(|seen| seen.heartbeat);
        let lives = |pid: u32| {
            let pid = i32::try_from(pid).ok();
            pid.is_some_and(|pid| Held::open(pid, &self.folder.root).is_some())
        };
        Ok(beats.filter(|beat| lives(beat.pid)).collect())
    }

    /// The process of this epoch's holder, if it is at work.
    fn at_work(&self, beats: &[Heartbeat], record: &EpochRecord) -> Option<i32> {
        let holder = record.holder.as_ref()?;
        let works = |beat: &&Heartbeat| {
            beat.worker == holder.worker
                && beat.pools.iter().any(|work| {
                    work.pool == *self.state.id()
                        && work.bot == holder.bot
                        && work.epoch == record.stamp
                })
        };
        let beat = beats.iter().find(works)?;
        i32::try_from(beat.pid).ok()
    }

    /// SIGKILL. Gives the moment, in unix milliseconds.
    pub fn kill(&self, serving: &Serving) -> Result<i64> {
        let process = Held::open(serving.pid, &self.folder.root);
        let process = process.context("the worker's process is gone")?;
        let at = clock::unix_now().0;
        process.signal(Signal::KILL).context("killing the worker")?;
        Ok(at)
    }

    /// Hands the leader an order to move to this bot, as `understudy switch` does.
    pub async fn order(&self, to: BotId) -> Result<OrderId> {
        let request = Request {
            id: clock::nonce(),
            order: Order::Switch { to },
            by: Requester::Cli {
                user: "bench".to_owned(),
            },
            plan: None,
            at: clock::unix_now(),
            progress: Progress::Waiting,
        };
        let submitted = self.state.submit(&request).await?;
        ensure!(
            submitted == Submitted::New,
            "an order was not taken: {submitted:?}"
        );
        Ok(request.id)
    }

    /// Another bot than this one, in the order of the scene.
    pub fn next_bot(&self, bot: BotId) -> Result<BotId> {
        let bots = &self.scene.bots;
        let at = bots.iter().position(|it| it.id == bot.0);
        let at = at.context("no bot of the scene is active")?;
        Ok(BotId(bots[(at + 1) % bots.len()].id))
    }

    /// The lease under which the bot's reach is written.
    pub async fn lease(&self, bot: BotId) -> Result<LoginLease> {
        let found = self.state.leases(&[bot]).await?;
        found
            .into_iter()
            .next()
            .flatten()
            .context("nobody has the bot's lease")
    }

    /// Follows the epoch from `serving` on until another one is open; gives when it was fenced and when it was opened, in unix milliseconds.
    pub async fn reopened(&self, serving: &Serving) -> Result<(i64, i64)> {
        let until = clock::boot_now().plus(WHOLE);
        let before = serving.record.stamp.epoch;
        let mut fenced = None;
        while clock::boot_now() < until {
            let record = self.state.epoch().await?;
            let now = clock::unix_now().0;
            if let Some(record) = record.filter(|record| record.stamp.epoch > before) {
                let fenced = *fenced.get_or_insert(now);
                if record.phase == Phase::Open {
                    return Ok((fenced, now));
                }
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        bail!("no epoch was opened within {} s", WHOLE.as_secs())
    }

    pub async fn stop(mut self) -> Result<()> {
        let Some(daemon) = self.daemon.take() else {
            return Ok(());
        };
        let left = daemon.stop().await;
        ensure!(left.is_empty(), "processes were left behind: {left:?}");
        Ok(())
    }
}

fn edit(config: &Path, sections: &str) -> Result<()> {
    let text = std::fs::read_to_string(config).context("the configuration")?;
    let text = text.replace("[workers]\nlocal = 2\n", sections);
    std::fs::write(config, text).context("editing the configuration")
}
