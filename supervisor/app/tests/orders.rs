//! Orders from their submission to their end, over a real Redis, a real database, and supervisors that die.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use serde_json::Value;
use shared_core::{BotId, MemberId, Order, Progress, Request, Requester, SwitchId};
use shared_io::redis::Submitted;
use shared_io::sql::{AdminVerdict, EventKind};
use support::desk::{Desk, done, name, refusal, request};
use support::{BOTS, Bench, active};

fn to(bot: i64) -> Order {
    Order::Switch { to: BotId(bot) }
}

fn switches(status: &Value) -> Vec<Value> {
    status["pools"][0]["switches"].as_array().unwrap().clone()
}

fn well(status: &Value) -> bool {
    status["pools"][0]["state"] == "ok"
}

#[test]
fn a_rotation_and_a_switch_back_are_clean_and_on_record() {
    let bench = Bench::new();
    let (running, _) = bench.ready();
    bench.until("all well", well);
    let desk = Desk::of(&bench);
    let rotated = desk.order(&bench, Order::Rotate);
    let Progress::Done { outcome, smoke, .. } = &rotated else {
        panic!("{rotated:?}\n{}", bench.log());
    };
    assert!(
        outcome.starts_with("n7000002 (b7000002) answers on w2"),
        "{outcome}"
    );
    assert_eq!(smoke, &["telegram: ok, 1 ms"]);
    let status = bench.until("nobody is missed", |s| active(s).0 == BOTS[1] && well(s));
    assert_eq!(
        status["pools"][0]["bots"][0]["ready"], true,
        "the old one lives"
    );

    assert!(done(&desk.order(&bench, to(BOTS[0]))));
    let status = bench.until("both records", |s| {
        active(s).0 == BOTS[0] && switches(s).len() == 3
    });
    for (switch, word) in switches(&status).iter().zip(["switch", "rotate"]) {
        assert_eq!(switch["kind"], "switch");
        let cause = switch["cause"].as_str().unwrap();
        assert!(
            cause.starts_with("ordered: ") && cause.contains(word),
            "{cause}"
        );
        assert!(cause.contains("cli:ann"), "{cause}");
    }
    let again = desk.order(&bench, to(BOTS[0]));
    assert!(refusal(again).contains("active already"));

    let board = desk.board(&bench, |board| {
        board
            .last_switch
            .as_ref()
            .is_some_and(|last| last.first_reply_ms.is_some())
    });
    assert_eq!(board.active, Some(BotId(BOTS[0])));
    assert_eq!(board.bots.len(), 3);
    assert_eq!(board.redis.appendfsync.as_deref(), Some("always"));
    assert!(board.workers.iter().all(|worker| worker.well), "{board:#?}");
    let store = desk.store();
    let pool = name();
    assert_eq!(running.stop(), Some(0));
    let (actions, events) = desk.runtime.block_on(async {
        let actions = store.admin_actions().list(&pool, 10).await.unwrap();
        (actions, store.events().list(Some(&pool), 50).await.unwrap())
    });
    let verdicts: Vec<_> = actions
        .iter()
        .map(|a| (a.action.as_str(), a.verdict))
        .collect();
    assert_eq!(
        verdicts,
        [
            ("switch", AdminVerdict::Refused),
            ("switch", AdminVerdict::Done),
            ("rotate", AdminVerdict::Done)
        ]
    );
    assert!(
        actions
            .iter()
            .all(|action| action.who.to_string() == "cli:ann")
    );
    assert!(
        events
            .iter()
            .any(|event| event.kind == EventKind::OrderRefused)
    );
}

#[test]
fn an_order_that_is_handed_in_twice_moves_once() {
    let bench = Bench::new();
    let (running, _) = bench.ready();
    bench.until("all well", well);
    let desk = Desk::of(&bench);
    let order = request(Order::Rotate);
    assert_eq!(desk.submit(&order), Submitted::New);
    assert!(matches!(desk.submit(&order), Submitted::Known(_)));
    let end = desk.until(&bench, order.id, Progress::is_over);
    assert!(done(&end), "{end:?}");
    match desk.submit(&order) {
        Submitted::Known(seen) => assert_eq!(seen.request.progress, end),
        other => panic!("{other:?}"),
    }
    // One that comes later and is over: nothing before it is under way any more.
    assert!(done(&desk.order(&bench, Order::Unpin)));
    let status = bench.until("its record", |s| switches(s).len() == 2);
    assert_eq!(active(&status).0, BOTS[1]);
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn what_was_shown_is_carried_out_and_nothing_else() {
    let bench = Bench::new();
    let (running, _) = bench.ready();
    bench.until("all well", well);
    let desk = Desk::of(&bench);
    let shown = desk.plan(&bench);
    let confirmed = |order| Request {
        plan: Some(shown),
        ..request(order)
    };
    let first = confirmed(Order::Rotate);
    assert_eq!(desk.submit(&first), Submitted::New);
    let end = desk.until(&bench, first.id, Progress::is_over);
    assert!(done(&end), "{end:?}");
    let second = confirmed(Order::Rotate);
    assert_eq!(desk.submit(&second), Submitted::New);
    let end = desk.until(&bench, second.id, Progress::is_over);
    assert!(refusal(end).contains("the plan has changed"));
    assert_eq!(active(&bench.status()).0, BOTS[1]);
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn an_order_from_long_ago_is_refused_and_a_fresh_one_is_taken_by_the_next_leader() {
    let bench = Bench::new();
    let (running, _) = bench.ready();
    bench.until("all well", well);
    running.kill();
    let desk = Desk::of(&bench);
    let (old, fresh) = (request(to(BOTS[2])), request(to(BOTS[1])));
    assert_eq!(desk.submit(&old), Submitted::New);
    assert_eq!(
        desk.raw(&format!("ZADD us:{{main}}:orders:at 1000 {}", old.id)),
        ":0\r\n"
    );
    // The first one is refused at the next start, so this one has as long as it takes.
    let (running, _) = bench.ready();
    let end = desk.until(&bench, old.id, Progress::is_over);
    assert!(refusal(end).contains("within 30 s"));
    running.kill();
    assert_eq!(desk.submit(&fresh), Submitted::New);
    let (running, _) = bench.ready();
    let end = desk.until(&bench, fresh.id, Progress::is_over);
    assert!(done(&end), "{end:?}");
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn an_ordered_switch_whose_supervisor_dies_is_finished_by_the_next_with_its_order() {
    let bench = Bench::with("[policy]\nsmoke_timeout_ms = 20000");
    let (running, _) = bench.ready();
    bench.until("all ready", well);
    let desk = Desk::of(&bench);
    bench.tell("deaf", BOTS[1]);
    let order = request(to(BOTS[1]));
    assert_eq!(desk.submit(&order), Submitted::New);
    bench.until("the named holder", |s| s["pools"][0]["phase"] == "smoking");
    let under_way = |progress: &Progress| matches!(progress, Progress::Running { step, .. } if step.starts_with("activated"));
    let Progress::Running { switch, .. } = desk.until(&bench, order.id, under_way) else {
        panic!("it is under way");
    };
    running.kill();
    bench.untell("deaf", BOTS[1]);
    let (running, line) = bench.ready();
    assert_eq!(line, "ready pool=main active=@b7000002_bot");
    let end = desk.until(&bench, order.id, Progress::is_over);
    assert!(done(&end), "{end:?}");
    let status = bench.until("its record", |s| switches(s).len() == 2);
    assert_eq!(switches(&status)[0]["id"], switch.to_string());
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn an_ordered_switch_to_one_that_does_not_pass_goes_back_and_says_so() {
    let bench = Bench::new();
    let (running, _) = bench.ready();
    bench.until("all well", well);
    let desk = Desk::of(&bench);
    bench.tell("unfit", BOTS[2]);
    let end = desk.order(&bench, to(BOTS[2]));
    let Progress::Failed { why } = end else {
        panic!("{end:?}");
    };
    assert!(
        why.starts_with("n7000001 (b7000001) answers on w1"),
        "{why}"
    );
    assert!(why.contains("told so"), "{why}");
    assert_eq!(active(&bench.status()).0, BOTS[0]);
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn orders_are_carried_out_one_after_the_other() {
    let bench = Bench::new();
    let (running, _) = bench.ready();
    bench.until("all well", well);
    let desk = Desk::of(&bench);
    let (first, second) = (request(to(BOTS[1])), request(to(BOTS[2])));
    assert_eq!(desk.submit(&first), Submitted::New);
    assert_eq!(desk.submit(&second), Submitted::New);
    for order in [&first, &second] {
        let end = desk.until(&bench, order.id, Progress::is_over);
        assert!(done(&end), "{end:?}\n{}", bench.log());
    }
    let status = bench.until("both records", |s| switches(s).len() == 3);
    assert_eq!(
        active(&status).0,
        BOTS[2],
        "in the order in which they came"
    );
    assert_eq!(switches(&status)[0]["from"], BOTS[1]);
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn to_recover_is_what_automation_would_do_even_while_it_is_paused() {
    let bench = Bench::new();
    let (running, _) = bench.ready();
    bench.until("all well", well);
    let desk = Desk::of(&bench);
    assert!(done(&desk.order(&bench, Order::Pause)));
    bench.tell("dead", BOTS[0]);
    desk.board(&bench, |board| board.bots[0].error.is_some());
    let recovered = desk.order(&bench, Order::Recover);
    assert!(done(&recovered), "{recovered:?}");
    assert_eq!(active(&bench.status()).0, BOTS[1]);
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn an_order_after_which_nobody_passed_has_failed() {
    let bench = Bench::new();
    let (running, _) = bench.ready();
    bench.until("all well", well);
    let desk = Desk::of(&bench);
    for bot in BOTS {
        bench.tell("unfit", bot);
    }
    let end = desk.order(&bench, Order::Rotate);
    let Progress::Failed { why } = end else {
        panic!("{end:?}");
    };
    assert!(why.starts_with("nobody passed, the pool is held"), "{why}");
    for bot in BOTS {
        bench.untell("unfit", bot);
    }
    bench.until("served again by itself", |s| active(s).0 != 0);
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn an_order_whose_switch_never_began_has_failed() {
    let bench = Bench::new();
    let (running, _) = bench.ready();
    bench.until("all well", well);
    let desk = Desk::of(&bench);
    // As a leader leaves it that dies between taking the order and fencing.
    let taken = Request {
        progress: Progress::Running {
            switch: SwitchId([7; 8]),
            step: "switch".into(),
        },
        ..request(Order::Rotate)
    };
    assert_eq!(desk.submit(&taken), Submitted::New);
    let end = desk.until(&bench, taken.id, Progress::is_over);
    assert!(
        matches!(&end, Progress::Failed { why } if why.contains("before it began")),
        "{end:?}"
    );
    assert_eq!(switches(&bench.status()).len(), 1, "nobody was moved");
    assert_eq!(running.stop(), Some(0));
}

/// An order by this member through a bot's button.
fn by_member(member: i64, order: Order) -> Request {
    let by = Requester::Admin {
        member: MemberId(member),
        bot: BotId(BOTS[1]),
        message: None,
    };
    Request {
        by,
        ..request(order)
    }
}

#[test]
fn an_order_of_somebody_who_is_no_admin_of_the_leaders_configuration_is_refused() {
    let bench = Bench::new();
    let config = std::fs::read_to_string(bench.config()).unwrap();
    let pool = "[[pool]]\nname = \"main\"\n";
    let config = config.replace(pool, &format!("{pool}admins = [41]\n"));
    std::fs::write(bench.config(), config).unwrap();
    let (running, _) = bench.ready();
    bench.until("all well", well);
    let desk = Desk::of(&bench);
    // He was one when the worker that handed it in was started, or somebody writes into Redis in his name.
    for order in [Order::Rotate, Order::Pause] {
        let foreign = by_member(42, order);
        assert_eq!(desk.submit(&foreign), Submitted::New);
        let why = refusal(desk.until(&bench, foreign.id, Progress::is_over));
        assert!(
            why.starts_with("m42 is not an admin of pool main in the supervisor's configuration: add 42 to its admins"),
            "{why}"
        );
    }
    let status = bench.status();
    assert_eq!(active(&status).0, BOTS[0]);
    assert!(status["pools"][0]["paused"].is_null(), "{status}");
    let own = by_member(41, Order::Rotate);
    assert_eq!(desk.submit(&own), Submitted::New);
    let end = desk.until(&bench, own.id, Progress::is_over);
    assert!(done(&end), "{end:?}");
    assert_eq!(active(&bench.status()).0, BOTS[1]);
    assert_eq!(running.stop(), Some(0));
}
