//! Random histories of the whole, a few thousand in each test run; a million is one command (`scripts/model --histories 1000000`).

#![allow(clippy::unwrap_used, clippy::expect_used)]

use model::{Bug, Hunt, draw, hunt, replay};

/// Histories in a test run; `MODEL_HISTORIES` names another number.
fn count() -> u64 {
    let wanted = std::env::var("MODEL_HISTORIES").ok();
    wanted.and_then(|count| count.parse().ok()).unwrap_or(3_000)
}

fn jobs() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn run(histories: u64, bug: Option<Bug>) -> model::Report {
    let what = Hunt {
        seed: 1,
        histories,
        jobs: jobs(),
        bug,
    };
    hunt(what, &|_| {}).unwrap()
}

#[test]
fn no_history_breaks_a_rule() {
    let report = run(count(), None);
    if let Some(found) = report.found {
        let trace = found.failure.trace.join("\n");
        panic!(
            "{trace}\n{}\nseed {}, {:?}: {:?}",
            found.failure.wrong, found.seed, found.setup, found.ops
        );
    }
    assert_eq!(report.run, count());
    // A model in which nothing happens keeps every rule.
    assert!(report.figures.commits > 5 * count(), "{:?}", report.figures);
    assert!(report.figures.epochs > count(), "{:?}", report.figures);
}

#[test]
fn each_safeguard_taken_away_is_noticed() {
    for bug in Bug::ALL {
        let report = run(10_000, Some(*bug));
        assert!(
            report.found.is_some(),
            "{bug}: no history went wrong although {}",
            bug.what()
        );
    }
}

#[test]
fn a_seed_always_leads_to_the_same_end() {
    for seed in 1..40 {
        assert_eq!(draw(seed), draw(seed));
        let once = replay(seed, Some(Bug::NoWatermarks)).unwrap();
        let again = replay(seed, Some(Bug::NoWatermarks)).unwrap();
        match (once, again) {
            (Ok(once), Ok(again)) => assert_eq!(once.events, again.events),
            (Err(once), Err(again)) => {
                assert_eq!((once.wrong, once.trace), (again.wrong, again.trace))
            }
            (once, again) => panic!("{once:?} and {again:?}"),
        }
    }
}

#[test]
fn a_history_that_fails_is_shrunk_and_still_fails() {
    let found = run(100, Some(Bug::SettledBeforeSend)).found.unwrap();
    assert!(
        found.ops.len() < found.whole,
        "{} of {}",
        found.ops.len(),
        found.whole
    );
    assert!(!found.failure.trace.is_empty());
}
