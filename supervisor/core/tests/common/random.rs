//! Random fleets, overrides and orders, in the language of `fleet`. Boxed, because proptest moves whole value trees over the stack.
#![allow(dead_code)]

use proptest::prelude::*;
use shared_core::{BotId, Order};
use supervisor_core::Snapshot;

use super::fleet::parse;

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
        2 => Just("error=AUTH_KEY_DUPLICATED")
    ];
    let lease = prop_oneof![4 => Just("yes"), 1 => Just("no")];
    let line = (connection, error, 0..6000u64, lease);
    let at_work = prop_oneof![
        2 => Just(String::new()),
        1 => (0..4000u64).prop_map(|ms| format!("settled={ms}")),
        1 => (0..4000u64, 2..4u64).prop_map(|(ms, epoch)| format!("settled={ms} works={epoch}"))
    ];
    (0..8u8, worker, line, login(), 0..3u32, at_work)
        .prop_map(
            move |(homeless, worker, (connection, error, ok, lease), login, prio, at_work)| {
                if homeless == 0 {
                    return format!("bot b{bot} homeless prio={prio}");
                }
                if connection.is_empty() {
                    return format!("bot b{bot} on {worker} {login}");
                }
                format!(
                    "bot b{bot} on {worker} {connection} ok={ok} lease={lease} prio={prio} {error} {login} {at_work}"
                )
            },
        )
}

/// Which login is assigned, which one was reported, and how it stands with the other one.
fn login() -> impl Strategy<Value = String> {
    let slot = prop_oneof![Just("a"), Just("b")];
    let said = prop_oneof![8 => Just(None), 1 => Just(Some("a")), 1 => Just(Some("b"))];
    let other = prop_oneof![
        4 => Just("resting"),
        1 => Just("missing"),
        1 => Just("lost"),
        1 => Just("unknown")
    ];
    let rests_in = prop_oneof![4 => Just(None), 1 => (0..60_000u64).prop_map(Some)];
    let known = prop_oneof![Just("yes"), Just("no")];
    (slot, said, other, rests_in, known).prop_map(|(slot, said, other, rests_in, known)| {
        let said = said.map_or(String::new(), |said| format!(" said={said}"));
        let rests_in = rests_in.map_or(String::new(), |ms| format!(" rests_in={ms}"));
        format!("slot={slot} other={other} sql_rests={known}{said}{rests_in}")
    })
}

fn overrides() -> impl Strategy<Value = String> {
    let pinned = |bot: u32| format!("pinned b{bot} by=cli:bob");
    prop_oneof![
        3 => Just(String::new()),
        1 => Just("paused by=cli:bob".to_owned()),
        1 => (1..5u32).prop_map(pinned),
        1 => (1..5u32).prop_map(move |bot| format!("paused by=cli:bob\n{}", pinned(bot)))
    ]
}

pub fn order() -> impl Strategy<Value = Order> {
    let bot = || (1..6i64).prop_map(BotId);
    prop_oneof![
        3 => bot().prop_map(|to| Order::Switch { to }),
        2 => Just(Order::Rotate),
        2 => Just(Order::Recover),
        1 => Just(Order::Pause),
        1 => Just(Order::Resume),
        1 => bot().prop_map(|bot| Order::Pin { bot }),
        1 => Just(Order::Unpin)
    ]
}

pub fn fleet() -> impl Strategy<Value = Snapshot> {
    let epoch = prop_oneof![
        6 => (1..5u32, 1..4u32, 0..4000u64)
            .prop_map(|(b, w, ms)| format!("epoch open b{b}@w{w} open={ms}")),
        1 => Just("epoch fenced prev=b1".to_owned()),
        1 => (1..5u32).prop_map(|b| format!("epoch smoking b{b}@w1 prev=b2")),
        1 => Just(String::new()),
    ];
    let redis = prop_oneof![8 => Just("redis up 60000"), 1 => Just("redis up 300"), 1 => Just("redis down")];
    let kind = prop_oneof![1 => Just("switch"), 1 => Just("takeover"), 3 => Just("relogin")];
    let past = proptest::collection::vec((kind, 1..4_000_000u64), 0..20);
    let failed = proptest::collection::vec((1..5u32, 1..4u32, 0..20_000u64), 0..3);
    let workers = (
        worker_line("w1").boxed(),
        worker_line("w2").boxed(),
        worker_line("w3").boxed(),
    );
    let bots = (
        bot_line(1).boxed(),
        bot_line(2).boxed(),
        bot_line(3).boxed(),
        bot_line(4).boxed(),
    );
    let seen = (epoch, redis, workers, bots);
    (seen, past, failed, overrides()).prop_map(|((epoch, redis, w, b), past, failed, laid)| {
        let mut lines = vec![
            epoch,
            redis.to_owned(),
            w.0,
            w.1,
            w.2,
            b.0,
            b.1,
            b.2,
            b.3,
            laid,
        ];
        for (kind, ago) in past {
            lines.push(format!("past {kind} ago={ago}"));
        }
        for (bot, worker, ago) in failed {
            lines.push(format!("failed b{bot}@w{worker} ago={ago}"));
        }
        parse(&lines.join("\n"))
    })
}
