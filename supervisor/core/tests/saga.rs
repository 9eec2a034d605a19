//! Switches step by step, as transcripts: an observation, the state after it, the actions that follow.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::drive::{Drive, relogin};
use common::fleet::{NOW, holder, parse, seed, stamp};
use shared_core::{
    BotId, Epoch, LoginSlot, Milestone, MilestoneKind, SmokeReport, SwitchId, UnixMs,
};
use supervisor_core::*;

fn waited(ms: u64, again: Option<LoginSlot>) -> Observation {
    Observation::Waited { ms, again }
}

#[test]
fn a_switch_that_goes_well() {
    let drive = Drive::start(seed(holder("b2@w2"), &["b3@w2"]))
        .fenced(4)
        .activated()
        .smoked(4, None)
        .see("opened", Observation::Opened)
        .see("recorded", Observation::Recorded);
    assert_eq!(
        drive.log,
        "start: decided b2@w2 [fence]\n\
         fenced: fenced b2@w2 e4 [activate b2@w2 e4]\n\
         activated: activated b2@w2 e4 []\n\
         smoked: smoked b2@w2 e4 [open b2@w2 e4]\n\
         opened: opened b2@w2 e4 [record]\n\
         recorded: recorded [clear]\n"
    );
    assert_eq!(drive.saga.kind, SwitchKind::Switch);
}

#[test]
fn each_failure_takes_the_next_standby_and_the_last_one_holds() {
    let drive = Drive::start(seed(holder("b2@w2"), &["b3@w2", "b4@w2"]))
        .fenced(4)
        .activated()
        .smoked(4, Some("no answer"))
        .fenced(5)
        .activated()
        .see("waited", waited(1999, None))
        .see("waited", waited(2000, None))
        .fenced(6)
        .see(
            "lost",
            Observation::HolderLost {
                why: "worker w2: its process is dead".into(),
            },
        )
        .see("refused", Observation::FenceRefused)
        .fenced(8);
    assert_eq!(
        drive.log,
        "start: decided b2@w2 [fence]\n\
         fenced: fenced b2@w2 e4 [activate b2@w2 e4]\n\
         activated: activated b2@w2 e4 []\n\
         smoked: decided b3@w2 [fence]\n\
         fenced: fenced b3@w2 e5 [activate b3@w2 e5]\n\
         activated: activated b3@w2 e5 []\n\
         waited: activated b3@w2 e5 []\n\
         waited: decided b4@w2 [fence]\n\
         fenced: fenced b4@w2 e6 [activate b4@w2 e6]\n\
         lost: exhausted [fence]\n\
         refused: exhausted [fence]\n\
         fenced: held [record]\n"
    );
    let why: Vec<String> = drive.saga.tried.iter().map(|t| t.why.to_string()).collect();
    assert_eq!(
        why,
        [
            "smoke test: Rpc: no answer",
            "no smoke test within 2000 ms",
            "lost: worker w2: its process is dead"
        ]
    );
    let record = drive.saga.record().unwrap();
    assert_eq!((record.outcome, record.to), (Outcome::Held, None));
}

#[test]
fn where_nobody_has_all_rights_the_one_that_lacks_least_serves() {
    let drive = Drive::start(seed(holder("b2@w2"), &["b3@w2", "b4@w2"]))
        .fenced(4)
        .activated()
        .lacks_rights(4, 2)
        .fenced(5)
        .activated()
        .lacks_rights(5, 1)
        .fenced(6)
        .activated()
        .smoked(6, Some("no answer"))
        .fenced(7)
        .activated()
        .lacks_rights(7, 1)
        .see("opened", Observation::Opened);
    drive.ends_with(
        "smoked: decided b3@w2 [fence]\n\
             fenced: fenced b3@w2 e7 [activate b3@w2 e7]\n\
             activated: activated b3@w2 e7 []\n\
             smoked: smoked b3@w2 e7 [open b3@w2 e7]\n\
             opened: opened b3@w2 e7 [record]\n",
    );
    let reasons = &drive.saga.record().unwrap().reasons;
    assert!(
        reasons.iter().any(|why| why.contains("lacks a right")),
        "{reasons:?}"
    );
}

#[test]
fn who_lacks_least_and_is_dead_by_now_is_not_the_last_word() {
    let drive = Drive::start(seed(holder("b2@w2"), &["b3@w2"]))
        .fenced(4)
        .activated()
        .lacks_rights(4, 1)
        .fenced(5)
        .activated()
        .lacks_rights(5, 2)
        .fenced(6)
        .see(
            "lost",
            Observation::HolderLost {
                why: "worker w2: its process is dead".into(),
            },
        )
        .fenced(7)
        .activated()
        .lacks_rights(7, 2);
    drive.ends_with(
        "lost: decided b3@w2 [fence]\n\
             fenced: fenced b3@w2 e7 [activate b3@w2 e7]\n\
             activated: activated b3@w2 e7 []\n\
             smoked: smoked b3@w2 e7 [open b3@w2 e7]\n",
    );
}

#[test]
fn rights_are_waived_once_and_nothing_but_rights() {
    // It fails otherwise by then, too.
    let drive = Drive::start(seed(holder("b2@w2"), &[]))
        .fenced(4)
        .activated()
        .lacks_rights(4, 3)
        .fenced(5)
        .activated()
        .smoked(5, Some("no answer"))
        .fenced(6);
    drive.ends_with("smoked: exhausted [fence]\nfenced: held [record]\n");
    // Whoever sets a pool up hears of them first.
    let first = SagaSeed {
        previous_bot: None,
        from: None,
        ..seed(holder("b2@w2"), &[])
    };
    let drive = Drive::start(first)
        .fenced(4)
        .activated()
        .lacks_rights(4, 1)
        .fenced(5);
    drive.ends_with("smoked: exhausted [fence]\nfenced: held [record]\n");
}

#[test]
fn a_takeover_releases_the_old_worker_before_it_assigns_and_falls_back_to_a_standby() {
    let mut seed = seed(holder("b1@w2"), &["b2@w2"]);
    seed.assign = Some(LoginSlot::B);
    let drive = Drive::start(seed)
        .fenced(4)
        .activated()
        .smoked(4, Some("no answer"))
        .fenced(5);
    assert_eq!(
        drive.log,
        "start: decided b1@w2 [fence]\n\
         fenced: fenced b1@w2 e4 [release b1@w1, assign b1@w2 slot b, activate b1@w2 e4]\n\
         activated: activated b1@w2 e4 []\n\
         smoked: decided b2@w2 [fence]\n\
         fenced: fenced b2@w2 e5 [activate b2@w2 e5]\n"
    );
    assert_eq!(
        drive.saga.kind,
        SwitchKind::Switch,
        "a takeover that ended with another bot is a switch"
    );
}

#[test]
fn a_relogin_assigns_the_other_login_and_leaves_its_worker_alone() {
    let drive = Drive::start(relogin(&["b2@w2"]))
        .fenced(4)
        .activated()
        .smoked(4, None)
        .see("opened", Observation::Opened);
    assert_eq!(
        drive.log,
        "start: decided b1@w1 [fence]\n\
         fenced: fenced b1@w1 e4 [assign b1@w1 slot b, activate b1@w1 e4]\n\
         activated: activated b1@w1 e4 []\n\
         smoked: smoked b1@w1 e4 [open b1@w1 e4]\n\
         opened: opened b1@w1 e4 [record]\n"
    );
    assert_eq!(drive.saga.kind, SwitchKind::Relogin);
    assert_eq!(drive.saga.record().unwrap().kind, SwitchKind::Relogin);
}

#[test]
fn a_relogin_that_does_not_help_ends_with_a_standby() {
    let drive = Drive::start(relogin(&["b2@w2"]));
    let stored = serde_json::to_string(&drive.saga.state).unwrap();
    assert!(stored.contains("decided"), "{stored}");
    let drive = drive
        .fenced(4)
        .activated()
        .see(
            "lost",
            Observation::HolderLost {
                why: "b1: SESSION_REVOKED".into(),
            },
        )
        .fenced(5);
    drive.ends_with(
        "lost: decided b2@w2 [fence]\n\
             fenced: fenced b2@w2 e5 [activate b2@w2 e5]\n",
    );
    assert_eq!(drive.saga.kind, SwitchKind::Switch);
    assert_eq!(drive.saga.tried[0].holder, holder("b1@w1"));
}

#[test]
fn a_line_that_fell_silent_during_the_test_gets_one_more_connection() {
    let drive = Drive::start(relogin(&["b2@w2"]))
        .fenced(4)
        .activated()
        .see("waited", waited(1999, Some(LoginSlot::A)))
        .see("waited", waited(2000, Some(LoginSlot::A)))
        .fenced(5)
        .activated()
        .see("waited", waited(2000, Some(LoginSlot::B)))
        .fenced(6);
    assert_eq!(
        drive.log,
        "start: decided b1@w1 [fence]\n\
         fenced: fenced b1@w1 e4 [assign b1@w1 slot b, activate b1@w1 e4]\n\
         activated: activated b1@w1 e4 []\n\
         waited: activated b1@w1 e4 []\n\
         waited: decided b1@w1 [fence]\n\
         fenced: fenced b1@w1 e5 [assign b1@w1 slot a, activate b1@w1 e5]\n\
         activated: activated b1@w1 e5 []\n\
         waited: decided b2@w2 [fence]\n\
         fenced: fenced b2@w2 e6 [activate b2@w2 e6]\n"
    );
    let why: Vec<String> = drive.saga.tried.iter().map(|t| t.why.to_string()).collect();
    assert_eq!(
        why,
        [
            "its new line fell silent, no smoke test within 2000 ms",
            "no smoke test within 2000 ms"
        ]
    );
}

#[test]
fn the_next_leader_repeats_the_assignment_of_a_relogin() {
    let drive = Drive::start(relogin(&[])).fenced(4);
    let stored = serde_json::to_string(&drive.saga).unwrap();
    let read: Saga = serde_json::from_str(&stored).unwrap();
    let actions: Vec<String> = read.resume().iter().map(Action::to_string).collect();
    assert_eq!(actions, ["assign b1@w1 slot b", "activate b1@w1 e4"]);
    assert_eq!(read.kind, SwitchKind::Relogin);
}

#[test]
fn an_ordered_switch_that_does_not_pass_goes_back() {
    let drive = Drive::start(seed(holder("b2@w2"), &["b1@w1"]))
        .fenced(4)
        .activated()
        .smoked(4, Some("no answer"))
        .fenced(5)
        .activated()
        .smoked(5, None)
        .see("opened", Observation::Opened);
    assert!(
        drive
            .log
            .contains("fenced: fenced b1@w1 e5 [activate b1@w1 e5]\n"),
        "{}",
        drive.log
    );
    assert_eq!(drive.saga.kind, SwitchKind::Switch);
}

#[test]
fn a_plan_becomes_the_seed_of_its_saga() {
    let policy = Policy::default();
    let dead = "worker w1 running age=100\nworker w2 running age=100\n\
                bot b1 on w1 failed error=SESSION_REVOKED other=resting";
    let of = |fleet: &str| {
        let snapshot = parse(&format!("epoch open b1@w1\n{fleet}"));
        let plan = decide(&snapshot, &policy, NOW).plan;
        let checked = check_plan(&snapshot, &policy, NOW, &plan).unwrap();
        let origin = Origin {
            id: SwitchId([2; 8]),
            reasons: Vec::new(),
            detected_at: NOW,
        };
        let seed = SagaSeed::of(&checked, &snapshot, &policy, origin).unwrap();
        assert_eq!(seed.previous_bot, Some(BotId(1)));
        (plan.to_string(), seed.assign, seed.smoke_timeout_ms)
    };
    let (plan, assign, smoke_timeout_ms) = of(&format!("{dead}\nbot b2 on w2 ready"));
    assert_eq!(plan, "relogin b1@w1 slot b (SESSION_REVOKED), else b2@w2");
    assert_eq!(assign, Some(LoginSlot::B));
    assert_eq!(smoke_timeout_ms, 1250, "a standby is the way out");
    let (plan, _, smoke_timeout_ms) = of(dead);
    assert_eq!(plan, "relogin b1@w1 slot b (SESSION_REVOKED)");
    assert_eq!(smoke_timeout_ms, 6000, "there is no way out");
    let (plan, assign, smoke_timeout_ms) = of(
        "worker w1 dead\nworker w2 running age=100\nbot b1 on w1 sql_rests=yes slot=b\nbot b2 on w2 ready",
    );
    assert_eq!(
        plan,
        "takeover b1 w1 -> w2 slot a (worker process dead), else b2@w2"
    );
    assert_eq!((assign, smoke_timeout_ms), (Some(LoginSlot::A), 2000));
}

#[test]
fn reports_of_another_attempt_open_nothing() {
    let drive = Drive::start(seed(holder("b2@w2"), &[]))
        .fenced(4)
        .see("refused late", Observation::FenceRefused)
        .activated()
        .smoked(3, None)
        .see("opened", Observation::Opened);
    assert!(drive.log.ends_with(
        "smoked: activated b2@w2 e4 []\n\
         opened: activated b2@w2 e4 []\n"
    ));
    let to = holder("b2@w2");
    let empty = SmokeReport {
        epoch: Epoch(4),
        bot: to.bot,
        worker: to.worker,
        results: Vec::new(),
    };
    let drive = drive.see("empty", Observation::Smoked(empty));
    drive.ends_with("empty: exhausted [fence]\n");
}

#[test]
fn the_next_leader_goes_on_where_the_saga_stands() {
    let shown = |saga: &Saga| -> Vec<String> {
        let stored = serde_json::to_string(saga).unwrap();
        let read: Saga = serde_json::from_str(&stored).unwrap();
        read.resume().iter().map(Action::to_string).collect()
    };
    let drive = Drive::start(seed(holder("b2@w2"), &[]));
    assert_eq!(shown(&drive.saga), ["fence"]);
    let drive = drive.fenced(4);
    assert_eq!(shown(&drive.saga), ["activate b2@w2 e4"]);
    let drive = drive.activated();
    assert!(shown(&drive.saga).is_empty());
    let drive = drive.smoked(4, None);
    assert_eq!(shown(&drive.saga), ["open b2@w2 e4"]);
    let drive = drive.see("opened", Observation::Opened);
    assert_eq!(shown(&drive.saga), ["record"]);
    assert!(!drive.saga.is_running());
    let drive = drive.see("recorded", Observation::Recorded);
    assert_eq!(shown(&drive.saga), ["clear"]);
}

#[test]
fn what_sql_does_not_know_yet_is_carried_on_and_bounded() {
    let mut saga = Saga::start(seed(holder("b2@w2"), &[])).saga;
    for _ in 0..30 {
        saga.state = SagaState::Held;
        saga = Saga::start(seed(holder("b2@w2"), &[])).saga.after(&saga);
    }
    assert_eq!(saga.unrecorded.len(), 16);
}

#[test]
fn the_timeline_takes_the_workers_first_milestones() {
    let at = |kind, at| Milestone {
        epoch: Epoch(4),
        kind,
        worker: holder("b2@w2").worker,
        at: UnixMs(at),
    };
    let mut timeline = Timeline::detected(UnixMs(1));
    assert!(timeline.take(&[
        at(MilestoneKind::Activated, 5),
        at(MilestoneKind::CaughtUp, 7)
    ]));
    assert!(!timeline.is_complete());
    assert!(timeline.take(&[
        at(MilestoneKind::FirstReply, 9),
        at(MilestoneKind::FirstReply, 11)
    ]));
    assert!(!timeline.take(&[at(MilestoneKind::FirstReply, 12)]));
    assert_eq!(timeline.first_reply_at, Some(UnixMs(9)));
    assert!(timeline.is_complete());
}

#[test]
fn a_renewal_is_a_takeover_without_a_new_worker_and_assigns_nothing() {
    let started = Saga::start(seed(holder("b1@w1"), &["b2@w2"]));
    assert_eq!(started.saga.kind, SwitchKind::Takeover);
    assert_eq!(started.actions, [Action::Fence]);
    let fenced = started
        .saga
        .advance(Observation::Fenced { stamp: stamp(4) }, NOW);
    let activate = Action::Activate {
        to: holder("b1@w1"),
        stamp: stamp(4),
    };
    assert_eq!(fenced.actions, [activate], "its worker keeps what it has");
    let tested = fenced.saga.advance(Observation::Activated, NOW).saga;
    let next = tested.advance(waited(2000, None), NOW).saga;
    assert_eq!(next.kind, SwitchKind::Switch);
    assert_eq!(next.target(), Some(&holder("b2@w2")));
}
