//! Each screen, whole.

use shared_core::{
    BoardState, Button, ErrorClass, ErrorSeen, Keyboard, Laid, Nonce, Order, PlanId, Preview,
    Progress, SwitchId,
};

use super::stage::{Seen, ago, board};
use crate::admin::{AdminTexts, Alert, Happening, Proposal, Screen};

fn texts() -> AdminTexts {
    AdminTexts::english().unwrap()
}

fn buttons(screen: &Screen) -> Vec<(&str, &str)> {
    let rows = screen.keyboard.iter().flat_map(|Keyboard(rows)| rows);
    rows.flatten()
        .map(|button| match button {
            Button::Press { text, data } => (text.as_str(), data.as_str()),
            Button::Link { text, url } => (text.as_str(), url.as_str()),
        })
        .collect()
}

#[test]
fn the_card_has_every_figure_with_its_age() {
    let card = Seen::well().show(|texts, sight| texts.status(sight));
    assert_eq!(
        card.text,
        "main: degraded\n\
         ! third is not ready: its token is dead\n\
         Active: @first_bot, ready, reach 12, second login at rest, on w1, 600 ms ago\n\
         Epoch: e3, open, 400 ms ago\n\
         Standby: @second_bot, ready, reach 12, second login at rest, on w2, 600 ms ago\n\
         Standby: @third_bot, NOT READY (failed: ACCESS_TOKEN_EXPIRED), reach 12, no second login, on no worker, of unknown age\n\
         Worker w1: well, bots: 1, 550 ms ago\n\
         Worker w2: NOT WELL, bots: 2, 10 s ago\n\
         Redis: answers in 0.3 ms, appendfsync always, 400 ms ago\n\
         Database: answers, 400 ms ago\n\
         Last switch: 5 min ago, switch @third_bot → @first_bot, took 430 ms, first reply after 1.1 s: third: ACCESS_TOKEN_EXPIRED\n\
         Supervisor: host-1:77, heard 400 ms ago\n\
         Answered by @second_bot on w2."
    );
    assert_eq!(
        buttons(&card),
        [
            ("Refresh", "dr:s"),
            ("Switch …", "dr:w"),
            ("Recent events", "dr:e")
        ]
    );
}

#[test]
fn overrides_and_an_empty_pool_are_on_the_card() {
    let mut seen = Seen::well();
    let board = seen.board();
    let laid = Laid {
        at: ago(180_000),
        by: "cli:root".into(),
    };
    board.overrides.paused = Some(laid.clone());
    board.overrides.pinned = Some((shared_core::BotId(1), laid));
    board.active = None;
    board.epoch = None;
    board.state = BoardState::Down;
    board.last_switch = None;
    board.redis.ok = false;
    board.database_ok = false;
    let text = seen.show(|texts, sight| texts.status(sight)).text;
    for line in [
        "main: DOWN\n",
        "\nActive: nobody answers members\n",
        "\nEpoch: none\n",
        "\nRedis: DOES NOT ANSWER the supervisor, 400 ms ago\n",
        "\nDatabase: DOES NOT ANSWER the supervisor, 400 ms ago\n",
        "\nLast switch: none is known\n",
        "\nAutomation: PAUSED by cli:root, 3 min ago\n",
        "\nPinned: @first_bot by cli:root, 3 min ago\n",
    ] {
        assert!(text.contains(line), "{line:?} in\n{text}");
    }
}

#[test]
fn a_silent_supervisor_is_said_first_and_the_worker_says_what_it_knows() {
    let mut seen = Seen::silent(12_000);
    seen.bots[0].last_error = Some(ErrorSeen {
        class: ErrorClass::Network,
        name: "TIMEOUT".into(),
        ago_ms: 61_000,
    });
    let text = seen.show(|texts, sight| texts.status(sight)).text;
    let told = "The supervisor has not been heard for 12 s; what it said last is as old:\nmain: degraded\n";
    assert!(text.starts_with(told), "{text}");
    assert!(text.contains("on w1, 12 s ago\n"), "{text}");
    let own = "\n\nWhat worker w2 knows itself:\n\
         @second_bot: standby, connected, Telegram answered 900 ms ago, login lease held\n\
         @second_bot: last error TIMEOUT, 61 s ago\n\
         Redis: answers in 0.2 ms, 100 ms ago\n\
         Database: answers, 1.2 s ago\n\
         Answered by @second_bot on w2.";
    assert!(text.ends_with(own), "{text}");
}

#[test]
fn a_worker_that_never_heard_of_anybody_says_so() {
    let mut seen = Seen::without_redis(40_000);
    seen.board = None;
    seen.sql.failing = true;
    seen.sql.ago_ms = None;
    seen.bots[0].lease_held = false;
    let text = seen.show(|texts, sight| texts.status(sight)).text;
    assert_eq!(
        text,
        "The supervisor has not been heard since this worker was started.\n\
         What worker w2 knows itself:\n\
         @second_bot: standby, connected, Telegram answered 900 ms ago, login lease NOT held\n\
         Redis: HAS NOT ANSWERED for 40 s\n\
         Database: HAS NOT ANSWERED since this worker was started\n\
         Answered by @second_bot on w2."
    );
}

#[test]
fn the_plan_is_shown_with_a_button_that_carries_the_nonce() {
    let seen = Seen::well();
    let proposal = texts().propose_recovery(&seen.sight());
    let (order, plan) = (Order::Recover, PlanId(Nonce([2; 8])));
    assert_eq!(proposal, Proposal::Offer { order, plan });
    let shown = texts().offer(&seen.sight(), &Order::Recover, Nonce([0xab; 8]));
    assert_eq!(
        shown.text,
        "Emergency recovery of main\n\
         What is wrong, 400 ms ago:\n\
         ! third is not ready: its token is dead\n\
         Plan: switch from first to second on w2\n\
         - nothing else is to be done\n\
         The button works once, for you, within 2 min, and only while this is still the plan."
    );
    assert_eq!(
        buttons(&shown),
        [
            ("Do it", "dr:c:abababababababab"),
            ("Drop it", "dr:x:abababababababab")
        ]
    );
    let rotation = texts().propose_rotation(&seen.sight());
    let (order, plan) = (Order::Rotate, PlanId(Nonce([1; 8])));
    assert_eq!(rotation, Proposal::Offer { order, plan });
}

#[test]
fn without_a_plan_nothing_is_offered_and_the_reason_is_said() {
    let mut seen = Seen::well();
    seen.board().reasons.clear();
    seen.board().rotate = Preview {
        plan: None,
        text: "no standby is ready".into(),
        reasons: vec!["b2: absent".into()],
    };
    let Proposal::Nothing { screen, why } = texts().propose_rotation(&seen.sight()) else {
        panic!("there is nothing to confirm");
    };
    assert_eq!(why, "no plan: no standby is ready");
    assert_eq!(
        screen.text,
        "Switch of main to another bot\n\
         The supervisor knows of nothing that is wrong, 400 ms ago.\n\
         Nothing would be done: no standby is ready\n\
         - second: absent"
    );
    assert_eq!(buttons(&screen), [("Back to the status", "dr:s")]);
}

#[test]
fn with_the_supervisor_or_redis_gone_nothing_is_offered_and_the_host_is_named() {
    for (seen, short, first, host) in [
        (
            Seen::silent(12_000),
            "the supervisor is not heard",
            "Nobody can carry this out: the supervisor has not been heard for 12 s. Nothing was done.\n",
            "On the host: start the supervisor with `understudy run",
        ),
        (
            Seen::without_redis(30_000),
            "Redis does not answer",
            "Nobody can carry this out: Redis has not answered this worker for 30 s. Nothing was done.\n",
            "On the host: the supervisor brings a private Redis back",
        ),
    ] {
        for propose in [AdminTexts::propose_recovery, AdminTexts::propose_rotation] {
            let Proposal::Nothing { screen, why } = propose(&texts(), &seen.sight()) else {
                panic!("nobody could carry it out");
            };
            assert_eq!(why, short);
            assert!(screen.text.starts_with(first), "{}", screen.text);
            assert!(screen.text.contains(host), "{}", screen.text);
            assert!(screen.text.contains("What worker w2 knows itself"));
            assert_eq!(buttons(&screen), [("Back to the status", "dr:s")]);
        }
    }
}

#[test]
fn an_order_is_followed_to_its_measured_end() {
    let seen = Seen::well();
    let steps = ["fenced".to_owned(), "smoke test".to_owned()];
    let show = |steps: &[String], progress: Progress| {
        let screen = texts().progress(&seen.sight(), &Order::Recover, steps, &progress);
        assert_eq!(screen.keyboard, None, "nothing to press any more");
        screen.text
    };
    assert_eq!(
        show(&[], Progress::Waiting),
        "Order: recover\nWaiting for the supervisor."
    );
    let running = Progress::Running {
        switch: SwitchId([3; 8]),
        step: "smoke test".into(),
    };
    assert_eq!(
        show(&steps, running),
        "Order: recover\n• fenced\n• smoke test"
    );
    let done = Progress::Done {
        outcome: "b2 answers members".into(),
        took_ms: 612,
        smoke: vec!["rpc in 3 ms".into(), "redis in 1 ms".into()],
    };
    assert_eq!(
        show(&steps, done),
        "Order: recover\n• fenced\n• smoke test\n\
         Done in 612 ms: second answers members\n\
         Smoke test passed:\n✓ rpc in 3 ms\n✓ redis in 1 ms"
    );
    let why = "the plan has changed: ask again".to_owned();
    assert_eq!(
        show(&[], Progress::Refused { why: why.clone() }),
        "Order: recover\nRefused, nothing was done: the plan has changed: ask again"
    );
    assert!(show(&steps, Progress::Failed { why }).contains("\nFAILED: the plan"));
}

#[test]
fn an_order_that_waits_for_nobody_says_so() {
    let seen = Seen::silent(5_000);
    let screen = texts().progress(&seen.sight(), &Order::Rotate, &[], &Progress::Waiting);
    assert_eq!(
        screen.text,
        "Order: rotate\nThe supervisor has not been heard for 5.0 s. An order that is not taken within 30 s is refused when it comes back."
    );
}

#[test]
fn recent_events_are_one_list_of_ten_the_latest_first() {
    let seen = Seen::well();
    let event = |minutes: i64| Happening::Event {
        at: ago(minutes * 60_000),
        kind: "worker_died",
        subject: format!("w{minutes}"),
    };
    let mut happenings: Vec<Happening> = (3..13).map(event).collect();
    happenings.push(Happening::Switch {
        at: ago(130_000),
        kind: "takeover",
        from: None,
        to: Some(shared_core::BotId(1)),
        outcome: "done",
        took_ms: Some(80),
        cause: "w1 died".into(),
    });
    let screen = texts().events(&seen.sight(), Ok(happenings));
    let lines: Vec<&str> = screen.text.lines().collect();
    assert_eq!(
        lines[..3],
        [
            "Recent events of main",
            "2 min ago: takeover nobody → @first_bot, done, took 80 ms: w1 died",
            "3 min ago: worker_died w3",
        ]
    );
    assert_eq!(lines.len(), 11);
    let away = texts().events(&seen.sight(), Err("listing the events: no answer".into()));
    assert!(
        away.text
            .ends_with("The database does not answer: listing the events: no answer")
    );
    let none = texts().events(&seen.sight(), Ok(vec![]));
    assert!(none.text.ends_with("None are recorded."));
}

#[test]
fn no_screen_is_longer_than_telegram_takes_and_foreign_words_stay_in_their_line() {
    let mut seen = Seen::silent(10_000);
    let long = "very\nlong ".repeat(500);
    let one = board().bots[2].clone();
    seen.board().reasons = vec![long.clone(); 50];
    seen.board().bots = (0..20)
        .map(|id| shared_core::BoardBot {
            bot: shared_core::BotId(id),
            error: Some(long.clone()),
            ..one.clone()
        })
        .collect();
    let text = seen.show(|texts, sight| texts.status(sight)).text;
    assert!(text.encode_utf16().count() <= crate::bound::MESSAGE);
    assert!(!text.contains("very\n"), "{text}");
    assert!(text.contains("… and 42 more"), "{text}");
}

#[test]
fn every_alert_fits_the_window_that_shows_it() {
    for alert in [
        Alert::Taken,
        Alert::Expired,
        Alert::Unknown,
        Alert::Repeated,
        Alert::NothingCame,
        Alert::RedisAway,
        Alert::Uncertain,
        Alert::Full,
        Alert::Forged,
    ] {
        let text = texts().alert(alert);
        assert!(
            text.encode_utf16().count() <= crate::bound::ANSWER,
            "{text}"
        );
    }
    assert!(texts().help().text.contains("older than 2 min"));
    assert_eq!(
        texts().old(240_000).text,
        "This command is 4 min old, nothing was done: send it again."
    );
}
