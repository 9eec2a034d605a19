//! The private redis-server: a Unix socket in the data folder, no TCP port, an append-only file, in a session of its own.
//!
//! Invariant: never two servers on one folder; the running one holds the seat's lock. It is only ended by an orderly stop, after the workers.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use shared_io::config::{AppendFsync, Config};
use shared_io::redis::{RedisState, RedisTimeouts};
use shared_io::retry::{Backoff, RetryPolicy};
use tokio::time::Instant;

use crate::folder::Folder;
use crate::process::{Process, Seat, Taken};

/// A large append-only file is read at about 1 GB in ten seconds.
const START_PATIENCE: Duration = Duration::from_secs(120);
/// Redis flushes its file to disk when it is asked to end.
const STOP_PATIENCE: Duration = Duration::from_secs(30);
const START_POLL: Duration = Duration::from_millis(10);
/// A server that dies at once is not started in a hot loop.
const RESTART: RetryPolicy =
    RetryPolicy::forever(Duration::from_millis(20), Duration::from_secs(5));

pub struct PrivateRedis {
    seat: Seat,
    folder: PathBuf,
    socket: PathBuf,
    log: PathBuf,
    fsync: AppendFsync,
    process: Process,
    adopted: bool,
    backoff: Backoff,
    started: Instant,
}

impl PrivateRedis {
    /// Adopts the server that runs on this folder, or starts one.
    pub fn start(config: &Config, folder: &Folder) -> anyhow::Result<Self> {
        let seat = Seat::new(&folder.redis(), "redis");
        let log = folder.log("redis");
        let socket = config.redis_socket();
        let fsync = config.redis.appendfsync;
        let (process, adopted) = launch(&seat, &folder.redis(), &socket, &log, fsync)?;
        Ok(Self {
            seat,
            folder: folder.redis(),
            socket,
            log,
            fsync,
            process,
            adopted,
            backoff: Backoff::new(RESTART),
            started: Instant::now(),
        })
    }

    pub fn ended(&self) -> impl Future<Output = ()> + Send + 'static {
        self.process.ended()
    }

    /// How long to wait before it is started again.
    pub fn pause(&mut self) -> Duration {
        let status = self.process.reap();
        tracing::error!(status = ?status.map(|s| s.to_string()), log = %self.log.display(), "the private Redis has died");
        if self.started.elapsed() > Duration::from_secs(60) {
            self.backoff.reset();
        }
        self.backoff.next_delay().unwrap_or(RESTART.max)
    }

    pub fn restart(&mut self) -> anyhow::Result<()> {
        (self.process, self.adopted) = launch(
            &self.seat,
            &self.folder,
            &self.socket,
            &self.log,
            self.fsync,
        )?;
        self.started = Instant::now();
        tracing::info!(
            pid = self.process.pid(),
            "the private Redis is started again"
        );
        Ok(())
    }

    /// For a start that failed: ends the server if it was started for it.
    pub async fn stop_if_started(self) {
        if !self.adopted {
            self.stop().await;
        }
    }

    pub async fn stop(self) {
        self.process.stop(STOP_PATIENCE).await;
        self.seat.clear();
    }
}

fn launch(
    seat: &Seat,
    folder: &Path,
    socket: &Path,
    log: &Path,
    fsync: AppendFsync,
) -> anyhow::Result<(Process, bool)> {
    match seat.take().context("locking the private Redis")? {
        Taken::Free(lock) => {
            let arguments = arguments(folder, socket, fsync);
            let process = seat
                .launch(lock, Path::new("redis-server"), &arguments, None, log)
                .context(
                    "starting redis-server (install the package redis-server, or set redis.url)",
                )?;
            Ok((process, false))
        }
        Taken::Adopted(process, _) => {
            tracing::info!(pid = process.pid(), "adopted the private Redis");
            Ok((process, true))
        }
        Taken::Hidden => anyhow::bail!(
            "a process that cannot be seen from here runs the private Redis in {}; end it, or use another data_dir",
            folder.display()
        ),
    }
}

fn arguments(folder: &Path, socket: &Path, fsync: AppendFsync) -> Vec<OsString> {
    let words: [(&str, OsString); 10] = [
        ("--port", "0".into()),
        ("--unixsocket", socket.into()),
        ("--unixsocketperm", "700".into()),
        ("--dir", folder.into()),
        ("--appendonly", "yes".into()),
        ("--appendfsync", fsync.as_str().into()),
        ("--save", "".into()),
        ("--daemonize", "no".into()),
        ("--logfile", "".into()),
        ("--maxmemory-policy", "noeviction".into()),
    ];
    words
        .into_iter()
        .flat_map(|(key, value)| [OsString::from(key), value])
        .collect()
}

/// Connects, waiting for a server that is starting or reading its file.
pub async fn connect(
    config: &Config,
    private: Option<&PrivateRedis>,
) -> anyhow::Result<RedisState> {
    let timeouts = RedisTimeouts {
        response: config.timing.redis_timeout,
        ..RedisTimeouts::default()
    };
    let url = config.redis_url();
    let patience = Instant::now() + START_PATIENCE;
    loop {
        let attempt = async {
            let redis = RedisState::connect(&url, &config.redis.prefix, timeouts).await?;
            redis.ping().await?;
            Ok(redis)
        };
        let error: shared_io::redis::StateError = match attempt.await {
            Ok(redis) => return Ok(redis),
            Err(error) => error,
        };
        match private {
            None => return Err(error.into()),
            Some(server) if !server.process.is_alive() => anyhow::bail!(
                "the private Redis ended as it started; its reason is in {}",
                server.log.display()
            ),
            Some(_) if Instant::now() > patience || !error.is_connection() => {
                return Err(error).context("waiting for the private Redis");
            }
            Some(_) => tokio::time::sleep(START_POLL).await,
        }
    }
}
