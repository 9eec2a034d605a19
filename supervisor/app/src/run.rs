//! The daemon: set everything up, look whenever there is reason to, stop in order.
//!
//! What can wake it: the supervisor's bell in Redis, the end of a child, a quarter of a second, a signal. Bells may be lost; the quarter of a
//! second is what makes that harmless.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use futures_util::future::join_all;
use shared_core::{BootMs, Holder, PoolId};
use shared_io::clock;
use shared_io::config::Config;
use shared_io::redis::{Bell, RedisState, StateError};
use shared_io::secrets;
use shared_io::sql::{EventKind, Store};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::chronicle::{Chronicle, Closing};
use crate::fleet::{self, Death, Fleet, Patience};
use crate::folder::Folder;
use crate::http;
use crate::lead::{self, Keeper, Lead};
use crate::pool::{Pool, Shared, Stopped, policy};
use crate::presence::Presence;
use crate::private_redis::{self, PrivateRedis};
use crate::seed;
use crate::world::{RedisWatch, World};

/// What is said to a second supervisor on one data folder.
const SECOND_NEEDS: &str = "a second supervisor needs redis.url (a shared Redis) and a data_dir of its own; \
     supervisors on several hosts also database.url on PostgreSQL";

pub async fn run(config: Config) -> anyhow::Result<()> {
    let folder = Folder::new(config.data_dir());
    folder.make()?;
    let _lock = folder.lock(SECOND_NEEDS).await?;
    let listener = http::bind(&config.http).await?;
    // Signals are caught from here on, so that whatever is started is also ended.
    let mut stop = Stop::new()?;
    let private = match config.redis_is_private() {
        true => Some(PrivateRedis::start(&config, &folder).await?),
        false => None,
    };
    let ready = tokio::select! {
        ready = Daemon::set_up(&config, &folder, private.as_ref(), listener) => Some(ready),
        () = stop.asked() => None,
    };
    match ready {
        Some(Err(error)) => {
            // What ran before this start goes on running: members are served by it.
            if let Some(redis) = private {
                redis.stop_if_started().await;
            }
            return Err(error);
        }
        Some(Ok(mut daemon)) => {
            let guard = private.map(PrivateRedis::guard);
            daemon.work(&mut stop).await;
            daemon.stop().await;
            fleet::stop_all_but(&folder, &[]).await;
            if let Some(guard) = guard {
                guard.stop().await;
            }
        }
        None => {
            fleet::stop_all_but(&folder, &[]).await;
            if let Some(redis) = private {
                redis.stop().await;
            }
        }
    }
    tracing::info!("stopped");
    Ok(())
}

/// SIGTERM or SIGINT.
struct Stop {
    term: Signal,
    int: Signal,
}

impl Stop {
    fn new() -> anyhow::Result<Self> {
        let watch = |kind| signal(kind).context("watching for signals");
        Ok(Self {
            term: watch(SignalKind::terminate())?,
            int: watch(SignalKind::interrupt())?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}

struct Daemon {
    redis: RedisState,
    watch: RedisWatch,
    bell: Option<Bell>,
    store: Store,
    chronicle: Chronicle,
    closing: Closing,
    fleet: Fleet,
    patience: Patience,
    deaths: mpsc::Receiver<Death>,
    lead: Lead,
    keeper: Keeper,
    presence: Presence,
    pools: Vec<Pool>,
    ready: Ready,
    _http: Option<http::Server>,
}

/// Has it been said that every pool is served?
#[derive(Debug, Clone, Copy)]
enum Ready {
    NotYet,
    /// Every pool is served; the standbys are still connecting.
    ServedSince(BootMs),
    Said,
}

/// Between two looks, however soon the lead is to be renewed.
const SHORTEST: Duration = Duration::from_millis(10);

/// How long the standbys' first connections are waited for before everything is called ready.
const STANDBYS: Duration = Duration::from_secs(3);

impl Daemon {
    async fn set_up(
        config: &Config,
        folder: &Folder,
        private: Option<&PrivateRedis>,
        listener: Option<TcpListener>,
    ) -> anyhow::Result<Self> {
        let store = Store::open_configured(config).await?;
        let sealer = secrets::open_for(config.sealing_key(), &store).await?;
        seed::store(config, &store, &sealer).await?;
        let redis = private_redis::connect(config, private).await?;
        refuse_lonely_primary(&redis).await?;
        let nonce = clock::nonce();
        lead::succeed(config, folder, &redis, nonce).await;
        lead::refuse_own_database(config, &redis).await?;
        let lead = Lead::new(nonce);
        let named = config.pools.iter().map(|pool| pool.name.clone());
        let keeper = Keeper::new(&redis, &lead.id, named.collect());
        let (chronicle, closing) = Chronicle::start(store.clone(), redis.clone(), lead.id.clone());
        let workers = fleet::local(config)?;
        fleet::stop_all_but(folder, &workers).await;
        let (fleet, deaths) = Fleet::start(&config.file, folder, &workers)?;
        let presence = Presence::new(config, &lead.id, workers);
        let shared = Shared {
            leader: lead.id.clone(),
            store: store.clone(),
            chronicle: chronicle.clone(),
        };
        let version = serde_json::json!({ "version": env!("CARGO_PKG_VERSION") });
        let me = lead.id.as_str();
        chronicle.event(None, EventKind::SupervisorStarted, me, version);
        let pools = config.pools.iter();
        let pools = pools
            .map(|pool| Pool::new(config, pool, &redis, shared.clone()))
            .collect();
        let http = listener.map(|listener| http::Server::start(listener, config, &redis, &store));
        Ok(Self {
            redis,
            watch: RedisWatch::default(),
            bell: None,
            store,
            chronicle,
            closing,
            fleet,
            patience: Patience::of(&policy(&config.policy)),
            deaths,
            lead,
            keeper,
            presence,
            pools,
            ready: Ready::NotYet,
            _http: http,
        })
    }

    async fn work(&mut self, stop: &mut Stop) {
        loop {
            self.look().await;
            for started in self.fleet.restart_due() {
                let (worker, pid) = (started.worker.as_str(), started.pid);
                let details = serde_json::json!({ "pid": pid });
                self.chronicle
                    .event(None, EventKind::WorkerStarted, worker, details);
            }
            if self.bell.is_none() {
                self.bell = self.redis.supervisor_bell().await.ok();
            }
            let patience = self.patience();
            tokio::select! {
                biased;
                () = stop.asked() => return,
                death = self.deaths.recv() => {
                    if let Some(death) = death {
                        let details = match self.fleet.died(&death) {
                            Some(ms) => serde_json::json!({ "pid": death.pid, "killed_when_silent_for_ms": ms }),
                            None => serde_json::json!({ "pid": death.pid }),
                        };
                        let worker = death.worker.as_str();
                        self.chronicle.event(None, EventKind::WorkerDied, worker, details);
                    }
                }
                () = rung(self.bell.as_ref(), patience) => {}
            }
        }
    }

    /// How long to wait for a ring.
    fn patience(&self) -> Duration {
        self.watch.patience().min(self.lead.due_in().max(SHORTEST))
    }

    async fn look(&mut self) {
        let seen_at = clock::unix_now();
        if self.lead.is_due() {
            self.renew().await;
        }
        let Some(heartbeats) = self.watch.heartbeats(&self.redis).await else {
            self.lead.unknown();
            return;
        };
        // First what we know of our own children: a leader elsewhere need not wait for their heartbeats to run out.
        if let Err(error) = self.fleet.exchange_deaths(&self.redis).await {
            tracing::debug!(%error, "deaths are reported at the next look");
        }
        self.fleet.end_hung(&heartbeats, self.patience);
        self.presence.show(&self.redis, &self.lead).await;
        if !self.lead.leads() {
            return;
        }
        let database_ok = self.chronicle.database_ok();
        let world = World::new(seen_at, &self.watch, database_ok, &self.fleet, &heartbeats);
        let fleet = &self.fleet;
        let steps = self.pools.iter_mut().map(|pool| {
            let world = &world;
            async move {
                let holder = pool.step(world, fleet).await;
                (pool.name().clone(), holder)
            }
        });
        let steps = self.keeper.during(join_all(steps)).await;
        let mut holders = BTreeMap::new();
        for (pool, step) in steps {
            match step {
                Ok(Some(holder)) => {
                    holders.insert(pool, holder);
                }
                Ok(None) => {}
                Err(stopped) => {
                    if matches!(stopped, Stopped::AnotherHistory) {
                        self.lead.unknown();
                    }
                    report(&pool, stopped);
                }
            }
        }
        self.say_ready(&world, &holders);
    }

    async fn renew(&mut self) {
        match self.lead.renew(&self.redis).await {
            Ok(true) => {
                let redis = &self.redis;
                let renewals = self.pools.iter_mut().map(|pool| async move {
                    let renewed = pool.renew_lead(redis).await;
                    (pool.name().clone(), renewed)
                });
                let renewals = self.keeper.during(join_all(renewals)).await;
                for (pool, renewed) in renewals {
                    match renewed {
                        Ok(None) => {}
                        Ok(Some(left)) => self.lead.come_back_after(left),
                        Err(stopped) => report(&pool, stopped),
                    }
                }
            }
            Ok(false) => {}
            Err(StateError::Uncopied { .. }) => self.lead.unconfirmed(),
            Err(error) => {
                self.watch.lost(&error);
                self.lead.unknown();
            }
        }
    }

    /// Once, when every pool is served and the standbys are connected or have had their time.
    fn say_ready(&mut self, world: &World, holders: &BTreeMap<PoolId, Holder>) {
        if matches!(self.ready, Ready::Said) || holders.len() < self.pools.len() {
            return;
        }
        // An open epoch is not yet a bot that listens: what members say before that is only looked at from then on.
        if !holders
            .iter()
            .all(|(pool, holder)| world.is_at_work(pool, holder))
        {
            return;
        }
        let now = clock::boot_now();
        let since = match self.ready {
            Ready::ServedSince(since) => since,
            Ready::NotYet | Ready::Said => now,
        };
        let settled = self.pools.iter().all(|pool| pool.is_settled(world));
        if !settled && now.since(since) < STANDBYS {
            self.ready = Ready::ServedSince(since);
            return;
        }
        self.ready = Ready::Said;
        let mut out = std::io::stdout().lock();
        for (pool, holder) in holders {
            let view = world.workers.iter().find(|v| v.worker == holder.worker);
            let beat = view.and_then(|view| view.beat.as_ref());
            let health = beat.and_then(|(beat, _)| beat.bot(pool, holder.bot));
            let name = health.map_or_else(
                || holder.bot.to_string(),
                |health| format!("@{}", health.username.trim_start_matches('@')),
            );
            // Nobody reads our stdout: no reason to stop serving.
            let _said = writeln!(out, "ready pool={pool} active={name}");
        }
        let _said = out.flush();
    }

    /// The workers end first, while Redis can still take what they have to say.
    async fn stop(self) {
        tracing::info!("stopping");
        self.fleet.stop().await;
        let (me, kind) = (self.lead.id.as_str(), EventKind::SupervisorStopped);
        self.chronicle
            .event(None, kind, me, serde_json::Value::Null);
        self.closing.close().await;
        for pool in &self.pools {
            pool.release_lead().await;
        }
        // Should it fail, both run out by themselves.
        let _released = self.redis.release_lead(&self.lead.id).await;
        let _hidden = self.redis.hide_supervisor(self.lead.id.as_str()).await;
        self.store.close().await;
    }
}

/// A primary that takes writes without any copy goes on taking them while a copy has taken over, and they are lost.
async fn refuse_lonely_primary(redis: &RedisState) -> anyhow::Result<()> {
    if !redis.may_be_replaced() {
        return Ok(());
    }
    let found = redis
        .inspect()
        .await
        .context("looking at Redis' settings")?;
    anyhow::ensure!(
        found.min_replicas != Some(0),
        "the primary that the Sentinels of redis.url name has min-replicas-to-write 0 and would go on taking writes that are lost once it is cut off: set min-replicas-to-write to 1 or more on each of its servers"
    );
    Ok(())
}

fn report(pool: &PoolId, stopped: Stopped) {
    match stopped {
        Stopped::NotLeading => tracing::warn!(%pool, "another supervisor leads this pool"),
        Stopped::State(error) if error.is_connection() => {
            tracing::warn!(%pool, %error, "this look was cut short");
        }
        stopped => tracing::error!(%pool, "{:#}", anyhow::Error::from(stopped)),
    }
}

async fn rung(bell: Option<&Bell>, at_most: Duration) {
    match bell {
        Some(bell) => {
            bell.wait(at_most).await;
        }
        None => tokio::time::sleep(at_most).await,
    }
}
