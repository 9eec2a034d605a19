//! The audit refuses what no sane plan contains, each for its own reason.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::fleet::{NOW, holder, parse, worker};
use shared_core::{BotId, LoginLease, LoginSlot, Nonce, UnixMs};
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

fn renew(at: &str) -> Plan {
    Plan::Renew {
        holder: holder(at),
        cause: Cause::NotWorking { for_ms: 1600 },
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
        (renew("b2@w2"), Violation::NotTheHolder),
        (renew("b1@w1"), Violation::NoLease(BotId(1), worker("w1"))),
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
            at: common::fleet::ago(1000),
            on_a_guess: false,
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

fn relogin(at: &str, slot: LoginSlot) -> Plan {
    let at = holder(at);
    Plan::Relogin {
        bot: at.bot,
        worker: at.worker,
        slot,
        cause: Cause::BotFatal {
            class: shared_core::ErrorClass::SessionDead(shared_core::SessionFate::Gone),
            error: "SESSION_REVOKED".into(),
        },
        then: Vec::new(),
    }
}

fn takeover_with(slot: LoginSlot, then: &[&str]) -> Plan {
    Plan::Takeover {
        bot: BotId(1),
        from: worker("w1"),
        to: worker("w2"),
        slot,
        cause: Cause::WorkerDead,
        then: then.iter().map(|t| holder(t)).collect(),
    }
}

/// `b1` is active on `w1`, whose line and what is said of the bot vary.
fn logins(w1: &str, b1: &str) -> Snapshot {
    parse(&format!(
        "epoch open b1@w1\nworker w1 {w1} age=100\nworker w2 running age=100\nbot b1 on w1 {b1}\n\
         bot b2 on w2 ready other=resting\nbot b3 on w2 ready other=resting rests_in=5000"
    ))
}

#[test]
fn no_login_is_used_that_is_missing_or_in_use() {
    use LoginSlot::{A, B};
    let dead = "failed error=SESSION_REVOKED";
    let (b1, no, used, same) = (
        BotId(1),
        Violation::NoLogin(BotId(1), B),
        Violation::LoginInUse(BotId(1), B),
        Violation::SameLogin(BotId(1), A),
    );
    let table = [
        ("running", "other=resting", relogin("b1@w1", A), same),
        ("running", "other=missing", relogin("b1@w1", B), no.clone()),
        (
            "running",
            "other=lost sql_rests=yes",
            relogin("b1@w1", B),
            no.clone(),
        ),
        ("running", "other=unknown", relogin("b1@w1", B), no.clone()),
        (
            "running",
            "other=resting rests_in=1",
            relogin("b1@w1", B),
            used.clone(),
        ),
        ("running", "other=lost", takeover_with(B, &[]), no),
        (
            "dead",
            "other=resting rests_in=1",
            takeover_with(B, &[]),
            used,
        ),
    ];
    for (w1, b1, plan, violation) in table {
        let fleet = logins(w1, &format!("{dead} {b1}"));
        assert_eq!(refused(&fleet, &plan), violation, "{b1} {plan}");
    }
    let revoked = logins("running", "failed error=ACCESS_TOKEN_EXPIRED other=resting");
    assert_eq!(
        refused(&revoked, &relogin("b1@w1", B)),
        Violation::NotTheSession(b1)
    );
    let good = logins("running", &format!("{dead} other=resting rests_in=0"));
    let passes = |fleet: &Snapshot, plan: &Plan| {
        check_plan(fleet, &Policy::default(), NOW, plan).map(|checked| checked.plan().clone())
    };
    let plan = relogin("b1@w1", B);
    assert_eq!(passes(&good, &plan).unwrap(), plan);

    let silent = "epoch open b1@w1\nworker w1 elsewhere age=1600\nworker w2 running age=100\n\
                  bot b1 on w1 ready\nbot b2 on w2 ready";
    assert_eq!(
        refused(&parse(silent), &takeover_with(A, &["b2@w2"])),
        Violation::LoginInUse(b1, A),
        "a standby is there, so the doubt is not worth it"
    );
    assert!(passes(&parse(silent), &takeover_with(A, &[])).is_ok());
    let ours = silent.replace("elsewhere", "running");
    assert!(passes(&parse(&ours), &takeover_with(A, &["b2@w2"])).is_ok());
}

#[test]
fn a_placement_gives_another_login_or_another_worker() {
    use LoginSlot::{A, B};
    let fleet = logins("running", "ready");
    let placed = |bot, at, slot| {
        Plan::PlaceStandbys(vec![Placement {
            bot: BotId(bot),
            worker: worker(at),
            slot,
        }])
    };
    let check = |plan: &Plan| check_plan(&fleet, &Policy::default(), NOW, plan).map(|_| ());
    assert_eq!(check(&placed(2, "w2", B)), Ok(()));
    assert_eq!(check(&placed(2, "w1", A)), Ok(()));
    let table = [
        (placed(2, "w2", A), Violation::SameLogin(BotId(2), A)),
        (placed(3, "w2", B), Violation::LoginInUse(BotId(3), B)),
        (placed(3, "w1", B), Violation::LoginInUse(BotId(3), B)),
    ];
    for (plan, violation) in table {
        assert_eq!(check(&plan), Err(violation), "{plan}");
    }
}

#[test]
fn an_operators_word_binds_automation_and_not_orders() {
    let by = |plan: Plan, ordered: bool| match plan {
        Plan::Switch { from, to, then, .. } if ordered => Plan::Switch {
            from,
            to,
            cause: Cause::Ordered {
                word: "switch".into(),
                by: "cli:ann".into(),
            },
            then,
        },
        plan => plan,
    };
    let plan = switch("b1@w1", "b2@w2", &[]);
    let paused = parse(&format!("{FLEET}\npaused by=cli:bob"));
    let pinned = parse(&format!("{FLEET}\npinned b1 by=cli:bob"));
    assert_eq!(refused(&paused, &plan), Violation::Paused);
    assert_eq!(
        refused(&paused, &takeover("b1@w1", "w2")),
        Violation::Paused
    );
    assert_eq!(refused(&pinned, &plan), Violation::Pinned(BotId(2)));
    let policy = Policy::default();
    assert!(check_plan(&pinned, &policy, NOW, &takeover("b1@w1", "w2")).is_ok());
    assert!(check_plan(&paused, &policy, NOW, &place(&[(7, "w2")])).is_ok());
    for fleet in [&paused, &pinned] {
        assert!(check_plan(fleet, &policy, NOW, &by(plan.clone(), true)).is_ok());
    }
    let back = switch("b1@w1", "b2@w2", &["b1@w1"]);
    let fleet = parse(FLEET);
    assert_eq!(refused(&fleet, &back), Violation::SameHolder);
    assert!(check_plan(&fleet, &policy, NOW, &by(back, true)).is_ok());
    let twice = by(switch("b1@w1", "b2@w2", &["b2@w2"]), true);
    assert_eq!(refused(&fleet, &twice), Violation::NamedTwice(BotId(2)));
    let dead = by(switch("b1@w1", "b4@w2", &[]), true);
    assert_eq!(refused(&paused, &dead), Violation::FailedBot(BotId(4)));
}

#[test]
fn what_was_said_of_the_other_login_makes_nobody_ready() {
    let fleet = parse(
        "epoch open b1@w1\nworker w1 running age=100\nworker w2 running age=100\n\
         bot b1 on w1 ready\nbot b2 on w2 ready slot=b said=a",
    );
    assert_eq!(
        refused(&fleet, &switch("b1@w1", "b2@w2", &[])),
        Violation::NotConnected(BotId(2))
    );
}

#[test]
fn what_an_earlier_process_of_a_name_may_hold_is_in_use() {
    let fleet = parse(
        "epoch open b1@w1\nworker w1 elsewhere age=100 process=2\nworker w2 elsewhere age=100\n\
         bot b1 on w1 sql_rests=yes\nbot b2 on w1\nbot b3 on w2 ready",
    );
    assert_eq!(fleet.orphaned, [BotId(1), BotId(2)]);
    let live = takeover_with(LoginSlot::A, &["b3@w2"]);
    let in_use = Violation::LoginInUse(BotId(1), LoginSlot::A);
    assert_eq!(refused(&fleet, &live), in_use);
    let moved = Plan::PlaceStandbys(vec![Placement {
        bot: BotId(2),
        worker: worker("w2"),
        slot: LoginSlot::A,
    }]);
    let in_use = Violation::LoginInUse(BotId(2), LoginSlot::A);
    assert_eq!(refused(&fleet, &moved), in_use);
    let resting = relogin("b1@w1", LoginSlot::B);
    assert!(check_plan(&fleet, &Policy::default(), NOW, &resting).is_ok());
    let mut known = fleet;
    known.orphaned = known.find_orphaned(|process| process.nonce == Nonce([1; 8]));
    assert!(known.orphaned.is_empty(), "known to be dead");
}

#[test]
fn another_login_is_free_once_its_user_is_heard_without_the_bot() {
    let said = |worker: &str, bot: &str| {
        let text = format!(
            "epoch open b1@w1\nworker w1 running age=100\nworker w2 {worker}\n\
             bot b1 on w1 ready other=resting rests_in=5000 rests_for=w2\n{bot}"
        );
        let fleet = parse(&text);
        fleet.other_is_let_go(&fleet.assignments[0], NOW)
    };
    assert!(said("running age=100", ""));
    assert!(
        !said("elsewhere age=100 process=2", ""),
        "another process of that name says nothing of it"
    );
    assert!(!said("running age=1400", ""), "it may hang");
    assert!(!said("elsewhere age=4000", ""));
}

#[test]
fn another_login_is_left_alone_until_its_holder_has_let_go() {
    let fleet = logins("running", "ready other=resting rests_in=5000");
    let until = |slot, gone| fleet.other_rests_until(BotId(1), slot, gone, NOW);
    assert_eq!(until(LoginSlot::A, true), Some(common::fleet::ago(-5000)));
    assert_eq!(until(LoginSlot::B, true), None);
    assert_eq!(until(LoginSlot::B, false), Some(UnixMs(NOW.0 + 660_000)));
    assert_eq!(
        fleet.other_rests_until(BotId(9), LoginSlot::A, false, NOW),
        None
    );
    assert_eq!(fleet.resting(BotId(1), NOW), None);
    assert_eq!(
        fleet.resting(BotId(1), UnixMs(NOW.0 + 5000)),
        Some(LoginSlot::B)
    );
}
