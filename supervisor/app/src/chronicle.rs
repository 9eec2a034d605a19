//! What is written to SQL about what happened: switches with their timelines, decisions, orders, events. Nobody waits for it.
//!
//! One task takes notes from a bounded queue, tries each until SQL takes it, and follows the milestones of switches whose timeline is not
//! complete. Invariants: the path of a switch never waits for SQL; a switch is kept in the pool's saga (Redis) until [`Chronicle::has`] says
//! that SQL has it; what a leader changes in SQL is changed only where SQL names it as the leader, so one that slept undoes nothing of its successor's.
//! What is laid down is in Redis as well. Events, decisions and orders wait in Redis while SQL is away (`shared_io::notes`), so that they outlive
//! this process; only those of the deployment, which have no pool, wait in memory. A note that SQL refuses for good is dropped and said, and
//! blocks nothing behind it.

mod rows;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use shared_core::{BootMs, Order, PoolId, Progress, Request, SwitchId};
use shared_io::clock;
use shared_io::redis::{LeaderId, PoolState, RedisState};
use shared_io::sql::{
    AdminAction, Decision, Event, EventKind, OverridesRow, Store, StoreError, SwitchRow,
};
use supervisor_core::{Outcome, SwitchRecord};
use tokio::sync::{mpsc, oneshot};

pub use rows::{action_row, counts_as_past, overrides_row, past_moves, record_row};

const QUEUE: usize = 256;
/// What has not been written yet, when SQL is down.
const PENDING: usize = 1024;
const EVERY: Duration = Duration::from_millis(200);
/// A first reply may be long in coming when nobody writes.
const FOLLOWED_FOR: Duration = Duration::from_secs(3600);
const FOLLOWED: usize = 256;
/// Timelines are asked for this often at first, and ten times less often after a minute.
const EAGER_FOR: Duration = Duration::from_secs(60);
const PING_EVERY: u32 = 5;

#[derive(Debug)]
pub enum Note {
    Switch(PoolId, SwitchRecord),
    Decision(Decision),
    Event(Event),
    /// How an order ended.
    Admin(AdminAction),
    Overrides(OverridesRow),
}

/// Takes notes. Cheap to clone.
#[derive(Clone)]
pub struct Chronicle {
    notes: mpsc::Sender<Note>,
    shared: Arc<Shared>,
}

struct Shared {
    database_ok: AtomicBool,
    /// The last ones that were written.
    recorded: Mutex<VecDeque<SwitchId>>,
    /// Each pool's last switch as it is to be in SQL, for people.
    latest: Mutex<BTreeMap<PoolId, SwitchRow>>,
}

impl Chronicle {
    pub fn start(store: Store, redis: RedisState, leader: LeaderId) -> (Self, Closing) {
        let (notes, receiver) = mpsc::channel(QUEUE);
        let (close, closing) = oneshot::channel();
        let shared = Arc::new(Shared {
            database_ok: AtomicBool::new(true),
            recorded: Mutex::new(VecDeque::new()),
            latest: Mutex::new(BTreeMap::new()),
        });
        let writer = Writer {
            store,
            redis,
            leader,
            shared: shared.clone(),
            pending: VecDeque::new(),
            followed: Vec::new(),
            turns: 0,
        };
        let task = tokio::spawn(writer.run(receiver, closing));
        (Self { notes, shared }, Closing { close, task })
    }

    /// Hands a note over; one that finds the queue full is dropped and said so.
    pub fn note(&self, note: Note) {
        if self.notes.try_send(note).is_err() {
            tracing::warn!("a note for the database was dropped: its queue is full");
        }
    }

    pub fn event(
        &self,
        pool: Option<&PoolId>,
        kind: EventKind,
        subject: &str,
        details: serde_json::Value,
    ) {
        self.note(Note::Event(Event {
            id: clock::nonce(),
            pool: pool.cloned(),
            at: clock::unix_now(),
            kind,
            subject: subject.to_owned(),
            details,
        }));
    }

    /// The event that an order's end is, if it is one.
    pub fn ordered(&self, pool: &PoolId, request: &Request) {
        let kind = match (&request.progress, &request.order) {
            (Progress::Refused { .. }, _) => EventKind::OrderRefused,
            (Progress::Done { .. }, Order::Pause) => EventKind::Paused,
            (Progress::Done { .. }, Order::Resume) => EventKind::Resumed,
            (Progress::Done { .. }, Order::Pin { .. }) => EventKind::Pinned,
            (Progress::Done { .. }, Order::Unpin) => EventKind::Unpinned,
            (Progress::Done { .. }, Order::Schedule { .. }) => EventKind::Scheduled,
            (Progress::Done { .. }, Order::Unschedule) => EventKind::Unscheduled,
            _ => return,
        };
        let mut details = serde_json::json!({
            "order": request.order.to_string(),
            "by": request.by.to_string(),
        });
        if let Progress::Refused { why } = &request.progress {
            details["why"] = why.clone().into();
        }
        self.event(Some(pool), kind, pool.as_str(), details);
    }

    /// The pool's last switch that this process has recorded, with as much of its timeline as is known.
    pub fn latest(&self, pool: &PoolId) -> Option<SwitchRow> {
        lock(&self.shared.latest).get(pool).cloned()
    }

    pub fn database_ok(&self) -> bool {
        self.shared.database_ok.load(Ordering::Relaxed)
    }

    /// Is this switch in SQL?
    pub fn has(&self, id: SwitchId) -> bool {
        lock(&self.shared.recorded).contains(&id)
    }
}

impl Shared {
    /// An older switch whose timeline is completed late does not take the place of a later one.
    fn show(&self, pool: &PoolId, row: SwitchRow) {
        let mut latest = lock(&self.latest);
        if latest
            .get(pool)
            .is_none_or(|known| known.started <= row.started)
        {
            latest.insert(pool.clone(), row);
        }
    }
}

/// Another supervisor leads by now, and says it itself.
fn refused(written: bool, what: &str) {
    if !written {
        tracing::warn!("{what} is left to the supervisor that leads now");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // The set is whole between any two of its operations.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the chronicle, after what it can still write.
pub struct Closing {
    close: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Closing {
    pub async fn close(self) {
        let _gone = self.close.send(());
        if tokio::time::timeout(Duration::from_secs(6), self.task)
            .await
            .is_err()
        {
            tracing::warn!("the last notes could not be written to the database");
        }
    }
}

struct Writer {
    store: Store,
    redis: RedisState,
    leader: LeaderId,
    shared: Arc<Shared>,
    pending: VecDeque<Note>,
    followed: Vec<Followed>,
    turns: u32,
}

struct Followed {
    pool: PoolState,
    record: SwitchRecord,
    since: BootMs,
    stored: bool,
}

impl Writer {
    async fn run(mut self, mut notes: mpsc::Receiver<Note>, mut closing: oneshot::Receiver<()>) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = &mut closing => break,
                note = notes.recv() => match note {
                    Some(note) => self.take(note),
                    None => break,
                },
                _ = ticks.tick() => self.follow().await,
            }
            self.write().await;
        }
        while let Ok(note) = notes.try_recv() {
            self.take(note);
        }
        self.write().await;
        self.follow().await;
    }

    fn take(&mut self, note: Note) {
        if self.pending.len() == PENDING {
            tracing::warn!(
                "a note for the database was dropped: it cannot be reached for too long"
            );
            self.pending.pop_front();
        }
        if let Note::Switch(pool, record) = &note {
            self.shared.show(pool, record_row(pool, record));
        }
        self.pending.push_back(note);
    }

    /// Writes in order, up to the first that SQL does not take.
    async fn write(&mut self) {
        while let Some(note) = self.pending.front() {
            let leader = self.leader.as_str();
            let written = match note {
                Note::Switch(pool, record) => {
                    let row = record_row(pool, record);
                    let put = self.store.switches().put(&row, leader).await;
                    put.map(|written| refused(written, "a switch"))
                }
                Note::Decision(decision) => self.store.decisions().add(decision).await,
                Note::Event(event) => self.store.events().add(event).await,
                Note::Admin(action) => self.store.admin_actions().add(action).await,
                Note::Overrides(row) => {
                    let put = self.store.overrides().put(row, leader).await;
                    put.map(|written| refused(written, "what was laid down"))
                }
            };
            if !self.judge(written) {
                return self.set_aside().await;
            }
            if let Some(Note::Switch(pool, record)) = self.pending.pop_front() {
                let mut recorded = lock(&self.shared.recorded);
                if recorded.len() == QUEUE {
                    recorded.pop_front();
                }
                recorded.push_back(record.id);
                drop(recorded);
                self.start_following(&pool, record);
            }
        }
    }

    /// What may wait in Redis goes there, in its order, as far as Redis takes it.
    async fn set_aside(&mut self) {
        let mut left = VecDeque::with_capacity(self.pending.len());
        let mut redis_is_well = true;
        for note in std::mem::take(&mut self.pending) {
            let kept = match &note {
                Note::Event(event) => event.pool.as_ref().map(|pool| (pool, event.into())),
                Note::Decision(decision) => Some((&decision.pool, decision.into())),
                Note::Admin(action) => Some((&action.pool, action.into())),
                Note::Switch(..) | Note::Overrides(_) => None,
            };
            if let Some((pool, kept)) = kept.filter(|_| redis_is_well) {
                redis_is_well = self.redis.pool(pool).keep_note(&kept).await.is_ok();
                if redis_is_well {
                    continue;
                }
            }
            left.push_back(note);
        }
        self.pending = left;
    }

    /// True: go on. A note that the database never takes is logged and dropped; everything else waits until the database is well.
    fn judge(&self, written: Result<(), StoreError>) -> bool {
        let transient = matches!(&written, Err(error) if !error.is_of_the_row());
        let was_ok = self.shared.database_ok.swap(!transient, Ordering::Relaxed);
        match written {
            Ok(()) if !was_ok => tracing::info!("the database answers again"),
            Ok(()) => {}
            Err(error) if transient && was_ok => {
                tracing::error!("{:#}", anyhow::Error::from(error));
            }
            Err(_) if transient => {}
            Err(error) => tracing::error!("{:#}", anyhow::Error::from(error)),
        }
        !transient
    }

    fn start_following(&mut self, pool: &PoolId, record: SwitchRecord) {
        let known = self.followed.iter().any(|f| f.record.id == record.id);
        if known || record.outcome != Outcome::Opened || record.timeline.is_complete() {
            return;
        }
        if self.followed.len() == FOLLOWED {
            self.followed.remove(0);
        }
        self.followed.push(Followed {
            pool: self.redis.pool(pool),
            record,
            since: clock::boot_now(),
            stored: true,
        });
    }

    /// Completes timelines from the workers' milestones; also finds out whether SQL answers when there is nothing to write.
    async fn follow(&mut self) {
        self.turns = self.turns.wrapping_add(1);
        if self.pending.is_empty() && self.turns.is_multiple_of(PING_EVERY) {
            let ping = self.store.ping().await.map(|_| ());
            self.judge(ping);
        }
        let now = clock::boot_now();
        for followed in &mut self.followed {
            let eager = now.since(followed.since) < EAGER_FOR;
            if !eager && !self.turns.is_multiple_of(10) && followed.stored {
                continue;
            }
            let Some(epoch) = followed.record.epoch else {
                continue;
            };
            if let Ok(milestones) = followed.pool.milestones(epoch).await
                && followed.record.timeline.take(&milestones)
            {
                followed.stored = false;
            }
            if !followed.stored {
                let row = record_row(followed.pool.id(), &followed.record);
                self.shared.show(followed.pool.id(), row.clone());
                let switches = self.store.switches();
                let put = switches.put(&row, self.leader.as_str()).await;
                followed.stored = put.is_ok();
            }
        }
        self.followed.retain(|followed| {
            let complete = followed.record.timeline.is_complete() && followed.stored;
            !complete && now.since(followed.since) < FOLLOWED_FOR
        });
    }
}
