//! How old the copy in SQL is while members are served, what it costs their commits, and how fast it catches up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value, json};
use shared_core::{
    EntryId, EpochStamp, OutboxEntry, OutboxKind, Priority, SendTarget, TOMBSTONE_KEPT, UnixMs,
};
use shared_io::checkpoint::Checkpointer;
use shared_io::redis::{Commit, Committed, OutboxPosition, PoolState};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::Measured;
use crate::figures::{Summary, summary};
use crate::stores::{BOT, Engine, MARK, Stage, key, leader, pool_id, stored};

/// As the supervisor's own task pauses between two turns.
const EVERY: Duration = Duration::from_millis(250);
const LOOK: Duration = Duration::from_millis(20);
const TARGET_MS: f64 = 1_000.0;
/// Conversations that talk, each in its own time.
const LANES: u64 = 100;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// How long the load lasts, in seconds
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Commits a second
    #[arg(long, default_value_t = 500)]
    rate: u64,
    /// Conversations that wait to be copied when the database comes back
    #[arg(long, default_value_t = 100_000)]
    backlog: u64,
}

pub async fn run(options: &Options) -> Result<Measured> {
    ensure!(
        options.seconds > 0 && options.rate > 0 && options.backlog > 0,
        "--seconds 0, --rate 0 or --backlog 0 measures nothing"
    );
    let mut report = Map::new();
    let mut within = true;
    for engine in Engine::ALL {
        let stage = Stage::open(engine).await?;
        let stamp = stage.open_epoch().await?;
        let alone = load(&stage.pool, stamp, options, 0).await?;
        let checkpointer = Checkpointer::open(
            stage.pool.clone(),
            stage.store.clone(),
            leader(),
            MARK.to_owned(),
            vec![BOT],
            1,
        );
        let mut checkpointer = checkpointer.await?;
        checkpointer.turn().await?;
        let lags: Arc<Mutex<Vec<f64>>> = Arc::default();
        let watch = watch(stage.pool.clone(), Arc::clone(&lags));
        let copy = async {
            loop {
                if let Err(error) = checkpointer.turn().await {
                    return error;
                }
                tokio::time::sleep(EVERY).await;
            }
        };
        let beside = tokio::select! {
            beside = load(&stage.pool, stamp, options, LANES) => beside?,
            error = copy => bail!("the copy ended: {error}"),
            error = watch => bail!("the lag could not be read: {error}"),
        };
        let lags = summary(&lags.lock().await).context("no lag was read")?;
        within &= lags.max <= TARGET_MS;
        eprintln!("checkpoint: {} conversations wait", options.backlog);
        let backlog = backlog(&stage, stamp, &mut checkpointer, options.backlog).await?;
        report.insert(
            engine.name().to_owned(),
            json!({
                "commits_a_second": options.rate, "seconds": options.seconds,
                "lag_ms": lags, "lag_limit_ms": TARGET_MS,
                "commit_ms": beside, "commit_ms_without_a_copy": alone,
                "backlog": backlog, "appendfsync": "always",
            }),
        );
    }
    Ok(Measured {
        report: report.into(),
        within,
    })
}

async fn watch(pool: PoolState, lags: Arc<Mutex<Vec<f64>>>) -> String {
    loop {
        match pool.checkpoint_lag_ms().await {
            Ok(Some(lag)) => lags.lock().await.push(lag as f64),
            Ok(None) => {}
            Err(error) => return error.to_string(),
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Commits with one reply each at the wanted rate; gives how long they took.
async fn load(
    pool: &PoolState,
    stamp: EpochStamp,
    options: &Options,
    first: u64,
) -> Result<Option<Summary>> {
    let until = Instant::now() + Duration::from_secs(options.seconds);
    let pause = Duration::from_secs_f64(LANES as f64 / options.rate as f64);
    let mut lanes = JoinSet::new();
    for lane in first..first + LANES {
        let pool = pool.clone();
        lanes.spawn(async move {
            let mut took = Vec::new();
            let mut ticks = tokio::time::interval(pause);
            // They begin at different moments, so that commits do not come in clumps.
            tokio::time::sleep(pause.mul_f64((lane % LANES) as f64 / LANES as f64)).await;
            let mut version = 0;
            while Instant::now() < until {
                ticks.tick().await;
                let began = Instant::now();
                let at = say(&pool, stamp, lane, version).await?;
                took.push(began.elapsed().as_secs_f64() * 1e3);
                version += 1;
                // Sent, and known to be.
                settle(&pool, at).await?;
            }
            Ok::<_, anyhow::Error>(took)
        });
    }
    let mut took = Vec::new();
    while let Some(lane) = lanes.join_next().await {
        took.extend(lane??);
    }
    Ok(summary(&took))
}

async fn settle(pool: &PoolState, sent: Vec<OutboxPosition>) -> Result<()> {
    let sent: Vec<_> = sent.into_iter().map(|position| (position, None)).collect();
    pool.outbox_settle(BOT, &sent).await?;
    Ok(())
}

async fn say(
    pool: &PoolState,
    stamp: EpochStamp,
    member: u64,
    version: u64,
) -> Result<Vec<OutboxPosition>> {
    let key = key(member);
    let text = stored(member, version + 1)?;
    let mut id = [0; 16];
    id[..8].copy_from_slice(&member.to_be_bytes());
    id[8..].copy_from_slice(&version.to_be_bytes());
    let reply = [OutboxEntry {
        id: EntryId(id),
        conversation: key,
        target: SendTarget::Member(key.member),
        priority: Priority::Answer,
        since: UnixMs(1),
        by: None,
        kind: OutboxKind::Say {
            text: "✓ File 1: bread.pdf".to_owned(),
            keyboard: None,
            reply_to: None,
        },
    }];
    let commit = Commit {
        stamp,
        conversation: &key,
        expected_version: version,
        stored: &text,
        open: Some(UnixMs(1)),
        active: true,
        outbox: &reply,
        records: &[],
        records_at_most: u64::MAX,
        told: &[],
        keep: TOMBSTONE_KEPT,
        settles: None,
        counters: &[],
    };
    match pool.commit(&commit).await? {
        Committed::Done { positions } => Ok(positions),
        refused => bail!("a commit was refused: {refused:?}"),
    }
}

/// What waited while the database was away is copied in one turn.
async fn backlog(
    stage: &Stage,
    stamp: EpochStamp,
    checkpointer: &mut Checkpointer,
    count: u64,
) -> Result<Value> {
    let first = 10 * LANES;
    let mut members = first..first + count;
    loop {
        let some: Vec<u64> = members.by_ref().take(200).collect();
        if some.is_empty() {
            break;
        }
        let commits = some
            .iter()
            .map(|member| say(&stage.pool, stamp, *member, 0));
        for said in futures_util::future::join_all(commits).await {
            settle(&stage.pool, said?).await?;
        }
    }
    let began = Instant::now();
    let turn = checkpointer.turn().await?;
    let took_s = began.elapsed().as_secs_f64();
    let counts = stage.store.checkpoints().counts(&pool_id()?).await?;
    ensure!(counts.conversations >= count, "{counts:?}");
    Ok(json!({
        "conversations": turn.marks, "took_s": took_s, "per_second": (turn.marks as f64 / took_s) as u64,
    }))
}
