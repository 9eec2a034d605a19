//! `understudy-bench`: measures what is promised about speed and size, on the programs as they are built.
//!
//! One file per measurement, each with its own options; all print progress on stderr and one JSON object on stdout. Exit code 0: measured, and
//! within its target; 1: measured and outside; 2: not measured.

#![forbid(unsafe_code)]

mod checkpoint;
mod commit;
mod figures;
mod kill_worker;
mod leader_kill;
mod pair;
mod people;
mod promotion;
mod rehydrate;
mod session_bytes;
mod sessions;
mod stores;
mod system;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde_json::Value;

/// Measures what Understudy promises about speed and size.
#[derive(Debug, Parser)]
#[command(
    name = "understudy-bench",
    version,
    after_help = "Example:\n  understudy-bench session-bytes --sessions 100000"
)]
struct Args {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// From the death of the active worker (or token) to the first reply, with few and with many conversations in Redis
    Promotion(promotion::Options),
    /// Bytes that a session takes in Redis, duplicate protection included
    SessionBytes(session_bytes::Options),
    /// Commits a second, by how many are under way, and bytes of typical states
    Commit(commit::Options),
    /// Kills of the active worker in one running system: from the kill to the first reply
    KillWorker(kill_worker::Options),
    /// Kills of the leading supervisor of two, amid switches and at rest: until another leads and the switch is over
    LeaderKill(leader_kill::Options),
    /// A Redis that has lost everything is given its conversations back, from SQLite and from PostgreSQL
    Rehydrate(rehydrate::Options),
    /// How old the copy of Redis in SQL is under load, what it costs commits, and how fast it catches up
    Checkpoint(checkpoint::Options),
}

/// What a measurement came to.
pub struct Measured {
    pub report: Value,
    pub within: bool,
}

fn main() -> ExitCode {
    if let Some(error) = sandbox::launch::become_child() {
        eprintln!("understudy-bench: cannot start a program: {error}");
        return ExitCode::from(2);
    }
    let args = Args::parse();
    match run(&args.bench) {
        Ok(measured) => {
            println!("{:#}", measured.report);
            ExitCode::from(u8::from(!measured.within))
        }
        Err(error) => {
            eprintln!("understudy-bench: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(bench: &Bench) -> anyhow::Result<Measured> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match bench {
            Bench::Promotion(options) => promotion::run(options).await,
            Bench::SessionBytes(options) => session_bytes::run(options).await,
            Bench::Commit(options) => commit::run(options).await,
            Bench::KillWorker(options) => kill_worker::run(options).await,
            Bench::LeaderKill(options) => leader_kill::run(options).await,
            Bench::Rehydrate(options) => rehydrate::run(options).await,
            Bench::Checkpoint(options) => checkpoint::run(options).await,
        }
    })
}
