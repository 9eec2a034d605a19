//! Random histories of the inbox: crashes, fenced workers, lost answers, replays, rollbacks whole and in part.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use model::{Flaw, Turn, run_post};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        4 => any::<u8>().prop_map(Turn::Write),
        5 => any::<u8>().prop_map(Turn::Receive),
        5 => Just(Turn::Deliver),
        6 => any::<u8>().prop_map(Turn::Commit),
        2 => any::<u8>().prop_map(Turn::CommitUnheard),
        1 => Just(Turn::Crash),
        1 => Just(Turn::Fence),
        2 => any::<u8>().prop_map(Turn::Zombie),
        1 => Just(Turn::Save),
        1 => Just(Turn::RollBack),
        1 => Just(Turn::RollBackSenders),
    ]
}

fn histories() -> impl Strategy<Value = Vec<Turn>> {
    prop::collection::vec(turn(), 1..120)
}

proptest! {
    #![proptest_config(Config { cases: 5000, ..Config::default() })]

    #[test]
    fn what_is_told_is_heard_once(history in histories()) {
        prop_assert_eq!(run_post(&history, None), Ok(()));
    }
}

/// Every safeguard is needed: without it a history goes wrong, and the model sees it.
#[test]
fn each_safeguard_taken_away_is_noticed() {
    for flaw in [
        Flaw::NoEpochCheck,
        Flaw::NoSettleCheck,
        Flaw::SettleBefore,
        Flaw::TellAfter,
        Flaw::NoMarks,
        Flaw::IdFromVersion,
    ] {
        let config = Config {
            cases: 10_000,
            failure_persistence: None,
            max_shrink_iters: 0,
            ..Config::default()
        };
        let mut runner =
            TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        let outcome = runner.run(&histories(), |history| {
            prop_assert_eq!(run_post(&history, Some(flaw)), Ok(()));
            Ok(())
        });
        assert!(
            outcome.is_err(),
            "{flaw:?}: no history went wrong without this safeguard"
        );
    }
}
