//! Many histories, on all processors, until one fails; and the shortest history that still fails.
//!
//! Invariant: which histories are run, and what is found, follows from the first seed and their number alone, however many jobs there are.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::bug::Bug;
use crate::fixed::Fixed;
use crate::history::{Failure, Figures, draw, run};
use crate::op::{Op, Setup};
use std::rc::Rc;

/// What is to be run.
#[derive(Debug, Clone, Copy)]
pub struct Hunt {
    pub seed: u64,
    pub histories: u64,
    pub jobs: usize,
    pub bug: Option<Bug>,
}

/// A history that failed, and what is left of it after shrinking.
#[derive(Debug, Clone)]
pub struct Found {
    pub seed: u64,
    /// Which of the histories it was, from 1.
    pub at: u64,
    pub setup: Setup,
    pub ops: Vec<Op>,
    pub whole: usize,
    pub failure: Failure,
}

#[derive(Debug, Clone, Default)]
pub struct Report {
    pub run: u64,
    pub figures: Figures,
    pub longest_ms: u64,
    pub found: Option<Found>,
}

/// Told now and then how far it is.
pub type Progress<'a> = &'a (dyn Fn(u64) + Sync);

struct Shared {
    next: AtomicU64,
    /// The first history that failed; later ones are not begun.
    failed: Mutex<Option<(u64, Failure)>>,
    has_failed: AtomicBool,
    total: Mutex<Report>,
}

/// Runs histories until one fails or all are done.
///
/// # Errors
/// When the product's texts or names cannot be read.
pub fn hunt(what: Hunt, progress: Progress<'_>) -> Result<Report, String> {
    Fixed::new()?;
    let shared = Shared {
        next: AtomicU64::new(0),
        failed: Mutex::default(),
        has_failed: AtomicBool::new(false),
        total: Mutex::default(),
    };
    thread::scope(|scope| {
        for _ in 0..what.jobs.max(1) {
            scope.spawn(|| work(what, &shared, progress));
        }
    });
    let mut report = lock(&shared.total).clone();
    let failed = lock(&shared.failed).take();
    if let Some((at, _)) = failed {
        report.found = Some(shrink(what, at)?);
    }
    Ok(report)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn work(what: Hunt, shared: &Shared, progress: Progress<'_>) {
    let Ok(fixed) = Fixed::new() else { return };
    let mut mine = Report::default();
    loop {
        let at = shared.next.fetch_add(1, Ordering::Relaxed);
        if at >= what.histories {
            break;
        }
        // Histories before the one that failed are still run: the first one counts.
        if shared.has_failed.load(Ordering::Acquire)
            && lock(&shared.failed)
                .as_ref()
                .is_some_and(|(first, _)| *first < at)
        {
            break;
        }
        let seed = what.seed.wrapping_add(at);
        let (setup, ops) = draw(seed);
        match run(seed, setup, &ops, what.bug, &fixed, false) {
            Ok(figures) => add(&mut mine, figures),
            Err(failure) => {
                mine.run += 1;
                let mut failed = lock(&shared.failed);
                if failed.as_ref().is_none_or(|(first, _)| at < *first) {
                    *failed = Some((at, failure));
                }
                shared.has_failed.store(true, Ordering::Release);
            }
        }
        if at % 256 == 255 {
            progress(at + 1);
        }
    }
    let mut total = lock(&shared.total);
    total.run += mine.run;
    total.longest_ms = total.longest_ms.max(mine.longest_ms);
    sum(&mut total.figures, &mine.figures);
}

fn add(report: &mut Report, figures: Figures) {
    report.run += 1;
    report.longest_ms = report.longest_ms.max(figures.settled_ms);
    sum(&mut report.figures, &figures);
}

fn sum(total: &mut Figures, more: &Figures) {
    total.events += more.events;
    total.virtual_ms += more.virtual_ms;
    total.settled_ms += more.settled_ms;
    total.commits += more.commits;
    total.epochs += more.epochs;
    total.repeats += more.repeats;
    total.lost_keys += more.lost_keys;
}

/// Takes operations out for as long as the same rule is broken; then once more with a trace.
fn shrink(what: Hunt, at: u64) -> Result<Found, String> {
    let fixed = Fixed::new()?;
    let seed = what.seed.wrapping_add(at);
    let (setup, mut ops) = draw(seed);
    let whole = ops.len();
    let fails = |ops: &[Op], rule: &'static str, fixed: &Rc<Fixed>| {
        run(seed, setup, ops, what.bug, fixed, false)
            .is_err_and(|failure| failure.wrong.rule() == rule)
    };
    let Err(first) = run(seed, setup, &ops, what.bug, &fixed, false) else {
        return Err(format!("seed {seed} failed and does not fail again"));
    };
    let rule = first.wrong.rule();
    let mut portion = ops.len().div_ceil(2).max(1);
    while portion > 0 {
        let mut from = 0;
        while from < ops.len() {
            let mut fewer = ops.clone();
            fewer.drain(from..(from + portion).min(ops.len()));
            if fails(&fewer, rule, &fixed) {
                ops = fewer;
            } else {
                from += portion;
            }
        }
        portion /= 2;
    }
    match run(seed, setup, &ops, what.bug, &fixed, true) {
        Err(failure) => Ok(Found {
            seed,
            at: at + 1,
            setup,
            ops,
            whole,
            failure,
        }),
        Ok(_) => Err(format!("seed {seed} does not fail with a trace")),
    }
}

/// Runs one seed again, with a trace, as it is.
///
/// # Errors
/// When the product's texts or names cannot be read.
pub fn replay(seed: u64, bug: Option<Bug>) -> Result<Result<Figures, Failure>, String> {
    let fixed = Fixed::new()?;
    let (setup, ops) = draw(seed);
    Ok(run(seed, setup, &ops, bug, &fixed, true))
}
