//! One running system: simulator in this process, `understudy run` as a child, its folder in a temporary place.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use sandbox::control::Control;
use sandbox::doubts::Doubts;
use sandbox::scene::Scene;
use sandbox::setup::Folder;
use sandbox::status::Status;
use serde_json::Value;
use telegram_sim::{RunningSim, Sim, SimConfig};

const READY: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(20);
/// How often something that has no event to wait for is looked at.
const LOOK: Duration = Duration::from_millis(50);

pub struct Stage {
    pub control: Control,
    pub scene: Scene,
    pub folder: Folder,
    pub sim: RunningSim,
    /// `None`: the test starts its supervisors itself.
    daemon: Option<Child>,
    workers: Vec<(String, Child)>,
    http: reqwest::Client,
    _place: tempfile::TempDir,
}

impl Stage {
    /// A system that serves, with this many members who have not said anything yet.
    pub async fn open(members: usize) -> Result<Self> {
        Self::open_with(members, str::to_owned, &[]).await
    }

    /// The same with the configuration as `edit` makes it of the sandbox's, and with these workers started here: they are not the
    /// supervisor's children, so it cannot kill them, and the configuration gets `local = 0`.
    pub async fn open_with(
        members: usize,
        edit: impl FnOnce(&str) -> String,
        workers: &[&str],
    ) -> Result<Self> {
        Self::open_knowing(members, |config, _| edit(config), workers).await
    }

    /// The first of these members is an admin of the pool.
    pub async fn open_for_admin(members: usize) -> Result<Self> {
        Self::open_for_admins(members, 1).await
    }

    /// The first so many of these members are.
    pub async fn open_for_admins(members: usize, admins: usize) -> Result<Self> {
        let with_admins = |config: &str, scene: &Scene| {
            let ids: Vec<i64> = scene.members[..admins].iter().map(|it| it.id).collect();
            let pool = "[[pool]]\nname = \"main\"\n";
            config.replace(pool, &format!("{pool}admins = {ids:?}\n"))
        };
        Self::open_knowing(members, with_admins, &[]).await
    }

    async fn open_knowing(
        members: usize,
        edit: impl FnOnce(&str, &Scene) -> String,
        workers: &[&str],
    ) -> Result<Self> {
        let edit = |config: &str, scene: &Scene| {
            let config = edit(config, scene);
            match workers {
                [] => config,
                _ => config.replace("local = 2", "local = 0"),
            }
        };
        let mut stage = Self::prepare_knowing(members, edit).await?;
        stage.daemon = Some(start(&stage.folder)?);
        for worker in workers {
            stage.start_worker(worker)?;
        }
        stage.served().await?;
        Ok(stage)
    }

    /// Simulator and configuration; nothing of ours runs yet.
    pub async fn prepare(members: usize, edit: impl FnOnce(&str) -> String) -> Result<Self> {
        Self::prepare_knowing(members, |config, _| edit(config)).await
    }

    async fn prepare_knowing(
        members: usize,
        edit: impl FnOnce(&str, &Scene) -> String,
    ) -> Result<Self> {
        let sim = Sim::start(SimConfig::default())
            .await
            .context("starting telegram-sim")?;
        let control = Control::new(&sim.control_url())?;
        let scene = Scene::make(&control, members, 1, &Doubts::usual()).await?;
        let place = tempfile::tempdir().context("a temporary folder")?;
        let folder = Folder::make(Some(&place.path().join("run")), 1)?;
        folder.write_config(&scene, sim.mtproto_addr())?;
        let config = edit(&std::fs::read_to_string(folder.config())?, &scene);
        std::fs::write(folder.config(), uninvited(config)).context("editing the configuration")?;
        Ok(Self {
            control,
            scene,
            folder,
            sim,
            daemon: None,
            workers: Vec::new(),
            http: reqwest::Client::builder().no_proxy().build()?,
            _place: place,
        })
    }

    /// Until every bot is connected and members are served.
    pub async fn served(&self) -> Result<()> {
        self.wait("every bot is ready", READY, |status| {
            let ready = status["pools"][0]["bots"].as_array().is_some_and(|bots| {
                bots.len() == 3 && bots.iter().all(|bot| bot["connection"] == "ready")
            });
            ready && status["pools"][0]["phase"] == "open"
        })
        .await?;
        Ok(())
    }

    /// Starts a worker that is nobody's child but this test's.
    pub fn start_worker(&mut self, name: &str) -> Result<()> {
        self.start_worker_with(name, &[])
    }

    /// The same with these settings in its environment.
    pub fn start_worker_with(&mut self, name: &str, settings: &[(&str, &str)]) -> Result<()> {
        let log = File::create(self.folder.root.join(format!("{name}.log")))?;
        let child = Command::new(built("understudy-worker")?)
            .arg("--config")
            .arg(self.folder.config())
            .args(["--name", name])
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("starting a worker")?;
        // The latest of a name is the one that is meant.
        self.workers.insert(0, (name.to_owned(), child));
        Ok(())
    }

    /// Hands a worker over that was started here: another one of its name is to be started.
    pub fn forget_worker(&mut self, name: &str) -> Result<Forgotten> {
        let at = self.workers.iter().position(|(known, _)| known == name);
        let at = at.with_context(|| format!("no worker {name} was started here"))?;
        let (_, child) = self.workers.remove(at);
        Ok(Forgotten(child))
    }

    /// What a command prints.
    pub async fn run(&self, words: &[&str]) -> Result<String> {
        let output = tokio::process::Command::new(built("understudy")?)
            .args(words)
            .arg("--config")
            .arg(self.folder.config())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .context("running a command")?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Sends a signal to a worker that was started here.
    pub fn signal_worker(&self, name: &str, with: Signal) -> Result<()> {
        let found = self.workers.iter().find(|(known, _)| known == name);
        let (_, child) = found.with_context(|| format!("no worker {name} was started here"))?;
        signal(child, with);
        Ok(())
    }

    /// SIGKILL to the supervisor; what it started lives on.
    pub fn kill_supervisor(&mut self) -> Result<()> {
        let mut daemon = self.daemon.take().context("no supervisor runs")?;
        daemon.kill().context("killing the supervisor")?;
        daemon.wait().context("reaping the supervisor")?;
        Ok(())
    }

    /// The next supervisor, as a service manager would start it.
    pub fn start_supervisor(&mut self) -> Result<()> {
        self.daemon = Some(start(&self.folder)?);
        Ok(())
    }

    /// `understudy status --json`.
    pub async fn status(&self) -> Result<Value> {
        let output = tokio::process::Command::new(built("understudy")?)
            .args(["status", "--json", "--config"])
            .arg(self.folder.config())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .context("running understudy status")?;
        serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// The part of the status that the sandbox knows as types.
    pub async fn typed_status(&self) -> Result<Status> {
        Ok(serde_json::from_value(self.status().await?)?)
    }

    /// Waits until the status is as wanted.
    pub async fn wait(
        &self,
        what: &str,
        at_most: Duration,
        is_so: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let until = Instant::now() + at_most;
        let mut last = Value::Null;
        while Instant::now() < until {
            if let Ok(status) = self.status().await {
                if is_so(&status) {
                    return Ok(status);
                }
                last = status;
            }
            tokio::time::sleep(LOOK).await;
        }
        bail!(
            "not within {} s: {what}\nstatus: {last:#}\nlog:\n{}",
            at_most.as_secs(),
            self.log_tail()
        )
    }

    /// A request to the simulator's control API that the typed client does not have.
    pub async fn sim_call(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value> {
        let mut request = self
            .http
            .request(method, format!("{}/v1{path}", self.sim.control_url()));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?.error_for_status()?;
        Ok(answer.json().await?)
    }

    /// The active bot's id.
    pub async fn active(&self) -> Result<i64> {
        let status = self.typed_status().await?;
        status
            .active()
            .and_then(sandbox::status::Active::id)
            .context("no bot is active")
    }

    /// The last lines of the supervisor's log, and of its workers' without the client library's words.
    pub fn log_tail(&self) -> String {
        let logs = self.folder.state().join("log");
        let workers = std::fs::read_dir(logs).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = workers.map(|entry| entry.path()).collect();
        files.retain(|file| !file.ends_with("redis.log"));
        let own = self.workers.iter();
        files.extend(own.map(|(name, _)| self.folder.root.join(format!("{name}.log"))));
        files.sort();
        files.insert(0, self.folder.log());
        let tails = files.iter().map(|file| {
            let log = std::fs::read_to_string(file).unwrap_or_default();
            let lines = log.lines().filter(|line| !line.contains(" grammers_"));
            let lines: Vec<&str> = lines.collect();
            let tail = lines[lines.len().saturating_sub(40)..].join("\n");
            let name = file.file_name().unwrap_or_default().display().to_string();
            format!("-- {name}\n{tail}")
        });
        tails.collect::<Vec<_>>().join("\n")
    }

    /// SIGTERM; returns once the daemon has ended.
    pub fn stop(&mut self) -> Result<()> {
        let Some(daemon) = &mut self.daemon else {
            return Ok(());
        };
        signal(daemon, Signal::TERM);
        let until = Instant::now() + STOP;
        while Instant::now() < until {
            if daemon.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(LOOK);
        }
        bail!("the daemon did not stop within {} s", STOP.as_secs())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the daemon's last words:\n{}", self.log_tail());
        }
        if self.stop().is_err()
            && let Some(daemon) = &mut self.daemon
        {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        for (_, worker) in &mut self.workers {
            let _ = worker.kill();
            let _ = worker.wait();
        }
        for (pid, _) in sandbox::daemon::processes_of(&self.folder.root) {
            if let Some(pid) = Pid::from_raw(pid) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

/// A worker that the stage does not count among its own any more; it ends with this.
pub struct Forgotten(Child);

impl Forgotten {
    pub fn signal(&self, with: Signal) {
        signal(&self.0, with);
    }

    /// How it ended.
    pub async fn ended(&mut self, at_most: Duration) -> Result<ExitStatus> {
        let until = Instant::now() + at_most;
        while Instant::now() < until {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status);
            }
            tokio::time::sleep(LOOK).await;
        }
        bail!("the worker did not end within {} s", at_most.as_secs())
    }
}

impl Drop for Forgotten {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Members are invited to backups only where a test is about that: elsewhere each message that is not its business is in its way.
fn uninvited(config: String) -> String {
    match config.contains("[reach]") {
        true => config,
        false => config.replace("[workers]", "[reach]\ninvite_again = 0\n\n[workers]"),
    }
}

fn start(folder: &Folder) -> Result<Child> {
    let log = File::options()
        .create(true)
        .append(true)
        .open(folder.log())
        .context("the daemon's log")?;
    Command::new(built("understudy")?)
        .arg("run")
        .arg("--config")
        .arg(folder.config())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .context("starting understudy run")
}

fn signal(child: &Child, signal: Signal) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// A binary of this workspace, in the profile of the running test.
pub fn built(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("this program's path")?;
    let folder = own
        .parent()
        .and_then(Path::parent)
        .context("this program's folder")?;
    let program = folder.join(name);
    if program.is_file() {
        return Ok(program);
    }
    bail!(
        "{} is not built: run ./scripts/test, or `cargo build --workspace --bins` first",
        program.display()
    )
}
