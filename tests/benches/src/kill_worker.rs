//! The active worker is killed again and again in one running system, at random moments, while members talk.
//!
//! Each kill is followed by a member's question; measured is when it is answered, counted from the kill, by the simulator's log. The next kill
//! comes at a random moment once every bot is connected again, so that there is somebody to take over.

use std::time::Duration;

use anyhow::{Result, ensure};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sandbox::control::Chat;
use serde_json::json;

use crate::Measured;
use crate::figures::summary;
use crate::people::{Talkers, ask, parted};
use crate::system::System;

/// Requirement: from a worker's death to its members being served again.
const TARGET_MS: f64 = 2_000.0;
/// Members whose questions are measured; none is asked for twice within the second that a chat takes.
const ASKING: usize = 20;
const TALKING: usize = 20;
/// More than two, because one that dies young is started again later each time.
const WORKERS: u32 = 4;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// How often the active worker is killed
    #[arg(long, default_value_t = 200)]
    kills: u32,
    /// Draws the moments
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub async fn run(options: &Options) -> Result<Measured> {
    ensure!(options.kills > 0, "--kills 0 measures nothing");
    let policy = "[policy]\ntakeovers_per_hour = 3600\n";
    let system = System::open(ASKING + TALKING, WORKERS, policy).await?;
    let bot = system.whole(3).await?.bot;
    let talking = parted(&system, ASKING)?;
    let talkers = Talkers::start(&system.control, &talking, bot.0, options.seed);
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let (mut fenced, mut opened, mut answered) = (Vec::new(), Vec::new(), Vec::new());
    for kill in 0..options.kills {
        let pause = rng.random_range(0..1_000);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let serving = system.whole(3).await?;
        ensure!(serving.bot == bot, "the bot was replaced: {}", serving.bot);
        let at = system.kill(&serving)?;
        let member = usize::try_from(kill)? % ASKING;
        let (epoch, answer) = tokio::join!(
            system.reopened(&serving),
            ask(&system, member, Chat::Bot(bot.0))
        );
        let (fence, open) = epoch?;
        for (times, moment) in [
            (&mut fenced, fence),
            (&mut opened, open),
            (&mut answered, answer?),
        ] {
            times.push(since(at, moment));
        }
        if (kill + 1) % 10 == 0 {
            eprintln!("kill-worker: {} of {}", kill + 1, options.kills);
        }
    }
    drop(talkers);
    let refused = system.state.counters().await?;
    let appendfsync = system.redis.durability().await?.as_str();
    system.stop().await?;
    let reply = summary(&answered);
    let within = reply.as_ref().is_some_and(|it| it.p99 <= TARGET_MS);
    let stale = refused.get(shared_io::redis::Counter::CommitsRefused);
    Ok(Measured {
        report: json!({
            "kills": options.kills,
            "seed": options.seed,
            "first_reply_ms": reply,
            "fenced_ms": summary(&fenced),
            "opened_ms": summary(&opened),
            "commits_refused": stale,
            "appendfsync": appendfsync,
            "target_p99_ms": TARGET_MS,
            "within": within,
        }),
        within,
    })
}

/// Milliseconds from one moment to another.
#[allow(clippy::cast_precision_loss)] // far below 2^52
pub fn since(from: i64, to: i64) -> f64 {
    (to - from) as f64
}
