//! Two supervisors of one deployment to measure on: one shared Redis, one PostgreSQL, workers that are nobody's children but this program's.
//!
//! Both read one configuration; what differs between two hosts stands in their environment: the data folder, and a line to Redis that can be stopped at
//! a chosen command. Who leads is read from the lead's own key, and whose that is from what supervisors say of themselves. Invariant: nothing of it
//! outlives this program.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use e2e::Proxy;
use sandbox::launch::tied_to_us;
use sandbox::processes::signal_all;
use shared_core::SupervisorBeat;
use shared_io::clock;
use tokio::process::Child;

use crate::system::{Ground, System};

const DATABASE: &str = "understudy";
const SECTIONS: &str = "[policy]\nswitches_per_hour = 3600\n\n[workers]\nlocal = 0\n";
const WORKERS: [&str; 3] = ["e1", "e2", "e3"];
/// As they are called in their folders' and logs' names.
const NAMES: [&str; 2] = ["a", "b"];
/// Longest wait for both to be there, on a loaded machine.
const BOTH: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);
/// A supervisor's word that is older may be a dead one's.
const FRESH_MS: u64 = 1_500;

pub struct Pair {
    pub system: System,
    /// Each supervisor's own.
    pub lines: [Proxy; 2],
    supervisors: [Option<Child>; 2],
    workers: Vec<Child>,
    _redis: redis_servers::Server,
    _postgres: postgres_server::Server,
}

/// Who leads, and who would follow.
pub struct Roles {
    pub leader: usize,
    /// As the lead's key will name it.
    pub follower_id: String,
}

impl Pair {
    /// Both run and members are served.
    pub async fn open(members: usize) -> Result<Self> {
        let redis = redis_servers::Server::start(&[])?;
        let postgres = postgres_server::Server::start()?;
        postgres.create_database(DATABASE)?;
        let stores = format!(
            "[redis]\nurl = \"redis://127.0.0.1:{}/\"\n\n[database]\nurl = \"file:secrets/database_url\"\n\n\
             [secrets]\nsealing_key = \"file:sealing.key\"\n\n{SECTIONS}",
            redis.port()
        );
        let ground = Ground::lay(members, &stores).await?;
        let url = format!("{}?sslmode=require", postgres.url(DATABASE));
        ground.folder.secret("database_url", &url)?;
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, redis.port()));
        let mut pair = Self {
            system: System::on(ground).await?,
            lines: [Proxy::start(addr).await?, Proxy::start(addr).await?],
            supervisors: [None, None],
            workers: Vec::new(),
            _redis: redis,
            _postgres: postgres,
        };
        for worker in WORKERS {
            let child = pair.launch("understudy-worker", &["--name", worker], worker, &[])?;
            pair.workers.push(child);
        }
        // One after the other: the first makes the tables and the sealing key.
        pair.start(0)?;
        pair.system.whole(3).await?;
        pair.start(1)?;
        pair.roles().await?;
        Ok(pair)
    }

    /// Starts it, also again after it was killed.
    pub fn start(&mut self, which: usize) -> Result<()> {
        let name = NAMES[which];
        self.lines[which].open();
        let differs = [
            ("UNDERSTUDY__DATA_DIR", format!("state-{name}")),
            ("UNDERSTUDY__REDIS__URL", self.lines[which].url()),
        ];
        let log = format!("supervisor-{name}");
        let child = self.launch("understudy", &["run"], &log, &differs)?;
        self.supervisors[which] = Some(child);
        Ok(())
    }

    fn launch(
        &self,
        program: &str,
        words: &[&str],
        log: &str,
        settings: &[(&str, String)],
    ) -> Result<Child> {
        let folder = &self.system.folder;
        let own = std::env::current_exe().context("cannot find this program")?;
        let program = own.with_file_name(program);
        ensure!(program.is_file(), "{} is not built", program.display());
        let log = folder.root.join(format!("{log}.log"));
        let log = File::options().create(true).append(true).open(log)?;
        let mut command = tied_to_us(&program)?;
        command
            .args(words)
            .arg("--config")
            .arg(folder.config())
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true);
        let started = command.spawn();
        started.with_context(|| format!("cannot start {}", program.display()))
    }

    /// Waits until one leads and the other is seen to follow.
    pub async fn roles(&self) -> Result<Roles> {
        let until = clock::boot_now().plus(BOTH);
        loop {
            if let Some(roles) = self.roles_at_once().await? {
                return Ok(roles);
            }
            if clock::boot_now() > until {
                bail!("no two supervisors are there: {}", self.last_words());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn roles_at_once(&self) -> Result<Option<Roles>> {
        let seen = self.system.redis.supervisors().await?;
        let fresh = seen.into_iter().filter(|seen| seen.age_ms < FRESH_MS);
        let beats: Vec<SupervisorBeat> = fresh.map(|seen| seen.beat).collect();
        let leads = self.system.redis.leader().await?;
        let of = |which: usize| {
            let pid = self.supervisors[which].as_ref().and_then(Child::id)?;
            beats.iter().find(|beat| beat.pid == pid)
        };
        let (Some(a), Some(b)) = (of(0), of(1)) else {
            return Ok(None);
        };
        let roles = |leader: usize, beat: &SupervisorBeat, other: &SupervisorBeat| {
            let is_so = leads.as_deref() == Some(&beat.id) && beat.leads && !other.leads;
            is_so.then(|| Roles {
                leader,
                follower_id: other.id.clone(),
            })
        };
        Ok(roles(0, a, b).or_else(|| roles(1, b, a)))
    }

    /// SIGKILL, and its end. Gives the moment, in unix milliseconds.
    pub async fn kill(&mut self, which: usize) -> Result<i64> {
        let child = self.supervisors[which].as_mut();
        let child = child.context("no such supervisor runs")?;
        let at = clock::unix_now().0;
        child.start_kill().context("killing a supervisor")?;
        child.wait().await.context("reaping a supervisor")?;
        self.supervisors[which] = None;
        Ok(at)
    }

    /// The last line of each one's log.
    pub fn last_words(&self) -> String {
        let last = NAMES.map(|name| {
            let log = self
                .system
                .folder
                .root
                .join(format!("supervisor-{name}.log"));
            let log = fs::read_to_string(log).unwrap_or_default();
            let last = log.lines().last().unwrap_or("nothing").trim().to_owned();
            format!("{name} said {last}")
        });
        last.join("; ")
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        signal_all(&self.system.folder.root, rustix::process::Signal::KILL);
    }
}
