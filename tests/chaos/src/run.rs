//! All segments of a run, some of them side by side, and the report.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sandbox::clock::unix_ms;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::args::{Args, Stores};
use crate::doubts;
use crate::fault::Kind;
use crate::report::{Report, Segment};
use crate::segment::{self, Plan, Progress};
use crate::stage::Shape;

/// What the process ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    Failed,
    Interrupted,
}

const TELL_EVERY: Duration = Duration::from_secs(5);

pub async fn run(args: &Args) -> Result<Verdict> {
    let place = fresh_place(args)?;
    let plans = plans(args, &place)?;
    println!(
        "understudy chaos   {} faults in {} segments, {} members each, seed {}, in {}",
        args.faults,
        plans.len(),
        args.members,
        args.seed,
        place.display()
    );
    let mut term = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    let segments = tokio::select! {
        segments = all(args, plans) => segments?,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.context("cannot listen for signals")?;
            return Ok(Verdict::Interrupted);
        }
        _ = term.recv() => return Ok(Verdict::Interrupted),
    };
    let report = Report::of(args.seed, &segments);
    print!("{}", report.card());
    if let Some(path) = &args.report {
        let json = serde_json::to_string_pretty(&report)?;
        std::fs::write(path, json + "\n")
            .with_context(|| format!("cannot write the report {}", path.display()))?;
    }
    for segment in &segments {
        if segment.findings.violations.is_empty() && !args.keep {
            let _ = std::fs::remove_dir_all(&segment.folder);
        } else {
            println!("seed {} is kept in {}", segment.seed, segment.folder);
        }
    }
    Ok(if report.passed {
        Verdict::Passed
    } else {
        Verdict::Failed
    })
}

/// So many at a time as the jobs allow, in order.
async fn all(args: &Args, plans: Vec<Plan>) -> Result<Vec<Segment>> {
    let mut waiting = plans.into_iter();
    let mut running = JoinSet::new();
    let mut done = Vec::new();
    loop {
        while running.len() < usize::try_from(args.jobs).unwrap_or(1) {
            let Some(plan) = waiting.next() else { break };
            running.spawn(one(plan));
        }
        let Some(segment) = running.join_next().await else {
            break;
        };
        done.push(segment.context("a segment failed")??);
    }
    done.sort_by_key(|segment: &Segment| segment.seed);
    Ok(done)
}

async fn one(plan: Plan) -> Result<Segment> {
    let (tell, progress) = watch::channel(Progress::default());
    let running = segment::run(&plan, tell);
    tokio::pin!(running);
    let mut ticks = tokio::time::interval(TELL_EVERY);
    let segment = loop {
        tokio::select! {
            segment = &mut running => break segment,
            _ = ticks.tick() => tell_progress(&plan, *progress.borrow()),
        }
    };
    let segment = segment.with_context(|| {
        let (seed, place) = (plan.seed, plan.place.display());
        format!("the segment of seed {seed}, in {place}")
    })?;
    println!(
        "  seed {} is done: {} updates, {} violations",
        plan.seed,
        segment.findings.updates,
        segment.findings.violations.len()
    );
    Ok(segment)
}

fn tell_progress(plan: &Plan, now: Progress) {
    if now.since_ms == 0 {
        return;
    }
    if now.is_ending {
        println!(
            "  seed {} the storm is over, the members come to their end",
            plan.seed
        );
        return;
    }
    let seconds = (unix_ms() - now.since_ms).max(1) as f64 / 1_000.0;
    println!(
        "  seed {} {:?}  {} of {} faults, {} updates ({:.0} a second), {} members wait",
        plan.seed,
        plan.shape,
        now.landed,
        plan.faults,
        now.updates,
        now.updates as f64 / seconds,
        now.waiting
    );
}

/// Each segment has its own seed; the stores go by turns.
fn plans(args: &Args, place: &Path) -> Result<Vec<Plan>> {
    if args.stores == Stores::Private && args.only == [Kind::CutRedis] {
        bail!("cut-redis needs a Redis that is shared: leave out --stores private");
    }
    let count = args.faults.div_ceil(args.segment);
    let plans = (0..count).map(|at| {
        let seed = args.seed.wrapping_mul(1_000).wrapping_add(at.into());
        let by_turns = match (args.seed + u64::from(at)).is_multiple_of(2) {
            true => Shape::Shared,
            false => Shape::Private,
        };
        Plan {
            seed,
            shape: match args.stores {
                Stores::Private => Shape::Private,
                Stores::Shared => Shape::Shared,
                Stores::Both => by_turns,
            },
            faults: args.segment.min(args.faults - at * args.segment),
            members: usize::try_from(args.members).unwrap_or(usize::MAX),
            only: args.only.clone(),
            doubts: doubts::draw(args.seed, at, &args.doubts),
            place: place.join(format!("s{seed}")),
        }
    });
    Ok(plans.collect())
}

/// The given folder, or one under what the start script names.
fn fresh_place(args: &Args) -> Result<PathBuf> {
    let place = args.data.clone().unwrap_or_else(|| {
        let base = std::env::var_os("UNDERSTUDY_CHAOS_DATA")
            .map_or_else(|| PathBuf::from("data/chaos"), PathBuf::from);
        base.join(format!("{}-s{}", unix_ms(), args.seed))
    });
    let place =
        std::path::absolute(&place).with_context(|| format!("the folder {}", place.display()))?;
    std::fs::create_dir_all(&place)
        .with_context(|| format!("cannot make the folder {}", place.display()))?;
    let mut entries = std::fs::read_dir(&place)
        .with_context(|| format!("cannot read the folder {}", place.display()))?;
    if entries.next().is_some() {
        bail!(
            "the folder {} is not empty: give another one with --data",
            place.display()
        );
    }
    Ok(place)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap::Parser;

    use super::*;

    fn planned(arguments: &[&str]) -> Vec<Plan> {
        let args = Args::parse_from([&["understudy-chaos"], arguments].concat());
        plans(&args, Path::new("/data")).unwrap()
    }

    #[test]
    fn faults_are_shared_out_and_every_segment_has_a_seed_of_its_own() {
        let all = planned(&["--faults", "250", "--segment", "100", "--seed", "3"]);
        let faults: Vec<u32> = all.iter().map(|plan| plan.faults).collect();
        let seeds: Vec<u64> = all.iter().map(|plan| plan.seed).collect();
        assert_eq!(faults, [100, 100, 50]);
        assert_eq!(seeds, [3_000, 3_001, 3_002]);
        assert_eq!(
            [all[0].shape, all[1].shape],
            [Shape::Private, Shape::Shared]
        );
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        let args = [
            "understudy-chaos",
            "--only",
            "cut-redis",
            "--stores",
            "private",
        ];
        let error = plans(&Args::parse_from(args), Path::new("/data")).unwrap_err();
        assert!(error.to_string().contains("shared"), "{error}");
    }
}
