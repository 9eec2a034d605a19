//! `understudy completions`: from the parser itself, so that they cannot tell another story.

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Ended, out};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(value_enum)]
    shell: Shell,
}

pub fn run(args: &Args) -> Ended {
    let mut script = Vec::new();
    clap_complete::generate(
        args.shell,
        &mut super::Args::command(),
        "understudy",
        &mut script,
    );
    let _read = out::say(String::from_utf8_lossy(&script).trim_end());
    Ended::Well
}
