//! The command line. What is not built is not in the help.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use shared_io::config::Config;

use crate::{run, status};

/// Keeps a Telegram community's bot alive.
#[derive(Debug, Parser)]
#[command(
    name = "understudy",
    version,
    after_help = "Examples:\n  understudy run --config understudy.toml\n  understudy status --json"
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Args)]
struct Source {
    /// The configuration file.
    #[arg(
        long,
        short,
        value_name = "FILE",
        env = "UNDERSTUDY_CONFIG",
        default_value = "understudy.toml"
    )]
    config: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the supervisor until it is told to stop.
    ///
    /// Prints `ready pool=NAME active=@BOT` once every pool is served (and its standbys are connected, or have had 3 s), and logs to stderr. SIGTERM or Ctrl-C stops it and everything it
    /// started in order; when it dies otherwise, members are served on and the next start takes everything over.
    Run {
        #[command(flatten)]
        source: Source,
    },
    /// Show how pools, bots, workers and stores stand.
    ///
    /// Works while the supervisor is down, and says so. Exit code: 0 all is well, 1 degraded or down, 2 it could not be found out.
    Status {
        #[command(flatten)]
        source: Source,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

pub fn main(args: Args) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("starting the runtime")?;
    match args.command {
        Command::Run { source } => {
            let config = Config::load(&source.config)?;
            shared_io::telemetry::init(&config.log)?;
            runtime.block_on(run::run(config))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Status { source, json } => {
            let config = Config::load(&source.config)?;
            runtime.block_on(status::show(&config, json))
        }
    }
}
