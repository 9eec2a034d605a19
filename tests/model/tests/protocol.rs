//! Random histories of the commit protocol: reordering, replays, crashes between any two steps, fenced workers that go on.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use model::{Bug, Op, run};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => any::<u8>().prop_map(Op::Write),
        4 => any::<u8>().prop_map(Op::Receive),
        5 => any::<u8>().prop_map(Op::Step),
        5 => any::<u8>().prop_map(Op::Commit),
        2 => Just(Op::MoveCursor),
        3 => Just(Op::Send),
        2 => Just(Op::Acknowledge),
        1 => Just(Op::Crash),
        1 => Just(Op::Fence),
        1 => Just(Op::Save),
        1 => Just(Op::RollBack),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(which, what)| Op::Zombie(which, what)),
    ]
}

fn histories() -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(op(), 1..120)
}

proptest! {
    #![proptest_config(Config { cases: 5000, ..Config::default() })]

    #[test]
    fn nothing_is_lost_and_nothing_is_shown_twice(history in histories()) {
        prop_assert_eq!(run(&history, None), Ok(()));
    }
}

/// Every safeguard is needed: without it a history goes wrong, and the model sees it.
#[test]
fn each_safeguard_taken_away_is_noticed() {
    for bug in [
        Bug::NoEpochCheck,
        Bug::NoChecks,
        Bug::NoWatermark,
        Bug::CursorOverGap,
        Bug::SettleBeforeCommit,
        Bug::AcknowledgeBeforeSend,
        Bug::EntryIdFromVersion,
    ] {
        let config = Config {
            cases: 20_000,
            failure_persistence: None,
            max_shrink_iters: 0,
            ..Config::default()
        };
        let mut runner =
            TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        let outcome = runner.run(&histories(), |history| {
            prop_assert_eq!(run(&history, Some(bug)), Ok(()));
            Ok(())
        });
        assert!(
            outcome.is_err(),
            "{bug:?}: no history went wrong without this safeguard"
        );
    }
}
