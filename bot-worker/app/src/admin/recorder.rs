//! Carries what admins (and strangers) did to SQL, in order, waiting while SQL is away.
//!
//! Bounded: when the queue is full, what comes is not recorded, and the log says so. A row's id follows from the update, so a replay is
//! one row. One carrier for all of a process' desks; what is still queued when the process is killed is lost.

use std::time::Duration;

use shared_io::retry::{Backoff, RetryPolicy};
use shared_io::sql::{AdminAction, Store};
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

const QUEUE: usize = 512;
/// How long an orderly end waits for SQL.
const FLUSH: Duration = Duration::from_millis(500);
/// A row that SQL has not taken for so long is given up.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

enum Entry {
    Action(AdminAction),
    Mark(oneshot::Sender<()>),
}

pub struct Recorder {
    queue: mpsc::Sender<Entry>,
}

impl Recorder {
    pub fn open(store: &Store) -> Self {
        let (queue, entries) = mpsc::channel(QUEUE);
        tokio::spawn(carry(store.clone(), entries));
        Self { queue }
    }

    pub fn record(&self, action: AdminAction) {
        if self.queue.try_send(Entry::Action(action)).is_err() {
            warn!("too many admin actions wait for SQL: one is not recorded");
        }
    }

    /// Waits a moment until what was recorded so far is in SQL.
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

async fn carry(store: Store, mut entries: mpsc::Receiver<Entry>) {
    while let Some(entry) = entries.recv().await {
        match entry {
            Entry::Action(action) => add(&store, &action).await,
            // Whoever waits may have gone.
            Entry::Mark(mark) => drop(mark.send(())),
        }
    }
}

async fn add(store: &Store, action: &AdminAction) {
    let mut backoff = Backoff::new(RetryPolicy {
        initial: Duration::from_millis(200),
        max: Duration::from_secs(10),
        give_up_after: Some(PATIENCE),
    });
    while let Err(error) = store.admin_actions().add(action).await {
        let pause = backoff.next_delay().filter(|_| error.is_transient());
        let Some(pause) = pause else {
            warn!(%error, "an admin action is not recorded");
            return;
        };
        tokio::time::sleep(pause).await;
    }
}
