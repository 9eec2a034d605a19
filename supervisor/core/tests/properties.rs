//! Random fleets and random histories: what must hold whatever is seen.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeSet;

use common::fleet::{NOW, holder, seed, stamp};
use common::random::fleet;
use proptest::prelude::*;
use shared_core::{Epoch, LoginSlot, SmokeCheck, SmokeReport, SmokeResult, UnixMs};
use supervisor_core::{
    Action, GaveUp, Health, Observation, Plan, Policy, Saga, SagaSeed, SagaState, Snapshot, Tried,
    Verdicts, check_plan, decide,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn what_is_decided_passes_the_audit_and_is_decided_again(snapshot in fleet()) {
        let policy = Policy::default();
        let decision = decide(&snapshot, &policy, NOW);
        let checked = check_plan(&snapshot, &policy, NOW, &decision.plan);
        prop_assert!(checked.is_ok(), "{} {:?}", decision.plan, checked);
        prop_assert_eq!(&decision, &decide(&snapshot, &policy, NOW));
    }

    #[test]
    fn a_healthy_holder_is_never_moved(snapshot in fleet()) {
        let policy = Policy::default();
        let verdicts = Verdicts::of(&snapshot, &policy);
        let plan = decide(&snapshot, &policy, NOW).plan;
        if let Some(holder) = snapshot.holder()
            && snapshot.assignment(holder.bot).is_some_and(|a| a.worker == holder.worker)
            && verdicts.bot(holder.bot).unwrap().health == Health::Healthy
        {
            prop_assert!(!plan.moves(), "{plan}");
        }
    }

    #[test]
    fn only_who_is_connected_with_its_lease_and_not_at_work_is_renewed(snapshot in fleet()) {
        let policy = Policy::default();
        if let Plan::Renew { holder, .. } = decide(&snapshot, &policy, NOW).plan {
            let stamp = snapshot.epoch.as_ref().unwrap().stamp;
            let (beat, age_ms) = snapshot.worker(&holder.worker).unwrap().beat.as_ref().unwrap();
            prop_assert!(beat.pools.iter().all(|work| work.epoch != stamp));
            prop_assert!(beat.bot(&snapshot.pool, holder.bot).unwrap().settled_ms >= Some(policy.idle_ms));
            prop_assert!(snapshot.open_for_ms >= policy.idle_ms + age_ms);
            prop_assert_eq!(&snapshot.lease(holder.bot).unwrap().worker, &holder.worker);
            prop_assert!(snapshot.overrides.paused.is_none());
        }
    }

    #[test]
    fn the_cool_down_never_delays_a_fatal_error(snapshot in fleet()) {
        let policy = Policy::default();
        let calm = Snapshot { past: Vec::new(), ..snapshot.clone() };
        let hectic = Snapshot {
            past: [supervisor_core::PastMove { kind: supervisor_core::SwitchKind::First, at: UnixMs(NOW.0 - 100), on_a_guess: true }; 5].to_vec(),
            ..snapshot
        };
        let plan = decide(&calm, &policy, NOW).plan;
        if let Plan::Switch { cause, .. } | Plan::Takeover { cause, .. } = &plan
            && cause.is_certain()
        {
            prop_assert_eq!(plan, decide(&hectic, &policy, NOW).plan);
        }
    }

    #[test]
    fn a_saga_tries_each_holder_once_or_once_more_and_opens_only_what_passed(
        start in seeds(),
        moves in proptest::collection::vec((0..9u8, any::<bool>()), 1..60)
    ) {
        let mut saga = Saga::start(start).saga;
        let mut epoch = 3;
        let mut passed = None;
        let mut seen = BTreeSet::new();
        for (kind, good) in moves {
            let before = saga.clone();
            let observation = match kind {
                0 | 1 => { epoch += 1; Observation::Fenced { stamp: stamp(epoch) } }
                2 => Observation::Activated,
                3 | 4 => Observation::Smoked(report(&saga, epoch, good)),
                5 => Observation::Waited { ms: if good { 100 } else { 2000 }, again: None },
                8 => Observation::Waited { ms: 2000, again: Some(if good { LoginSlot::A } else { LoginSlot::B }) },
                6 => Observation::HolderLost { why: "gone".into() },
                _ => Observation::Opened,
            };
            if let (SagaState::Activated { stamp, .. }, Observation::Smoked(report)) = (&saga.state, &observation)
                && report.passed() && report.epoch == stamp.epoch
            {
                passed = Some(*stamp);
            }
            let advanced = saga.advance(observation, NOW);
            saga = advanced.saga;
            if advanced.actions.iter().any(|a| matches!(a, Action::Open { .. })) {
                prop_assert_eq!(saga.stamp(), passed);
            }
            for action in &advanced.actions {
                if let Action::Release { bot, worker } = action {
                    let to = saga.target().unwrap();
                    prop_assert_eq!(*bot, to.bot);
                    prop_assert_ne!(worker, &to.worker, "the target's own worker is let alone");
                }
            }
            if let SagaState::Fenced { stamp, .. } = &saga.state && before.stamp().is_none() {
                prop_assert!(seen.insert(stamp.epoch), "an attempt without an epoch of its own");
            }
            let text = serde_json::to_string(&saga).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Saga>(&text).unwrap(), &saga);
            let silent = |tried: &Tried| matches!(tried.why, GaveUp::FellSilent { .. });
            prop_assert!(saga.tried.iter().filter(|t| silent(t)).count() <= 1, "more than once more");
            let ended: Vec<_> = saga.tried.iter().filter(|t| !silent(t)).map(|t| t.holder.bot).collect();
            let tried: BTreeSet<_> = ended.iter().copied().collect();
            prop_assert_eq!(tried.len(), ended.len(), "tried twice");
            prop_assert!(saga.target().is_none_or(|to| !tried.contains(&to.bot)));
        }
    }
}

/// A switch, a takeover and a relogin; the first one with its way back.
fn seeds() -> impl Strategy<Value = SagaSeed> {
    let again = |at: &str| SagaSeed {
        assign: Some(LoginSlot::B),
        ..seed(holder(at), &["b2@w2", "b3@w2"])
    };
    prop_oneof![
        Just(seed(holder("b2@w2"), &["b3@w2", "b4@w1", "b1@w1"])),
        Just(again("b1@w2")),
        Just(again("b1@w1"))
    ]
}

fn report(saga: &Saga, epoch: u64, good: bool) -> SmokeReport {
    let to = saga.target().cloned().unwrap_or(holder("b9@w9"));
    SmokeReport {
        epoch: Epoch(epoch),
        bot: to.bot,
        worker: to.worker,
        results: vec![SmokeResult {
            check: SmokeCheck::Rpc,
            failed: (!good).then(|| "no answer".to_owned()),
            took_ms: 1,
        }],
    }
}
