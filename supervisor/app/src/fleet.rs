//! The local workers: started or adopted, started again when they die, ended in an orderly stop. Workers elsewhere are seen beside them.
//!
//! Invariants: one process a name; a worker that was started again has another nonce, and heartbeats of its predecessor are not taken for its
//! own. A dead worker stays *dead* in what the pools see until its successor is started, so that its death is acted on first.

mod deaths;
mod hung;
mod names;
mod views;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use shared_core::{BootMs, Nonce, WorkerId};
use shared_io::clock;
use shared_io::redis::{RedisState, StateError};
use shared_io::retry::{Backoff, RetryPolicy};
use tokio::sync::mpsc;

use crate::folder::Folder;
use crate::process::{Process, Seat, Taken};

pub use hung::Patience;
pub use names::{host, local};

use deaths::Deaths;

const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// A worker that dies at once is not started in a hot loop; the first pause leaves time to act on its death.
const RESTART: RetryPolicy =
    RetryPolicy::forever(Duration::from_millis(300), Duration::from_secs(10));
/// One that has run for this long did not die of its start.
const SETTLED: Duration = Duration::from_secs(30);

/// How a worker ends whose name another process has.
const NAME_TAKEN: i32 = 3;

/// A local worker has ended.
#[derive(Debug)]
pub struct Death {
    pub worker: WorkerId,
    pub pid: u32,
}

pub struct Fleet {
    program: PathBuf,
    config: PathBuf,
    folder: Folder,
    slots: BTreeMap<WorkerId, Slot>,
    deaths: mpsc::Sender<Death>,
    watched: Option<hung::Watched>,
    dead: Deaths,
    /// Whom nobody has been told of yet.
    started: Vec<Started>,
}

/// A local worker was started; one that is adopted was not.
#[derive(Debug)]
pub struct Started {
    pub worker: WorkerId,
    pub pid: u32,
}

struct Slot {
    seat: Seat,
    backoff: Backoff,
    state: State,
}

enum State {
    Running {
        process: Process,
        nonce: Option<Nonce>,
        since: BootMs,
        /// When a heartbeat of this very process was last known.
        heard: Option<BootMs>,
        /// It was killed after so long a silence.
        hung_ms: Option<u64>,
    },
    Dead {
        /// Of the process that died; its leases may be broken.
        nonce: Option<Nonce>,
        again_at: BootMs,
    },
}

impl Fleet {
    /// Starts or adopts the workers of these names; the receiver tells of each one's end.
    pub fn start(
        config: &Path,
        folder: &Folder,
        names: &[WorkerId],
    ) -> anyhow::Result<(Self, mpsc::Receiver<Death>)> {
        let (deaths, receiver) = mpsc::channel(64);
        let mut fleet = Self {
            program: worker_program()?,
            config: config.to_owned(),
            folder: folder.clone(),
            slots: BTreeMap::new(),
            deaths,
            watched: None,
            dead: Deaths::default(),
            started: Vec::new(),
        };
        for worker in names {
            let worker = worker.clone();
            let seat = Seat::new(&folder.run(), worker.as_str());
            let mut backoff = Backoff::new(RESTART);
            let state = match fleet.bring_up(&worker, &seat) {
                Ok(state) => state,
                Err(error) if fleet.slots.is_empty() => return Err(error),
                Err(error) => {
                    // The others may serve members already; this one is tried again.
                    tracing::error!(%worker, "worker could not be started: {error:#}");
                    let pause = backoff.next_delay().unwrap_or(RESTART.max);
                    State::Dead {
                        nonce: None,
                        again_at: clock::boot_now().plus(pause),
                    }
                }
            };
            fleet.slots.insert(
                worker,
                Slot {
                    seat,
                    backoff,
                    state,
                },
            );
        }
        Ok((fleet, receiver))
    }

    fn bring_up(&mut self, worker: &WorkerId, seat: &Seat) -> anyhow::Result<State> {
        let taken = seat
            .take()
            .with_context(|| format!("locking worker {worker}"))?;
        let (process, nonce) = match taken {
            Taken::Free(lock) => {
                // Whoever sat there before us is dead, or the seat would not be free.
                if let Some(before) = seat.last_nonce() {
                    self.dead.saw(worker, before);
                }
                let nonce = clock::nonce();
                let arguments: [OsString; 6] = [
                    "--config".into(),
                    self.config.clone().into(),
                    "--name".into(),
                    worker.as_str().into(),
                    "--nonce".into(),
                    nonce.to_string().into(),
                ];
                let log = self.folder.log(worker.as_str());
                let process = seat
                    .launch(lock, &self.program, &arguments, Some(nonce), &log)
                    .with_context(|| {
                        format!("starting worker {worker} ({})", self.program.display())
                    })?;
                let pid = process.pid();
                tracing::info!(%worker, pid, "worker started");
                let worker = worker.clone();
                self.started.push(Started { worker, pid });
                (process, Some(nonce))
            }
            Taken::Adopted(process, nonce) => {
                tracing::info!(%worker, pid = process.pid(), "worker adopted");
                (process, nonce)
            }
            Taken::Hidden => {
                anyhow::bail!("a process that cannot be seen from here runs as worker {worker}")
            }
        };
        self.watch(worker, &process);
        Ok(State::Running {
            process,
            nonce,
            since: clock::boot_now(),
            heard: None,
            hung_ms: None,
        })
    }

    /// Tells of the process's end, once.
    fn watch(&self, worker: &WorkerId, process: &Process) {
        let (ended, deaths) = (process.ended(), self.deaths.clone());
        let death = Death {
            worker: worker.clone(),
            pid: process.pid(),
        };
        tokio::spawn(async move {
            ended.await;
            // Nobody listens any more when the supervisor itself stops.
            let _told = deaths.send(death).await;
        });
    }

    /// Takes note of a death. After how long a silence it was killed for it, if it was.
    pub fn died(&mut self, death: &Death) -> Option<u64> {
        let slot = self.slots.get_mut(&death.worker)?;
        let State::Running {
            process,
            nonce,
            since,
            hung_ms,
            ..
        } = &mut slot.state
        else {
            return None;
        };
        if process.pid() != death.pid {
            return None;
        }
        let hung_ms = *hung_ms;
        if let Some(nonce) = *nonce {
            self.dead.saw(&death.worker, nonce);
        }
        let status = process.reap();
        if status.and_then(|status| status.code()) == Some(NAME_TAKEN) {
            tracing::error!(worker = %death.worker, "another process has this worker's name: set workers.name to another one here, or there");
        }
        let status = status.map(|status| status.to_string());
        tracing::error!(worker = %death.worker, pid = death.pid, ?status, "worker has died");
        let now = clock::boot_now();
        if now.since(*since) > SETTLED {
            slot.backoff.reset();
        }
        let pause = slot.backoff.next_delay().unwrap_or(RESTART.max);
        slot.state = State::Dead {
            nonce: *nonce,
            again_at: now.plus(pause),
        };
        hung_ms
    }

    /// Starts those again whose pause is over. Whoever was started since the last call is told of.
    pub fn restart_due(&mut self) -> Vec<Started> {
        let now = clock::boot_now();
        let due: Vec<WorkerId> = self
            .slots
            .iter()
            .filter(
                |(_, slot)| matches!(slot.state, State::Dead { again_at, .. } if again_at <= now),
            )
            .map(|(worker, _)| worker.clone())
            .collect();
        for worker in due {
            let Some(seat) = self.slots.get(&worker).map(|slot| slot.seat.clone()) else {
                continue;
            };
            let started = self.bring_up(&worker, &seat);
            let Some(slot) = self.slots.get_mut(&worker) else {
                continue;
            };
            match started {
                Ok(state) => slot.state = state,
                Err(error) => {
                    tracing::error!(%worker, "worker could not be started: {error:#}");
                    let pause = slot.backoff.next_delay().unwrap_or(RESTART.max);
                    if let State::Dead { again_at, .. } = &mut slot.state {
                        *again_at = now.plus(pause);
                    }
                }
            }
        }
        std::mem::take(&mut self.started)
    }

    /// Ends one of ours at once. True: it is certainly dead.
    pub async fn kill(&self, worker: &WorkerId) -> bool {
        match self.slots.get(worker).map(|slot| &slot.state) {
            Some(State::Running { process, .. }) => {
                tracing::warn!(%worker, pid = process.pid(), "worker is silent, killing it");
                process.signal(rustix::process::Signal::KILL);
                process.ends_within(Duration::from_millis(500)).await
            }
            Some(State::Dead { .. }) => true,
            None => false,
        }
    }

    /// Reports the ends of our children and hears of others'.
    pub async fn exchange_deaths(&mut self, redis: &RedisState) -> Result<(), StateError> {
        self.dead.exchange(redis).await
    }

    pub fn is_ours(&self, worker: &WorkerId) -> bool {
        self.slots.contains_key(worker)
    }

    /// Ends all of them, at the same time.
    pub async fn stop(self) {
        let stops = self.slots.into_values().map(|slot| async move {
            if let State::Running { process, .. } = slot.state {
                process.stop(STOP_PATIENCE).await;
            }
            slot.seat.clear();
        });
        futures_util::future::join_all(stops).await;
    }
}

/// Ends workers of an earlier start that this one has no place for: all that have other names.
pub async fn stop_all_but(folder: &Folder, names: &[WorkerId]) {
    let Ok(entries) = std::fs::read_dir(folder.run()) else {
        return;
    };
    let stops = entries.filter_map(Result::ok).filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let name = name.strip_suffix(".lock")?;
        let other = names.iter().all(|kept| kept.as_str() != name);
        let seat = other.then(|| Seat::new(&folder.run(), name))?;
        let Ok(Taken::Adopted(process, _)) = seat.take() else {
            return None;
        };
        tracing::info!(
            worker = name,
            pid = process.pid(),
            "ending a worker that has no place any more"
        );
        Some(async move {
            process.stop(STOP_PATIENCE).await;
            seat.clear();
        })
    });
    futures_util::future::join_all(stops).await;
}

/// `understudy-worker` beside this program, or in the search path. `UNDERSTUDY_WORKER` names another one.
pub fn worker_program() -> anyhow::Result<PathBuf> {
    if let Some(named) = std::env::var_os("UNDERSTUDY_WORKER") {
        return Ok(named.into());
    }
    let beside = std::env::current_exe()
        .context("finding this program's folder")?
        .with_file_name("understudy-worker");
    Ok(if beside.is_file() {
        beside
    } else {
        "understudy-worker".into()
    })
}
