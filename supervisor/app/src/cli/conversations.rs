//! `understudy conversations quarantine`: conversations that nobody could read, and what becomes of them.
//!
//! Invariant: what members have written is printed by `show` alone, to who asks for one by its id. Putting one back is refused where its member
//! has gone on; whoever serves the pool needs no hint, because the stored version is not the one he knows.

use anyhow::bail;
use serde::Serialize;
use shared_core::{ConversationKey, EntryId, PoolId, UnixMs};
use shared_io::redis::{PoolState, Quarantined, Restored};

use super::{Ended, Source, acted, open, out, pools, when};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Conversations that could not be read and were moved aside.
    #[command(subcommand, after_help = super::after("understudy conversations quarantine list"))]
    Quarantine(Quarantine),
}

#[derive(Debug, clap::Subcommand)]
pub enum Quarantine {
    /// List them, the latest first, without what is in them.
    #[command(after_help = super::after("understudy conversations quarantine list --json"))]
    List(Common),
    /// Print what was stored. It may be a member's words: mind who looks over your shoulder.
    #[command(after_help = super::after("understudy conversations quarantine show 3f9a0c"))]
    Show(One),
    /// Put one back, for a program that can read it.
    ///
    /// Refused when its member has gone on since, or when only its beginning was kept.
    #[command(after_help = super::after("understudy conversations quarantine restore 3f9a0c"))]
    Restore(One),
    /// Throw one away.
    #[command(after_help = super::after("understudy conversations quarantine drop 3f9a0c"))]
    Drop(One),
}

#[derive(Debug, clap::Args)]
pub struct Common {
    #[command(flatten)]
    source: Source,
    /// Of this pool; needed when there are several.
    #[arg(long, value_name = "NAME")]
    pool: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub struct One {
    /// Its id, or the beginning of it, as `list` shows it.
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Serialize)]
struct Entry<'a> {
    id: EntryId,
    pool: &'a PoolId,
    conversation: ConversationKey,
    at: UnixMs,
    bytes: u64,
    whole: bool,
    why: &'a str,
    /// What was stored; bytes that are no text are shown as U+FFFD.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
}

impl<'a> Entry<'a> {
    fn of(pool: &'a PoolId, entry: &'a Quarantined, value: Option<String>) -> Self {
        Self {
            id: entry.id,
            pool,
            conversation: entry.conversation,
            at: entry.at,
            bytes: entry.bytes,
            whole: entry.is_whole,
            why: &entry.why,
            value,
        }
    }
}

pub async fn run(command: &Command) -> anyhow::Result<Ended> {
    let Command::Quarantine(quarantine) = command;
    match quarantine {
        Quarantine::List(common) => list(common).await,
        Quarantine::Show(one) => show(one).await,
        Quarantine::Restore(one) => restore(one).await,
        Quarantine::Drop(one) => drop_it(one).await,
    }
}

async fn state(common: &Common) -> anyhow::Result<PoolState> {
    let config = common.source.load()?;
    let pool = pools::the_pool(&config, common.pool.as_deref())?;
    Ok(open::redis(&config).await?.pool(&pool.name))
}

async fn list(common: &Common) -> anyhow::Result<Ended> {
    let state = state(common).await?;
    let found = state.quarantined().await?;
    if common.json {
        let entries: Vec<Entry<'_>> = found
            .iter()
            .map(|entry| Entry::of(state.id(), entry, None))
            .collect();
        out::json(&entries)?;
        return Ok(Ended::Well);
    }
    if found.is_empty() {
        let _read = out::say("no conversation is in quarantine");
    }
    for entry in &found {
        let cut = if entry.is_whole {
            ""
        } else {
            ", only its beginning is kept"
        };
        let line = format!(
            "{}  {}  {:<14}  {} bytes{cut}; {}",
            when::utc(entry.at),
            entry.id,
            entry.conversation.to_string(),
            entry.bytes,
            out::one_line(&entry.why)
        );
        if !out::say(&line) {
            break;
        }
    }
    Ok(Ended::Well)
}

/// The one whose id begins so.
async fn the_one(state: &PoolState, id: &str) -> anyhow::Result<Quarantined> {
    let found = state.quarantined().await?;
    let mut fitting = found
        .into_iter()
        .filter(|entry| !id.is_empty() && entry.id.to_string().starts_with(id));
    match (fitting.next(), fitting.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => bail!("several ids begin with `{id}`; write more of it"),
        (None, _) => bail!(
            "no conversation in quarantine has the id `{id}`; `understudy conversations quarantine list` shows them"
        ),
    }
}

async fn show(one: &One) -> anyhow::Result<Ended> {
    let state = state(&one.common).await?;
    let entry = the_one(&state, &one.id).await?;
    let value = state.quarantined_value(entry.position).await?;
    let text = String::from_utf8_lossy(&value.unwrap_or_default()).into_owned();
    if one.common.json {
        out::json(&Entry::of(state.id(), &entry, Some(text)))?;
    } else {
        let _read = out::say(&text);
    }
    Ok(Ended::Well)
}

async fn restore(one: &One) -> anyhow::Result<Ended> {
    let state = state(&one.common).await?;
    let entry = the_one(&state, &one.id).await?;
    let conversation = entry.conversation;
    let refused = match state.restore_quarantined(&entry).await? {
        Restored::Done => None,
        Restored::Gone => Some("it is not in quarantine any more".to_owned()),
        Restored::MovedOn => Some(format!(
            "{conversation} has gone on since; what is stored now would be lost"
        )),
        Restored::Cut => Some("only its beginning was kept".to_owned()),
    };
    note(&state, "quarantine restore", &entry, refused.is_none()).await;
    said(one, &entry, "restored", "is back where it was", refused)
}

async fn drop_it(one: &One) -> anyhow::Result<Ended> {
    let state = state(&one.common).await?;
    let entry = the_one(&state, &one.id).await?;
    let gone = !state.drop_quarantined(entry.position).await?;
    let refused = gone.then(|| "it is not in quarantine any more".to_owned());
    note(&state, "quarantine drop", &entry, refused.is_none()).await;
    said(one, &entry, "dropped", "is thrown away", refused)
}

async fn note(state: &PoolState, action: &str, entry: &Quarantined, done: bool) {
    let conversation = entry.conversation.to_string();
    let details = serde_json::json!({ "id": entry.id.to_string(), "conversation": conversation });
    acted::note(state, action, done, details).await;
}

fn said(
    one: &One,
    entry: &Quarantined,
    word: &str,
    sentence: &str,
    refused: Option<String>,
) -> anyhow::Result<Ended> {
    if let Some(why) = refused {
        out::refuse(&format!("{} was not {word}: {why}", entry.id));
        return Ok(Ended::NotWell);
    }
    if one.common.json {
        out::json(&serde_json::json!({
            "id": entry.id, "conversation": entry.conversation, "outcome": word,
        }))?;
    } else {
        let _read = out::say(&format!(
            "{} of {} {sentence}",
            entry.id, entry.conversation
        ));
    }
    Ok(Ended::Well)
}
