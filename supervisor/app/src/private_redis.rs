//! The private redis-server: a Unix socket in the data folder, no TCP port, an append-only file, in a session of its own.
//!
//! Once everything is set up it has a guard ([`PrivateRedis::guard`]): a task of its own that starts it again the moment it dies, whatever else
//! the supervisor is busy with, because no lease outlives a second without Redis. One that gives no answer for `redis.hung_ms` is killed first: its file
//! is on disk, and nobody can go on while it hangs.
//!
//! Invariant: never two servers on one folder; the running one holds the seat's lock. So does a child of it that rewrites its file, also beyond
//! its end: whoever is found on the seat is only taken for the server when it answers. It is only ended by an orderly stop, after the workers.

mod alive;
mod last_words;

use std::ffi::OsString;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use rustix::process::Signal;
use shared_io::config::{AppendFsync, Config};
use shared_io::redis::{RedisState, RedisTimeouts, StateError};
use shared_io::retry::{Backoff, RetryPolicy};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use alive::{answers, hangs};
use last_words::last_words;

use crate::folder::Folder;
use crate::process::{Process, Seat, Taken};

/// A large append-only file is read at about 1 GB in ten seconds.
const START_PATIENCE: Duration = Duration::from_secs(120);
/// A configured Redis may be starting, or be on its way over to a replica; a wrong address is to be said soon.
const CONFIGURED_PATIENCE: Duration = Duration::from_secs(3);
/// Redis flushes its file to disk when it is asked to end.
const STOP_PATIENCE: Duration = Duration::from_secs(30);
/// A server answers at once, also while it reads its file.
const PROOF: Duration = Duration::from_secs(3);
/// A killed process is gone as soon as the kernel comes to it.
const KILLED: Duration = Duration::from_secs(2);
/// Nobody has more children with one lock than this.
const HOLDERS: usize = 8;
const START_POLL: Duration = Duration::from_millis(10);
/// A server that dies at once is not started in a hot loop; the first restart of one that had run waits for nothing.
const RESTART: RetryPolicy =
    RetryPolicy::forever(Duration::from_millis(20), Duration::from_secs(5));
/// One that has run for this long did not die of its start.
const SETTLED: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub struct PrivateRedis {
    seat: Seat,
    folder: PathBuf,
    socket: PathBuf,
    log: PathBuf,
    fsync: AppendFsync,
    hung: Duration,
    process: Process,
    adopted: bool,
    backoff: Backoff,
    started: Instant,
}

impl PrivateRedis {
    /// Adopts the server that runs on this folder, or starts one.
    pub async fn start(config: &Config, folder: &Folder) -> anyhow::Result<Self> {
        let seat = Seat::new(&folder.redis(), "redis");
        let log = folder.log("redis");
        let socket = config.redis_socket();
        let fsync = config.redis.appendfsync;
        let (process, adopted) =
            occupy(&seat, &folder.redis(), &socket, &log, fsync, PROOF).await?;
        Ok(Self {
            seat,
            folder: folder.redis(),
            socket,
            log,
            fsync,
            hung: config.redis.hung,
            process,
            adopted,
            backoff: Backoff::new(RESTART),
            started: Instant::now(),
        })
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

    /// Keeps it running from here on.
    pub fn guard(self) -> Guard {
        let (stop, asked) = oneshot::channel();
        let task = tokio::spawn(self.keep(asked));
        Guard { stop, task }
    }

    async fn keep(mut self, mut asked: oneshot::Receiver<()>) -> Self {
        loop {
            tokio::select! {
                _ = &mut asked => return self,
                () = self.process.ended() => {}
                () = hangs(&self.process, &self.socket, self.hung) => self.end_hung().await,
            }
            let pause = self.pause();
            tokio::select! {
                _ = &mut asked => return self,
                () = tokio::time::sleep(pause) => {}
            }
            if let Err(error) = self.restart().await {
                tracing::error!("{error:#}");
            }
        }
    }

    /// What it has acknowledged is in its file, with `appendfsync always`.
    async fn end_hung(&self) {
        let (pid, hung_ms) = (self.process.pid(), self.hung.as_millis());
        tracing::error!(
            pid,
            hung_ms,
            "the private Redis gives no answer, killing it"
        );
        self.process.signal(Signal::KILL);
        if !self.process.ends_within(KILLED).await {
            tracing::error!(pid, "the private Redis does not end: it waits for its disk");
        }
    }

    /// How long to wait before it is started again.
    fn pause(&mut self) -> Duration {
        let status = self.process.reap();
        tracing::error!(status = ?status.map(|s| s.to_string()), log = %self.log.display(), "the private Redis has died");
        if self.started.elapsed() >= SETTLED {
            self.backoff.reset();
            return Duration::ZERO;
        }
        self.backoff.next_delay().unwrap_or(RESTART.max)
    }

    /// Should it not start, its end is seen again at once and the pause grows: the workers are not ended for that.
    async fn restart(&mut self) -> anyhow::Result<()> {
        // Whoever is left on the seat is no server: a child that was rewriting its file inherited its lock.
        (self.process, self.adopted) = occupy(
            &self.seat,
            &self.folder,
            &self.socket,
            &self.log,
            self.fsync,
            Duration::ZERO,
        )
        .await?;
        self.started = Instant::now();
        tracing::info!(
            pid = self.process.pid(),
            "the private Redis is started again"
        );
        Ok(())
    }
}

/// The task that keeps the private Redis running.
pub struct Guard {
    stop: oneshot::Sender<()>,
    task: JoinHandle<PrivateRedis>,
}

impl Guard {
    /// Ends it, and Redis with it.
    pub async fn stop(self) {
        let _ended_before = self.stop.send(());
        match self.task.await {
            Ok(redis) => redis.stop().await,
            Err(error) => tracing::error!(%error, "the guard of the private Redis has failed"),
        }
    }
}

/// The server on the seat, adopted or started. Whoever holds the seat has `proof` to show that it is the server, and is killed when it does not.
async fn occupy(
    seat: &Seat,
    folder: &Path,
    socket: &Path,
    log: &Path,
    fsync: AppendFsync,
    proof: Duration,
) -> anyhow::Result<(Process, bool)> {
    let mut until = Instant::now() + KILLED;
    let mut holders = 0;
    while holders < HOLDERS {
        let (process, adopted) = match take_or_launch(seat, folder, socket, log, fsync)? {
            Some(found) => found,
            // One that was killed a moment ago has its lock until it has given back its memory, and cannot be seen any more.
            None if Instant::now() < until => {
                tokio::time::sleep(START_POLL).await;
                continue;
            }
            None => anyhow::bail!(
                "a process that cannot be seen from here runs the private Redis in {}; end it, or use another data_dir",
                folder.display()
            ),
        };
        if !adopted {
            return Ok((process, false));
        }
        holders += 1;
        if answers(&process, socket, proof).await {
            tracing::info!(pid = process.pid(), "adopted the private Redis");
            return Ok((process, true));
        }
        tracing::warn!(
            pid = process.pid(),
            "holds the private Redis' lock and is no server, killing it"
        );
        process.signal(Signal::KILL);
        anyhow::ensure!(
            process.ends_within(KILLED).await,
            "process {} holds the private Redis' lock in {} and does not end",
            process.pid(),
            folder.display()
        );
        until = Instant::now() + KILLED;
    }
    anyhow::bail!(
        "the private Redis' lock in {} is taken again and again",
        folder.display()
    )
}

/// With whether it was there before; nothing where somebody has the lock who cannot be seen.
fn take_or_launch(
    seat: &Seat,
    folder: &Path,
    socket: &Path,
    log: &Path,
    fsync: AppendFsync,
) -> anyhow::Result<Option<(Process, bool)>> {
    match seat.take().context("locking the private Redis")? {
        Taken::Free(lock) => {
            // Redis removes what is in its socket's place, so a foreign server there would be cut off and its data be nobody's.
            anyhow::ensure!(
                UnixStream::connect(socket).is_err(),
                "another program listens on {}, where the private Redis is to listen; end it, or choose another data_dir",
                socket.display()
            );
            let arguments = arguments(folder, socket, fsync);
            let process = seat
                .launch(lock, Path::new("redis-server"), &arguments, None, log)
                .context(
                    "starting redis-server (install the package redis-server, or set redis.url)",
                )?;
            Ok(Some((process, false)))
        }
        Taken::Adopted(process, _) => Ok(Some((process, true))),
        Taken::Hidden => Ok(None),
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
    let began = Instant::now();
    loop {
        let attempt = async {
            let redis = RedisState::connect(&url, &config.redis.prefix, timeouts).await?;
            redis.ping().await?;
            Ok(redis)
        };
        let error: StateError = match attempt.await {
            Ok(redis) => return Ok(redis),
            Err(error) => error,
        };
        let patience = match private {
            None => CONFIGURED_PATIENCE,
            Some(server) if !server.process.is_alive() => {
                let log = server.log.display();
                let said = last_words(&server.log);
                anyhow::bail!("the private Redis ended as it started{said}; its log is {log}")
            }
            Some(_) => START_PATIENCE,
        };
        if !error.is_connection() || began.elapsed() > patience {
            return Err(error).context(match private {
                None => "redis.url (is it right, and does that Redis run?)",
                Some(_) => "waiting for the private Redis",
            });
        }
        tokio::time::sleep(START_POLL).await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[tokio::test]
    async fn whoever_holds_the_lock_and_is_no_server_makes_room() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path();
        let (socket, log) = (folder.join("redis.sock"), folder.join("redis.log"));
        let seat = Seat::new(folder, "redis");
        let Taken::Free(lock) = seat.take().unwrap() else {
            panic!("somebody sits there");
        };
        let sleeper = seat
            .launch(lock, Path::new("sleep"), &["600".into()], None, &log)
            .unwrap();
        let occupy = |proof| occupy(&seat, folder, &socket, &log, AppendFsync::Everysec, proof);
        let (server, adopted) = occupy(Duration::from_millis(200)).await.unwrap();
        assert!(!adopted);
        assert!(!sleeper.is_alive());
        sleeper.stop(Duration::from_secs(5)).await;

        // The server itself proves what it is, also to one that comes as it starts.
        let (found, adopted) = occupy(Duration::from_secs(10)).await.unwrap();
        assert!(adopted);
        assert_eq!(found.pid(), server.pid());
        server.stop(Duration::from_secs(10)).await;
    }
}
