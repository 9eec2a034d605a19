//! `understudy config`: whether the configuration can be loaded, and what it comes to.
//!
//! Deliberately absent: asking Telegram whether tokens and channels are right; `doctor` and `smoke` do that.

mod show;

use serde::Serialize;
use shared_core::{BotId, ChannelId, PoolId};
use shared_io::config::{Config, PoolConfig};

use super::{Ended, Source, out};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Load the configuration and say what is in it, or what is wrong with it.
    ///
    /// Secrets are looked up where the file says they are, and never shown. Telegram is not asked.
    #[command(
        after_help = "Example:\n  understudy config check --config understudy.toml\n\nExit codes: 0 it can be used; 2 it cannot, for the reason in the line."
    )]
    Check {
        #[command(flatten)]
        source: Source,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show every setting as it is in effect: the file, the environment over it, and the defaults.
    #[command(
        after_help = "Example:\n  understudy config show --json\n\nExit codes: 0 shown; 2 the configuration cannot be used, for the reason in the line."
    )]
    Show {
        #[command(flatten)]
        source: Source,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Serialize)]
struct Checked {
    file: String,
    data_dir: String,
    redis: &'static str,
    database: &'static str,
    workers: u32,
    pools: Vec<CheckedPool>,
    /// What works and is not wise.
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct CheckedPool {
    name: PoolId,
    bots: Vec<CheckedBot>,
    channels: Vec<CheckedChannel>,
    admins: usize,
}

#[derive(Debug, Serialize)]
struct CheckedBot {
    bot: BotId,
    name: String,
}

#[derive(Debug, Serialize)]
struct CheckedChannel {
    channel: ChannelId,
    role: &'static str,
}

pub fn run(command: &Command) -> anyhow::Result<Ended> {
    match command {
        Command::Check { source, json } => check(&source.load()?, *json),
        Command::Show { source, json } => {
            let value = show::value(&source.load()?);
            if *json {
                out::json(&value)?;
            } else {
                let _read = out::say(&show::lines(&value).join("\n"));
            }
            Ok(Ended::Well)
        }
    }
}

fn check(config: &Config, json: bool) -> anyhow::Result<Ended> {
    let checked = checked(config);
    if json {
        out::json(&checked)?;
        return Ok(Ended::Well);
    }
    for pool in &checked.pools {
        let _read = out::say(&line(pool));
    }
    for note in &checked.notes {
        let _read = out::say(&format!("warning: {note}"));
    }
    let _read = out::say(&format!(
        "{}: ok; Redis {}, database {}, {} local workers, data in {}",
        checked.file, checked.redis, checked.database, checked.workers, checked.data_dir
    ));
    Ok(Ended::Well)
}

fn checked(config: &Config) -> Checked {
    Checked {
        file: config.file.display().to_string(),
        data_dir: config.data_dir().display().to_string(),
        redis: if config.redis_is_private() {
            "private"
        } else {
            "by redis.url"
        },
        database: if config.database.url.is_none() {
            "SQLite in data_dir"
        } else {
            "by database.url"
        },
        workers: config.workers.local,
        pools: config.pools.iter().map(checked_pool).collect(),
        notes: notes(config),
    }
}

fn checked_pool(pool: &PoolConfig) -> CheckedPool {
    let bots = pool.bots.iter().map(|bot| CheckedBot {
        bot: bot.bot(),
        name: bot.name.clone(),
    });
    let channels = pool.channels.iter().map(|channel| CheckedChannel {
        channel: channel.id,
        role: channel.role.as_str(),
    });
    CheckedPool {
        name: pool.name.clone(),
        bots: bots.collect(),
        channels: channels.collect(),
        admins: pool.admins.len(),
    }
}

fn notes(config: &Config) -> Vec<String> {
    let left = config.left_as_in_the_example();
    let example = (!left.is_empty()).then(|| {
        format!(
            "the example's values stand unchanged, write your own: {}",
            left.join(", ")
        )
    });
    let pools = config.pools.iter().filter_map(note);
    example.into_iter().chain(pools).collect()
}

fn note(pool: &PoolConfig) -> Option<String> {
    (pool.bots.len() < 2).then(|| {
        format!(
            "pool `{}` has one bot: when it is lost there is no standby; add a second [[pool.bot]]",
            pool.name
        )
    })
}

fn line(pool: &CheckedPool) -> String {
    let bots: Vec<String> = pool
        .bots
        .iter()
        .map(|bot| format!("{} {}", bot.name, bot.bot))
        .collect();
    let channels: Vec<String> = pool
        .channels
        .iter()
        .map(|channel| format!("{} {}", channel.role, channel.channel))
        .collect();
    format!(
        "pool {}: bots {}; channels {}; {} admins",
        pool.name,
        bots.join(", "),
        channels.join(", "),
        pool.admins
    )
}
