//! One look at a pool from outside: the supervisor's snapshot, as far as Redis and SQL tell it to anybody.
//!
//! What only the leader knows (which processes are its own, the moves of the last hour) is not in it, so it is for showing and for previews;
//! the leader looks again before it acts.

use anyhow::Context;
use shared_core::{BotId, EpochRecord, LoginSlot, Order, Phase, Preview};
use shared_io::clock;
use shared_io::config::{Config, PoolConfig};
use shared_io::redis::{RedisState, SeenHeartbeat, StateError};
use shared_io::sql::{LoginState, Store};
use supervisor_core::{PoolBot, Process, RedisView, Saga, Snapshot, WorkerView};

use crate::cli::open;
use crate::pool::policy;

/// What an order would do now; nothing is changed.
pub async fn preview(config: &Config, pool: &PoolConfig, order: &Order) -> anyhow::Result<Preview> {
    let redis: RedisState = open::redis(config).await?;
    let store = match open::database(config).await {
        Ok(open::Database::Open(store)) => Some(store),
        // A switch needs no SQL, and neither does its preview.
        Ok(_) | Err(_) => None,
    };
    let heartbeats = redis.heartbeats().await?;
    let snapshot = snapshot(pool, &redis, &heartbeats, store.as_ref())
        .await
        .with_context(|| format!("looking at pool {}", pool.name))?;
    let policy = policy(&config.policy);
    let now = clock::unix_now();
    Ok(supervisor_core::preview(&snapshot, &policy, now, order))
}

pub async fn snapshot(
    pool: &PoolConfig,
    redis: &RedisState,
    heartbeats: &[SeenHeartbeat],
    store: Option<&Store>,
) -> Result<Snapshot, StateError> {
    let ids: Vec<BotId> = pool.bots.iter().map(|bot| bot.bot()).collect();
    let state = redis.pool(&pool.name);
    let (deaths, view, saga, overrides, leases) = tokio::join!(
        redis.deaths(),
        state.look(),
        state.saga(),
        state.overrides(),
        state.leases(&ids)
    );
    let (deaths, view) = (deaths?, view?);
    // One that cannot be read is the supervisor's to report.
    let saga = saga?.and_then(|text| serde_json::from_str::<Saga>(&text).ok());
    let mut bots = Vec::with_capacity(pool.bots.len());
    for (bot, priority) in pool.bots.iter().zip(0..) {
        let given = view.assignments.iter().find(|given| given.bot == bot.bot());
        bots.push(PoolBot {
            bot: bot.bot(),
            name: bot.name.clone(),
            priority,
            promotable: bot.promote,
            resting_known: match (store, given) {
                (Some(store), Some(given)) => {
                    rests(store, pool, bot.bot(), given.slot.other()).await
                }
                _ => false,
            },
        });
    }
    let mut snapshot = Snapshot {
        pool: pool.name.clone(),
        redis: RedisView::Up { for_ms: u64::MAX },
        database_ok: store.is_some(),
        open_for_ms: open_for_ms(view.epoch.as_ref()),
        epoch: view.epoch,
        bots,
        workers: heartbeats.iter().map(worker_view).collect(),
        assignments: view.assignments,
        leases: leases?.into_iter().flatten().collect(),
        orphaned: Vec::new(),
        saga,
        past: Vec::new(),
        failed: Vec::new(),
        overrides: overrides?.unwrap_or_default(),
    };
    snapshot.orphaned = snapshot.find_orphaned(|process| {
        let of = (process.worker.clone(), process.nonce);
        deaths.contains(&of)
    });
    Ok(snapshot)
}

/// By the dates, since this is one look only.
fn open_for_ms(record: Option<&EpochRecord>) -> u64 {
    let open = record.filter(|record| record.phase == Phase::Open);
    open.map_or(0, |record| clock::unix_now().since(record.since))
}

async fn rests(store: &Store, pool: &PoolConfig, bot: BotId, slot: LoginSlot) -> bool {
    match store.logins().get(&pool.name, bot, slot).await {
        Ok(Some(row)) => row.state != LoginState::Lost,
        Ok(None) | Err(_) => false,
    }
}

fn worker_view(seen: &SeenHeartbeat) -> WorkerView {
    WorkerView {
        worker: seen.heartbeat.worker.clone(),
        process: Process::Elsewhere,
        beat: Some((seen.heartbeat.clone(), seen.age_ms)),
    }
}
