//! Switches and takeovers over a real Redis and a real database, with workers that really die.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use rustix::process::Signal;
use serde_json::Value;
use support::{BOTS, Bench, active, runs, signal, worker_pid};

fn switches(status: &Value) -> Vec<Value> {
    status["pools"][0]["switches"].as_array().unwrap().clone()
}

fn kind_and_outcome(switch: &Value) -> (String, String) {
    let word = |key: &str| switch[key].as_str().unwrap().to_owned();
    (word("kind"), word("outcome"))
}

/// Every step was reached, in the order in which they follow one another.
fn assert_complete(switch: &Value) {
    let steps = [
        "detected_at",
        "fenced_at",
        "verified_at",
        "opened_at",
        "caught_up_at",
        "first_reply_at",
    ];
    let times: Vec<i64> = steps
        .iter()
        .map(|step| {
            switch[*step]
                .as_i64()
                .unwrap_or_else(|| panic!("{step}: {switch:#}"))
        })
        .collect();
    assert!(times.is_sorted(), "{switch:#}");
    assert!(switch["activated_at"].is_i64(), "{switch:#}");
}

#[test]
fn a_dead_token_is_switched_and_the_timeline_is_recorded() {
    let bench = Bench::new();
    let (running, _) = bench.ready();
    bench.tell("dead", BOTS[0]);
    let status = bench.until("the switch with its timeline", |s| {
        active(s).0 == BOTS[1]
            && switches(s).len() == 2
            && switches(s)[0]["first_reply_at"].is_i64()
    });
    let switch = &switches(&status)[0];
    assert_eq!(
        kind_and_outcome(switch),
        ("switch".to_owned(), "done".to_owned())
    );
    assert_eq!(switch["cause"], "token_dead: ACCESS_TOKEN_EXPIRED");
    assert_eq!(
        (switch["from"].as_i64(), switch["to"].as_i64()),
        (Some(BOTS[0]), Some(BOTS[1]))
    );
    assert_complete(switch);
    assert_eq!(status["pools"][0]["state"], "degraded");
    let failed = bench.events("bot_failed");
    assert_eq!(failed.len(), 1, "said once: {failed:?}");
    assert!(failed[0].contains("ACCESS_TOKEN_EXPIRED"), "{failed:?}");
    assert_eq!(bench.events("bot_recovered"), [""; 0]);
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn a_killed_worker_is_taken_over_from_and_started_again() {
    let bench = Bench::new();
    let (running, _) = bench.ready();
    let before = bench.until("all well", |s| s["pools"][0]["state"] == "ok");
    let victim = worker_pid(&before, "w1").unwrap();
    signal(victim, Signal::KILL);
    let status = bench.until("the takeover and all well again", |s| {
        active(s) == (BOTS[0], "w2".to_owned())
            && worker_pid(s, "w1").is_some_and(|pid| pid != victim)
            && s["pools"][0]["state"] == "ok"
    });
    assert_eq!(worker_pid(&status, "w2"), worker_pid(&before, "w2"));
    let started = bench.events("worker_started");
    let of_w1 = started.iter().filter(|text| text.starts_with("w1 "));
    assert_eq!(of_w1.count(), 2, "{started:?}");
    let status = bench.until("its record", |s| {
        switches(s).len() == 2 && switches(s)[0]["first_reply_at"].is_i64()
    });
    let switch = &switches(&status)[0];
    assert_eq!(
        kind_and_outcome(switch),
        ("takeover".to_owned(), "done".to_owned())
    );
    assert_eq!(switch["cause"], "worker_dead: worker process dead");
    assert_complete(switch);
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn a_worker_that_hangs_is_ended_and_taken_over_from() {
    let bench = Bench::new();
    let (running, _) = bench.ready();
    let before = bench.until("all well", |s| s["pools"][0]["state"] == "ok");
    let victim = worker_pid(&before, "w1").unwrap();
    signal(victim, Signal::STOP);
    let status = bench.until("the takeover", |s| {
        active(s) == (BOTS[0], "w2".to_owned()) && switches(s).len() == 2
    });
    let cause = switches(&status)[0]["cause"].as_str().unwrap().to_owned();
    assert!(cause.starts_with("worker_silent: "), "{cause}");
    assert!(!runs(victim), "it could wake up and write");
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn an_unfit_standby_is_passed_over() {
    let bench = Bench::new();
    let (running, _) = bench.ready();
    bench.until("all ready", |s| s["pools"][0]["state"] == "ok");
    bench.tell("unfit", BOTS[1]);
    bench.tell("dead", BOTS[0]);
    let status = bench.until("the second standby", |s| {
        active(s).0 == BOTS[2] && switches(s).len() == 2
    });
    let cause = switches(&status)[0]["cause"].as_str().unwrap().to_owned();
    assert!(cause.contains("b7000002@w2 smoke test"), "{cause}");
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn a_pool_with_nobody_left_is_held_and_recovers_by_itself() {
    let bench = Bench::new();
    let (running, _) = bench.ready();
    bench.until("all ready", |s| s["pools"][0]["state"] == "ok");
    bench.tell("unfit", BOTS[1]);
    bench.tell("dead", BOTS[2]);
    bench.until("the dead standby", |s| {
        s["pools"][0]["bots"][2]["connection"] == "failed"
    });
    bench.tell("dead", BOTS[0]);
    let status = bench.until("the held pool", |s| {
        switches(s)
            .first()
            .is_some_and(|sw| sw["outcome"] == "held")
    });
    assert_eq!(status["pools"][0]["state"], "down");
    assert_eq!(status["pools"][0]["phase"], "fenced");
    bench.untell("unfit", BOTS[1]);
    let status = bench.until("the bot that is well again", |s| {
        active(s).0 == BOTS[1] && switches(s).len() == 3
    });
    assert_eq!(
        switches(&status)[0]["kind"],
        "switch",
        "members are continued from the first bot"
    );
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn a_switch_whose_supervisor_dies_in_the_middle_is_finished_by_the_next() {
    let bench = Bench::with("[policy]\nsmoke_timeout_ms = 20000");
    let (running, _) = bench.ready();
    bench.until("all ready", |s| s["pools"][0]["state"] == "ok");
    bench.tell("deaf", BOTS[1]);
    bench.tell("dead", BOTS[0]);
    let status = bench.until("the named holder", |s| s["pools"][0]["phase"] == "smoking");
    assert_eq!(status["pools"][0]["state"], "switching");
    let epoch = status["pools"][0]["epoch"].clone();
    running.kill();
    bench.untell("deaf", BOTS[1]);
    let (running, line) = bench.ready();
    assert_eq!(line, "ready pool=main active=@b7000002_bot");
    let status = bench.until("its record", |s| switches(s).len() == 2);
    assert_eq!(
        status["pools"][0]["epoch"], epoch,
        "the same attempt, finished"
    );
    assert_eq!(switches(&status)[0]["kind"], "switch");
    assert_eq!(running.stop(), Some(0));
}
