//! Two supervisors of one deployment, or three, on a shared Redis and PostgreSQL, each with a line to Redis of its own and a data folder of its own.
//!
//! They read one configuration; what differs between two hosts stands in their environment (`UNDERSTUDY__DATA_DIR`, `__REDIS__URL`,
//! `__WORKERS__NAME`). Their local workers inherit it, and so their line; workers that the test starts go to Redis directly, as `status` does.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use postgres_server::Server;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::Stage;
use crate::proxy::Proxy;
use crate::shared_redis::SharedRedis;
use crate::stage::built;

const DATABASE: &str = "understudy";
/// Longest wait for a supervisor to lead, or for both to be shown.
const LED: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);
/// As they are called here and in their workers' names. The third one is there where a test starts it.
pub const NAMES: [&str; 3] = ["a", "b", "c"];

pub struct Duo {
    pub stage: Stage,
    pub redis: SharedRedis,
    pub postgres: Server,
    pub proxies: [Proxy; 3],
    daemons: [Option<Child>; 3],
    /// What each one's workers are called.
    names: [String; 3],
    local: u32,
    /// Of workers that have a line to Redis of their own.
    lines: Vec<(String, Proxy)>,
}

impl Duo {
    /// Both run and members are served; by `workers` that the test starts, or by `local` ones of each supervisor. Without either, by two that have
    /// lines to Redis of their own.
    pub async fn open(members: usize, workers: &[&str], local: u32) -> Result<Self> {
        let duo = Self::prepare(members, workers, own_names(), local).await?;
        duo.one_after_the_other().await
    }

    /// The same with other names for the local workers.
    pub async fn open_named(members: usize, names: [&str; 2], local: u32) -> Result<Self> {
        let mut all = own_names();
        for (name, other) in all.iter_mut().zip(names) {
            other.clone_into(name);
        }
        let duo = Self::prepare(members, &[], all, local).await?;
        duo.one_after_the_other().await
    }

    /// Both are started in the same instant, on stores that nobody has used before.
    pub async fn open_at_once(members: usize, workers: &[&str]) -> Result<Self> {
        let mut duo = Self::prepare(members, workers, own_names(), 0).await?;
        for which in 0..2 {
            duo.start(which)?;
        }
        if let Err(error) = duo.stage.served().await {
            bail!("{error:#}\n{}", duo.log());
        }
        duo.both_are_shown().await?;
        Ok(duo)
    }

    async fn one_after_the_other(mut self) -> Result<Self> {
        self.start(0)?;
        self.stage.served().await?;
        self.start(1)?;
        self.both_are_shown().await?;
        Ok(self)
    }

    /// The stores and the workers; no supervisor runs yet.
    async fn prepare(
        members: usize,
        workers: &[&str],
        names: [String; 3],
        local: u32,
    ) -> Result<Self> {
        let redis = SharedRedis::start()?;
        let postgres = Server::start()?;
        postgres.create_database(DATABASE)?;
        let proxies = [
            Proxy::start(redis.addr()).await?,
            Proxy::start(redis.addr()).await?,
            Proxy::start(redis.addr()).await?,
        ];
        let url = format!("{}?sslmode=require", postgres.url(DATABASE));
        let redis_url = redis.url();
        let edit = |config: &str| {
            let stores = format!(
                "[redis]\nurl = \"{redis_url}\"\n[database]\nurl = \"file:secrets/database_url\"\n\
                 [secrets]\nsealing_key = \"file:sealing.key\"\n\n[workers]\n"
            );
            config.replace("[workers]\n", &stores)
        };
        let mut stage = Stage::prepare(members, edit).await?;
        let secret = stage.folder.root.join("secrets/database_url");
        std::fs::write(&secret, url)?;
        std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600))?;
        for worker in workers {
            stage.start_worker(worker)?;
        }
        let mut lines = Vec::new();
        if workers.is_empty() && local == 0 {
            for worker in ["e1", "e2"] {
                let line = Proxy::start(redis.addr()).await?;
                let url = line.url();
                stage.start_worker_with(worker, &[("UNDERSTUDY__REDIS__URL", &url)])?;
                lines.push((worker.to_owned(), line));
            }
        }
        Ok(Self {
            stage,
            redis,
            postgres,
            proxies,
            daemons: [const { None }; 3],
            names,
            local,
            lines,
        })
    }

    pub fn start(&mut self, which: usize) -> Result<()> {
        let name = NAMES[which];
        let log = self
            .stage
            .folder
            .root
            .join(format!("supervisor-{name}.log"));
        let log = File::options().create(true).append(true).open(log)?;
        let child = Command::new(built("understudy")?)
            .args(["run", "--config"])
            .arg(self.stage.folder.config())
            .env("UNDERSTUDY__DATA_DIR", format!("state-{name}"))
            .env("UNDERSTUDY__REDIS__URL", self.proxies[which].url())
            .env("UNDERSTUDY__WORKERS__NAME", &self.names[which])
            .env("UNDERSTUDY__WORKERS__LOCAL", self.local.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("starting a supervisor")?;
        self.daemons[which] = Some(child);
        Ok(())
    }

    pub fn kill(&mut self, which: usize) -> Result<()> {
        if let Some(mut daemon) = self.daemons[which].take() {
            daemon.kill()?;
            daemon.wait()?;
        }
        Ok(())
    }

    pub fn signal(&self, which: usize, signal: Signal) -> Result<()> {
        let pid = self.pid(which).and_then(|pid| i32::try_from(pid).ok());
        let pid = pid.and_then(Pid::from_raw).context("it does not run")?;
        kill_process(pid, signal).context("signalling a supervisor")
    }

    pub fn pid(&self, which: usize) -> Option<u32> {
        self.daemons[which].as_ref().map(Child::id)
    }

    /// Does it run still?
    pub fn runs(&mut self, which: usize) -> Result<bool> {
        match &mut self.daemons[which] {
            Some(daemon) => Ok(daemon.try_wait()?.is_none()),
            None => Ok(false),
        }
    }

    /// Who leads, by what the lead's key says.
    pub async fn leader(&self) -> Result<usize> {
        let status = self.stage.status().await?;
        self.leader_in(&status).context("nobody leads")
    }

    fn leader_in(&self, status: &Value) -> Option<usize> {
        let shown = status["supervisors"].as_array()?;
        let leads = shown.iter().find(|shown| shown["role"] == "leads")?;
        (0..NAMES.len())
            .find(|which| self.pid(*which).map(Value::from) == Some(leads["pid"].clone()))
    }

    /// Every supervisor that runs is, and one of them leads.
    pub async fn both_are_shown(&self) -> Result<()> {
        let both = self.stage.wait("all supervisors are shown", LED, |status| {
            let shown = status["supervisors"].as_array().into_iter().flatten();
            let pids: BTreeSet<u64> = shown.filter_map(|it| it["pid"].as_u64()).collect();
            let known = (0..NAMES.len()).filter_map(|which| self.pid(which));
            let mut known = known.map(u64::from);
            known.all(|pid| pids.contains(&pid)) && self.leader_in(status).is_some()
        });
        both.await.map(drop)
    }

    /// Waits until this one has the lead's key; how long that took.
    pub async fn leads(&self, which: usize) -> Result<Duration> {
        let began = Instant::now();
        self.first_to_lead(&[which]).await?;
        Ok(began.elapsed())
    }

    /// Waits until one of these has the lead's key, and says which.
    pub async fn first_to_lead(&self, of: &[usize]) -> Result<usize> {
        let began = Instant::now();
        let mut redis = self.redis().await?;
        while began.elapsed() < LED {
            let leader: Option<String> = redis::cmd("GET")
                .arg("us:leader")
                .query_async(&mut redis)
                .await?;
            let shown: Option<String> = redis::cmd("GET")
                .arg(format!("us:supervisor:{}", leader.unwrap_or_default()))
                .query_async(&mut redis)
                .await?;
            let shown: Value = serde_json::from_str(&shown.unwrap_or_default()).unwrap_or_default();
            let mut of = of.iter().copied();
            let leads = of.find(|one| self.pid(*one).is_some_and(|pid| shown["pid"] == pid));
            if let Some(leads) = leads {
                return Ok(leads);
            }
            tokio::time::sleep(LOOK).await;
        }
        let names: Vec<&str> = of.iter().map(|one| NAMES[*one]).collect();
        bail!("none of {names:?} leads\n{}", self.log())
    }

    /// The line of a worker that has one of its own.
    pub fn line_of(&self, worker: &str) -> Option<&Proxy> {
        let mut lines = self.lines.iter();
        lines.find(|(name, _)| name == worker).map(|(_, line)| line)
    }

    /// Waits until this one has written this into its log.
    pub async fn says(&self, which: usize, text: &str) -> Result<()> {
        let name = NAMES[which];
        let file = self
            .stage
            .folder
            .root
            .join(format!("supervisor-{name}.log"));
        let began = Instant::now();
        while !std::fs::read_to_string(&file)?.contains(text) {
            if began.elapsed() > LED {
                bail!("{name} does not say {text:?}\n{}", self.log());
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Past the proxies.
    pub async fn redis(&self) -> Result<redis::aio::MultiplexedConnection> {
        let client = redis::Client::open(self.redis.url())?;
        let connected = client.get_multiplexed_async_connection().await;
        connected.context("the shared Redis")
    }

    pub fn sql(&self, query: &str) -> Result<String> {
        self.postgres.sql(DATABASE, query)
    }

    /// Looks until the query says this; nobody tells when a record has come through.
    pub async fn stored(&self, query: &str, expected: &str) -> Result<()> {
        let began = Instant::now();
        loop {
            match self.sql(query)? {
                found if found == expected => return Ok(()),
                found if began.elapsed() > LED => bail!("{query}: {found:?}\n{}", self.log()),
                _ => tokio::time::sleep(LOOK).await,
            }
        }
    }

    /// What each has written.
    pub fn log(&self) -> String {
        let logs = NAMES.iter().map(|name| {
            let file = self
                .stage
                .folder
                .root
                .join(format!("supervisor-{name}.log"));
            let log = std::fs::read_to_string(file).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(80)..].join("\n");
            format!("-- supervisor {name}\n{tail}")
        });
        logs.collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Duo {
    /// What they started is ended by the stage, by its folder.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
        for which in 0..NAMES.len() {
            let _ = self.kill(which);
        }
    }
}

fn own_names() -> [String; 3] {
    NAMES.map(|name| format!("{name}-w"))
}
