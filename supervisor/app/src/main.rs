//! `understudy`: the supervisor's daemon (`run`), and the commands of whoever looks after it.
//!
//! One pass of the daemon: lock the data folder, start or adopt the private Redis, open SQL, start or adopt the workers, take the lead, and
//! then look, decide and act whenever a bell rings, a child dies or a quarter of a second has passed.
//!
//! Invariants: what runs is children in sessions of their own, so that the death of this process ends nobody; an orderly stop ends all of them.
//! Deliberately absent: judgement, which is `supervisor-core`'s, and Telegram, which is the workers'.

#![deny(unsafe_code)]

mod chronicle;
mod cli;
mod fleet;
mod folder;
mod http;
mod lead;
mod pool;
mod presence;
mod private_redis;
mod process;
mod run;
mod seed;
mod status;
mod task;
mod world;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = cli::Args::parse();
    match cli::main(args) {
        Ok(code) => code,
        Err(error) => {
            // One line: what, and the reasons behind it.
            cli::refuse(&format!("{error:#}"));
            ExitCode::from(2)
        }
    }
}
