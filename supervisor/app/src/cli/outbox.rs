//! `understudy outbox`: what was moved aside: replies that nobody can send or read, records that the database refuses; to look at, to send again, to throw
//! away.
//!
//! What members wrote and were to read is not shown: the reason, the conversation and the kind say what there is to mend. Works while the supervisor is
//! down; what is sent again leaves through whichever bot answers. Invariant: a record is thrown away only by its name, never with all that there is: its
//! member was told that his course is kept.

use std::fmt;

use serde::Serialize;
use shared_core::{ConversationKey, OutboxKind, PoolId, Record, UnixMs};
use shared_io::config::Config;
use shared_io::redis::{
    PoisonPosition, Poisoned, PoolState, RefusedPosition, RefusedRecord, StateError,
};

use super::{Ended, Source, acted, open, out, pools, when};

/// All that the poison stream keeps.
const ALL: usize = 2_000;
/// Records that are read at once.
const PAGE: usize = 1_000;
/// Where records come from, without the pool's name.
const RECORDS: &str = "records";
/// So many are named in what is noted of it.
const NAMED: usize = 20;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Show what was moved aside, the latest first, each with the reason.
    #[command(after_help = super::after("understudy outbox list\n  understudy outbox list --json"))]
    List(List),
    /// Send again what was moved aside, once its reason is mended.
    ///
    /// It goes to the end of what it came from. What is refused once more is moved aside once more.
    #[command(after_help = super::after("understudy outbox retry 1796000000000-0\n  understudy outbox retry r1796000000000-0\n  understudy outbox retry --all"))]
    Retry(Chosen),
    /// Throw away what was moved aside.
    ///
    /// Records that the database refuses are thrown away only by their ids: each is a course that its member has handed in.
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
    #[arg(value_name = "ID", required_unless_present = "all", value_parser = id)]
    ids: Vec<Id>,
    /// All of them (of `drop`: all but records).
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What an entry is called: records have a stream of their own, and an `r` before the place in it.
#[derive(Debug, Clone, Copy)]
enum Id {
    Aside(PoisonPosition),
    Record(RefusedPosition),
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aside(at) => at.fmt(f),
            Self::Record(at) => at.fmt(f),
        }
    }
}

fn id(text: &str) -> Result<Id, String> {
    let record = text.parse().map(Id::Record);
    record.or_else(|_| text.parse().map(Id::Aside)).map_err(|_| {
        "is not an id; `understudy outbox list` shows them, like 1796000000000-0 or r1796000000000-0"
            .to_owned()
    })
}

/// Those of each stream, in their order.
fn parted(ids: &[Id]) -> (Vec<PoisonPosition>, Vec<RefusedPosition>) {
    let (mut aside, mut records) = (Vec::new(), Vec::new());
    for id in ids {
        match id {
            Id::Aside(at) => aside.push(*at),
            Id::Record(at) => records.push(*at),
        }
    }
    (aside, records)
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
    /// Those that `--all` left where they are.
    records_kept: usize,
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
        let (state, limit) = (redis.pool(&pool.name), usize::from(args.limit));
        let poisoned = state.poisoned(limit).await?.into_iter();
        let refused = state.refused_records(None, limit).await?.into_iter();
        let mut both: Vec<Aside> = poisoned.map(|one| aside(&pool.name, one)).collect();
        both.extend(refused.map(|one| refused_record(&pool.name, one)));
        both.sort_by_key(|one| std::cmp::Reverse(one.at));
        both.truncate(limit);
        found.extend(both);
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
    let ids = match args.all {
        true => {
            let (mut all, records) = everything(&state).await?;
            all.extend(records);
            all
        }
        false => args.ids.clone(),
    };
    let (aside, records) = parted(&ids);
    let moved = state.unpoison(&aside).await? + state.retry_records(&records).await?;
    note(&state, "outbox retry", moved, &ids).await;
    told(args, pool, moved, ids.len(), 0, "on their way again")
}

async fn throw_away(args: &Chosen) -> anyhow::Result<Ended> {
    let (pool, state) = the_state(args).await?;
    let (ids, kept) = match args.all {
        true => {
            let (others, records) = everything(&state).await?;
            (others, records.len())
        }
        false => (args.ids.clone(), 0),
    };
    let (aside, records) = parted(&ids);
    let moved = state.drop_poisoned(&aside).await? + state.drop_records(&records).await?;
    note(&state, "outbox drop", moved, &ids).await;
    told(args, pool, moved, ids.len(), kept, "thrown away")
}

async fn note(state: &PoolState, action: &str, moved: u64, ids: &[Id]) {
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

/// All that is aside: replies and the like, and records. The oldest first: that is the order in which they were to be read.
async fn everything(state: &PoolState) -> Result<(Vec<Id>, Vec<Id>), StateError> {
    let poisoned = state.poisoned(ALL).await?;
    // An older program moves records there as well.
    let (records, others): (Vec<Poisoned>, Vec<Poisoned>) = poisoned
        .into_iter()
        .rev()
        .partition(|one| one.from == RECORDS);
    let ids = |of: Vec<Poisoned>| of.into_iter().map(|one| Id::Aside(one.position)).collect();
    let (mut records, others): (Vec<Id>, Vec<Id>) = (ids(records), ids(others));
    let (mut refused, mut before) = (Vec::new(), None);
    loop {
        let page = state.refused_records(before, PAGE).await?;
        refused.extend(page.iter().map(|one| Id::Record(one.position)));
        before = page.last().map(|one| one.position);
        if page.len() < PAGE {
            break;
        }
    }
    records.extend(refused.into_iter().rev());
    Ok((others, records))
}

fn told(
    args: &Chosen,
    pool: PoolId,
    moved: u64,
    asked: usize,
    records_kept: usize,
    what: &str,
) -> anyhow::Result<Ended> {
    let is_all = u64::try_from(asked).is_ok_and(|asked| asked == moved);
    if args.json {
        out::json(&Moved {
            pool,
            moved,
            asked,
            records_kept,
        })?;
    } else if asked == 0 && records_kept == 0 {
        let _read = out::say("nothing is moved aside");
    } else {
        let _read = out::say(&format!("{moved} of {asked} {what}"));
    }
    if records_kept > 0 && !args.json {
        let _read = out::say(&format!(
            "{records_kept} records for the database are kept; name their ids to throw them away"
        ));
    }
    if !is_all {
        out::refuse(
            "some of them are not there (any more), or cannot go back; `understudy outbox list` shows what is",
        );
    }
    Ok(Ended::of(is_all))
}

fn aside(pool: &PoolId, one: Poisoned) -> Aside {
    let of_entry = one.entry.as_ref().map(|entry| {
        let kind = match entry.kind {
            OutboxKind::Say { .. } => "say",
            OutboxKind::Edit { .. } => "edit",
            OutboxKind::StoreFile { .. } => "store_file",
        };
        (kind, entry.conversation)
    });
    let what = of_entry.or(one.record.as_ref().map(record));
    let (id, at) = (one.position.to_string(), one.position.at());
    Aside::new(pool, (id, at), one.why, one.from, what)
}

fn refused_record(pool: &PoolId, one: RefusedRecord) -> Aside {
    let what = one.record.as_ref().map(record);
    let (id, at) = (one.position.to_string(), one.position.at());
    Aside::new(pool, (id, at), one.why, RECORDS.to_owned(), what)
}

impl Aside {
    /// `what` it is and whose; nothing where nobody can read it.
    fn new(
        pool: &PoolId,
        (id, at): (String, UnixMs),
        why: String,
        from: String,
        what: Option<(&'static str, ConversationKey)>,
    ) -> Self {
        Self {
            pool: pool.clone(),
            id,
            at,
            why,
            from,
            conversation: what.map(|(_, conversation)| conversation),
            kind: what.map(|(kind, _)| kind),
        }
    }
}

fn record(record: &Record) -> (&'static str, ConversationKey) {
    match record {
        Record::Course { conversation, .. } => ("course", *conversation),
        Record::Quarantined { conversation, .. } => ("quarantine", *conversation),
    }
}

fn line(one: &Aside) -> String {
    let whose = match (&one.conversation, one.kind) {
        (Some(conversation), Some(kind)) if one.from == RECORDS => {
            format!("record for the database, {kind} of {conversation}")
        }
        (Some(conversation), Some(kind)) => format!("{kind} for {conversation}"),
        _ if one.from == RECORDS => "record for the database, unreadable".to_owned(),
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
