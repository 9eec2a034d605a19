//! A primary, its copies, and the Sentinels that watch them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::server::{Kind, Server};

/// What the Sentinels call the primary.
pub const MASTER: &str = "understudy";
/// With what the servers are entered, when they want a password.
pub const PASSWORD: &str = "s3cret-of-the-test-redis";

/// Three Sentinels find each other within two of their hellos, which are sent every two seconds.
const SETTLES: Duration = Duration::from_secs(60);
/// Longest wait for another primary: its time of being down, an election, and a slow machine.
const FAILS_OVER: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(50);
const SENTINELS: usize = 3;
const QUORUM: usize = 2;

/// How they are set up.
#[derive(Debug, Clone)]
pub struct Settings {
    pub copies: usize,
    /// How long a primary has to be silent.
    pub down_after_ms: u32,
    pub min_replicas_to_write: u32,
    /// After how long without a word a copy does not count any more, in seconds.
    pub min_replicas_max_lag: u32,
    pub password: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            copies: 2,
            down_after_ms: 1_000,
            min_replicas_to_write: 1,
            min_replicas_max_lag: 2,
            password: false,
        }
    }
}

#[derive(Debug)]
pub struct Watched {
    servers: Vec<Server>,
    sentinels: Vec<Server>,
    password: Option<&'static str>,
}

impl Watched {
    /// Returns when every Sentinel knows the others and all copies, and the primary takes writes.
    pub fn start(settings: &Settings) -> Result<Self> {
        let password = settings.password.then_some(PASSWORD);
        let data = data_settings(settings);
        let first = Server::of_kind(Kind::Data, &data, password)?;
        let mut copy = data;
        copy.push(format!("replicaof 127.0.0.1 {}", first.port()));
        let watched = sentinel_settings(settings, first.port());
        let mut servers = vec![first];
        for _ in 0..settings.copies {
            servers.push(Server::of_kind(Kind::Data, &copy, password)?);
        }
        let mut sentinels = Vec::with_capacity(SENTINELS);
        for _ in 0..SENTINELS {
            sentinels.push(Server::of_kind(Kind::Sentinel, &watched, None)?);
        }
        let watched = Self {
            servers,
            sentinels,
            password,
        };
        until(SETTLES, "the Sentinels know each other", || {
            Ok(watched
                .sentinels
                .iter()
                .all(|sentinel| knows_all(sentinel, settings.copies).unwrap_or(false))
                && watched.takes_writes(0))
        })?;
        Ok(watched)
    }

    /// The address as `redis.url` takes it, the password in it if there is one.
    pub fn url(&self) -> String {
        let ports = self.sentinels.iter().map(Server::port);
        let hosts: Vec<String> = ports.map(|port| format!("127.0.0.1:{port}")).collect();
        let secret = self.password.map(|it| format!(":{it}@"));
        let secret = secret.unwrap_or_default();
        format!("redis+sentinel://{secret}{}/{MASTER}", hosts.join(","))
    }

    /// The address of whichever server the Sentinels name at this moment.
    pub fn primary_url(&self) -> Result<String> {
        let secret = self.password.map(|it| format!(":{it}@"));
        let port = self.servers[self.primary()?].port();
        Ok(format!(
            "redis://{}127.0.0.1:{port}/",
            secret.unwrap_or_default()
        ))
    }

    pub fn server(&self, which: usize) -> &Server {
        &self.servers[which]
    }

    pub fn server_mut(&mut self, which: usize) -> &mut Server {
        &mut self.servers[which]
    }

    pub fn sentinel(&self, which: usize) -> &Server {
        &self.sentinels[which]
    }

    pub fn sentinel_mut(&mut self, which: usize) -> &mut Server {
        &mut self.sentinels[which]
    }

    /// Which server a quorum of the Sentinels names.
    pub fn primary(&self) -> Result<usize> {
        let mut votes = vec![0; self.servers.len()];
        for sentinel in &self.sentinels {
            let words = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER];
            let named = sentinel.ask::<(String, u16)>(&words).ok();
            let port = named.map(|(_, port)| port);
            let place = self.servers.iter().position(|it| Some(it.port()) == port);
            if let Some(place) = place {
                votes[place] += 1;
            }
        }
        let chosen = votes.iter().position(|votes| *votes >= QUORUM);
        chosen.context("the Sentinels do not agree on a primary")
    }

    /// Waits until another server than this one is the primary, says so itself, and takes writes; gives which one.
    pub fn failed_over_from(&self, before: usize) -> Result<usize> {
        let mut found = before;
        until(FAILS_OVER, "a copy has taken over", || {
            found = self.primary().unwrap_or(before);
            Ok(found != before && self.takes_writes(found))
        })?;
        Ok(found)
    }

    /// Waits until this server copies another one, and has all that it has.
    pub fn is_copy(&self, which: usize) -> Result<()> {
        until(FAILS_OVER, "the server has become a copy", || {
            let server = &self.servers[which];
            let role = server.info("role").unwrap_or_default();
            let link = server.info("master_link_status").unwrap_or_default();
            Ok(role == "slave" && link == "up")
        })
    }

    /// Copies lose this primary and cannot come back to it (they show a password that it does not want), and it goes on acknowledging writes
    /// without them. For servers without a password.
    pub fn cut_copies(&self, primary: usize) -> Result<()> {
        let server = &self.servers[primary];
        server.ask::<()>(&["CONFIG", "SET", "min-replicas-to-write", "0"])?;
        for copy in self.others(primary) {
            copy.ask::<()>(&["CONFIG", "SET", "masterauth", "refused"])?;
        }
        server.ask::<u32>(&["CLIENT", "KILL", "TYPE", "replica"])?;
        until(SETTLES, "the primary has lost its copies", || {
            Ok(server.info("connected_slaves")? == "0")
        })
    }

    /// The copies may follow whoever is the primary again.
    pub fn mend_copies(&self, primary: usize) -> Result<()> {
        for copy in self.others(primary) {
            copy.ask::<()>(&["CONFIG", "SET", "masterauth", ""])?;
        }
        Ok(())
    }

    fn others(&self, than: usize) -> impl Iterator<Item = &Server> {
        let all = self.servers.iter().enumerate();
        all.filter(move |(which, _)| *which != than)
            .map(|(_, server)| server)
    }

    fn takes_writes(&self, which: usize) -> bool {
        let server = &self.servers[which];
        let role = server.info("role").unwrap_or_default();
        let written = server.ask::<String>(&["SET", "redis-servers:probe", "1"]);
        role == "master" && written.is_ok()
    }
}

fn knows_all(sentinel: &Server, copies: usize) -> Result<bool> {
    let fields: Vec<String> = sentinel.ask(&["SENTINEL", "MASTER", MASTER])?;
    let value = |name: &str| {
        let mut pairs = fields.chunks_exact(2);
        pairs
            .find(|pair| pair[0] == name)
            .map(|pair| pair[1].as_str())
    };
    Ok(value("num-slaves") == Some(&copies.to_string())
        && value("num-other-sentinels") == Some(&(SENTINELS - 1).to_string())
        && value("flags") == Some("master"))
}

fn data_settings(settings: &Settings) -> Vec<String> {
    let mut lines = vec![
        format!("min-replicas-to-write {}", settings.min_replicas_to_write),
        format!("min-replicas-max-lag {}", settings.min_replicas_max_lag),
        "repl-diskless-sync-delay 0".to_owned(),
        "repl-ping-replica-period 1".to_owned(),
    ];
    if settings.password {
        lines.push(format!("requirepass {PASSWORD}"));
        lines.push(format!("masterauth {PASSWORD}"));
    }
    lines
}

fn sentinel_settings(settings: &Settings, primary: u16) -> Vec<String> {
    let mut lines = vec![
        format!("sentinel monitor {MASTER} 127.0.0.1 {primary} {QUORUM}"),
        format!(
            "sentinel down-after-milliseconds {MASTER} {}",
            settings.down_after_ms
        ),
        format!("sentinel failover-timeout {MASTER} 6000"),
        format!("sentinel parallel-syncs {MASTER} 2"),
    ];
    if settings.password {
        lines.push(format!("sentinel auth-pass {MASTER} {PASSWORD}"));
    }
    lines
}

fn until(at_most: Duration, what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let end = Instant::now() + at_most;
    while !is_so()? {
        if Instant::now() > end {
            bail!("not within {} s: {what}", at_most.as_secs());
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}
