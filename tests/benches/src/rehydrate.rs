//! How long it takes to give a Redis that has lost everything its conversations back, from either database.

use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::{Map, json};
use shared_core::{BotId, EpochBlock, UnixMs};
use shared_io::checkpoint::{Terms, rehydrate};
use shared_io::sql::{CheckpointChange, CheckpointPlace, ConversationRow, ReachRow};

use crate::Measured;
use crate::stores::{BOT, Engine, MARK, Stage, key, leader, pool_id, stored};

/// For a million conversations.
const TARGET_S: f64 = 30.0;
const PORTION: u64 = 5_000;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// How many conversations there are
    #[arg(long, default_value_t = 1_000_000)]
    conversations: u64,
}

pub async fn run(options: &Options) -> Result<Measured> {
    ensure!(
        options.conversations > 0,
        "--conversations 0 measures nothing"
    );
    let conversations = options.conversations;
    let mut report = Map::new();
    let mut within = true;
    for engine in Engine::ALL {
        let stage = Stage::open(engine).await?;
        eprintln!("rehydrate: filling {} with {conversations}", engine.name());
        let bytes = fill(&stage, conversations).await?;
        let began = Instant::now();
        let block = stage
            .store
            .epochs()
            .reserve(&pool_id()?, EpochBlock::SIZE)
            .await?;
        let terms = Terms {
            state: stage.pool.clone(),
            store: stage.store.clone(),
            leader: leader(),
            bots: vec![BOT, BotId(BOT.0 + 1)],
            block,
            why: "a measurement".to_owned(),
            remind_after: Some(std::time::Duration::from_secs(6 * 3_600)),
        };
        let restored = rehydrate(terms, |_, _| {}).await?;
        let took_s = began.elapsed().as_secs_f64();
        let open = stage.pool.open_count().await?;
        ensure!(
            restored.conversations == conversations && open == conversations,
            "{} restored, {open} open, {} wanted",
            restored.conversations,
            conversations
        );
        let last = stage.pool.conversation(&key(conversations)).await?;
        ensure!(
            last == Some(stored(conversations, 3)?),
            "the last one is not as it was"
        );
        let limit_s = TARGET_S * (conversations as f64 / 1e6).max(0.1);
        within &= took_s <= limit_s;
        let figure = json!({
            "conversations": conversations, "reach": restored.reach, "bytes_a_conversation": bytes / conversations,
            "took_s": took_s, "per_second": (conversations as f64 / took_s) as u64, "limit_s": limit_s,
            "appendfsync": "always",
        });
        report.insert(engine.name().to_owned(), figure);
    }
    Ok(Measured {
        report: report.into(),
        within,
    })
}

/// The database as a leader left it; every member has started one of the bots.
async fn fill(stage: &Stage, conversations: u64) -> Result<u64> {
    let pool = pool_id()?;
    let checkpoints = stage.store.checkpoints();
    ensure!(
        checkpoints.claim(&pool, 1, MARK, false).await?,
        "the checkpoint is somebody else's"
    );
    let mut bytes = 0;
    let mut first = 1;
    while first <= conversations {
        let last = (first + PORTION - 1).min(conversations);
        let mut change = CheckpointChange::default();
        for member in first..=last {
            let row = ConversationRow {
                conversation: key(member).to_string(),
                version: 3,
                stored: stored(member, 3)?,
                open: Some(UnixMs(1_790_000_000_000 + member as i64)),
            };
            bytes += row.stored.len() as u64;
            change.conversations.push(row);
            let row = ReachRow {
                bot: BOT.to_string(),
                member: key(member).member.0,
            };
            change.reach.push((row, true));
        }
        if last == conversations {
            change.place = Some(CheckpointPlace {
                turn: 1,
                at: UnixMs(1_790_000_000_000),
                place: "{}".to_owned(),
            });
        }
        checkpoints.put(&pool, 1, change).await?;
        first = last + 1;
    }
    Ok(bytes)
}
