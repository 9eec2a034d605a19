//! Random fleets and random histories: what must hold whatever is seen.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeSet;

use common::fleet::{NOW, holder, parse, seed, stamp};
use proptest::prelude::*;
use shared_core::{Epoch, SmokeCheck, SmokeReport, SmokeResult, UnixMs};
use supervisor_core::{
    Action, Health, Observation, Plan, Policy, Saga, SagaState, Snapshot, Verdicts, check_plan,
    decide,
};

fn worker_line(name: &'static str) -> impl Strategy<Value = String> {
    let process = prop_oneof![4 => Just("running"), 1 => Just("dead"), 1 => Just("elsewhere")];
    (process, 0..2500u64, 0..20_000u64, any::<bool>()).prop_map(move |(process, age, up, sql)| {
        let sql = if sql { "yes" } else { "no" };
        format!("worker {name} {process} age={age} up={up} sql={sql}")
    })
}

fn bot_line(bot: u32) -> impl Strategy<Value = String> {
    let worker = prop_oneof![Just("w1"), Just("w2"), Just("w3")];
    let connection = prop_oneof![
        4 => Just("ready"),
        1 => Just("connecting"),
        1 => Just("absent"),
        2 => Just("shaky"),
        2 => Just("failed"),
        1 => Just("")
    ];
    let error = prop_oneof![
        4 => Just(""),
        1 => Just("error=TIMEOUT"),
        1 => Just("error=ACCESS_TOKEN_EXPIRED"),
        1 => Just("error=API_ID_INVALID"),
        1 => Just("error=AUTH_KEY_DUPLICATED")
    ];
    let lease = prop_oneof![4 => Just("yes"), 1 => Just("no")];
    (
        0..8u8,
        worker,
        connection,
        error,
        0..6000u64,
        lease,
        0..3u32,
    )
        .prop_map(
            move |(homeless, worker, connection, error, ok, lease, prio)| {
                if homeless == 0 {
                    return format!("bot b{bot} homeless prio={prio}");
                }
                if connection.is_empty() {
                    return format!("bot b{bot} on {worker}");
                }
                format!(
                    "bot b{bot} on {worker} {connection} ok={ok} lease={lease} prio={prio} {error}"
                )
            },
        )
}

fn fleet() -> impl Strategy<Value = Snapshot> {
    let epoch = prop_oneof![
        6 => (1..5u32, 1..4u32).prop_map(|(b, w)| format!("epoch open b{b}@w{w}")),
        1 => Just("epoch fenced prev=b1".to_owned()),
        1 => (1..5u32).prop_map(|b| format!("epoch smoking b{b}@w1 prev=b2")),
        1 => Just(String::new()),
    ];
    let redis = prop_oneof![8 => Just("redis up 60000"), 1 => Just("redis up 300"), 1 => Just("redis down")];
    let past = proptest::collection::vec((any::<bool>(), 1..4_000_000u64), 0..20);
    let failed = proptest::collection::vec((1..5u32, 1..4u32, 0..20_000u64), 0..3);
    let workers = (worker_line("w1"), worker_line("w2"), worker_line("w3"));
    let bots = (bot_line(1), bot_line(2), bot_line(3), bot_line(4));
    (epoch, redis, workers, bots, past, failed).prop_map(|(epoch, redis, w, b, past, failed)| {
        let mut lines = vec![epoch, redis.to_owned(), w.0, w.1, w.2, b.0, b.1, b.2, b.3];
        for (switch, ago) in past {
            let kind = if switch { "switch" } else { "takeover" };
            lines.push(format!("past {kind} ago={ago}"));
        }
        for (bot, worker, ago) in failed {
            lines.push(format!("failed b{bot}@w{worker} ago={ago}"));
        }
        parse(&lines.join("\n"))
    })
}

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
    fn the_cool_down_never_delays_a_fatal_error(snapshot in fleet()) {
        let policy = Policy::default();
        let calm = Snapshot { past: Vec::new(), ..snapshot.clone() };
        let hectic = Snapshot {
            past: vec![supervisor_core::PastMove { kind: supervisor_core::SwitchKind::First, at: UnixMs(NOW.0 - 100) }],
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
    fn a_saga_tries_each_holder_once_and_opens_only_what_passed(
        moves in proptest::collection::vec((0..8u8, any::<bool>()), 1..60)
    ) {
        let started = Saga::start(seed(holder("b2@w2"), &["b3@w2", "b4@w1"]));
        let mut saga = started.saga;
        let mut epoch = 3;
        let mut passed = None;
        let mut seen = BTreeSet::new();
        for (kind, good) in moves {
            let before = saga.clone();
            let observation = match kind {
                0 | 1 => { epoch += 1; Observation::Fenced { stamp: stamp(epoch) } }
                2 => Observation::Activated,
                3 | 4 => Observation::Smoked(report(&saga, epoch, good)),
                5 => Observation::Waited { ms: if good { 100 } else { 2000 } },
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
            if let SagaState::Fenced { stamp, .. } = &saga.state && before.stamp().is_none() {
                prop_assert!(seen.insert(stamp.epoch), "an attempt without an epoch of its own");
            }
            let text = serde_json::to_string(&saga).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Saga>(&text).unwrap(), &saga);
            let tried: BTreeSet<_> = saga.tried.iter().map(|t| t.holder.bot).collect();
            prop_assert_eq!(tried.len(), saga.tried.len(), "tried twice");
            prop_assert!(saga.target().is_none_or(|to| !tried.contains(&to.bot)));
        }
    }
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
