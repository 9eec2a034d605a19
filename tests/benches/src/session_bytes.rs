//! Bytes a session: what Redis' memory grows by, divided by the sessions that were written, with their keys, the open index and Redis' own
//! overhead, as it is configured by default: each of them is to be reminded. `MEMORY USAGE` of a sample beside it, which is the value and its
//! key alone.

use anyhow::{Context, Result, bail, ensure};
use redis_servers::Server;
use serde_json::json;
use shared_core::{BotId, Epoch, EpochStamp, Holder, Nonce, PoolId, Secret, WorkerId};
use shared_io::checkpoint::PORTION;
use shared_io::clock;
use shared_io::redis::{
    EpochAnswer, FenceAnswer, LeadAnswer, LeaderId, Marks, PoolState, RedisState, RedisTimeouts,
    StepAnswer,
};
use std::time::Duration;

use crate::Measured;
use crate::figures::{Summary, summary};
use crate::sessions::{Maker, REMIND_AFTER, STAGES, Writer};

const BOT: BotId = BotId(7_000_001);
const LEAD: Duration = Duration::from_secs(3_600);
const SAMPLE: usize = 1_000;
/// Redis looks after idle buffers and tables some times a second.
const LOOK: Duration = Duration::from_millis(500);
const SETTLES: u32 = 30;
/// Asking alone moves it by about this many bytes.
const NOISE: u64 = 32 << 10;
/// Requirement: bytes a session, with duplicate protection.
const TARGET: f64 = 500.0;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// How many sessions are written
    #[arg(long, default_value_t = 100_000)]
    sessions: usize,
}

pub async fn run(options: &Options) -> Result<Measured> {
    ensure!(options.sessions > 0, "--sessions 0 measures nothing");
    let measured = measure(options.sessions).await?;
    let within = measured.bytes <= TARGET;
    Ok(Measured {
        report: json!({
            "sessions": options.sessions,
            "bytes_per_session": measured.bytes,
            "target": TARGET,
            "memory_usage_of_a_key_by_stage": measured.by_stage,
            "redis": measured.redis,
            "within": within,
        }),
        within,
    })
}

struct Bytes {
    /// A session.
    bytes: f64,
    by_stage: Vec<Option<Summary>>,
    redis: String,
}

async fn measure(sessions: usize) -> Result<Bytes> {
    let server = Server::start(&[])?;
    let url = Secret::new(format!("redis://127.0.0.1:{}/", server.port()));
    let redis = RedisState::connect(&url, "us", RedisTimeouts::default()).await?;
    let pool = PoolId::new("main")?;
    let state = redis.pool(&pool);
    let stamp = open(&state).await?;
    let begun = state
        .begin_resumption(stamp, BOT, clock::unix_now())
        .await?;
    ensure!(matches!(begun, EpochAnswer::Done(_)), "{begun:?}");
    let maker = Maker::new(pool, BOT, clock::unix_now())?;
    let before = settled(&server)?;
    let writer = Writer {
        state: &state,
        stamp,
        maker: &maker,
        active: true,
    };
    let told = |done| eprintln!("session-bytes: {done} of {sessions} written");
    writer.write(sessions, false, told).await?;
    are_to_be_reminded(&state, stamp).await?;
    let_go_of_marks(&state).await?;
    // The writer's connection and its buffers are no session's.
    drop((state, redis));
    let after = settled(&server)?;
    #[allow(clippy::cast_precision_loss)] // far below 2^52
    let bytes = after.saturating_sub(before) as f64 / sessions as f64;
    Ok(Bytes {
        bytes,
        by_stage: sample(&server, &maker, sessions)?,
        redis: server.info("redis_version")?,
    })
}

/// The worker's own look: nobody's time has come yet, and somebody's will.
async fn are_to_be_reminded(state: &PoolState, stamp: EpochStamp) -> Result<()> {
    let looked = state.due_timers(stamp, Some(REMIND_AFTER), 1).await?;
    let EpochAnswer::Done(looked) = looked else {
        bail!("the epoch is over");
    };
    ensure!(looked.timers.is_empty(), "{looked:?}");
    ensure!(looked.next.is_some(), "nobody is to be reminded");
    Ok(())
}

fn leader() -> LeaderId {
    LeaderId::new("bench", Nonce([8; 8]))
}

/// What has changed is noted for the copy in SQL, and a leader lets go of it within a quarter of a second.
async fn let_go_of_marks(state: &PoolState) -> Result<()> {
    let leader = leader();
    let lead = state.take_lead_of_pool(&leader, LEAD).await?;
    ensure!(lead.is_ours(), "no lead");
    let taken = state.take_marks(&leader, 1).await?;
    ensure!(matches!(taken, Marks::Taken(_)), "{taken:?}");
    loop {
        let marks = state.taken_marks(PORTION).await?;
        if marks.is_empty() {
            return Ok(());
        }
        let answer = state.let_go(&leader, &marks).await?;
        ensure!(answer == LeadAnswer::Done, "{answer:?}");
    }
}

/// An open epoch of a fresh pool.
pub async fn open(state: &PoolState) -> Result<EpochStamp> {
    let leader = leader();
    let stamp = EpochStamp {
        epoch: Epoch(1),
        nonce: Nonce([7; 8]),
    };
    let holder = Holder {
        bot: BOT,
        worker: WorkerId::new("w1")?,
    };
    let now = clock::unix_now();
    let lead = state.take_lead_of_pool(&leader, LEAD).await?;
    ensure!(lead.is_ours(), "no lead");
    let fenced = state.fence(&leader, stamp, now, "").await?;
    ensure!(fenced == FenceAnswer::Fenced, "{fenced:?}");
    let active = state.activate(&leader, stamp, &holder, now, "").await?;
    ensure!(active == StepAnswer::Done, "{active:?}");
    let opened = state.open_epoch(&leader, stamp, now, "").await?;
    ensure!(opened == StepAnswer::Done, "{opened:?}");
    Ok(stamp)
}

/// What is in use once buffers of closed connections and of the append-only file are given back.
fn settled(server: &Server) -> Result<u64> {
    let mut last = used(server)?;
    for _ in 0..SETTLES {
        std::thread::sleep(LOOK);
        let now = used(server)?;
        if now.abs_diff(last) < NOISE {
            return Ok(now);
        }
        last = now;
    }
    Ok(last)
}

fn used(server: &Server) -> Result<u64> {
    server.info("used_memory")?.parse().context("used_memory")
}

/// For each stage that a session may have reached: its key and value alone.
fn sample(server: &Server, maker: &Maker, sessions: usize) -> Result<Vec<Option<Summary>>> {
    let mut by_stage = vec![Vec::new(); STAGES];
    for number in 0..sessions.min(SAMPLE) {
        let key = format!("us:{{main}}:c:{}", maker.make(number)?.key);
        let bytes = server.ask(&["MEMORY", "USAGE", &key, "SAMPLES", "0"])?;
        by_stage[number % STAGES].push(bytes);
    }
    Ok(by_stage.iter().map(|values| summary(values)).collect())
}
