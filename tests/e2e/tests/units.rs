//! The systemd units are started by their own command lines, with other folders, and serve: all in one service, and Redis, a supervisor and
//! two workers apart.
//!
//! What systemd itself does with them (users, restarts, sandboxing) is not tested here.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use e2e::built;
use sandbox::control::Control;
use sandbox::doubts::Doubts;
use sandbox::scene::Scene;
use sandbox::setup::Folder;
use serde_json::Value;
use telegram_sim::{Sim, SimConfig};

const PATIENCE: Duration = Duration::from_secs(60);

/// Processes that end with the test, whatever its outcome.
struct Started(Vec<(String, Child)>);

impl Drop for Started {
    fn drop(&mut self) {
        for (_, child) in self.0.iter_mut().rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Started {
    fn kill(&mut self, name: &str) {
        let at = self.0.iter().position(|(known, _)| known == name).unwrap();
        let (_, mut child) = self.0.remove(at);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

/// Where the units' folders are in this test.
struct Host {
    root: PathBuf,
    config: PathBuf,
}

impl Host {
    fn here(&self, text: &str) -> String {
        let at = |name: &str| self.root.join(name).display().to_string();
        text.replace("/run/understudy-redis", &at("run"))
            .replace("/var/lib/understudy-redis", &at("redis"))
            .replace("/var/lib/understudy", &at("state"))
            .replace("/etc/understudy/redis.conf", &at("redis.conf"))
            .replace(
                "/etc/understudy/understudy.toml",
                &self.config.display().to_string(),
            )
    }

    /// Starts what the unit starts, as the instance `name`.
    fn start(&self, unit: &str, name: &str) -> (String, Child) {
        let text = unit_text(unit);
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("ExecStart="))
            .unwrap();
        let line = self.here(line).replace("%i", name);
        let mut words = line.split_whitespace();
        let program = match words.next().unwrap() {
            "/usr/bin/redis-server" => PathBuf::from("redis-server"),
            ours => built(ours.strip_prefix("/usr/local/bin/").unwrap()).unwrap(),
        };
        let log = fs::File::create(self.root.join(format!("{name}.log"))).unwrap();
        let child = Command::new(program)
            .args(words)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        (name.to_owned(), child)
    }

    fn wait(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        let mut last = String::new();
        while Instant::now() < until {
            let output = Command::new(built("understudy").unwrap())
                .args(["status", "--json", "--config"])
                .arg(&self.config)
                .output()
                .unwrap();
            last = String::from_utf8_lossy(&output.stdout).into_owned();
            if let Ok(status) = serde_json::from_str::<Value>(&last)
                && is_so(&status)
            {
                return status;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let log = fs::read_to_string(self.root.join("supervisor.log")).unwrap_or_default();
        panic!("{what}: not within {PATIENCE:?}\n{last}\n{log}");
    }
}

fn repository(file: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join(file)).unwrap()
}

fn unit_text(unit: &str) -> String {
    repository(&format!("scripts/deploy/systemd/{unit}"))
}

/// The settings that docs/systemd.md tells to change, put into the sandbox's configuration.
fn configure(host: &Host) {
    let page = repository("docs/systemd.md");
    let wanted = page.split("```toml\n").nth(1).unwrap();
    let wanted = wanted.split("```").next().unwrap();
    let (data_dir, sections) = wanted.split_once("\n\n").unwrap();
    let text = fs::read_to_string(&host.config).unwrap();
    let text = text.replace("data_dir = \"state\"", data_dir);
    let text = text.replace("[workers]\nlocal = 2\n", sections);
    assert!(text.contains("redis+unix:") && text.contains("local = 0"));
    fs::write(&host.config, host.here(&text)).unwrap();
}

/// A host with the sandbox's configuration, of the Telegram `sim`.
async fn host(sim: &telegram_sim::RunningSim, place: &Path) -> Host {
    let control = Control::new(&sim.control_url()).unwrap();
    let scene = Scene::make(&control, 2, 1, &Doubts::usual()).await.unwrap();
    let folder = Folder::make(Some(&place.join("u")), 1).unwrap();
    folder.write_config(&scene, sim.mtproto_addr()).unwrap();
    Host {
        root: folder.root.clone(),
        config: folder.config(),
    }
}

/// Every bot is connected, and members are served.
fn is_complete(status: &Value) -> bool {
    let pool = &status["pools"][0];
    let ready = pool["bots"]
        .as_array()
        .is_some_and(|bots| bots.len() == 3 && bots.iter().all(|bot| bot["connection"] == "ready"));
    ready && pool["phase"] == "open" && status["supervisor"]["leader"].is_string()
}

/// The workers' pids.
fn workers(status: &Value) -> BTreeSet<u64> {
    let workers = status["workers"].as_array().unwrap().iter();
    workers
        .filter_map(|worker| worker["pid"].as_u64())
        .collect()
}

/// systemd gives a unit up that has been started five times in ten seconds, unless it is told not to
/// (https://www.freedesktop.org/software/systemd/man/latest/systemd.unit.html#StartLimitIntervalSec=interval).
#[test]
fn no_unit_is_given_up_by_the_service_manager() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/deploy/systemd");
    let units = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap());
    let units: Vec<String> = units.filter(|name| name.ends_with(".service")).collect();
    assert_eq!(units.len(), 4, "{units:?}");
    for unit in units {
        let text = unit_text(&unit);
        let (of_the_unit, of_the_service) = text.split_once("[Service]").unwrap();
        assert!(
            of_the_unit
                .lines()
                .any(|line| line == "StartLimitIntervalSec=0"),
            "{unit}"
        );
        assert!(
            of_the_service.lines().any(|line| line == "Restart=always"),
            "{unit}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_one_service_is_restarted_around_what_it_started_and_ends_it_when_stopped() {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    let place = tempfile::tempdir().unwrap();
    let host = host(&sim, place.path()).await;
    fs::create_dir(host.root.join("state")).unwrap();
    let unit = unit_text("understudy.service");
    assert!(unit.lines().any(|line| line == "KillMode=process"));

    let mut started = Started(Vec::new());
    let guard = Everything(host.root.clone());
    started
        .0
        .push(host.start("understudy.service", "supervisor"));
    let before = tokio::task::block_in_place(|| host.wait("every bot is connected", is_complete));
    // As systemd restarts it with KillMode=process: the main process alone is gone.
    started.kill("supervisor");
    started
        .0
        .push(host.start("understudy.service", "supervisor"));
    let after = tokio::task::block_in_place(|| {
        host.wait("the next supervisor leads", |status| {
            is_complete(status) && status["supervisor"]["leader"] != before["supervisor"]["leader"]
        })
    });
    assert_eq!(workers(&before), workers(&after), "workers were restarted");
    assert_eq!(workers(&after).len(), 2);

    let (_, mut supervisor) = started.0.remove(0);
    let pid = rustix::process::Pid::from_child(&supervisor);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let ended = tokio::task::block_in_place(|| supervisor.wait().unwrap());
    assert!(ended.success(), "{ended:?}");
    let left = sandbox::processes::processes_of(&host.root);
    assert!(left.is_empty(), "an orderly stop leaves {left:?}");
    drop(guard);
}

/// What a supervisor that was killed leaves behind ends with the test.
struct Everything(PathBuf);

impl Drop for Everything {
    fn drop(&mut self) {
        sandbox::processes::signal_all(&self.0, rustix::process::Signal::KILL);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_units_serve_and_outlive_each_other() {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    let place = tempfile::tempdir().unwrap();
    let host = host(&sim, place.path()).await;
    configure(&host);
    for name in ["run", "redis", "state"] {
        fs::create_dir(host.root.join(name)).unwrap();
    }
    fs::write(
        host.root.join("redis.conf"),
        host.here(&unit_text("redis.conf")),
    )
    .unwrap();

    let mut started = Started(Vec::new());
    started
        .0
        .push(host.start("understudy-redis.service", "redis-server"));
    started
        .0
        .push(host.start("understudy-worker@.service", "w1"));
    started
        .0
        .push(host.start("understudy-worker@.service", "w2"));
    started
        .0
        .push(host.start("understudy-supervisor.service", "supervisor"));
    let status = tokio::task::block_in_place(|| host.wait("every bot is connected", is_complete));
    let holder = status["pools"][0]["active"]["worker"]
        .as_str()
        .unwrap()
        .to_owned();

    started.kill("supervisor");
    started
        .0
        .push(host.start("understudy-supervisor.service", "supervisor"));
    started.kill(&holder);
    tokio::task::block_in_place(|| {
        host.wait("the other worker holds the active bot", |status| {
            let pool = &status["pools"][0];
            pool["phase"] == "open"
                && pool["active"]["worker"]
                    .as_str()
                    .is_some_and(|w| w != holder)
        })
    });
}
