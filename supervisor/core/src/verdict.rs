//! How each bot and worker is: healthy, degraded, failed or unknown, and why.
//!
//! Rules that matter: silence is judged against how long Redis could be heard at all; a bot behind a failed worker is
//! *unknown*, not failed, unless its last words were a fatal error; an error of ours (api_id) never makes a bot failed; a report about
//! another login than the assigned one says nothing of this one.

use std::fmt;

use shared_core::{Assignment, BotHealth, BotId, Connection, ErrorClass, WorkerId};

use crate::policy::Policy;
use crate::snapshot::{Process, RedisView, Snapshot, WorkerView};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    Healthy,
    Degraded,
    Unknown,
    Failed,
}

/// Why something is not healthy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    RedisDown,
    ProcessDead,
    WorkerSilent {
        age_ms: u64,
    },
    NoHeartbeat,
    WorkerWithoutSql,
    Unassigned,
    WorkerFailed,
    NotReported,
    /// The worker has been up long enough and does not serve the bot.
    NotServed {
        for_ms: u64,
    },
    /// It is connected and does not do the work of the pool's epoch.
    NotWorking {
        for_ms: u64,
    },
    /// Its worker's name has passed to another process, and the one that had the bot may still be connected.
    Orphaned,
    NoLease,
    Connecting,
    Fatal {
        class: ErrorClass,
        name: String,
    },
    Ours {
        name: String,
    },
    Shaky {
        silent_ms: u64,
    },
    LineSilent {
        silent_ms: u64,
    },
    FloodWait {
        seconds: u32,
    },
    Slow {
        probe_us: u64,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub health: Health,
    pub finding: Option<Finding>,
}

/// The verdicts of one snapshot, in the snapshot's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdicts {
    pub workers: Vec<(WorkerId, Verdict)>,
    pub bots: Vec<(BotId, Verdict)>,
}

impl Verdicts {
    pub fn of(snapshot: &Snapshot, policy: &Policy) -> Self {
        let workers: Vec<_> = snapshot
            .workers
            .iter()
            .map(|view| (view.worker.clone(), judge_worker(view, snapshot, policy)))
            .collect();
        let bots = snapshot
            .bots
            .iter()
            .map(|bot| (bot.bot, judge_bot(bot.bot, snapshot, &workers, policy)))
            .collect();
        Self { workers, bots }
    }

    pub fn worker(&self, worker: &WorkerId) -> Option<&Verdict> {
        find(&self.workers, worker)
    }

    pub fn bot(&self, bot: BotId) -> Option<&Verdict> {
        find(&self.bots, &bot)
    }

    /// May something be given to this worker?
    pub fn worker_fit(&self, worker: &WorkerId) -> bool {
        self.worker(worker)
            .is_some_and(|v| matches!(v.health, Health::Healthy | Health::Degraded))
    }
}

fn find<'a, K: PartialEq>(list: &'a [(K, Verdict)], key: &K) -> Option<&'a Verdict> {
    list.iter()
        .find(|(known, _)| known == key)
        .map(|(_, verdict)| verdict)
}

fn verdict(health: Health, finding: Finding) -> Verdict {
    Verdict {
        health,
        finding: Some(finding),
    }
}

const HEALTHY: Verdict = Verdict {
    health: Health::Healthy,
    finding: None,
};

fn judge_worker(view: &WorkerView, snapshot: &Snapshot, policy: &Policy) -> Verdict {
    if view.process == Process::Dead {
        return verdict(Health::Failed, Finding::ProcessDead);
    }
    let RedisView::Up { for_ms } = snapshot.redis else {
        return verdict(Health::Unknown, Finding::RedisDown);
    };
    let Some((beat, age_ms)) = &view.beat else {
        return judge_unheard(view.process, for_ms, policy);
    };
    if *age_ms >= policy.worker_silent_ms {
        // A heartbeat that could not be sent proves nothing about its worker.
        return if for_ms >= policy.worker_silent_ms {
            verdict(Health::Failed, Finding::WorkerSilent { age_ms: *age_ms })
        } else {
            verdict(Health::Unknown, Finding::NoHeartbeat)
        };
    }
    if !beat.sql_ok {
        return verdict(Health::Degraded, Finding::WorkerWithoutSql);
    }
    HEALTHY
}

/// No heartbeat at all: our own child has some time to start, of others nothing is known.
fn judge_unheard(process: Process, redis_for_ms: u64, policy: &Policy) -> Verdict {
    match process {
        Process::Running { for_ms } if for_ms.min(redis_for_ms) >= policy.start_grace_ms => {
            let age_ms = for_ms.min(redis_for_ms);
            verdict(Health::Failed, Finding::WorkerSilent { age_ms })
        }
        Process::Running { .. } | Process::Elsewhere | Process::Dead => {
            verdict(Health::Unknown, Finding::NoHeartbeat)
        }
    }
}

fn judge_bot(
    bot: BotId,
    snapshot: &Snapshot,
    workers: &[(WorkerId, Verdict)],
    policy: &Policy,
) -> Verdict {
    let Some(assignment) = snapshot.assignment(bot) else {
        return verdict(Health::Unknown, Finding::Unassigned);
    };
    let said = snapshot.health(bot, &assignment.worker);
    let health = said.filter(|health| health.slot == assignment.slot);
    if let Some(fatal) = health.and_then(fatal_error) {
        return verdict(Health::Failed, fatal);
    }
    let worker = find(workers, &assignment.worker).map_or(Health::Unknown, |v| v.health);
    match worker {
        Health::Failed => return verdict(Health::Unknown, Finding::WorkerFailed),
        Health::Unknown => return verdict(Health::Unknown, Finding::NoHeartbeat),
        Health::Healthy | Health::Degraded => {}
    }
    if snapshot.is_orphaned(bot) {
        return verdict(Health::Failed, Finding::Orphaned);
    }
    if said.is_some() && health.is_none() {
        // It has not come to its newest assignment yet: what it said is about the other login.
        return verdict(Health::Unknown, Finding::NotReported);
    }
    let never_for_ms = held_in_vain_ms(bot, &assignment.worker, snapshot);
    match (health, never_for_ms) {
        (Some(health), never_for_ms) => {
            let line = judge_line(health, never_for_ms.unwrap_or(0), policy);
            let line = match &line.finding {
                Some(Finding::LineSilent { silent_ms }) if is_just_back(snapshot, policy) => {
                    let silent_ms = *silent_ms;
                    verdict(Health::Degraded, Finding::Shaky { silent_ms })
                }
                _ => line,
            };
            match idle_ms(health, assignment, snapshot, policy) {
                Some(for_ms) if matches!(line.health, Health::Healthy | Health::Degraded) => {
                    verdict(Health::Failed, Finding::NotWorking { for_ms })
                }
                _ => line,
            }
        }
        (None, Some(for_ms)) if for_ms >= policy.line_silent_ms => {
            verdict(Health::Failed, Finding::NotServed { for_ms })
        }
        (None, _) => verdict(Health::Unknown, Finding::NotReported),
    }
}

/// A worker without Redis keeps its connection and may have other things to wait for than Telegram's answers. What it says of its lines in the first
/// moments after that is about that time: it is asked again.
fn is_just_back(snapshot: &Snapshot, policy: &Policy) -> bool {
    matches!(snapshot.redis, RedisView::Up { for_ms } if for_ms < policy.worker_silent_ms)
}

/// For how long an active bot that was never answered can have been so: as long as its worker is up and its epoch open. It may have come to its
/// worker a moment ago, and then its worker still waits for the lease of the one before. A standby may have come at any time, so for it this says
/// nothing.
fn held_in_vain_ms(bot: BotId, worker: &WorkerId, snapshot: &Snapshot) -> Option<u64> {
    let holder = snapshot.holder()?;
    let active = holder.bot == bot && holder.worker == *worker;
    let up_for_ms = snapshot.worker(worker).and_then(WorkerView::up_for_ms)?;
    active.then_some(up_for_ms.min(snapshot.open_for_ms))
}

/// For how long the holder has been connected without doing the work of its epoch: a restarted process whose predecessor was named, or one that
/// fails as it begins. The epoch must have been open for long enough when the heartbeat was sent.
fn idle_ms(
    health: &BotHealth,
    given: &Assignment,
    snapshot: &Snapshot,
    policy: &Policy,
) -> Option<u64> {
    let record = snapshot.epoch.as_ref()?;
    let holder = snapshot.holder()?;
    let (beat, age_ms) = snapshot.worker(&given.worker)?.beat.as_ref()?;
    let active = holder.bot == given.bot && holder.worker == given.worker;
    let mut works = beat.pools.iter();
    let works = works.any(|work| work.pool == snapshot.pool && work.epoch == record.stamp);
    let open_ms = snapshot.open_for_ms.saturating_sub(*age_ms);
    let for_ms = health.settled_ms?.min(open_ms);
    let ready = health.connection == Connection::Ready && health.lease_held;
    (active && ready && !works && for_ms >= policy.idle_ms).then_some(for_ms)
}

/// The bot's last words, if they were final.
fn fatal_error(health: &BotHealth) -> Option<Finding> {
    let error = health.last_error.as_ref()?;
    let fatal = health.connection == Connection::Failed && error.class.is_fatal();
    fatal.then(|| Finding::Fatal {
        class: error.class,
        name: error.name.clone(),
    })
}

fn judge_line(health: &BotHealth, never_for_ms: u64, policy: &Policy) -> Verdict {
    let ours = health
        .last_error
        .as_ref()
        .filter(|e| e.class == ErrorClass::Ours);
    if let (Some(error), true) = (ours, health.connection != Connection::Ready) {
        let name = error.name.clone();
        return verdict(Health::Degraded, Finding::Ours { name });
    }
    let silent_ms = health.last_ok_ago_ms.unwrap_or(never_for_ms);
    if silent_ms >= policy.line_silent_ms {
        return verdict(Health::Failed, Finding::LineSilent { silent_ms });
    }
    match health.connection {
        Connection::Ready => judge_ready(health, policy),
        Connection::Shaky | Connection::Failed => {
            verdict(Health::Degraded, Finding::Shaky { silent_ms })
        }
        Connection::Connecting | Connection::Absent => {
            verdict(Health::Unknown, Finding::Connecting)
        }
    }
}

fn judge_ready(health: &BotHealth, policy: &Policy) -> Verdict {
    if !health.lease_held {
        return verdict(Health::Degraded, Finding::NoLease);
    }
    if let Some(seconds) = health
        .flood_wait_s
        .filter(|s| *s >= policy.flood_degraded_s)
    {
        return verdict(Health::Degraded, Finding::FloodWait { seconds });
    }
    let probe_us = health.probe.last_us;
    if probe_us >= policy.latency_degraded_us {
        return verdict(Health::Degraded, Finding::Slow { probe_us });
    }
    HEALTHY
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RedisDown => write!(f, "Redis cannot be reached"),
            Self::ProcessDead => write!(f, "its process is dead"),
            Self::WorkerSilent { age_ms } => write!(f, "silent for {age_ms} ms"),
            Self::NoHeartbeat => write!(f, "no heartbeat yet"),
            Self::WorkerWithoutSql => write!(f, "cannot reach the database"),
            Self::Unassigned => write!(f, "not placed on a worker"),
            Self::WorkerFailed => write!(f, "its worker has failed"),
            Self::NotReported => write!(f, "its worker has not reported it yet"),
            Self::NotServed { for_ms } => {
                write!(f, "its worker is up for {for_ms} ms and does not serve it")
            }
            Self::NotWorking { for_ms } => {
                write!(f, "connected for {for_ms} ms and not at work")
            }
            Self::Orphaned => write!(
                f,
                "its worker's name has passed to a process that leaves it alone"
            ),
            Self::NoLease => write!(f, "connected without its lease"),
            Self::Connecting => write!(f, "connecting"),
            Self::Fatal { name, .. } => write!(f, "{name}"),
            Self::Ours { name } => write!(f, "{name}: our own request or api_id is refused"),
            Self::Shaky { silent_ms } => write!(f, "no good answer for {silent_ms} ms"),
            Self::LineSilent { silent_ms } => write!(f, "its line is silent for {silent_ms} ms"),
            Self::FloodWait { seconds } => write!(f, "told to wait {seconds} s"),
            Self::Slow { probe_us } => write!(f, "a probe took {} ms", probe_us / 1000),
        }
    }
}
