//! `understudy-worker`: holds Telegram connections and runs conversations.
//!
//! Stateless: all that matters is in Redis or SQL, so this process may be killed at any moment. It is started by the supervisor (or
//! by a service manager) with a name of its own; which bots it holds is decided by the supervisor and read from Redis.

#![forbid(unsafe_code)]

mod active;
mod admin;
mod announce;
mod bot;
mod channels;
mod context;
mod echoes;
mod engine;
mod epoch_watch;
mod guard;
mod heartbeat;
mod login;
mod name;
mod parked;
mod pool;
mod post;
mod predecessors;
mod presses;
mod recorder;
mod reprompt;
mod sender;
mod session;
mod smoke;
mod standby;
mod status;
mod survey;
mod tail;
mod task;
mod tenure;
mod work;
mod worker;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use shared_core::{Nonce, WorkerId};
use shared_io::config::Config;

/// Holds Telegram connections for Understudy and runs the members' conversations.
#[derive(Debug, Parser)]
#[command(
    name = "understudy-worker",
    version,
    after_help = "Example:\n  understudy-worker --config understudy.toml --name w1\n\n\
                  Exit codes: 0 stopped in order; 2 it could not start or go on, for the reason in the last line; 3 another live process has its name."
)]
struct Args {
    /// The configuration file, the same as the supervisor's.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// This worker's name; no two live workers of a deployment may share one, on whatever host: the later one is refused.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Tells this process from an earlier one of the same name (16 hex digits; random when left out). Whoever gives it vouches that no earlier
    /// process of this name is alive, so that an epoch which already names this worker may be continued.
    #[arg(long, value_name = "HEX")]
    nonce: Option<String>,
}

fn main() -> ExitCode {
    match start(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line, whatever a foreign error is made of; a stderr that nobody reads any more is no reason to panic.
            let line = shared_io::telemetry::one_line(&format!("{error:#}"));
            let _nobody_reads = writeln!(std::io::stderr(), "understudy-worker: {line}");
            match error.is::<name::NameTaken>() {
                true => ExitCode::from(3),
                false => ExitCode::from(2),
            }
        }
    }
}

fn start(args: Args) -> anyhow::Result<()> {
    let config = Config::load(&args.config)?;
    shared_io::telemetry::init(&config.log)?;
    let name = WorkerId::new(args.name).context("--name")?;
    let vouched = args.nonce.is_some();
    let nonce: Nonce = match args.nonce {
        Some(text) => text.parse().context("--nonce")?,
        None => shared_io::clock::nonce(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    let ended = runtime.block_on(worker::run(config, name, nonce, vouched));
    // What still blocks a thread (a name that is being looked up) is nobody's business any more.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    ended
}
