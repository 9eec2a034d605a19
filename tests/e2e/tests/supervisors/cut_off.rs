//! Redis away from some or from all: a worker, the supervisors, everybody; paused, and started anew.

use std::time::{Duration, Instant};

use e2e::{Duo, Proxy, Talk};
use rustix::process::Signal;

use super::{is_answered, knows_all_bots, nothing_was_done_twice};

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

/// The supervisors reach Redis and hear no worker: there is nobody to move anything to, and another bot would be no better off.
async fn no_worker_reaches_redis(stalled: bool) {
    let duo = Duo::open(1, &[], 0).await.unwrap();
    knows_all_bots(&duo, 0).await;
    let bot = duo.stage.active().await.unwrap();
    let talk = Talk::private(&duo.stage, 0, bot);
    talk.open_upload().await.unwrap();
    duo.stage.delivered().await.unwrap();
    let lines = ["e1", "e2"].map(|worker| duo.line_of(worker).unwrap());
    for line in lines {
        match stalled {
            true => line.stall(),
            false => line.cut(),
        }
    }
    // What had passed the line already is through.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let commits = duo.stage.counter("commits").await.unwrap();
    talk.say(e2e::TITLE).await.unwrap();
    let unheard = duo.stage.wait("no worker is heard", TAKEN_OVER, |status| {
        let workers = status["workers"].as_array().into_iter().flatten();
        let mut ages = workers.map(|it| it["age_ms"].as_u64());
        ages.all(|age| age.is_none_or(|age| age > 1_500))
    });
    unheard.await.unwrap();
    tokio::time::sleep(AWAY).await;
    let status = duo.stage.status().await.unwrap();
    let leads = &status["supervisor"]["leader"];
    assert!(!leads.is_null(), "the supervisors reach Redis: {status:#}");
    // Whoever the leader may have tried to hand it to, nobody has got it.
    let pool = &status["pools"][0];
    let active = pool["active"]["bot"].as_i64();
    let open_elsewhere = pool["phase"] == "open" && active != Some(bot);
    assert!(!open_elsewhere, "{status:#}\n{}", duo.log());
    assert_eq!(talk.count("✓ Title: ").await.unwrap(), 0);
    assert_eq!(
        duo.stage.counter("commits").await.unwrap(),
        commits,
        "nobody commits"
    );

    lines.into_iter().for_each(Proxy::open);
    talk.see("✓ Title: ").await.unwrap();
    talk.give_description().await.unwrap();
    is_answered(&duo, 0).await;
    duo.stage.served().await.unwrap();
    for answer in ["✓ Title: ", "✓ Description: "] {
        assert_eq!(talk.count(answer).await.unwrap(), 1, "{answer}");
    }
    assert_eq!(
        duo.stage.active().await.unwrap(),
        bot,
        "no reason to switch\n{}",
        duo.log()
    );
    let switched = "SELECT count(*) FROM switches WHERE kind = 'switch' AND outcome = 'done'";
    duo.stored(switched, "0").await.unwrap();
    nothing_was_done_twice(&duo).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_no_worker_reaches_a_stalled_redis_nobody_is_moved_and_all_go_on() {
    no_worker_reaches_redis(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_no_worker_reaches_redis_at_all_nobody_is_moved_and_all_go_on() {
    no_worker_reaches_redis(false).await;
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
