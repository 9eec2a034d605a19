//! `understudy events`: what happened, from SQL: events, switches and orders, merged by time.
//!
//! Invariant: a line is printed once, also while following; a switch is printed again when it has ended.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use shared_core::{PoolId, UnixMs};
use shared_io::config::Config;
use shared_io::sql::{AdminAction, Event, Store, SwitchOutcome, SwitchRow};

use super::{Ended, Source, open, out, pools, when};

/// SQL tells nobody when a row is added.
const LOOK: Duration = Duration::from_millis(500);
/// How many of each kind are read at a time while following.
const WINDOW: u32 = 200;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// Of one pool only.
    #[arg(long, value_name = "NAME")]
    pool: Option<String>,
    /// How many of the latest are shown.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Go on showing what happens, until Ctrl-C.
    #[arg(long)]
    follow: bool,
    /// Print a JSON object a line.
    #[arg(long)]
    json: bool,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Line {
    at: UnixMs,
    /// `None` when it concerns the deployment.
    pool: Option<PoolId>,
    kind: String,
    text: String,
    /// Tells it from any other; a switch that has ended is another one.
    id: String,
    details: serde_json::Value,
}

pub async fn run(args: &Args) -> anyhow::Result<Ended> {
    let config = args.source.load()?;
    let only = match &args.pool {
        Some(name) => Some(pools::the_pool(&config, Some(name))?.name.clone()),
        None => None,
    };
    let store = open::store(&config).await?;
    // While following, whatever is in the window and not shown is known all the same.
    let window = args.limit.max(if args.follow { WINDOW } else { 0 });
    let lines = gather(&config, &store, only.as_ref(), window).await?;
    let skip = lines.len().saturating_sub(args.limit as usize);
    let mut is_read = true;
    for line in lines.iter().skip(skip) {
        is_read = is_read && print(line, args.json)?;
    }
    if args.follow && is_read {
        let seen = lines.into_iter().map(|line| (line.id, line.at)).collect();
        follow(&config, &store, only.as_ref(), args.json, seen).await?;
    }
    Ok(Ended::Well)
}

/// Until Ctrl-C, or until nobody reads any more.
async fn follow(
    config: &Config,
    store: &Store,
    only: Option<&PoolId>,
    json: bool,
    mut seen: BTreeMap<String, UnixMs>,
) -> anyhow::Result<()> {
    let mut interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
    loop {
        tokio::select! {
            _ = interrupt.recv() => return Ok(()),
            () = tokio::time::sleep(LOOK) => {}
        }
        let fresh = match gather(config, store, only, WINDOW).await {
            Ok(fresh) => fresh,
            // The database may come back.
            Err(error) => {
                out::refuse(&format!("{error:#}"));
                continue;
            }
        };
        let oldest = fresh.first().map_or(UnixMs(i64::MIN), |line| line.at);
        for line in fresh {
            if seen.insert(line.id.clone(), line.at).is_none() && !print(&line, json)? {
                return Ok(());
            }
        }
        // What is out of the window's reach is not met again.
        seen.retain(|_, at| *at >= oldest);
    }
}

/// The latest of each kind, the oldest first.
async fn gather(
    config: &Config,
    store: &Store,
    only: Option<&PoolId>,
    limit: u32,
) -> anyhow::Result<Vec<Line>> {
    let mut lines: Vec<Line> = match only {
        Some(pool) => store.events().list(Some(pool), limit).await?,
        None => store.events().list_all(limit, None).await?,
    }
    .iter()
    .map(event)
    .collect();
    let pools = config.pools.iter().map(|pool| &pool.name);
    for pool in pools.filter(|name| only.is_none_or(|only| only == *name)) {
        let switches = store.switches().list(pool, limit).await?;
        lines.extend(switches.iter().map(switch));
        let actions = store.admin_actions().list(pool, limit).await?;
        lines.extend(actions.iter().map(action));
    }
    lines.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    Ok(lines)
}

fn print(line: &Line, json: bool) -> anyhow::Result<bool> {
    if json {
        return Ok(out::say(&serde_json::to_string(line)?));
    }
    let pool = line.pool.as_ref().map_or("-", PoolId::as_str);
    Ok(out::say(&format!(
        "{}  {pool:<10}  {:<18}  {}",
        when::utc(line.at),
        line.kind,
        line.text
    )))
}

fn event(event: &Event) -> Line {
    let details = match &event.details {
        serde_json::Value::Null => String::new(),
        serde_json::Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| match value {
                serde_json::Value::String(text) => format!(" {name}={text}"),
                other => format!(" {name}={other}"),
            })
            .collect(),
        other => format!(" {other}"),
    };
    Line {
        at: event.at,
        pool: event.pool.clone(),
        kind: event.kind.as_str().to_owned(),
        text: out::one_line(&format!("{}{details}", event.subject)),
        id: event.id.to_string(),
        details: event.details.clone(),
    }
}

fn switch(row: &SwitchRow) -> Line {
    let holder = |bot: Option<shared_core::BotId>, worker: &Option<shared_core::WorkerId>| match (
        bot, worker,
    ) {
        (Some(bot), Some(worker)) => format!("{bot}@{worker}"),
        _ => "nobody".to_owned(),
    };
    let outcome = match row.outcome {
        SwitchOutcome::Held => "nobody was left to try".to_owned(),
        SwitchOutcome::Done => match (row.timeline.detected_at, row.timeline.opened_at) {
            (Some(detected), Some(opened)) => format!("open after {} ms", opened.since(detected)),
            _ => "done".to_owned(),
        },
    };
    let text = format!(
        "{} -> {}: {outcome}; {}",
        holder(row.from_bot, &row.from_worker),
        holder(row.to_bot, &row.to_worker),
        row.cause
    );
    Line {
        at: row.finished.unwrap_or(row.started),
        pool: Some(row.pool.clone()),
        kind: row.kind.as_str().to_owned(),
        text: out::one_line(&text),
        id: format!("{}/{}", row.id, row.outcome.as_str()),
        details: serde_json::json!({ "outcome": row.outcome, "timeline": row.timeline }),
    }
}

fn action(action: &AdminAction) -> Line {
    let text = format!(
        "{} by {} through {}: {}",
        action.action,
        action.who,
        action.via,
        action.verdict.as_str()
    );
    let why = action.details.get("why").and_then(|why| why.as_str());
    let text = match why {
        Some(why) => format!("{text}; {why}"),
        None => text,
    };
    Line {
        at: action.at,
        pool: Some(action.pool.clone()),
        kind: "order".to_owned(),
        text: out::one_line(&text),
        id: action.id.to_string(),
        details: action.details.clone(),
    }
}
