//! Says that this worker is alive and how its bots are: on every change that matters, and at least every interval.
//!
//! A heartbeat is a sample of [`Status`]; it judges nothing. One that Redis does not take in time is dropped, the next one is newer. One that is
//! refused because another process has this worker's name ends this process ([`crate::name`]).

use std::sync::Arc;
use std::time::Duration;

use shared_core::{Heartbeat, Nonce, UnixMs, WorkerId};
use shared_io::clock;
use shared_io::redis::{Beaten, RedisState};
use shared_io::sql::Store;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::status::Status;

/// How often SQL is asked whether it is there; the store bounds each answer.
const SQL_PROBE: Duration = Duration::from_secs(2);

/// Keeps the heartbeat's word on SQL true.
pub async fn watch_sql(store: Store, status: Arc<Status>, stop: CancellationToken) {
    loop {
        let away = store.ping().await.is_err();
        if !away {
            status.sql_answered(clock::boot_now());
        }
        status
            .sql_away
            .store(away, std::sync::atomic::Ordering::Relaxed);
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(SQL_PROBE) => {}
        }
    }
}

pub struct Beating {
    pub worker: WorkerId,
    pub nonce: Nonce,
    pub every: Duration,
    pub redis: RedisState,
    pub status: Arc<Status>,
}

impl Beating {
    /// Beats until stopped, or until another process has the name; that one's nonce is returned.
    pub async fn run(self, stop: CancellationToken) -> Option<Nonce> {
        let started = clock::unix_now();
        let mut seq = 0;
        let mut urgent = true;
        loop {
            seq += 1;
            let heartbeat = self.compose(seq, started).await;
            let sent = clock::boot_now();
            let beat = async {
                if urgent {
                    self.redis.beat_and_ring(&heartbeat).await
                } else {
                    self.redis.beat(&heartbeat).await
                }
            };
            match tokio::time::timeout(Duration::from_secs(1), beat).await {
                Ok(Ok(Beaten::NameTaken { by })) => return Some(by),
                Ok(Ok(Beaten::Done)) => {
                    let took = clock::boot_now().since(sent).as_micros();
                    self.status
                        .redis_took(u64::try_from(took).unwrap_or(u64::MAX));
                }
                Ok(Err(error)) => warn!(%error, "the heartbeat did not reach Redis"),
                Err(_) => warn!("the heartbeat did not reach Redis within a second"),
            }
            tokio::select! {
                () = stop.cancelled() => return None,
                () = self.status.changed() => urgent = true,
                () = tokio::time::sleep(self.every) => urgent = false,
            }
        }
    }

    async fn compose(&self, seq: u64, started: UnixMs) -> Heartbeat {
        Heartbeat {
            worker: self.worker.clone(),
            nonce: self.nonce,
            pid: std::process::id(),
            seq,
            sent: clock::unix_now(),
            started,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            bots: self.status.bots(),
            pools: self.status.pools(),
            seen: self.status.seen(),
            redis_us: self
                .status
                .redis_us
                .load(std::sync::atomic::Ordering::Relaxed),
            sql_ok: !self
                .status
                .sql_away
                .load(std::sync::atomic::Ordering::Relaxed),
        }
    }
}
