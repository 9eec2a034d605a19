//! What one look brings that all pools share: heartbeats, processes, and whether Redis and SQL can be reached.

use std::time::Duration;

use shared_core::{BootMs, Holder, PoolId, UnixMs};
use shared_io::clock;
use shared_io::redis::{RedisState, SeenHeartbeat};
use supervisor_core::{Arrivals, RedisView, WorkerView};

use crate::fleet::Fleet;

/// Between two looks at which nothing rang.
const TICK: Duration = Duration::from_millis(250);
/// While Redis is away, so that its return is seen at once: leases run on.
const TICK_WITHOUT_REDIS: Duration = Duration::from_millis(25);

#[derive(Debug, Clone)]
pub struct World {
    /// When something made us look.
    pub seen_at: UnixMs,
    pub redis: RedisView,
    pub database_ok: bool,
    pub workers: Vec<WorkerView>,
    /// The last round trip to Redis, and how durable it says it is.
    pub rtt_us: Option<u64>,
    pub appendfsync: Option<&'static str>,
}

/// Follows how long Redis has been reachable, and when each worker was heard.
#[derive(Debug, Default)]
pub struct RedisWatch {
    arrivals: Arrivals,
    up_since: Option<BootMs>,
    rtt_us: Option<u64>,
    appendfsync: Option<&'static str>,
}

impl RedisWatch {
    /// The heartbeats, or `None` while Redis does not answer.
    pub async fn heartbeats(&mut self, redis: &RedisState) -> Option<Vec<SeenHeartbeat>> {
        let (asked, sent) = (clock::boot_now(), tokio::time::Instant::now());
        match redis.heartbeats().await {
            Ok(heartbeats) => {
                self.rtt_us = u64::try_from(sent.elapsed().as_micros()).ok();
                let seen = heartbeats.into_iter();
                let seen = seen.map(|seen| (seen.heartbeat, seen.age_ms));
                let heard = self.arrivals.take(seen, asked, clock::boot_now());
                let heard = heard.into_iter();
                let heard = heard.map(|(heartbeat, age_ms)| SeenHeartbeat { heartbeat, age_ms });
                if self.up_since.is_none() {
                    self.up_since = Some(clock::boot_now());
                    tracing::info!("Redis answers");
                    // Shown only; what holds for this server may not hold for the one before it.
                    self.appendfsync = redis.durability().await.ok().map(|d| d.as_str());
                }
                Some(heard.collect())
            }
            Err(error) => {
                self.lost(&error);
                None
            }
        }
    }

    pub fn lost(&mut self, error: &shared_io::redis::StateError) {
        if self.up_since.take().is_some() {
            tracing::error!(%error, "Redis cannot be reached");
        }
    }

    /// How long to wait for a ring.
    pub fn patience(&self) -> Duration {
        match self.up_since {
            Some(_) => TICK,
            None => TICK_WITHOUT_REDIS,
        }
    }

    pub fn view(&self) -> RedisView {
        match self.up_since {
            None => RedisView::Down,
            Some(since) => {
                let for_ms = clock::boot_now().since(since).as_millis();
                RedisView::Up {
                    for_ms: u64::try_from(for_ms).unwrap_or(u64::MAX),
                }
            }
        }
    }
}

impl World {
    /// Has the holder's worker said that it does this pool's work with this bot?
    pub fn is_at_work(&self, pool: &PoolId, holder: &Holder) -> bool {
        let view = self
            .workers
            .iter()
            .find(|view| view.worker == holder.worker);
        let beat = view.and_then(|view| view.beat.as_ref());
        beat.is_some_and(|(beat, _)| {
            let mut works = beat.pools.iter();
            works.any(|work| work.pool == *pool && work.bot == holder.bot)
        })
    }

    pub fn new(
        seen_at: UnixMs,
        watch: &RedisWatch,
        database_ok: bool,
        fleet: &Fleet,
        heartbeats: &[SeenHeartbeat],
    ) -> Self {
        Self {
            seen_at,
            redis: watch.view(),
            database_ok,
            workers: fleet.views(heartbeats),
            rtt_us: watch.rtt_us,
            appendfsync: watch.appendfsync,
        }
    }
}
