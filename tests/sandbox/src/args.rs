//! The command line. Only what works is offered.

use std::path::PathBuf;

use clap::Parser;

use crate::fault::FaultKind;

/// Understudy on a simulated Telegram: a part of it is struck while members upload courses, and every conversation is checked.
///
/// Exit code 0: nothing was lost or answered twice and everything continued. 1: something was, and it is listed. 2: the sandbox
/// could not be set up.
#[derive(Debug, Clone, Parser)]
#[command(name = "understudy-sandbox", version)]
pub struct Args {
    /// How many members upload a course
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(2..=2000))]
    pub members: u32,

    /// Of everything that is drawn: members, texts, and the moment of the fault
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// What happens to whoever is active
    #[arg(long, value_enum, default_value = "revoke")]
    pub fault: FaultKind,

    /// A second fault a moment later, at whoever is active then
    #[arg(long, value_enum, value_name = "FAULT")]
    pub then: Option<FaultKind>,

    /// How many percent of the members have started every bot ahead of time
    #[arg(long, default_value_t = 100, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub reach: u32,

    /// Keep everything running after the check, until Ctrl-C
    #[arg(long)]
    pub stay: bool,

    /// Write the report, as JSON, to this file
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,

    /// Keep everything of this run in this folder, which must be empty or absent [default: a fresh one under data/sandbox]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, ValueEnum};

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_offers_what_exists() {
        let mut command = Args::command();
        command.build();
        command.clone().debug_assert();
        let help = command.render_long_help().to_string();
        for kind in FaultKind::value_variants() {
            assert!(help.contains(kind.name()), "{kind:?}: {help}");
        }
    }
}
