//! `understudy smoke`: the test that follows every switch, on demand. Members see nothing of it, and nothing changes by it.
//!
//! It is run by the worker that holds the bot. A bot that no worker holds cannot be tested; that is said at once, not waited for.

use std::time::Duration;

use serde::Serialize;
use shared_core::{BotId, PoolId, SmokeCheck, SmokeReport};
use shared_io::clock;
use shared_io::config::{Config, PoolConfig};
use shared_io::redis::{PoolState, RedisState};
use tokio::time::Instant;

use super::{Ended, Source, open, out, pools};

const LOOK: Duration = Duration::from_millis(100);

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// The pool; all of them without it.
    #[arg(long, value_name = "NAME")]
    pool: Option<String>,
    /// A bot instead of the active one: its name, its @username, or its id.
    #[arg(long, value_name = "BOT", conflicts_with = "all")]
    bot: Option<String>,
    /// Every bot, active and standby.
    #[arg(long)]
    all: bool,
    /// How long to wait for the answers.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=300))]
    timeout: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Tested {
    pool: PoolId,
    bot: BotId,
    name: String,
    /// `None`: nobody answered.
    passed: Option<bool>,
    /// Why nobody could.
    unanswered: Option<String>,
    report: Option<SmokeReport>,
}

pub async fn run(args: &Args) -> anyhow::Result<Ended> {
    let config = args.source.load()?;
    let pools = chosen(&config, args)?;
    let redis = open::redis(&config).await?;
    let mut tests = Vec::new();
    for pool in &pools {
        for bot in bots(&config, pool, &redis, args).await? {
            tests.push(test(pool, redis.pool(&pool.name), bot, args.timeout));
        }
    }
    let tested = futures_util::future::join_all(tests)
        .await
        .into_iter()
        .collect::<Result<Vec<Tested>, _>>()?;
    if args.json {
        out::json(&tested)?;
    } else {
        for tested in &tested {
            let _read = out::say(&table(tested));
        }
    }
    let unanswered: Vec<&Tested> = tested.iter().filter(|t| t.passed.is_none()).collect();
    if let Some(first) = unanswered.first() {
        anyhow::bail!(
            "{} of pool {} was not tested: {}",
            first.name,
            first.pool,
            first.unanswered.as_deref().unwrap_or("nobody answered")
        );
    }
    Ok(Ended::of(tested.iter().all(|t| t.passed == Some(true))))
}

fn chosen<'a>(config: &'a Config, args: &Args) -> anyhow::Result<Vec<&'a PoolConfig>> {
    if args.pool.is_none() && args.bot.is_none() {
        return Ok(config.pools.iter().collect());
    }
    Ok(vec![pools::the_pool(config, args.pool.as_deref())?])
}

/// Whom to test in this pool.
async fn bots(
    config: &Config,
    pool: &PoolConfig,
    redis: &RedisState,
    args: &Args,
) -> anyhow::Result<Vec<BotId>> {
    if args.all {
        return Ok(pool.bots.iter().map(|bot| bot.bot()).collect());
    }
    if let Some(text) = &args.bot {
        let store = match open::database(config).await {
            Ok(open::Database::Open(store)) => Some(store),
            Ok(_) | Err(_) => None,
        };
        return Ok(vec![pools::the_bot(pool, store.as_ref(), text).await?]);
    }
    let record = redis.pool(&pool.name).epoch().await?;
    match record.and_then(|record| record.holder) {
        Some(holder) => Ok(vec![holder.bot]),
        None => anyhow::bail!(
            "no bot of pool {} is active: `understudy status` says why, `understudy smoke --all` tests the standbys",
            pool.name
        ),
    }
}

async fn test(
    pool: &PoolConfig,
    state: PoolState,
    bot: BotId,
    seconds: u64,
) -> anyhow::Result<Tested> {
    let unanswered = |why: String| Tested {
        pool: pool.name.clone(),
        bot,
        name: pools::bot_name(pool, bot),
        passed: None,
        unanswered: Some(why),
        report: None,
    };
    let assignments = state.assignments().await?;
    let Some(given) = assignments.iter().find(|given| given.bot == bot) else {
        return Ok(unanswered(
            "no worker is to hold it; is the supervisor running (`understudy status`)?".to_owned(),
        ));
    };
    let nonce = clock::nonce();
    state.ask_smoke(bot, nonce).await?;
    let until = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(report) = state.smoke_asked(nonce).await? {
            return Ok(Tested {
                passed: Some(report.passed()),
                unanswered: None,
                report: Some(report),
                ..unanswered(String::new())
            });
        }
        if Instant::now() >= until {
            return Ok(unanswered(format!(
                "worker {} did not answer within {seconds} s; `understudy status` says how its connection stands",
                given.worker
            )));
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn table(tested: &Tested) -> String {
    let verdict = match tested.passed {
        Some(true) => "passed",
        Some(false) => "FAILED",
        None => "not tested",
    };
    let mut text = format!("{}: {}: {verdict}", tested.pool, tested.name);
    let Some(report) = &tested.report else {
        return text;
    };
    text += &format!(" on {}", report.worker);
    for result in &report.results {
        let mark = if result.failed.is_some() {
            "FAIL"
        } else {
            "ok"
        };
        let check = check_name(result.check);
        text += &format!("\n  {mark:<5}{check:<24}{:>5} ms", result.took_ms);
        if let Some(why) = &result.failed {
            text += &format!("  {why}");
        }
    }
    text
}

fn check_name(check: SmokeCheck) -> String {
    match check {
        SmokeCheck::Rpc => "Telegram answers".to_owned(),
        SmokeCheck::Redis => "Redis takes a write".to_owned(),
        SmokeCheck::Sql => "SQL has bot and login".to_owned(),
        SmokeCheck::Rights { channel } => format!("rights in {channel}"),
    }
}
