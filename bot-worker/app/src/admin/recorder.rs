//! Carries what admins (and strangers) did to SQL. While SQL is away it waits in Redis, where it outlives this process; while Redis is away as well,
//! in this process' memory.
//!
//! Bounded: when the queue is full, what comes is not recorded, and the log says so; Redis keeps the latest ten thousand. A row's id follows
//! from the update, so a replay is one row. One carrier for all of a process' desks; it also brings to SQL what others left in Redis.

use std::time::Duration;

use shared_core::PoolId;
use shared_io::notes::{Note, carry};
use shared_io::redis::RedisState;
use shared_io::retry::{Backoff, RetryPolicy};
use shared_io::sql::{AdminAction, Store};
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, warn};

const QUEUE: usize = 512;
/// How long an orderly end waits for SQL.
const FLUSH: Duration = Duration::from_millis(500);
/// An answer from a SQL that is well takes milliseconds; after this long the row waits in Redis.
const AT_ONCE: Duration = Duration::from_millis(300);
/// How often Redis is looked through for what others left.
const LOOK: Duration = Duration::from_secs(2);
/// Neither Redis nor SQL took it: again after this.
const AGAIN: RetryPolicy = RetryPolicy::forever(Duration::from_millis(200), Duration::from_secs(5));

enum Entry {
    Action(AdminAction),
    Mark(oneshot::Sender<()>),
}

pub struct Recorder {
    queue: mpsc::Sender<Entry>,
}

impl Recorder {
    pub fn open(store: &Store, redis: &RedisState, pools: Vec<PoolId>) -> Self {
        let (queue, entries) = mpsc::channel(QUEUE);
        let carrier = Carrier {
            store: store.clone(),
            redis: redis.clone(),
            pools,
        };
        tokio::spawn(carrier.run(entries));
        Self { queue }
    }

    pub fn record(&self, action: AdminAction) {
        if self.queue.try_send(Entry::Action(action)).is_err() {
            warn!("too many admin actions wait for SQL and Redis: one is not recorded");
        }
    }

    /// Waits a moment until what was recorded so far is in SQL or in Redis.
    pub async fn flush(&self) {
        let (mark, reached) = oneshot::channel();
        let flushed = async {
            if self.queue.send(Entry::Mark(mark)).await.is_ok() {
                let _ = reached.await;
            }
        };
        if tokio::time::timeout(FLUSH, flushed).await.is_err() {
            warn!("admin actions wait for SQL and are not recorded yet");
        }
    }
}

struct Carrier {
    store: Store,
    redis: RedisState,
    pools: Vec<PoolId>,
}

impl Carrier {
    async fn run(self, mut entries: mpsc::Receiver<Entry>) {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                entry = entries.recv() => match entry {
                    Some(Entry::Action(action)) => self.add(&action).await,
                    // Whoever waits may have gone.
                    Some(Entry::Mark(mark)) => drop(mark.send(())),
                    None => return,
                },
                _ = look.tick() => self.carry().await,
            }
        }
    }

    /// Straight into SQL where that is well, else into Redis.
    async fn add(&self, action: &AdminAction) {
        let mut backoff = Backoff::new(AGAIN);
        loop {
            let actions = self.store.admin_actions();
            let stored = tokio::time::timeout(AT_ONCE, actions.add(action)).await;
            if matches!(stored, Ok(Ok(()))) {
                return;
            }
            let kept = self.redis.pool(&action.pool);
            match kept.keep_note(&Note::from(action)).await {
                Ok(()) => return,
                Err(error) => {
                    warn!(%error, "an admin action waits in memory: neither SQL nor Redis takes it");
                }
            }
            tokio::time::sleep(backoff.next_delay().unwrap_or(AGAIN.max)).await;
        }
    }

    async fn carry(&self) {
        for pool in &self.pools {
            if let Err(error) = carry(&self.redis.pool(pool), &self.store).await {
                debug!(%pool, %error, "notes wait in Redis");
            }
        }
    }
}
