//! The audit refuses what no sane plan contains, each for its own reason.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::fleet::{NOW, holder, parse, worker};
use shared_core::{BotId, LoginLease, LoginSlot, Nonce};
use supervisor_core::{
    Cause, PastMove, Placement, Plan, Policy, RedisView, Snapshot, SwitchKind, Violation,
    check_plan,
};

const FLEET: &str = "epoch open b1@w1
worker w1 running age=100
worker w2 running age=100
worker w3 dead age=100
worker w4 running age=1500
bot b1 on w1 ready
bot b2 on w2 ready
bot b3 on w2 connecting
bot b4 on w2 failed error=SESSION_REVOKED
bot b5 on w3 ready
bot b6 on w4 ready
bot b7 homeless";

fn refused(snapshot: &Snapshot, plan: &Plan) -> Violation {
    check_plan(snapshot, &Policy::default(), NOW, plan).unwrap_err()
}

fn switch(from: &str, to: &str, then: &[&str]) -> Plan {
    Plan::Switch {
        from: holder(from),
        to: holder(to),
        cause: Cause::WorkerDead,
        then: then.iter().map(|t| holder(t)).collect(),
    }
}

fn takeover(from: &str, to: &str) -> Plan {
    let from = holder(from);
    Plan::Takeover {
        bot: from.bot,
        from: from.worker,
        to: worker(to),
        slot: LoginSlot::A,
        cause: Cause::WorkerDead,
        then: Vec::new(),
    }
}

fn place(bots: &[(i64, &str)]) -> Plan {
    let placements = bots.iter().map(|(bot, at)| Placement {
        bot: BotId(*bot),
        worker: worker(at),
        slot: LoginSlot::A,
    });
    Plan::PlaceStandbys(placements.collect())
}

#[test]
fn every_rule_refuses_its_plan() {
    let fleet = parse(FLEET);
    let (w2, w3, w4) = (worker("w2"), worker("w3"), worker("w4"));
    let first = Plan::FirstActivation {
        to: holder("b2@w2"),
        cause: Cause::NobodyActive,
    };
    let table = [
        (switch("b2@w2", "b1@w1", &[]), Violation::NotTheHolder),
        (switch("b1@w2", "b2@w2", &[]), Violation::NotTheHolder),
        (switch("b1@w1", "b1@w1", &[]), Violation::SameHolder),
        (switch("b1@w1", "b1@w2", &[]), Violation::SameHolder),
        (
            switch("b1@w1", "b3@w2", &[]),
            Violation::NotConnected(BotId(3)),
        ),
        (
            switch("b1@w1", "b4@w2", &[]),
            Violation::FailedBot(BotId(4)),
        ),
        (
            switch("b1@w1", "b5@w3", &[]),
            Violation::DeadWorker(w3.clone()),
        ),
        (switch("b1@w1", "b6@w4", &[]), Violation::SilentWorker(w4)),
        (
            switch("b1@w1", "b7@w2", &[]),
            Violation::AssignedElsewhere(BotId(7), w2),
        ),
        (
            switch("b1@w1", "b9@w2", &[]),
            Violation::UnknownBot(BotId(9)),
        ),
        (
            switch("b1@w1", "b2@w9", &[]),
            Violation::UnknownWorker(worker("w9")),
        ),
        (
            switch("b1@w1", "b2@w2", &["b2@w2"]),
            Violation::NamedTwice(BotId(2)),
        ),
        (switch("b1@w1", "b2@w2", &["b1@w1"]), Violation::SameHolder),
        (
            switch("b1@w1", "b2@w2", &["b4@w2"]),
            Violation::FailedBot(BotId(4)),
        ),
        (takeover("b1@w1", "w1"), Violation::SameHolder),
        (takeover("b2@w2", "w1"), Violation::NotTheHolder),
        (takeover("b1@w1", "w3"), Violation::DeadWorker(w3)),
        (first, Violation::HolderExists),
        (place(&[]), Violation::Empty),
        (place(&[(1, "w2")]), Violation::MovesActive(BotId(1))),
        (
            place(&[(7, "w2"), (7, "w1")]),
            Violation::NamedTwice(BotId(7)),
        ),
        (place(&[(9, "w2")]), Violation::UnknownBot(BotId(9))),
    ];
    for (plan, violation) in table {
        assert_eq!(refused(&fleet, &plan), violation, "{plan}");
    }
    let good = switch("b1@w1", "b2@w2", &[]);
    assert!(check_plan(&fleet, &Policy::default(), NOW, &good).is_ok());
}

#[test]
fn nothing_is_done_blind_or_during_another_switch_or_too_often() {
    let plan = switch("b1@w1", "b2@w2", &[]);
    let mut fleet = parse(FLEET);
    fleet.redis = RedisView::Down;
    assert_eq!(refused(&fleet, &plan), Violation::RedisDown);

    let fleet = parse(&format!("{FLEET}\nsaga activated b2@w2"));
    assert_eq!(refused(&fleet, &plan), Violation::SagaRunning);
    assert_eq!(
        refused(&fleet, &place(&[(7, "w2")])),
        Violation::SagaRunning
    );

    let mut fleet = parse(FLEET);
    fleet.past = vec![
        PastMove {
            kind: SwitchKind::Switch,
            at: common::fleet::ago(1000)
        };
        12
    ];
    assert_eq!(refused(&fleet, &plan), Violation::TooManyMoves);
    assert!(check_plan(&fleet, &Policy::default(), NOW, &takeover("b1@w1", "w2")).is_ok());
}

#[test]
fn never_where_another_worker_holds_the_lease() {
    let mut fleet = parse(FLEET);
    fleet.leases.push(LoginLease {
        bot: BotId(2),
        slot: LoginSlot::A,
        worker: worker("w1"),
        nonce: Nonce([3; 8]),
    });
    let plan = switch("b1@w1", "b2@w2", &[]);
    assert_eq!(
        refused(&fleet, &plan),
        Violation::LeaseElsewhere(BotId(2), worker("w1"))
    );
}
