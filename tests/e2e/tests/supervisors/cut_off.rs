//! Redis away from some or from all: a worker, the supervisors, everybody; paused, and started anew.

use std::time::{Duration, Instant};

use e2e::{Duo, Talk};
use rustix::process::Signal;

use super::{is_answered, nothing_was_done_twice};

const TAKEN_OVER: Duration = Duration::from_secs(30);
/// Longer than a lease, a lead and a heartbeat last.
const AWAY: Duration = Duration::from_secs(6);

async fn epoch(duo: &Duo) -> serde_json::Value {
    duo.stage.status().await.unwrap()["pools"][0]["epoch"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_alone_is_cut_off_from_redis_is_replaced_and_comes_back() {
    let duo = Duo::open(1, &[], 0).await.unwrap();
    let bot = duo.stage.active().await.unwrap();
    Talk::private(&duo.stage, 0, bot).start(None).await.unwrap();
    for stalled in [true, false] {
        is_answered(&duo, 0).await;
        let status = duo.stage.status().await.unwrap();
        let holder = status["pools"][0]["active"]["worker"].as_str().unwrap();
        let holder = holder.to_owned();
        let began = Instant::now();
        let line = duo.line_of(&holder).unwrap();
        match stalled {
            true => line.stall(),
            false => line.cut(),
        }
        let taken_over = duo.stage.wait("a takeover", TAKEN_OVER, |status| {
            let pool = &status["pools"][0];
            pool["phase"] == "open" && pool["active"]["worker"] != holder.as_str()
        });
        taken_over.await.unwrap();
        let took = began.elapsed().as_millis();
        eprintln!("cut off, stalled: {stalled}: taken over after {took} ms");
        assert_eq!(duo.stage.active().await.unwrap(), bot, "the bot stays");
        is_answered(&duo, 0).await;
        duo.line_of(&holder).unwrap().open();
        let back = duo.stage.wait("it is heard again", TAKEN_OVER, |status| {
            let workers = status["workers"].as_array().into_iter().flatten();
            let mut ours = workers.filter(|it| it["name"] == holder.as_str());
            ours.any(|it| it["age_ms"].as_u64() < Some(1_000))
        });
        back.await.unwrap();
        is_answered(&duo, 0).await;
        duo.stage.served().await.unwrap();
    }
    nothing_was_done_twice(&duo).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_no_supervisor_reaches_redis_members_are_served_on() {
    let duo = Duo::open(1, &["e1", "e2"], 0).await.unwrap();
    let bot = duo.stage.active().await.unwrap();
    let talk = Talk::private(&duo.stage, 0, bot);
    talk.open_upload().await.unwrap();
    let before = epoch(&duo).await;
    duo.proxies[0].stall();
    duo.proxies[1].cut();
    tokio::time::sleep(AWAY).await;
    talk.give_title().await.unwrap();
    let status = duo.stage.status().await.unwrap();
    assert!(status["supervisor"]["leader"].is_null(), "{status:#}");
    // One is back, and then the other.
    duo.proxies[1].open();
    duo.leads(1).await.unwrap();
    duo.proxies[0].open();
    duo.both_are_shown().await.unwrap();
    talk.give_description().await.unwrap();
    duo.stage.settled().await.unwrap();
    assert_eq!(talk.count("✓ Title: ").await.unwrap(), 1);
    assert_eq!(
        epoch(&duo).await,
        before,
        "no reason to switch\n{}",
        duo.log()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_pauses_or_is_started_anew_is_waited_for_by_all() {
    let mut duo = Duo::open(1, &[], 2).await.unwrap();
    let bot = duo.stage.active().await.unwrap();
    let talk = Talk::private(&duo.stage, 0, bot);
    talk.open_upload().await.unwrap();
    duo.stage.settled().await.unwrap();
    duo.redis.signal(Signal::STOP).unwrap();
    tokio::time::sleep(AWAY).await;
    talk.say(e2e::TITLE).await.unwrap();
    duo.redis.signal(Signal::CONT).unwrap();
    talk.see("✓ Title: ").await.unwrap();

    duo.redis.restart().unwrap();
    talk.give_description().await.unwrap();
    duo.both_are_shown().await.unwrap();
    duo.stage.settled().await.unwrap();
    for answer in ["✓ Title: ", "✓ Description: "] {
        assert_eq!(talk.count(answer).await.unwrap(), 1, "{answer}");
    }
    assert_eq!(
        duo.stage.active().await.unwrap(),
        bot,
        "no reason to switch"
    );
    for which in 0..2 {
        assert!(duo.runs(which).unwrap(), "{}", duo.log());
    }
    nothing_was_done_twice(&duo).await;
}
