//! The command line. What is not built is not in the help.
//!
//! Invariants: a command that only looks changes nothing, not even a schema; what was refused is one line on stderr that says what, where
//! and how to mend it, and has changed nothing; the exit codes are the same everywhere ([`Ended`]).

mod acted;
mod completions;
mod config;
mod conversations;
mod doctor;
mod events;
pub mod open;
mod orders;
pub mod out;
mod outbox;
mod pools;
mod restore;
mod secrets;
mod smoke;
pub mod when;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use shared_io::config::Config;

use crate::{run, status};

pub use out::refuse;

const CODES: &str = "Exit codes: 0 done, or all is well; 1 refused, or not well; 2 bad input, or it could not be found out.";

/// Keeps a Telegram community's bot alive.
#[derive(Debug, Parser)]
#[command(
    name = "understudy",
    version,
    after_help = "Examples:\n  understudy doctor --config understudy.toml\n  understudy run --config understudy.toml\n  \
                  understudy status --json\n  understudy switch --to second --dry-run\n\n\
                  Exit codes: 0 done, or all is well; 1 refused, or not well; 2 bad input, or it could not be found out.\n\
                  UNDERSTUDY_CONFIG names the configuration file for all commands."
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Args)]
pub struct Source {
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

impl Source {
    fn load(&self) -> anyhow::Result<Config> {
        Ok(Config::load(&self.config)?)
    }
}

/// How a command ended when it could do its work at all; an error is exit code 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Ended {
    /// Done, or all is well: 0.
    Well,
    /// Refused, or not well: 1.
    NotWell,
}

impl Ended {
    pub fn of(well: bool) -> Self {
        if well { Self::Well } else { Self::NotWell }
    }
}

impl From<Ended> for ExitCode {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Well => Self::SUCCESS,
            Ended::NotWell => Self::from(1),
        }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the supervisor until it is told to stop.
    ///
    /// Prints `ready pool=NAME active=@BOT` once every pool is served (and its standbys are connected, or have had 3 s), and logs to stderr.
    /// SIGTERM or Ctrl-C stops it and everything it started in order; when it dies otherwise, members are served on and the next start takes
    /// everything over.
    #[command(
        after_help = "Example:\n  understudy run --config understudy.toml\n\nExit codes: 0 stopped in order; 2 it could not start, for the reason in the last line."
    )]
    Run {
        #[command(flatten)]
        source: Source,
    },
    /// Show how pools, bots, workers and stores stand.
    ///
    /// Works while the supervisor is down, and says so.
    #[command(
        after_help = "Example:\n  understudy status --json\n\nExit codes: 0 all is well; 1 degraded or down; 2 bad input, or it could not be found out."
    )]
    Status {
        #[command(flatten)]
        source: Source,
        /// Of one pool only.
        #[arg(long, value_name = "NAME")]
        pool: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make another bot of a pool the active one.
    ///
    /// The bot that answers is given up cleanly: nothing is lost, members go on with the other one. Works while automation is paused.
    #[command(after_help = after("understudy switch --to second --dry-run\n  understudy switch --to @second_bot\n  understudy switch --to second --at +90m"))]
    Switch(orders::Switch),
    /// Make the best standby of a pool the active bot.
    #[command(after_help = after("understudy rotate\n  understudy rotate --pool main --dry-run\n  understudy rotate --at +8h"))]
    Rotate(orders::Move),
    /// Stop automatic switches, takeovers and relogins of a pool until `resume`.
    ///
    /// What was ordered by hand still works, and standbys are still placed.
    #[command(after_help = after("understudy pause"))]
    Pause(orders::Lay),
    /// Let automation act again.
    #[command(after_help = after("understudy resume"))]
    Resume(orders::Lay),
    /// Keep a bot active: automation may change its worker and its login, never the bot.
    #[command(after_help = after("understudy pin first"))]
    Pin(orders::Pin),
    /// Undo `pin`.
    #[command(after_help = after("understudy unpin"))]
    Unpin(orders::Lay),
    /// Undo a switch or a rotation that was scheduled with --at.
    #[command(after_help = after("understudy unschedule"))]
    Unschedule(orders::Lay),
    /// Run the smoke test on the active bot, a standby, or all of them, unseen by members.
    #[command(after_help = after("understudy smoke\n  understudy smoke --all --json"))]
    Smoke(smoke::Args),
    /// Look for what is not right on this machine, in Redis, in SQL and in the deployment; with --fix, mend what is safe to mend.
    ///
    /// Works before the first start and while nothing runs; what cannot be found out then is said to be unknown.
    #[command(
        after_help = "Examples:\n  understudy doctor\n  understudy doctor --fix --json\n\nExit codes: 0 nothing failed; 1 a check failed; 2 bad input."
    )]
    Doctor(doctor::Args),
    /// Check or show the configuration.
    #[command(subcommand, after_help = after("understudy config check\n  understudy config show --json"))]
    Config(config::Command),
    /// Show what happened: events, switches and orders, by time.
    #[command(after_help = after("understudy events --limit 50\n  understudy events --follow --json"))]
    Events(events::Args),
    /// Look after replies that cannot be sent and records that the database refuses: what was moved aside and why; send it again or drop it.
    #[command(subcommand, after_help = after("understudy outbox list\n  understudy outbox retry --all"))]
    Outbox(outbox::Command),
    /// Give a pool back what it has lost.
    #[command(subcommand, after_help = after("understudy restore conversations --dry-run"))]
    Restore(restore::Command),
    /// Look after secrets at rest: with which key they are sealed, a key's rotation, and its loss.
    #[command(subcommand, after_help = after("understudy secrets status\n  understudy secrets reseal"))]
    Secrets(secrets::Command),
    /// Look after conversations that could not be read.
    #[command(subcommand, after_help = after("understudy conversations quarantine list"))]
    Conversations(conversations::Command),
    /// Print a completion script for a shell.
    #[command(
        after_help = "Example:\n  understudy completions bash > /usr/share/bash-completion/completions/understudy"
    )]
    Completions(completions::Args),
}

/// What follows the help of a command with the usual exit codes.
fn after(examples: &str) -> String {
    format!("Examples:\n  {examples}\n\n{CODES}")
}

pub fn main(args: Args) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("starting the runtime")?;
    let ended = match args.command {
        Command::Run { source } => {
            let config = source.load()?;
            shared_io::telemetry::init(&config.log)?;
            runtime.block_on(run::run(config))?;
            Ended::Well
        }
        Command::Status { source, pool, json } => {
            let config = pools::only(source.load()?, pool.as_deref())?;
            runtime.block_on(status::show(&config, json))?
        }
        Command::Switch(args) => runtime.block_on(args.run())?,
        Command::Rotate(args) => runtime.block_on(args.run())?,
        Command::Pause(args) => runtime.block_on(args.pause())?,
        Command::Resume(args) => runtime.block_on(args.resume())?,
        Command::Pin(args) => runtime.block_on(args.run())?,
        Command::Unpin(args) => runtime.block_on(args.unpin())?,
        Command::Unschedule(args) => runtime.block_on(args.unschedule())?,
        Command::Smoke(args) => runtime.block_on(smoke::run(&args))?,
        Command::Doctor(args) => runtime.block_on(doctor::run(&args))?,
        Command::Config(command) => config::run(&command)?,
        Command::Events(args) => runtime.block_on(events::run(&args))?,
        Command::Conversations(command) => runtime.block_on(conversations::run(&command))?,
        Command::Outbox(command) => runtime.block_on(outbox::run(&command))?,
        Command::Restore(command) => runtime.block_on(command.run())?,
        Command::Secrets(command) => runtime.block_on(secrets::run(&command))?,
        Command::Completions(args) => completions::run(&args),
    };
    Ok(ended.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::CommandFactory;

    use super::Args;

    /// Lines of help texts that are commands to be typed, of this command and all below it.
    fn examples(command: &clap::Command, found: &mut Vec<String>) {
        let texts = [
            command.get_after_help(),
            command.get_after_long_help(),
            command.get_long_about(),
        ];
        for text in texts.into_iter().flatten() {
            let text = text.to_string();
            let lines = text.lines().map(str::trim);
            found.extend(
                lines
                    .filter(|line| line.starts_with("understudy "))
                    .map(str::to_owned),
            );
        }
        for below in command.get_subcommands() {
            examples(below, found);
        }
    }

    #[test]
    fn every_example_of_a_help_text_is_understood_by_the_parser() {
        let mut found = Vec::new();
        examples(&Args::command(), &mut found);
        assert!(found.len() >= 30, "{found:#?}");
        for example in found {
            // What the shell does with the output is its business.
            let words = example
                .split([' ', '\t'])
                .take_while(|word| !matches!(*word, ">" | "|"));
            let parsed = Args::command().try_get_matches_from(words);
            assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
        }
    }
}
