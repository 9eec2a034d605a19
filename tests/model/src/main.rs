//! `model`: runs random histories of the whole and says what came of them.
//!
//! Exit code 0: all went right (with a bug: it was caught); 1: one went wrong (or the bug was not caught); 2: it could not be run.

use std::process::ExitCode;

use clap::Parser;
use model::{Bug, Found, Hunt, Report, hunt, replay};
use std::time::Instant;

#[derive(Parser)]
#[command(
    about = "Random histories of the whole protocol, with the real cores over a model of Redis, Telegram and members",
    after_help = "\
Examples:
  model --histories 1000000                  a million histories; the first that fails is printed, shrunk, with its trace
  model --replay 4711                        one history again, with its trace
  model --histories 10000 --bug no-turn      is this safeguard's absence noticed?
  model --bugs                               the same for each of them, as a table"
)]
struct Arguments {
    /// How many histories.
    #[arg(long, default_value_t = 10_000)]
    histories: u64,
    /// The first seed; each history has the next one.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Histories at the same time; all processors when it is not given.
    #[arg(long)]
    jobs: Option<usize>,
    /// A safeguard that is taken away.
    #[arg(long)]
    bug: Option<Bug>,
    /// Takes each safeguard away in turn and says at which history that is noticed.
    #[arg(long)]
    bugs: bool,
    /// Runs the history of this seed alone, with its trace.
    #[arg(long)]
    replay: Option<u64>,
    /// Prints one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // A panic in a core is a rule broken, and is printed as one.
    std::panic::set_hook(Box::new(|_| {}));
    let done = match (arguments.replay, arguments.bugs) {
        (Some(seed), _) => again(seed, arguments.bug),
        (None, true) => table(&arguments),
        (None, false) => histories(&arguments),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn jobs(arguments: &Arguments) -> usize {
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    arguments.jobs.unwrap_or(all).max(1)
}

fn histories(arguments: &Arguments) -> Result<bool, String> {
    let what = Hunt {
        seed: arguments.seed,
        histories: arguments.histories,
        jobs: jobs(arguments),
        bug: arguments.bug,
    };
    let began = Instant::now();
    let report = hunt(what, &|done| {
        if done % 8192 == 0 {
            let seconds = began.elapsed().as_secs_f64();
            eprintln!(
                "{done} of {} histories, {:.0} a second",
                what.histories,
                done as f64 / seconds
            );
        }
    })?;
    let seconds = began.elapsed().as_secs_f64();
    if arguments.json {
        print_json(arguments, &report, seconds);
    } else {
        print_text(&report, seconds);
    }
    Ok(report.found.is_some() == arguments.bug.is_some())
}

fn print_text(report: &Report, seconds: f64) {
    let (run, figures) = (report.run.max(1), &report.figures);
    println!(
        "{} histories in {seconds:.1} s, {:.0} a second",
        report.run,
        report.run as f64 / seconds
    );
    println!(
        "each: {} events, {} commits, {} epochs, {:.1} s of its own time; {} replies shown twice as said, {} logins lost",
        figures.events / run,
        figures.commits / run,
        figures.epochs / run,
        figures.virtual_ms as f64 / run as f64 / 1000.0,
        figures.repeats,
        figures.lost_keys,
    );
    println!(
        "at rest {:.1} s after faults stop, {:.1} s at most",
        figures.settled_ms as f64 / run as f64 / 1000.0,
        report.longest_ms as f64 / 1000.0
    );
    match &report.found {
        None => println!("no rule was broken"),
        Some(found) => print_found(found),
    }
}

fn print_found(found: &Found) {
    for line in &found.failure.trace {
        println!("{line}");
    }
    println!("BROKEN: {}", found.failure.wrong);
    println!(
        "seed {} (history {}), {:?}, {} of {} operations are enough:",
        found.seed,
        found.at,
        found.setup,
        found.ops.len(),
        found.whole
    );
    for op in &found.ops {
        println!("  {op:?}");
    }
}

fn print_json(arguments: &Arguments, report: &Report, seconds: f64) {
    let found = report.found.as_ref().map(|found| {
        serde_json::json!({
            "seed": found.seed, "history": found.at, "rule": found.failure.wrong.rule(), "what": format!("{:?}", found.failure.wrong),
            "setup": format!("{:?}", found.setup),
            "operations": found.ops.iter().map(|op| format!("{op:?}")).collect::<Vec<_>>(), "trace": found.failure.trace,
        })
    });
    let figures = &report.figures;
    let json = serde_json::json!({
        "histories": report.run, "first_seed": arguments.seed, "bug": arguments.bug.map(Bug::name), "seconds": seconds,
        "events": figures.events, "commits": figures.commits, "epochs": figures.epochs, "repeats": figures.repeats,
        "logins_lost": figures.lost_keys, "longest_to_rest_ms": report.longest_ms, "failed": found,
    });
    println!("{json}");
}

fn again(seed: u64, bug: Option<Bug>) -> Result<bool, String> {
    match replay(seed, bug)? {
        Ok(figures) => {
            println!("seed {seed} went right: {figures:?}");
            Ok(true)
        }
        Err(failure) => {
            for line in &failure.trace {
                println!("{line}");
            }
            println!("BROKEN: {}", failure.wrong);
            Ok(false)
        }
    }
}

fn table(arguments: &Arguments) -> Result<bool, String> {
    let (mut all, mut rows) = (true, Vec::new());
    for bug in Bug::ALL {
        let what = Hunt {
            seed: arguments.seed,
            histories: arguments.histories,
            jobs: jobs(arguments),
            bug: Some(*bug),
        };
        let report = hunt(what, &|_| {})?;
        all &= report.found.is_some();
        let found = report
            .found
            .map(|found| (found.at, found.ops.len(), found.failure.wrong.rule()));
        match (&found, arguments.json) {
            (_, true) => {}
            (Some((at, ops, rule)), false) => {
                println!("{:<26}{at:>7}  {ops:>3}  {rule}", bug.name())
            }
            (None, false) => println!("{:<26}      -       not caught: {}", bug.name(), bug.what()),
        }
        rows.push(serde_json::json!({"bug": bug.name(), "what": bug.what(), "caught_at": found.map(|it| it.0), "rule": found.map(|it| it.2)}));
    }
    if arguments.json {
        println!("{}", serde_json::Value::Array(rows));
    }
    Ok(all)
}
