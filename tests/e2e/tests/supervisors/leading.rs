//! The lead passes on when its holder is killed, hangs, or is cut off from Redis; workers of either are used by whoever leads.

use std::time::Duration;

use e2e::{Duo, NAMES, Talk};
use rustix::process::{Pid, Signal, kill_process};

use super::{is_answered, nothing_was_done_twice};

const SEEN: Duration = Duration::from_secs(30);
/// The target is 3 s; a loaded machine is given more, and the figure is printed.
const FOLLOWED: Duration = Duration::from_secs(12);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    Killed,
    Hung,
    Stalled,
    Cut,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_killed_hung_or_cut_off_is_followed_and_members_notice_nothing() {
    let mut duo = Duo::open(1, &["e1", "e2"], 0).await.unwrap();
    let bot = duo.stage.active().await.unwrap();
    Talk::private(&duo.stage, 0, bot).start(None).await.unwrap();
    for loss in [Loss::Killed, Loss::Hung, Loss::Stalled, Loss::Cut] {
        let leader = duo.leader().await.unwrap();
        let other = 1 - leader;
        match loss {
            Loss::Killed => duo.kill(leader).unwrap(),
            Loss::Hung => duo.signal(leader, Signal::STOP).unwrap(),
            Loss::Stalled => duo.proxies[leader].stall(),
            Loss::Cut => duo.proxies[leader].cut(),
        }
        let took = duo.leads(other).await.unwrap();
        eprintln!("{loss:?}: followed after {} ms", took.as_millis());
        assert!(took < FOLLOWED, "{loss:?}: {took:?}\n{}", duo.log());
        is_answered(&duo, 0).await;
        match loss {
            Loss::Killed => duo.start(leader).unwrap(),
            Loss::Hung => duo.signal(leader, Signal::CONT).unwrap(),
            Loss::Stalled | Loss::Cut => duo.proxies[leader].open(),
        }
        follows(&duo, leader).await;
        assert_eq!(duo.leader().await.unwrap(), other, "the lead stays");
        is_answered(&duo, 0).await;
    }
    assert_eq!(
        duo.stage.active().await.unwrap(),
        bot,
        "no reason to switch"
    );
    duo.stored("SELECT count(*) FROM switches", "1")
        .await
        .unwrap();
    nothing_was_done_twice(&duo).await;
}

/// Waits until this one is shown to follow, by a fresh word.
async fn follows(duo: &Duo, which: usize) {
    let pid = duo.pid(which).unwrap();
    let follows = duo.stage.wait("it follows", SEEN, |status| {
        let shown = status["supervisors"].as_array().into_iter().flatten();
        let ours = |it: &&serde_json::Value| it["pid"] == pid;
        let ours = shown.into_iter().find(ours);
        ours.is_some_and(|it| it["role"] == "follows" && it["age_ms"].as_u64() < Some(1_500))
    });
    follows.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leader_uses_both_hosts_workers_and_hears_at_once_of_a_death_elsewhere() {
    let mut duo = Duo::open(1, &[], 2).await.unwrap();
    let all_four = duo.stage.wait("four workers are heard", SEEN, |status| {
        let workers = status["workers"].as_array().into_iter().flatten();
        let mut names: Vec<&str> = workers.filter_map(|it| it["name"].as_str()).collect();
        names.sort_unstable();
        names == ["a-w1", "a-w2", "b-w1", "b-w2"]
    });
    let status = all_four.await.unwrap();
    let shown = status["supervisors"].as_array().unwrap();
    assert_eq!(shown.len(), 2, "{shown:#?}");
    assert_eq!(shown[0]["role"], "leads", "{shown:#?}");
    assert_eq!(shown[1]["role"], "follows", "{shown:#?}");

    // Its supervisor dies as well: what it started serves on, and another leads.
    let bot = duo.stage.active().await.unwrap();
    Talk::private(&duo.stage, 0, bot).start(None).await.unwrap();
    let leader = duo.leader().await.unwrap();
    duo.kill(leader).unwrap();
    let other = 1 - leader;
    duo.leads(other).await.unwrap();
    is_answered(&duo, 0).await;
    assert_eq!(
        duo.stage.active().await.unwrap(),
        bot,
        "nobody was replaced"
    );
    duo.start(leader).unwrap();
    duo.both_are_shown().await.unwrap();

    // The active bot's worker is a child of the one that follows now, and dies: the leader does not wait for its heartbeat to run out.
    let worker = active_worker(&duo).await;
    assert!(worker.starts_with(NAMES[leader]), "{worker}");
    let pid = duo.stage.worker_of(bot).await.unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    let taken_over = duo.stage.wait("a takeover", SEEN, |status| {
        let pool = &status["pools"][0];
        pool["phase"] == "open" && pool["switches"][0]["kind"] == "takeover"
    });
    let status = taken_over.await.unwrap();
    let cause = status["pools"][0]["switches"][0]["cause"].as_str().unwrap();
    assert!(cause.starts_with("worker_dead"), "{cause}");
    is_answered(&duo, 0).await;

    // It is started again under its name by its own supervisor, at once.
    let back = duo.stage.wait("it is back", SEEN, |status| {
        let workers = status["workers"].as_array().into_iter().flatten();
        let mut ours = workers.filter(|it| it["name"] == worker.as_str());
        ours.any(|it| it["pid"].as_i64().and_then(process) != Some(pid))
    });
    back.await.unwrap();
    nothing_was_done_twice(&duo).await;

    // Whoever ends in order takes its own workers with it, and no one else's.
    duo.signal(leader, Signal::TERM).unwrap();
    duo.stage
        .wait("only the other's workers are left", SEEN, |status| {
            let workers = status["workers"].as_array().into_iter().flatten();
            let fresh = workers.filter(|it| it["age_ms"].as_u64() < Some(1_500));
            let mut names: Vec<&str> = fresh.filter_map(|it| it["name"].as_str()).collect();
            names.sort_unstable();
            let name = NAMES[other];
            names == [format!("{name}-w1"), format!("{name}-w2")]
        })
        .await
        .unwrap();
    is_answered(&duo, 0).await;
    let said = duo.stage.run(&["doctor"]).await.unwrap();
    assert!(said.contains("leads"), "{said}");
}

fn process(pid: i64) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

async fn active_worker(duo: &Duo) -> String {
    let status = duo.stage.status().await.unwrap();
    let name = status["pools"][0]["active"]["worker"].as_str();
    name.unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_clock_that_is_set_makes_nobody_silent() {
    let duo = Duo::open(1, &["e1", "e2"], 0).await.unwrap();
    let bot = duo.stage.active().await.unwrap();
    Talk::private(&duo.stage, 0, bot).start(None).await.unwrap();
    let before = duo.stage.status().await.unwrap()["pools"][0]["epoch"].clone();
    // What a clock that is put forward does to ages and to keys, seen at every look for four seconds: once the keys are gone, and every beat is said to
    // be three seconds old.
    let mut redis = duo.redis().await.unwrap();
    let () = redis::cmd("DEL")
        .arg(&["us:worker:e1", "us:worker:e2"])
        .query_async(&mut redis)
        .await
        .unwrap();
    let until = std::time::Instant::now() + Duration::from_secs(4);
    while std::time::Instant::now() < until {
        let (seconds, _): (u64, u64) = redis::cmd("TIME").query_async(&mut redis).await.unwrap();
        let mut pipeline = redis::pipe();
        for worker in ["e1", "e2"] {
            pipeline
                .zadd("us:workers", worker, (seconds - 3) * 1000)
                .ignore();
        }
        let () = pipeline.query_async(&mut redis).await.unwrap();
    }
    is_answered(&duo, 0).await;
    let after = duo.stage.status().await.unwrap()["pools"][0]["epoch"].clone();
    assert_eq!(
        after,
        before,
        "somebody was taken for silent\n{}",
        duo.log()
    );
}
