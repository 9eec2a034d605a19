//! Reading Redis and SQL for a report, each as far as it answers.

use std::collections::BTreeMap;

use shared_core::{BotId, BotRole, Connection, OtherLogin};
use shared_io::clock;
use shared_io::config::{Config, PoolConfig};
use shared_io::redis::{
    PoolState as State, RedisState, Restoring, SeenHeartbeat, SeenRequest, StateError,
};
use shared_io::sql::{Store, SwitchRow};
use supervisor_core::{PoolBot, PoolState, Snapshot, Standing, candidates};

use super::look;
use super::report::{
    Active, BotReport, DatabaseReport, MovedAside, OrderReport, Pinned, PoolReport, RedisReport,
    Report, RestoringReport, SupervisorReport, SupervisorShown, SwitchReport, WorkerReport,
};
use crate::cli::{open, out};
use crate::folder::Folder;
use crate::pool::policy;

/// The copy in the database is below a second old while all is well; at this age something is wrong.
const OLD_COPY_MS: u64 = 10_000;
/// How many switches are shown.
const SWITCHES: u32 = 20;

pub async fn gather(config: &Config) -> anyhow::Result<Report> {
    let running = Folder::new(config.data_dir()).is_locked()?;
    // What is not there or of another version is left alone; the line says so.
    let (store, database) = parted(open::store(config).await);
    let (redis, no_redis) = parted(open::redis(config).await);
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
                look(config, pool, redis, heartbeats, store.as_ref())
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
    let leader = match &redis {
        Some(redis) => redis.leader().await.ok().flatten(),
        None => None,
    };
    let supervisors = match &redis {
        Some(redis) => redis.supervisors().await.unwrap_or_default(),
        None => Vec::new(),
    };
    let supervisors = supervisors.into_iter();
    let supervisors = supervisors.map(|seen| SupervisorShown::of(seen, leader.as_deref()));
    Ok(Report {
        supervisors: supervisors.collect(),
        pools,
        workers: workers(heartbeats.as_deref().unwrap_or_default()),
        redis: redis_report(config, redis.as_ref(), no_redis).await,
        database: DatabaseReport {
            ok: store.is_some(),
            problem: database,
        },
        supervisor: SupervisorReport { running, leader },
    })
}

/// What can be used, or the line that says why not.
fn parted<T>(opened: anyhow::Result<T>) -> (Option<T>, Option<String>) {
    match opened {
        Ok(opened) => (Some(opened), None),
        Err(error) => (None, Some(out::one_line(&format!("{error:#}")))),
    }
}

async fn redis_report(
    config: &Config,
    redis: Option<&RedisState>,
    problem: Option<String>,
) -> RedisReport {
    let answer = match redis {
        Some(redis) => redis.ping().await.map(|rtt| (redis, rtt)),
        None => {
            return RedisReport {
                ok: false,
                appendfsync: None,
                rtt_us: None,
                problem,
            };
        }
    };
    match answer {
        Ok((redis, rtt)) => RedisReport {
            ok: true,
            appendfsync: redis.durability().await.ok().map(|d| d.as_str()),
            rtt_us: u64::try_from(rtt.as_micros()).ok(),
            problem: None,
        },
        Err(error) => RedisReport {
            ok: false,
            appendfsync: None,
            rtt_us: None,
            problem: Some(open::unreachable(config, &error)),
        },
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
        reach_open: None,
        last_error: None,
        ready: false,
        slot: None,
        other_login: OtherLogin::Unknown,
        channels: Vec::new(),
        age_ms: None,
        last_ok_ago_ms: None,
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
        private_open: None,
        reach_at: None,
        conversations_quarantined: None,
        switches: Vec::new(),
        paused: None,
        pinned: None,
        scheduled: None,
        orders: Vec::new(),
        moved_aside: None,
        records_refused: None,
        checkpoint_lag_ms: None,
        restoring: None,
        undecided: None,
    }
}

/// How many are read for their reasons.
const REASONS: usize = 100;

async fn moved_aside(state: &State) -> Result<MovedAside, StateError> {
    let count = state.poison_len().await?;
    if count == 0 {
        return Ok(MovedAside::default());
    }
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    for one in state.poisoned(REASONS).await? {
        *reasons.entry(one.why).or_default() += 1;
    }
    let mut reasons: Vec<(String, u64)> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    Ok(MovedAside { count, reasons })
}

async fn look(
    config: &Config,
    pool: &PoolConfig,
    redis: &RedisState,
    heartbeats: &[SeenHeartbeat],
    store: Option<&Store>,
) -> Result<PoolReport, StateError> {
    let state = &redis.pool(&pool.name);
    let (snapshot, counters, outbox, open, quarantined, orders, aside, refused, survey) = tokio::join!(
        look::snapshot(pool, redis, heartbeats, store),
        state.counters(),
        state.outbox_len(),
        state.open_count(),
        state.quarantine_len(),
        state.orders(),
        moved_aside(state),
        state.refused_records_len(),
        state.survey()
    );
    let (lag_ms, restoring, undecided) = tokio::join!(
        state.checkpoint_lag_ms(),
        state.restoring(),
        state.undecided()
    );
    let (restoring, undecided) = (restoring?, undecided?);
    let snapshot = snapshot?;
    let policy = policy(&config.policy);
    let now = clock::unix_now();
    let mut standing = Standing::of(&snapshot, &policy, now);
    if let Some(under_way) = &restoring {
        let Restoring {
            source,
            done,
            total,
        } = under_way;
        standing.reasons.push(format!(
            "its state is being restored from the database ({source}): {done} of {total}"
        ));
    }
    let lag_ms = lag_ms?;
    if let Some(lag_ms) = lag_ms.filter(|lag_ms| *lag_ms >= OLD_COPY_MS) {
        let age_s = lag_ms / 1000;
        let reason = format!("the copy of its state in the database is {age_s} s old");
        standing.reasons.push(reason);
        if standing.state == PoolState::Ok {
            standing.state = PoolState::Degraded;
        }
    }
    standing
        .reasons
        .extend(undecided.iter().map(|why| format!("held: {why}")));
    let ready = candidates(&snapshot, &policy, now);
    let holder = snapshot.holder();
    let survey = survey?;
    let bots: Vec<BotReport> = snapshot
        .bots
        .iter()
        .map(|bot| {
            let active = holder.is_some_and(|holder| holder.bot == bot.bot);
            let stands_by = ready.iter().any(|holder| holder.bot == bot.bot);
            let mut report = bot_report(&snapshot, bot, active, stands_by);
            let reached = survey.as_ref().map(|survey| &survey.reached);
            report.reach_open = reached.and_then(|reached| reached.get(&bot.bot).copied());
            report
        })
        .collect();
    let active = holder.map(|holder| Active {
        bot: holder.bot,
        username: None,
        worker: holder.worker.clone(),
    });
    let pinned = snapshot.overrides.pinned.clone();
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
        private_open: survey.as_ref().map(|survey| survey.open),
        reach_at: survey.as_ref().map(|survey| survey.at),
        conversations_quarantined: Some(quarantined?),
        switches: Vec::new(),
        paused: snapshot.overrides.paused.clone(),
        pinned: pinned.map(|(bot, laid)| Pinned { bot, laid }),
        scheduled: snapshot.overrides.scheduled.clone(),
        orders: orders?.into_iter().filter_map(order_report).collect(),
        moved_aside: Some(aside?),
        records_refused: Some(refused?),
        checkpoint_lag_ms: lag_ms,
        restoring: restoring.map(|under_way| RestoringReport {
            why: under_way.source,
            done: under_way.done,
            total: under_way.total,
        }),
        undecided,
    })
}

/// One that is over is in `understudy events`.
fn order_report(seen: SeenRequest) -> Option<OrderReport> {
    let SeenRequest { request, age_ms } = seen;
    (!request.progress.is_over()).then(|| OrderReport {
        id: request.id,
        order: request.order.to_string(),
        by: request.by.to_string(),
        progress: request.progress,
        age_ms,
    })
}

fn bot_report(snapshot: &Snapshot, bot: &PoolBot, active: bool, stands_by: bool) -> BotReport {
    let given = snapshot.assignment(bot.bot);
    let worker = given.map(|given| given.worker.clone());
    let said = worker
        .as_ref()
        .and_then(|worker| snapshot.health(bot.bot, worker));
    let beat = worker.as_ref().and_then(|worker| snapshot.worker(worker));
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
        reach_open: None,
        last_error: said.and_then(|s| s.last_error.as_ref().map(|e| e.name.clone())),
        ready: if active { ready_itself } else { stands_by },
        slot: given.map(|given| given.slot),
        other_login: said.map_or(OtherLogin::Unknown, |s| s.other_login),
        channels: said.map(|s| s.channels.clone()).unwrap_or_default(),
        age_ms: beat
            .and_then(|view| view.beat.as_ref())
            .map(|(_, age)| *age),
        last_ok_ago_ms: said.and_then(|s| s.last_ok_ago_ms),
    }
}
