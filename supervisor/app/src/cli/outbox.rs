//! `understudy outbox`: replies that were moved aside because nobody can send or read them; to look at, to send again, to throw away.
//!
//! What members wrote and were to read is not shown: the reason, the conversation and the kind say what there is to mend. Works while the supervisor is
//! down; what is sent again leaves through whichever bot answers.

use serde::Serialize;
use shared_core::{ConversationKey, OutboxKind, PoolId, UnixMs};
use shared_io::config::Config;
use shared_io::redis::{PoisonPosition, Poisoned, PoolState};

use super::{Ended, Source, acted, open, out, pools, when};

/// All that are kept.
const ALL: usize = 2_000;
/// So many are named in what is noted of it.
const NAMED: usize = 20;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Show what was moved aside, the latest first, each with the reason.
    #[command(after_help = super::after("understudy outbox list\n  understudy outbox list --json"))]
    List(List),
    /// Send again what was moved aside, once its reason is mended.
    ///
    /// It goes to the end of the outbox. What is refused once more is moved aside once more.
    #[command(after_help = super::after("understudy outbox retry 1796000000000-0\n  understudy outbox retry --all"))]
    Retry(Chosen),
    /// Throw away what was moved aside.
    #[command(after_help = super::after("understudy outbox drop 1796000000000-0\n  understudy outbox drop --all"))]
    Drop(Chosen),
}

#[derive(Debug, clap::Args)]
pub struct List {
    #[command(flatten)]
    source: Source,
    /// Of one pool only.
    #[arg(long, value_name = "NAME")]
    pool: Option<String>,
    /// How many of the latest are shown.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub struct Chosen {
    #[command(flatten)]
    source: Source,
    /// The pool; not needed where there is one.
    #[arg(long, value_name = "NAME")]
    pool: Option<String>,
    /// Which ones, as `understudy outbox list` names them.
    #[arg(value_name = "ID", required_unless_present = "all", value_parser = position)]
    ids: Vec<PoisonPosition>,
    /// All of them.
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn position(text: &str) -> Result<PoisonPosition, String> {
    text.parse().map_err(|_| {
        "is not an id; `understudy outbox list` shows them, like 1796000000000-0".to_owned()
    })
}

#[derive(Debug, Serialize)]
struct Aside {
    pool: PoolId,
    id: String,
    at: UnixMs,
    why: String,
    /// Where it came from: the outbox, or what is on its way to SQL.
    from: String,
    conversation: Option<ConversationKey>,
    /// `None` where nobody can read it.
    kind: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Moved {
    pool: PoolId,
    moved: u64,
    asked: usize,
}

pub async fn run(command: &Command) -> anyhow::Result<Ended> {
    match command {
        Command::List(args) => list(args).await,
        Command::Retry(args) => retry(args).await,
        Command::Drop(args) => throw_away(args).await,
    }
}

async fn list(args: &List) -> anyhow::Result<Ended> {
    let config = pools::only(args.source.load()?, args.pool.as_deref())?;
    let redis = open::redis(&config).await?;
    let mut found = Vec::new();
    for pool in &config.pools {
        let limit = usize::from(args.limit);
        let poisoned = redis.pool(&pool.name).poisoned(limit).await?;
        found.extend(poisoned.into_iter().map(|one| aside(&pool.name, one)));
    }
    if args.json {
        out::json(&found)?;
    } else if found.is_empty() {
        let _read = out::say("nothing is moved aside");
    } else {
        let lines: Vec<String> = found.iter().map(line).collect();
        let _read = out::say(&lines.join("\n"));
    }
    Ok(Ended::Well)
}

async fn retry(args: &Chosen) -> anyhow::Result<Ended> {
    let (pool, state) = the_state(args).await?;
    let ids = chosen(args, &state).await?;
    let moved = state.unpoison(&ids).await?;
    note(&state, "outbox retry", moved, &ids).await;
    told(args, pool, moved, ids.len(), "on their way again")
}

async fn throw_away(args: &Chosen) -> anyhow::Result<Ended> {
    let (pool, state) = the_state(args).await?;
    let ids = chosen(args, &state).await?;
    let moved = state.drop_poisoned(&ids).await?;
    note(&state, "outbox drop", moved, &ids).await;
    told(args, pool, moved, ids.len(), "thrown away")
}

async fn note(state: &PoolState, action: &str, moved: u64, ids: &[PoisonPosition]) {
    if ids.is_empty() {
        return;
    }
    let named: Vec<String> = ids.iter().take(NAMED).map(ToString::to_string).collect();
    let details = serde_json::json!({ "moved": moved, "asked": ids.len(), "ids": named });
    acted::note(state, action, moved > 0, details).await;
}

async fn the_state(args: &Chosen) -> anyhow::Result<(PoolId, PoolState)> {
    let config: Config = args.source.load()?;
    let pool = pools::the_pool(&config, args.pool.as_deref())?.name.clone();
    let redis = open::redis(&config).await?;
    Ok((pool.clone(), redis.pool(&pool)))
}

async fn chosen(args: &Chosen, state: &PoolState) -> anyhow::Result<Vec<PoisonPosition>> {
    if !args.all {
        return Ok(args.ids.clone());
    }
    let all = state.poisoned(ALL).await?;
    // The oldest first: that is the order in which they were to be read.
    Ok(all.iter().rev().map(|one| one.position).collect())
}

fn told(
    args: &Chosen,
    pool: PoolId,
    moved: u64,
    asked: usize,
    what: &str,
) -> anyhow::Result<Ended> {
    let is_all = u64::try_from(asked).is_ok_and(|asked| asked == moved);
    if args.json {
        out::json(&Moved { pool, moved, asked })?;
    } else if asked == 0 {
        let _read = out::say("nothing is moved aside");
    } else {
        let _read = out::say(&format!("{moved} of {asked} {what}"));
    }
    if !is_all {
        out::refuse(
            "some of them are not there (any more), or cannot go back; `understudy outbox list` shows what is",
        );
    }
    Ok(Ended::of(is_all))
}

fn aside(pool: &PoolId, one: Poisoned) -> Aside {
    let kind = one.entry.as_ref().map(|entry| match entry.kind {
        OutboxKind::Say { .. } => "say",
        OutboxKind::Edit { .. } => "edit",
        OutboxKind::StoreFile { .. } => "store_file",
    });
    Aside {
        pool: pool.clone(),
        id: one.position.to_string(),
        at: one.position.at(),
        why: one.why,
        from: one.from,
        conversation: one.entry.map(|entry| entry.conversation),
        kind,
    }
}

fn line(one: &Aside) -> String {
    let whose = match (&one.conversation, one.kind) {
        (Some(conversation), Some(kind)) => format!("{kind} for {conversation}"),
        _ => format!("unreadable, of {}", one.from),
    };
    format!(
        "{}  {}  {}  {whose}: {}",
        one.id,
        when::utc(one.at),
        one.pool,
        one.why
    )
}
