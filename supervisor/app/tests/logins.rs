//! The second login: a session that dies is followed by the other one of the same bot, and a standby's too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use serde_json::Value;
use shared_core::{BotId, LoginSlot};
use support::desk::Desk;
use support::{BOTS, Bench, active};

fn switches(status: &Value) -> Vec<Value> {
    status["pools"][0]["switches"].as_array().unwrap().clone()
}

fn slot(desk: &Desk, bot: i64) -> LoginSlot {
    let given = desk.runtime.block_on(desk.pool.assignments()).unwrap();
    let mut given = given.into_iter();
    given.find(|given| given.bot == BotId(bot)).unwrap().slot
}

#[test]
fn a_dead_session_is_followed_by_the_resting_login_and_then_by_a_standby() {
    let bench = Bench::new();
    let (running, _) = bench.ready();
    let desk = Desk::of(&bench);
    bench.tell("resting", BOTS[0]);
    desk.board(&bench, |board| board.bots[0].resting);
    assert_eq!(slot(&desk, BOTS[0]), LoginSlot::A);

    bench.tell("session-a", BOTS[0]);
    let status = bench.until("the relogin", |s| {
        switches(s).len() == 2 && switches(s)[0]["kind"] == "relogin"
    });
    assert_eq!(active(&status), (BOTS[0], "w1".to_owned()), "{status:#}");
    let cause = switches(&status)[0]["cause"].as_str().unwrap().to_owned();
    assert!(
        cause.starts_with("session_dead: SESSION_REVOKED"),
        "{cause}"
    );
    assert_eq!(slot(&desk, BOTS[0]), LoginSlot::B);
    bench.until("its failure and its return on record", |_| {
        bench.events("bot_failed").len() == 1 && bench.events("bot_recovered").len() == 1
    });

    // The other one has not been made anew when this one dies as well.
    bench.untell("resting", BOTS[0]);
    desk.board(&bench, |board| !board.bots[0].resting);
    bench.tell("session-b", BOTS[0]);
    let status = bench.until("the standby", |s| active(s).0 == BOTS[1]);
    assert_eq!(status["pools"][0]["bots"][0]["connection"], "failed");
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn a_standby_whose_session_died_is_placed_again_with_its_other_login() {
    let bench = Bench::new();
    let (running, _) = bench.ready();
    let desk = Desk::of(&bench);
    bench.tell("resting", BOTS[2]);
    desk.board(&bench, |board| board.bots[2].resting);
    bench.tell("session-a", BOTS[2]);
    bench.until("the standby by its other login", |s| {
        s["pools"][0]["bots"][2]["ready"] == true && slot(&desk, BOTS[2]) == LoginSlot::B
    });
    let status = bench.status();
    assert_eq!(switches(&status).len(), 1, "members noticed nothing");
    assert_eq!(active(&status).0, BOTS[0]);
    assert_eq!(running.stop(), Some(0));
}
