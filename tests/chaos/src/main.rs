//! `understudy-chaos`: parses, runs, turns the result into an exit code.

use std::process::ExitCode;

use chaos::args::Args;
use chaos::run::{Verdict, run};
use clap::Parser;

fn main() -> ExitCode {
    if let Some(error) = sandbox::launch::become_child() {
        eprintln!("understudy-chaos: cannot start a program: {error}");
        return ExitCode::from(2);
    }
    let args = Args::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("understudy-chaos: cannot start: {error}");
            return ExitCode::from(2);
        }
    };
    match runtime.block_on(run(&args)) {
        Ok(Verdict::Passed) => ExitCode::SUCCESS,
        Ok(Verdict::Failed) => ExitCode::from(1),
        Ok(Verdict::Interrupted) => ExitCode::from(130),
        Err(error) => {
            eprintln!("understudy-chaos: {error:#}");
            ExitCode::from(2)
        }
    }
}
