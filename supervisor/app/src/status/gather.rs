//! Reading Redis and SQL for a report, each as far as it answers.

use std::collections::BTreeMap;

use shared_core::{BotId, BotRole, Connection};
use shared_io::clock;
use shared_io::config::{Config, PoolConfig};
use shared_io::redis::{PoolState as State, RedisState, RedisTimeouts, SeenHeartbeat, StateError};
use shared_io::sql::{Store, SwitchRow};
use supervisor_core::{
    PoolBot, PoolState, Process, RedisView, Saga, Snapshot, Standing, WorkerView, candidates,
};

use super::report::{
    Active, BotReport, DatabaseReport, PoolReport, RedisReport, Report, SupervisorReport,
    SwitchReport, WorkerReport,
};
use crate::folder::Folder;
use crate::pool::policy;

/// How many switches are shown.
const SWITCHES: u32 = 20;

pub async fn gather(config: &Config) -> Report {
    let store = open_store(config).await;
    let redis = open_redis(config).await;
    let heartbeats = match &redis {
        Some(redis) => redis.heartbeats().await.ok(),
        None => None,
    };
    let mut pools = Vec::with_capacity(config.pools.len());
    for pool in &config.pools {
        let switches = switches(store.as_ref(), pool).await;
        let names = usernames(store.as_ref(), pool).await;
        let seen = match (&redis, &heartbeats) {
            (Some(redis), Some(heartbeats)) => {
                let state = redis.pool(&pool.name);
                let database_ok = store.is_some();
                look(config, pool, &state, heartbeats, database_ok)
                    .await
                    .ok()
            }
            _ => None,
        };
        let mut report = seen.unwrap_or_else(|| unseen(pool));
        report.switches = switches;
        for bot in &mut report.bots {
            let known = names.iter().find(|(id, _)| *id == bot.bot);
            bot.username = bot.username.take().or(known.map(|(_, name)| name.clone()));
            if let Some(active) = report.active.as_mut().filter(|a| a.bot == bot.bot) {
                active.username = bot.username.clone();
            }
        }
        pools.push(report);
    }
    Report {
        pools,
        workers: workers(heartbeats.as_deref().unwrap_or_default()),
        redis: redis_report(redis.as_ref()).await,
        database: DatabaseReport {
            ok: store.is_some(),
        },
        supervisor: SupervisorReport {
            running: Folder::new(config.data_dir()).is_locked(),
        },
    }
}

/// `None` when it cannot be reached; a database that is not there is not made.
async fn open_store(config: &Config) -> Option<Store> {
    let is_missing =
        config.database.url.is_none() && !config.data_dir().join("understudy.db").is_file();
    if is_missing {
        return None;
    }
    let store = Store::open_configured(config).await.ok()?;
    store.ping().await.ok()?;
    Some(store)
}

async fn open_redis(config: &Config) -> Option<RedisState> {
    let url = config.redis_url();
    let timeouts = RedisTimeouts::default();
    RedisState::connect(&url, &config.redis.prefix, timeouts)
        .await
        .ok()
}

async fn redis_report(redis: Option<&RedisState>) -> RedisReport {
    let down = RedisReport {
        ok: false,
        appendfsync: None,
        rtt_us: None,
    };
    let Some(redis) = redis else {
        return down;
    };
    let Ok(rtt) = redis.ping().await else {
        return down;
    };
    RedisReport {
        ok: true,
        appendfsync: redis.durability().await.ok().map(|d| d.as_str()),
        rtt_us: u64::try_from(rtt.as_micros()).ok(),
    }
}

async fn switches(store: Option<&Store>, pool: &PoolConfig) -> Vec<SwitchReport> {
    let rows: Vec<SwitchRow> = match store {
        Some(store) => store
            .switches()
            .list(&pool.name, SWITCHES)
            .await
            .unwrap_or_default(),
        None => Vec::new(),
    };
    rows.into_iter().map(SwitchReport::from).collect()
}

/// What Telegram calls the bots, as far as SQL knows.
async fn usernames(store: Option<&Store>, pool: &PoolConfig) -> Vec<(BotId, String)> {
    let rows = match store {
        Some(store) => store.bots().list(&pool.name).await.unwrap_or_default(),
        None => Vec::new(),
    };
    rows.into_iter()
        .filter_map(|row| Some((row.bot, row.username?)))
        .collect()
}

fn workers(heartbeats: &[SeenHeartbeat]) -> Vec<WorkerReport> {
    let report = |seen: &SeenHeartbeat| WorkerReport {
        name: seen.heartbeat.worker.clone(),
        pid: seen.heartbeat.pid,
        age_ms: seen.age_ms,
        bots: seen.heartbeat.bots.iter().map(|bot| bot.bot).collect(),
    };
    heartbeats.iter().map(report).collect()
}

/// A pool of which nothing is known but its configuration.
fn unseen(pool: &PoolConfig) -> PoolReport {
    let bots = pool.bots.iter().map(|bot| BotReport {
        bot: bot.bot(),
        name: bot.name.clone(),
        username: None,
        role: BotRole::Standby,
        connection: Connection::Absent,
        worker: None,
        reach: None,
        last_error: None,
        ready: false,
    });
    PoolReport {
        name: pool.name.to_string(),
        state: PoolState::Down,
        reasons: vec!["Redis cannot be reached".to_owned()],
        epoch: None,
        phase: None,
        active: None,
        bots: bots.collect(),
        counters: BTreeMap::new(),
        outbox: None,
        conversations_open: None,
        switches: Vec::new(),
    }
}

async fn look(
    config: &Config,
    pool: &PoolConfig,
    state: &State,
    heartbeats: &[SeenHeartbeat],
    database_ok: bool,
) -> Result<PoolReport, StateError> {
    let (view, saga, counters, outbox, open) = tokio::join!(
        state.look(),
        state.saga(),
        state.counters(),
        state.outbox_len(),
        state.open_count()
    );
    let view = view?;
    // One that cannot be read is the supervisor's to report.
    let saga = saga?.and_then(|text| serde_json::from_str::<Saga>(&text).ok());
    let snapshot = Snapshot {
        pool: pool.name.clone(),
        redis: RedisView::Up { for_ms: u64::MAX },
        database_ok,
        epoch: view.epoch,
        bots: pool_bots(pool),
        workers: heartbeats.iter().map(worker_view).collect(),
        assignments: view.assignments,
        leases: Vec::new(),
        saga,
        past: Vec::new(),
        failed: Vec::new(),
    };
    let policy = policy(&config.policy);
    let standing = Standing::of(&snapshot, &policy);
    let ready = candidates(&snapshot, &policy, clock::unix_now());
    let holder = snapshot.holder();
    let bots: Vec<BotReport> = snapshot
        .bots
        .iter()
        .map(|bot| {
            let active = holder.is_some_and(|holder| holder.bot == bot.bot);
            let stands_by = ready.iter().any(|holder| holder.bot == bot.bot);
            bot_report(&snapshot, bot, active, stands_by)
        })
        .collect();
    let active = holder.map(|holder| Active {
        bot: holder.bot,
        username: None,
        worker: holder.worker.clone(),
    });
    let counters = counters?;
    Ok(PoolReport {
        name: pool.name.to_string(),
        state: standing.state,
        reasons: standing.reasons,
        epoch: snapshot.epoch.as_ref().map(|record| record.stamp.epoch.0),
        phase: snapshot.epoch.as_ref().map(|record| record.phase),
        active,
        bots,
        counters: counters.iter().map(|(c, n)| (c.as_str(), n)).collect(),
        outbox: Some(outbox?),
        conversations_open: Some(open?),
        switches: Vec::new(),
    })
}

fn pool_bots(pool: &PoolConfig) -> Vec<PoolBot> {
    let bots = pool.bots.iter().zip(0..);
    bots.map(|(bot, priority)| PoolBot {
        bot: bot.bot(),
        name: bot.name.clone(),
        priority,
        resting: None,
    })
    .collect()
}

fn worker_view(seen: &SeenHeartbeat) -> WorkerView {
    WorkerView {
        worker: seen.heartbeat.worker.clone(),
        process: Process::Elsewhere,
        beat: Some((seen.heartbeat.clone(), seen.age_ms)),
    }
}

fn bot_report(snapshot: &Snapshot, bot: &PoolBot, active: bool, stands_by: bool) -> BotReport {
    let worker = snapshot
        .assignment(bot.bot)
        .map(|given| given.worker.clone());
    let said = worker
        .as_ref()
        .and_then(|worker| snapshot.health(bot.bot, worker));
    let ready_itself = said.is_some_and(|s| s.connection == Connection::Ready && s.lease_held);
    BotReport {
        bot: bot.bot,
        name: bot.name.clone(),
        username: said
            .map(|s| s.username.clone())
            .filter(|name| !name.is_empty()),
        role: if active {
            BotRole::Active
        } else {
            BotRole::Standby
        },
        connection: said.map_or(Connection::Absent, |s| s.connection),
        worker,
        reach: said.map(|s| s.reach),
        last_error: said.and_then(|s| s.last_error.as_ref().map(|e| e.name.clone())),
        ready: if active { ready_itself } else { stands_by },
    }
}
