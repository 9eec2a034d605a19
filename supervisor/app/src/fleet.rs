//! The local workers: started or adopted, started again when they die, ended in an orderly stop.
//!
//! Invariants: one process a name; a worker that was started again has another nonce, and heartbeats of its predecessor are not taken for its
//! own. A dead worker stays *dead* in what the pools see until its successor is started, so that its death is acted on first.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use shared_core::{BootMs, Nonce, WorkerId};
use shared_io::clock;
use shared_io::redis::SeenHeartbeat;
use shared_io::retry::{Backoff, RetryPolicy};
use supervisor_core::{Policy, Process as Seen, WorkerView};
use tokio::sync::mpsc;

use crate::folder::Folder;
use crate::process::{Process, Seat, Taken};

const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// A worker that dies at once is not started in a hot loop; the first pause leaves time to act on its death.
const RESTART: RetryPolicy =
    RetryPolicy::forever(Duration::from_millis(300), Duration::from_secs(10));
/// One that has run for this long did not die of its start.
const SETTLED: Duration = Duration::from_secs(30);

/// A local worker has ended.
#[derive(Debug)]
pub struct Death {
    pub worker: WorkerId,
    pub pid: u32,
}

/// When a silent process of ours is taken for hung.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    pub silent_ms: u64,
    /// For one that was never heard since it was started or adopted.
    pub start_ms: u64,
}

impl Patience {
    pub fn of(policy: &Policy) -> Self {
        Self {
            silent_ms: policy.worker_silent_ms.saturating_mul(2),
            start_ms: policy.start_grace_ms.saturating_add(5000),
        }
    }
}

/// Between two looks at the heartbeats; after a longer gap (Redis was away, or we slept) silence is counted anew.
const GAP: Duration = Duration::from_secs(1);

pub struct Fleet {
    program: PathBuf,
    config: PathBuf,
    folder: Folder,
    slots: BTreeMap<WorkerId, Slot>,
    deaths: mpsc::Sender<Death>,
    /// Since when heartbeats are looked at without a gap, and the last look.
    watched: Option<(BootMs, BootMs)>,
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
    /// Starts or adopts `count` workers named `w1`, `w2`, ...; the receiver tells of each one's end.
    pub fn start(
        config: &Path,
        folder: &Folder,
        count: u32,
    ) -> anyhow::Result<(Self, mpsc::Receiver<Death>)> {
        let (deaths, receiver) = mpsc::channel(64);
        let mut fleet = Self {
            program: worker_program()?,
            config: config.to_owned(),
            folder: folder.clone(),
            slots: BTreeMap::new(),
            deaths,
            watched: None,
        };
        for number in 1..=count {
            let worker = WorkerId::new(format!("w{number}")).context("naming a worker")?;
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

    fn bring_up(&self, worker: &WorkerId, seat: &Seat) -> anyhow::Result<State> {
        let taken = seat
            .take()
            .with_context(|| format!("locking worker {worker}"))?;
        let (process, nonce) = match taken {
            Taken::Free(lock) => {
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
                tracing::info!(%worker, pid = process.pid(), "worker started");
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
        let status = process.reap().map(|status| status.to_string());
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

    /// Starts those again whose pause is over.
    pub fn restart_due(&mut self) {
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
    }

    /// Kills those of ours that have been silent for too long while Redis could be heard: they are started again when their end is seen.
    pub fn end_hung(&mut self, heartbeats: &[SeenHeartbeat], patience: Patience) {
        let now = clock::boot_now();
        let unbroken = self.watched.filter(|(_, last)| now.since(*last) <= GAP);
        let (watched, _) = unbroken.unwrap_or((now, now));
        self.watched = Some((watched, now));
        for (worker, slot) in &mut self.slots {
            let State::Running {
                process,
                nonce,
                since,
                heard,
                hung_ms,
            } = &mut slot.state
            else {
                continue;
            };
            let beat = heartbeats.iter().find(|h| h.heartbeat.worker == *worker);
            let ours = beat.filter(|h| nonce.is_none_or(|nonce| nonce == h.heartbeat.nonce));
            if let Some(age_ms) = ours.map(|h| h.age_ms) {
                let at = now.minus(Duration::from_millis(age_ms));
                *heard = Some(heard.map_or(at, |known| known.max(at)));
            }
            let (from, limit) = match *heard {
                Some(heard) => (heard, patience.silent_ms),
                None => (*since, patience.start_ms),
            };
            let silent = now.since(from.max(watched)).as_millis();
            let silent_ms = u64::try_from(silent).unwrap_or(u64::MAX);
            if silent_ms >= limit && hung_ms.is_none() && process.is_alive() {
                *hung_ms = Some(silent_ms);
                tracing::error!(%worker, pid = process.pid(), silent_ms, "worker hangs, killing it");
                process.signal(rustix::process::Signal::KILL);
            }
        }
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

    /// Whose leases may be broken: the nonce of a process of ours that is certainly dead.
    pub fn dead_nonce(&self, worker: &WorkerId) -> Option<Nonce> {
        match &self.slots.get(worker)?.state {
            State::Dead { nonce, .. } => *nonce,
            State::Running { process, nonce, .. } if !process.is_alive() => *nonce,
            State::Running { .. } => None,
        }
    }

    /// The nonce of a process of ours that runs.
    pub fn live_nonce(&self, worker: &WorkerId) -> Option<Nonce> {
        match &self.slots.get(worker)?.state {
            State::Running { process, nonce, .. } if process.is_alive() => *nonce,
            State::Running { .. } | State::Dead { .. } => None,
        }
    }

    pub fn is_ours(&self, worker: &WorkerId) -> bool {
        self.slots.contains_key(worker)
    }

    /// All workers as they are seen: ours by their processes, the others by their heartbeats.
    pub fn views(&self, heartbeats: &[SeenHeartbeat]) -> Vec<WorkerView> {
        let now = clock::boot_now();
        let ours = self.slots.iter().map(|(worker, slot)| {
            let heard = heartbeats.iter().find(|h| h.heartbeat.worker == *worker);
            let (process, nonce) = match &slot.state {
                State::Running { process, .. } if !process.is_alive() => (Seen::Dead, None),
                State::Running { nonce, since, .. } => {
                    let for_ms = u64::try_from(now.since(*since).as_millis()).unwrap_or(u64::MAX);
                    (Seen::Running { for_ms }, *nonce)
                }
                State::Dead { .. } => (Seen::Dead, None),
            };
            let beat = heard
                .filter(|h| nonce.is_none_or(|nonce| nonce == h.heartbeat.nonce))
                .map(|h| (h.heartbeat.clone(), h.age_ms));
            WorkerView {
                worker: worker.clone(),
                process,
                beat,
            }
        });
        let elsewhere = heartbeats
            .iter()
            .filter(|h| !self.slots.contains_key(&h.heartbeat.worker))
            .map(|h| WorkerView {
                worker: h.heartbeat.worker.clone(),
                process: Seen::Elsewhere,
                beat: Some((h.heartbeat.clone(), h.age_ms)),
            });
        ours.chain(elsewhere).collect()
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

/// Ends workers of an earlier start that this one has no place for: those whose number is above `count`.
pub async fn stop_all_but(folder: &Folder, count: u32) {
    let Ok(entries) = std::fs::read_dir(folder.run()) else {
        return;
    };
    let stops = entries.filter_map(Result::ok).filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let name = name.strip_suffix(".lock")?;
        let number: u32 = name.strip_prefix('w')?.parse().ok()?;
        let seat = (number > count).then(|| Seat::new(&folder.run(), name))?;
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
