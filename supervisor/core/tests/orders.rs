//! Orders, overrides and logins over random fleets: what an operator has laid down is heeded, and no login is used twice.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::fleet::{NOW, order as order_of, parse};
use common::random::{fleet, order};
use proptest::prelude::*;
use shared_core::{BotId, LoginSlot, Order, OtherLogin};
use supervisor_core::{
    Cause, Checked, Ordered, Placement, Plan, Policy, Refusal, SagaSeed, Snapshot, check_plan,
    decide, ordered, plan_id, preview,
};

/// The logins that a plan has connected.
fn connects(plan: &Plan) -> Vec<(BotId, LoginSlot)> {
    match plan {
        Plan::Takeover { bot, slot, .. } | Plan::Relogin { bot, slot, .. } => vec![(*bot, *slot)],
        Plan::PlaceStandbys(placements) => placements
            .iter()
            .map(|Placement { bot, slot, .. }| (*bot, *slot))
            .collect(),
        _ => Vec::new(),
    }
}

/// Is this the login that is not assigned, and certainly nobody's?
fn is_free(snapshot: &Snapshot, bot: BotId, slot: LoginSlot) -> bool {
    let given = snapshot.assignment(bot).unwrap();
    let said = snapshot
        .health(bot, &given.worker)
        .filter(|h| h.slot == given.slot);
    let there = match said.map(|health| health.other_login) {
        Some(OtherLogin::Resting) => true,
        Some(OtherLogin::Unknown) | None => snapshot.bot(bot).unwrap().resting_known,
        Some(OtherLogin::Missing | OtherLogin::Lost) => false,
    };
    slot != given.slot && there && given.other_rests_until.is_none_or(|until| until <= NOW)
}

/// Does the plan go to nobody but the pinned bot and the one that is active anyway?
fn stays(snapshot: &Snapshot, plan: &Plan, pinned: BotId) -> bool {
    let active = snapshot.holder().map(|holder| holder.bot);
    let mut targets = plan.targets().into_iter();
    targets.all(|bot| bot == pinned || Some(bot) == active)
}

/// Other plans of the same kind, as a mistake in `decide` might make them.
fn bent(plan: &Plan, slot: LoginSlot, cause: &Cause) -> Plan {
    let mut bent = plan.clone();
    match &mut bent {
        Plan::Takeover {
            slot: s, cause: c, ..
        }
        | Plan::Relogin {
            slot: s, cause: c, ..
        } => {
            (*s, *c) = (slot, cause.clone());
        }
        Plan::Switch { cause: c, .. }
        | Plan::FirstActivation { cause: c, .. }
        | Plan::Renew { cause: c, .. } => *c = cause.clone(),
        Plan::PlaceStandbys(placements) => placements.iter_mut().for_each(|p| p.slot = slot),
        Plan::Nothing | Plan::Wait { .. } | Plan::Hold { .. } => {}
    }
    bent
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn automation_heeds_pause_and_pin(snapshot in fleet()) {
        let plan = decide(&snapshot, &Policy::default(), NOW).plan;
        if snapshot.overrides.paused.is_some() {
            prop_assert!(!plan.moves(), "{plan}");
        }
        if let Some((pinned, _)) = &snapshot.overrides.pinned {
            prop_assert!(stays(&snapshot, &plan, *pinned), "{plan}");
        }
    }

    #[test]
    fn a_checked_plan_never_uses_a_login_twice_nor_against_an_operator(
        snapshot in fleet(),
        bend in any::<bool>(),
        slot in prop_oneof![Just(LoginSlot::A), Just(LoginSlot::B)],
        is_ordered in any::<bool>(),
    ) {
        let policy = Policy::default();
        let free = Snapshot { overrides: Default::default(), ..snapshot.clone() };
        let mut plan = decide(&free, &policy, NOW).plan;
        if bend {
            let cause = match is_ordered {
                true => Cause::Ordered { word: "recover".into(), by: "cli:ann".into() },
                false => Cause::WorkerDead,
            };
            plan = bent(&plan, slot, &cause);
        }
        let Ok(checked) = check_plan(&snapshot, &policy, NOW, &plan) else {
            return Ok(());
        };
        let plan = checked.plan();
        for (bot, slot) in connects(plan) {
            let assigned = snapshot.assignment(bot).map(|given| given.slot);
            prop_assert!(
                assigned.is_none_or(|given| given == slot) || is_free(&snapshot, bot, slot),
                "{plan}"
            );
        }
        if let Plan::Relogin { bot, slot, .. } = plan {
            prop_assert!(is_free(&snapshot, *bot, *slot), "{plan}");
        }
        if let Some(cause) = plan.cause().filter(|cause| !cause.is_ordered()) {
            prop_assert!(snapshot.overrides.paused.is_none(), "{plan} {cause}");
            if let Some((pinned, _)) = &snapshot.overrides.pinned {
                prop_assert!(stays(&snapshot, plan, *pinned), "{plan}");
            }
        }
    }

    #[test]
    fn an_order_is_safe_or_refused_and_is_what_was_shown(snapshot in fleet(), order in order()) {
        let policy = Policy::default();
        let shown = preview(&snapshot, &policy, NOW, &order);
        match ordered(&snapshot, &policy, NOW, &order, "cli:ann") {
            Err(refusal) => {
                prop_assert!(!matches!(refusal, Refusal::Unsafe(_)), "{order}: {refusal}");
                prop_assert_eq!(shown.plan, None);
                prop_assert!(!refusal.to_string().contains('\n'));
            }
            Ok(Ordered::Lay(overrides)) => {
                prop_assert!(!order.moves());
                let again = Snapshot { overrides: overrides.clone(), ..snapshot };
                if let Ok(Ordered::Lay(twice)) = ordered(&again, &policy, NOW, &order, "cli:eve") {
                    prop_assert_eq!(twice, overrides, "laid twice");
                }
            }
            Ok(Ordered::Move(decision)) => {
                let plan = &decision.plan;
                prop_assert_eq!(shown.plan, Some(plan_id(&snapshot, plan)));
                prop_assert!(plan.cause().is_some_and(Cause::is_ordered));
                let checked: Checked = check_plan(&snapshot, &policy, NOW, plan).unwrap();
                let origin = supervisor_core::Origin {
                    id: shared_core::SwitchId([1; 8]),
                    reasons: Vec::new(),
                    detected_at: NOW,
                };
                prop_assert!(SagaSeed::of(&checked, &snapshot, &policy, origin).is_some());
                let pinned = snapshot.overrides.pinned.as_ref().map(|(bot, _)| *bot);
                if order == Order::Rotate && pinned.is_some() {
                    prop_assert_eq!(pinned, plan.targets().first().copied(), "{}", plan);
                }
                if let Order::Switch { to } = order {
                    prop_assert_eq!(plan.targets().first().copied(), Some(to));
                    prop_assert!(pinned.is_none_or(|bot| bot == to));
                }
            }
        }
    }
}

fn id_of(fleet: &str) -> String {
    let snapshot = parse(fleet);
    let shown = preview(
        &snapshot,
        &Policy::default(),
        NOW,
        &order_of(fleet).unwrap(),
    );
    shown.plan.unwrap().to_string()
}

#[test]
fn a_plans_id_is_of_its_content_and_not_of_ages() {
    let fleet = "epoch open b1@w1\nworker w1 running age=100\nworker w2 running age=100\n\
                 bot b1 on w1 shaky ok=3600 other=resting\nbot b2 on w2 ready\nbot b3 on w2 ready\norder recover";
    let id = id_of(fleet);
    for same in [
        fleet.replace("ok=3600", "ok=5000"),
        fleet.replace("age=100", "age=900"),
        format!("{fleet}\npaused by=cli:bob"),
        format!("{fleet}\npast switch ago=900"),
    ] {
        assert_eq!(id_of(&same), id, "{same}");
    }
    for another in [
        fleet.replace("open b1@w1", "open b2@w2"),
        fleet.replace("b2 on w2", "b2 on w1"),
        fleet.replace("bot b3 on w2 ready", ""),
        fleet.replace("other=resting", "other=resting slot=b"),
        fleet.replace("order recover", "order rotate"),
        fleet.replace("order recover", "order pause"),
    ] {
        assert_ne!(id_of(&another), id, "{another}");
    }
    let mut later = parse(fleet);
    later.epoch.as_mut().unwrap().stamp = common::fleet::stamp(9);
    let order = order_of(fleet).unwrap();
    let shown = preview(&later, &Policy::default(), NOW, &order);
    assert_ne!(shown.plan.unwrap().to_string(), id, "another epoch");
}
