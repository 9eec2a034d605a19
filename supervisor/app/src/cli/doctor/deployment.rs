//! The deployment as it runs: who leads, which workers are heard, how each bot's connection and second login stand, and what the bots say of
//! their channels. What only a running deployment can tell is unknown while none runs.

use shared_core::{BotHealth, Connection, OtherLogin};
use shared_io::config::{BotConfig, Config, PoolConfig};
use shared_io::redis::{RedisState, SeenHeartbeat, StateError};

use super::super::{out, when};
use super::Report;
use super::finding::Finding;
use crate::folder::Folder;

const SUPERVISOR: &str = "supervisor";
const WORKERS: &str = "workers";
const BOT: &str = "bot";
/// Four missed heartbeats.
const QUIET_MS: u64 = 1_500;

pub async fn check(config: &Config, redis: Option<&RedisState>, report: &mut Report) {
    let runs_here = Folder::new(config.data_dir()).is_locked();
    let Some(redis) = redis else {
        let line = if runs_here {
            "it runs on this data folder, and Redis cannot be reached"
        } else {
            "none runs on this data folder"
        };
        let remedy = "start `understudy run`, then run this again";
        report.add(Finding::unknown(SUPERVISOR, line, remedy));
        return;
    };
    if let Err(error) = running(config, redis, runs_here, report).await {
        let line = out::one_line(&error.to_string());
        report.add(Finding::fail(
            "deployment",
            line,
            "run this again when Redis answers",
        ));
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
        (Some(leader), true) => Finding::ok(SUPERVISOR, format!("{leader} leads")),
        (Some(leader), false) => Finding::ok(
            SUPERVISOR,
            format!("{leader} leads, on another data folder"),
        ),
        (None, true) => Finding::fail(
            SUPERVISOR,
            "it runs and does not lead: nobody would switch",
            "look at its log",
        ),
        (None, false) => Finding::warn(
            SUPERVISOR,
            "none runs: members are served while their worker lives, and nobody would switch",
            "start `understudy run`",
        ),
    });
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
            report.add(Finding::warn("paused", line, remedy));
        }
        if let Some((bot, laid)) = &overrides.pinned {
            let line = format!("pool {}: pinned to {bot} by {}", pool.name, laid.by);
            let remedy = format!("understudy unpin --pool {}", pool.name);
            report.add(Finding::warn("pinned", line, remedy));
        }
        for bot in &pool.bots {
            bot_findings(pool, bot, &heartbeats, report);
        }
    }
    Ok(())
}

fn workers(config: &Config, heartbeats: &[SeenHeartbeat], led: bool, report: &mut Report) {
    let wanted = config.workers.local as usize;
    let fresh = heartbeats.iter().filter(|seen| seen.age_ms < QUIET_MS);
    let (count, line) = (fresh.count(), heard(heartbeats));
    report.add(if count >= wanted.max(1) {
        Finding::ok(WORKERS, line)
    } else if led {
        let line = format!("{count} of {} are heard: {line}", wanted.max(1));
        Finding::fail(WORKERS, line, "look at their logs in the data folder")
    } else {
        Finding::unknown(WORKERS, line, "the supervisor starts them")
    });
    for seen in heartbeats {
        let beat = &seen.heartbeat;
        if !beat.sql_ok {
            let line = format!("{} cannot reach SQL", beat.worker);
            report.add(Finding::fail(
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
            report.add(Finding::warn(
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

fn bot_findings(
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
        report.add(Finding::unknown(BOT, line, "`understudy status` says more"));
        return;
    };
    report.add(connection(&name, health));
    for trouble in &health.channels {
        let line = format!("{name}: {}", trouble.what);
        report.add(Finding::fail(
            "channel",
            line,
            "members would miss this bot's replies there",
        ));
    }
}

fn connection(name: &str, health: &BotHealth) -> Finding {
    let who = match health.username.trim_start_matches('@') {
        "" => name.to_owned(),
        username => format!("{name} @{username}"),
    };
    if let Some(seconds) = health.flood_wait_s {
        let line = format!("{who}: Telegram asks to wait {seconds} s");
        return Finding::warn(BOT, line, "it goes on by itself");
    }
    if health.connection != Connection::Ready {
        let error = health.last_error.as_ref();
        let error = error.map_or(String::new(), |error| format!(" ({})", error.name));
        let line = format!("{who}: is not connected{error}");
        return Finding::fail(BOT, line, "look at the log of its worker");
    }
    match health.other_login {
        OtherLogin::Resting => Finding::ok(
            BOT,
            format!("{who}: connected, with a second login at rest"),
        ),
        OtherLogin::Unknown => Finding::ok(
            BOT,
            format!("{who}: connected; its second login is not known yet"),
        ),
        OtherLogin::Missing => Finding::warn(
            BOT,
            format!("{who}: connected, without a second login"),
            "it is made in time; a lost login means a switch until then",
        ),
        OtherLogin::Lost => Finding::warn(
            BOT,
            format!("{who}: connected; its second login is lost"),
            "it is made anew in time; a lost login means a switch until then",
        ),
    }
}
