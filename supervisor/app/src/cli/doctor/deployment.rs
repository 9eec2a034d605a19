//! The deployment as it runs: who leads, which workers are heard, how each bot's connection and second login stand, and what the bots say of
//! their channels. What only a running deployment can tell is unknown while none runs.

use shared_core::{BotHealth, Connection, OtherLogin};
use shared_io::config::{BotConfig, Config, PoolConfig};
use shared_io::redis::{RedisState, SeenHeartbeat, StateError};

use super::super::{out, when};
use super::result::CheckResult;
use super::{Report, supervisors};
use crate::folder::Folder;

const SUPERVISOR: &str = "supervisor";
const WORKERS: &str = "workers";
const BOT: &str = "bot";
/// Four missed heartbeats.
const QUIET_MS: u64 = 1_500;

pub async fn check(config: &Config, redis: Option<&RedisState>, report: &mut Report) {
    let folder = Folder::new(config.data_dir());
    // An unreadable folder was refused before the first check.
    let runs_here = folder.is_locked().unwrap_or(false);
    let Some(redis) = redis else {
        report.add(without_redis(runs_here, folder.is_used()));
        return;
    };
    if let Err(error) = running(config, redis, runs_here, report).await {
        let line = out::one_line(&error.to_string());
        report.add(CheckResult::fail(
            "deployment",
            line,
            "run this again when Redis answers",
        ));
    }
}

/// Who leads is in Redis alone.
fn without_redis(runs_here: bool, is_used: bool) -> CheckResult {
    let start = "start `understudy run`, then run this again";
    match (runs_here, is_used) {
        (true, _) => CheckResult::unknown(
            SUPERVISOR,
            "it runs on this data folder; whether it leads is not known without Redis",
            "mend Redis, then run this again",
        ),
        (false, true) => CheckResult::fail(
            SUPERVISOR,
            "none runs on this data folder, which has been used, and Redis cannot be reached",
            start,
        ),
        (false, false) => CheckResult::unknown(SUPERVISOR, "none runs on this data folder", start),
    }
}

async fn running(
    config: &Config,
    redis: &RedisState,
    runs_here: bool,
    report: &mut Report,
) -> Result<(), StateError> {
    let leader = redis.leader().await?;
    report.add(match (&leader, runs_here) {
        (Some(leader), true) => CheckResult::ok(SUPERVISOR, format!("{leader} leads")),
        (Some(leader), false) => CheckResult::ok(
            SUPERVISOR,
            format!("{leader} leads, on another data folder"),
        ),
        (None, true) => CheckResult::fail(
            SUPERVISOR,
            "it runs and does not lead: nobody would switch",
            "look at its log",
        ),
        (None, false) => CheckResult::warn(
            SUPERVISOR,
            "none runs: members are served while their worker lives, and nobody would switch",
            "start `understudy run`",
        ),
    });
    supervisors::check(&redis.supervisors().await?, leader.as_deref(), report);
    let heartbeats = redis.heartbeats().await?;
    workers(config, &heartbeats, leader.is_some(), report);
    for pool in &config.pools {
        let state = redis.pool(&pool.name);
        let overrides = state.overrides().await?.unwrap_or_default();
        if let Some(laid) = &overrides.paused {
            let line = format!(
                "pool {}: automation is paused since {} by {}",
                pool.name,
                when::utc(laid.at),
                laid.by
            );
            let remedy = format!("understudy resume --pool {}", pool.name);
            report.add(CheckResult::warn("paused", line, remedy));
        }
        if let Some((bot, laid)) = &overrides.pinned {
            let line = format!("pool {}: pinned to {bot} by {}", pool.name, laid.by);
            let remedy = format!("understudy unpin --pool {}", pool.name);
            report.add(CheckResult::warn("pinned", line, remedy));
        }
        for bot in &pool.bots {
            bot_results(pool, bot, &heartbeats, report);
        }
    }
    Ok(())
}

fn workers(config: &Config, heartbeats: &[SeenHeartbeat], led: bool, report: &mut Report) {
    let wanted = config.workers.local as usize;
    let fresh = heartbeats.iter().filter(|seen| seen.age_ms < QUIET_MS);
    let (count, line) = (fresh.count(), heard(heartbeats));
    report.add(if count >= wanted.max(1) {
        CheckResult::ok(WORKERS, line)
    } else if led {
        let line = format!("{count} of {} are heard: {line}", wanted.max(1));
        CheckResult::fail(WORKERS, line, "look at their logs in the data folder")
    } else {
        CheckResult::unknown(WORKERS, line, "the supervisor starts them")
    });
    for seen in heartbeats {
        let beat = &seen.heartbeat;
        if !beat.sql_ok {
            let line = format!("{} cannot reach SQL", beat.worker);
            report.add(CheckResult::fail(
                WORKERS,
                line,
                "look at [database] on its machine",
            ));
        }
        if beat.version != env!("CARGO_PKG_VERSION") {
            let line = format!(
                "{} is version {} and this program {}",
                beat.worker,
                beat.version,
                env!("CARGO_PKG_VERSION")
            );
            report.add(CheckResult::warn(
                WORKERS,
                line,
                "restart it with the other version",
            ));
        }
    }
}

fn heard(heartbeats: &[SeenHeartbeat]) -> String {
    let names: Vec<String> = heartbeats
        .iter()
        .map(|seen| format!("{} {} ms ago", seen.heartbeat.worker, seen.age_ms))
        .collect();
    match names.as_slice() {
        [] => "none is heard".to_owned(),
        names => names.join(", "),
    }
}

fn bot_results(
    pool: &PoolConfig,
    bot: &BotConfig,
    heartbeats: &[SeenHeartbeat],
    report: &mut Report,
) {
    let said = heartbeats.iter().filter(|seen| seen.age_ms < QUIET_MS);
    let healths: Vec<&BotHealth> = said
        .filter_map(|seen| seen.heartbeat.bot(&pool.name, bot.bot()))
        .collect();
    // A worker that is giving a bot up may still speak of it: the one that has it connected counts.
    let health = healths
        .iter()
        .find(|health| health.connection == Connection::Ready)
        .or(healths.first());
    let name = format!("{}/{}", pool.name, bot.name);
    let Some(health) = health else {
        let line = format!("{name}: no worker has it");
        report.add(CheckResult::unknown(
            BOT,
            line,
            "`understudy status` says more",
        ));
        return;
    };
    report.add(connection(&name, health));
    for trouble in &health.channels {
        let line = format!("{name}: {}", trouble.what);
        report.add(CheckResult::fail(
            "channel",
            line,
            "members would miss this bot's replies there",
        ));
    }
}

fn connection(name: &str, health: &BotHealth) -> CheckResult {
    let who = match health.username.trim_start_matches('@') {
        "" => name.to_owned(),
        username => format!("{name} @{username}"),
    };
    if let Some(seconds) = health.flood_wait_s {
        let line = format!("{who}: Telegram asks to wait {seconds} s");
        return CheckResult::warn(BOT, line, "it goes on by itself");
    }
    if health.connection != Connection::Ready {
        let error = health.last_error.as_ref();
        let error = error.map_or(String::new(), |error| format!(" ({})", error.name));
        let line = format!("{who}: is not connected{error}");
        return CheckResult::fail(BOT, line, "look at the log of its worker");
    }
    match health.other_login {
        OtherLogin::Resting => CheckResult::ok(
            BOT,
            format!("{who}: connected, with a second login at rest"),
        ),
        OtherLogin::Unknown => CheckResult::ok(
            BOT,
            format!("{who}: connected; its second login is not known yet"),
        ),
        OtherLogin::Missing => CheckResult::warn(
            BOT,
            format!("{who}: connected, without a second login"),
            "it is made in time; a lost login means a switch until then",
        ),
        OtherLogin::Lost => CheckResult::warn(
            BOT,
            format!("{who}: connected; its second login is lost"),
            "it is made anew in time; a lost login means a switch until then",
        ),
    }
}
