//! Paused and pinned: what automation leaves alone, what a person may still order, and who remembers it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use rustix::process::Signal;
use serde_json::Value;
use shared_core::{BotId, Nonce, Order, Progress, UnixMs};
use shared_io::sql::EventKind;
use support::desk::{Desk, done, name, refusal};
use support::{BOTS, Bench, active, runs, signal, worker_pid};

fn well(status: &Value) -> bool {
    status["pools"][0]["state"] == "ok"
}

/// Waits until the supervisor has said this.
fn said(bench: &Bench, words: &str) {
    bench.until(words, |_| bench.log().contains(words));
}

#[test]
fn while_it_is_paused_nobody_is_moved_but_by_order() {
    let bench = Bench::new();
    let (running, _) = bench.ready();
    let before = bench.until("all well", well);
    let desk = Desk::of(&bench);
    assert!(done(&desk.order(&bench, Order::Pause)));
    let victim = worker_pid(&before, "w1").unwrap();
    signal(victim, Signal::STOP);
    said(&bench, "hold: automation is paused");
    assert!(runs(victim), "nobody is ended for it");
    assert_eq!(active(&bench.status()), (BOTS[0], "w1".to_owned()));
    assert!(done(
        &desk.order(&bench, Order::Switch { to: BotId(BOTS[1]) })
    ));
    assert_eq!(active(&bench.status()), (BOTS[1], "w2".to_owned()));

    // The bot that answers dies; nothing happens before automation is let go on.
    bench.tell("dead", BOTS[1]);
    desk.board(&bench, |board| board.bots[1].error.is_some());
    let board = desk.board(&bench, |board| board.overrides.paused.is_some());
    assert_eq!(board.active, Some(BotId(BOTS[1])));
    signal(victim, Signal::CONT);
    bench.until("the first bot again", |s| {
        s["pools"][0]["bots"][0]["ready"] == true
    });
    assert_eq!(active(&bench.status()).0, BOTS[1]);
    assert!(done(&desk.order(&bench, Order::Resume)));
    bench.until("the switch that was due", |s| active(s).0 != BOTS[1]);
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn a_killed_worker_is_taken_over_from_when_automation_is_resumed() {
    // While it is paused members wait for the worker's restart.
    let bench = Bench::new();
    let (running, _) = bench.ready();
    let before = bench.until("all well", well);
    let desk = Desk::of(&bench);
    assert!(done(&desk.order(&bench, Order::Pause)));
    let victim = worker_pid(&before, "w1").unwrap();
    signal(victim, Signal::KILL);
    let status = bench.until("another w1, all well", |s| {
        worker_pid(s, "w1").is_some_and(|pid| pid != victim)
            && s["pools"][0]["bots"][0]["ready"] == true
    });
    assert_eq!(
        active(&status),
        (BOTS[0], "w1".to_owned()),
        "it was not moved"
    );
    assert!(done(&desk.order(&bench, Order::Resume)));
    let status = bench.until("all well", well);
    signal(worker_pid(&status, "w1").unwrap(), Signal::KILL);
    bench.until("the takeover", |s| active(s) == (BOTS[0], "w2".to_owned()));
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn a_pinned_bot_is_not_left_before_it_is_unpinned() {
    let bench = Bench::new();
    let (running, _) = bench.ready();
    bench.until("all well", well);
    let desk = Desk::of(&bench);
    let pin = Order::Pin {
        bot: BotId(BOTS[0]),
    };
    assert!(done(&desk.order(&bench, pin)));
    let other = Order::Switch { to: BotId(BOTS[1]) };
    assert!(refusal(desk.order(&bench, other)).contains("unpin first"));
    bench.tell("dead", BOTS[0]);
    said(&bench, "hold: ");
    let status = bench.status();
    assert_eq!(active(&status).0, BOTS[0], "{}", bench.log());
    assert!(done(&desk.order(&bench, Order::Unpin)));
    bench.until("the switch that was due", |s| active(s).0 == BOTS[1]);
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn a_pause_outlives_its_supervisor_and_redis_memory_of_it() {
    let bench = Bench::new();
    let (running, _) = bench.ready();
    bench.until("all well", well);
    let desk = Desk::of(&bench);
    assert!(done(&desk.order(&bench, Order::Pause)));
    let overrides = || desk.runtime.block_on(desk.pool.overrides()).unwrap();
    let laid = overrides();
    assert!(laid.as_ref().is_some_and(|laid| laid.paused.is_some()));

    // The leader knows it and writes it again.
    assert_eq!(desk.raw("DEL us:{main}:overrides"), ":1\r\n");
    bench.until("it stands there again", |_| overrides() == laid);
    // The next leader knows it from Redis.
    running.kill();
    let (running, _) = bench.ready();
    desk.board(&bench, |board| Some(&board.overrides) == laid.as_ref());
    // One that finds nothing there knows it from SQL.
    let store = desk.store();
    let row = desk.runtime.block_on(store.overrides().get(&name()));
    assert_eq!(row.unwrap().unwrap().paused_by.as_deref(), Some("cli:ann"));
    running.kill();
    let told = desk.board(&bench, |_| true).leader;
    assert_eq!(desk.raw("DEL us:{main}:overrides"), ":1\r\n");
    let (running, _) = bench.ready();
    let board = desk.board(&bench, |board| board.leader != told);
    assert_eq!(Some(&board.overrides), laid.as_ref());
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn a_redis_that_loses_everything_is_filled_again_above_all_that_was_and_what_was_laid_down_stands()
{
    let bench = Bench::new();
    let (running, _) = bench.ready();
    let before = bench.until("all well", well);
    let desk = Desk::of(&bench);
    let pin = Order::Pin {
        bot: BotId(BOTS[0]),
    };
    assert!(done(&desk.order(&bench, pin)));
    let store = desk.store();
    bench.until("SQL knows of it", |_| {
        let row = desk.runtime.block_on(store.overrides().get(&name()));
        row.unwrap().is_some_and(|row| row.pinned.is_some())
    });
    assert_eq!(desk.raw("FLUSHALL"), "+OK\r\n");
    let epoch = |status: &Value| status["pools"][0]["epoch"].as_u64();
    bench.until("served again", |s| {
        epoch(s) > epoch(&before) && s["pools"][0]["bots"][0]["ready"] == true
    });
    let board = desk.board(&bench, |board| board.active == Some(BotId(BOTS[0])));
    assert_eq!(board.overrides.pinned.unwrap().0, BotId(BOTS[0]));
    let said = "Redis has lost its data";
    assert!(bench.log().contains(said), "{}", bench.log());
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn a_switch_that_was_scheduled_happens_once_and_at_its_time() {
    let bench = Bench::new();
    let (running, _) = bench.ready();
    bench.until("all well", well);
    let desk = Desk::of(&bench);
    let fires = Nonce([5; 8]);
    let in_a_while = |ms| Order::Schedule {
        to: Some(BotId(BOTS[1])),
        due: UnixMs(shared_io::clock::unix_now().0 + ms),
        fires,
    };
    assert!(done(&desk.order(&bench, in_a_while(60_000))));
    let status = bench.status();
    let planned = &status["pools"][0]["scheduled"];
    assert_eq!(planned["by"], "cli:ann", "{status}");
    assert_eq!(status["pools"][0]["state"], "ok", "a plan is no trouble");
    assert!(refusal(desk.order(&bench, in_a_while(90_000))).contains("scheduled already"));
    assert!(done(&desk.order(&bench, Order::Unschedule)));
    assert!(refusal(desk.order(&bench, Order::Unschedule)).contains("nothing is scheduled"));

    assert!(done(&desk.order(&bench, in_a_while(1_500))));
    assert_eq!(active(&bench.status()).0, BOTS[0], "its time has not come");
    let status = bench.until("the switch", |s| active(s).0 == BOTS[1]);
    assert!(status["pools"][0]["scheduled"].is_null(), "{status}");
    let seen = desk.runtime.block_on(desk.pool.order(fires)).unwrap();
    let request = seen.unwrap().request;
    assert_eq!(request.by.to_string(), "cli:ann");
    assert!(
        matches!(request.progress, Progress::Done { .. }),
        "{request:?}"
    );
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn what_was_scheduled_outlives_its_supervisor_and_is_given_up_under_a_pause() {
    let bench = Bench::new();
    let (running, _) = bench.ready();
    bench.until("all well", well);
    let desk = Desk::of(&bench);
    let fires = Nonce([6; 8]);
    let due = UnixMs(shared_io::clock::unix_now().0 + 4_000);
    let rotation = Order::Schedule {
        to: None,
        due,
        fires,
    };
    assert!(done(&desk.order(&bench, rotation)));
    let store = desk.store();
    let row = || {
        desk.runtime
            .block_on(store.overrides().get(&name()))
            .unwrap()
    };
    bench.until("SQL knows of it", |_| {
        row().is_some_and(|row| row.scheduled.is_some_and(|it| it.fires == fires))
    });
    running.kill();
    let (running, _) = bench.ready();
    assert!(done(&desk.order(&bench, Order::Pause)));
    said(&bench, "a scheduled move is given up");
    bench.until("it is not planned any more", |s| {
        s["pools"][0]["scheduled"].is_null() && row().is_some_and(|row| row.scheduled.is_none())
    });
    assert_eq!(active(&bench.status()).0, BOTS[0], "nobody was moved");
    let events = desk
        .runtime
        .block_on(store.events().list(Some(&name()), 50));
    let told = events.unwrap().into_iter().any(|event| {
        event.kind == EventKind::ScheduleGivenUp
            && event.details["why"]
                .to_string()
                .contains("paused by cli:ann")
    });
    assert!(told);
    assert_eq!(running.stop(), Some(0));
}
