//! The command line. Only what works is offered.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::doubts::Fixed;
use crate::fault::Kind;

/// Understudy under faults that overlap, while members talk without end; each of their inputs is checked.
///
/// Exit code 0: nothing was lost, nothing was answered twice, nobody who was fenced did anything. 1: something was, and the report lists it.
/// 2: it could not be set up.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "understudy-chaos",
    version,
    after_help = "Example:\n  understudy-chaos --faults 100 --seed 7 --report chaos.json"
)]
pub struct Args {
    /// How many faults in all
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub faults: u32,

    /// Of everything that is drawn: members, texts, faults, moments, what Telegram leaves open
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// How many members talk, in each segment
    #[arg(long, default_value_t = 160, value_parser = clap::value_parser!(u32).range(8..=2000))]
    pub members: u32,

    /// Faults of one segment; each segment has its own Telegram, stores and processes
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub segment: u32,

    /// So many segments side by side
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub jobs: u32,

    /// Only these faults, separated by commas [default: all]
    #[arg(long, value_enum, value_delimiter = ',')]
    pub only: Vec<Kind>,

    /// Where the state lives
    #[arg(long, value_enum, default_value = "both")]
    pub stores: Stores,

    /// Settles something that Telegram leaves open, instead of drawing it: NAME=VALUE, as the simulator names it
    #[arg(long = "doubt", value_name = "NAME=VALUE")]
    pub doubts: Vec<Fixed>,

    /// Write the report, as JSON, to this file
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,

    /// Keep the folders of segments that passed, too
    #[arg(long)]
    pub keep: bool,

    /// Everything of this run goes into this folder, which must be empty or absent [default: a fresh one under data/chaos]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stores {
    /// Redis of the supervisor's own, SQLite
    Private,
    /// A shared Redis behind a line that can be cut, PostgreSQL
    Shared,
    /// By turns
    Both,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_offers_what_exists() {
        let mut command = Args::command();
        command.build();
        command.clone().debug_assert();
        let help = command.render_long_help().to_string();
        for kind in Kind::value_variants() {
            assert!(help.contains(kind.name()), "{kind:?}: {help}");
        }
        assert!(help.contains("Example"));
    }
}
