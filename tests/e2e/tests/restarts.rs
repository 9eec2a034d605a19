//! Workers that die and are back before anybody counts them as gone, and one that hangs.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use e2e::{Stage, Talk};
use rustix::process::{Pid, Signal, kill_process};
use sandbox::processes::redis_of;

const SERVED: Duration = Duration::from_secs(20);

/// The name of the worker that holds the active bot.
async fn active_worker(stage: &Stage) -> String {
    let status = stage.status().await.unwrap();
    let name = status["pools"][0]["active"]["worker"].as_str();
    name.unwrap().to_owned()
}

/// The processes of all workers.
async fn workers(stage: &Stage) -> Vec<Pid> {
    let status = stage.status().await.unwrap();
    let workers = status["workers"].as_array().unwrap().iter();
    let pids = workers.filter_map(|it| i32::try_from(it["pid"].as_i64()?).ok());
    pids.filter_map(Pid::from_raw).collect()
}

async fn epoch(stage: &Stage) -> u64 {
    stage.status().await.unwrap()["pools"][0]["epoch"]
        .as_u64()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_and_started_again_at_once_answers() {
    let mut stage = Stage::open_with(1, str::to_owned, &["e1", "e2"])
        .await
        .unwrap();
    let bot = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, bot);
    talk.start(None).await.unwrap();
    stage.settled().await.unwrap();
    let before = epoch(&stage).await;
    let worker = active_worker(&stage).await;
    stage.signal_worker(&worker, Signal::KILL).unwrap();
    stage.start_worker(&worker).unwrap();
    let talk = Talk::private(&stage, 0, bot);
    talk.say("/help").await.unwrap();
    talk.see("What I know:").await.unwrap();
    assert!(epoch(&stage).await > before, "under another epoch");
    assert_eq!(stage.active().await.unwrap(), bot, "the bot stays");
    assert_eq!(talk.count("What I know:").await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_reboot_of_the_host_members_are_answered() {
    for redis_too in [false, true] {
        let mut stage = Stage::open_with(1, str::to_owned, &["e1", "e2"])
            .await
            .unwrap();
        let bot = stage.active().await.unwrap();
        let talk = Talk::private(&stage, 0, bot);
        talk.start(None).await.unwrap();
        stage.settled().await.unwrap();
        let workers = workers(&stage).await;
        assert_eq!(workers.len(), 2);
        stage.kill_supervisor().unwrap();
        for worker in workers {
            kill_process(worker, Signal::KILL).unwrap();
        }
        if redis_too {
            let redis = redis_of(&stage.folder.root).unwrap();
            redis.signal(Signal::KILL).unwrap();
        }
        stage.start_supervisor().unwrap();
        for worker in ["e1", "e2"] {
            stage.start_worker(worker).unwrap();
        }
        // Where the first worker is known to be dead before the second one, it is another bot that goes on.
        stage.served().await.unwrap();
        let bot = stage.active().await.unwrap();
        let talk = Talk::private(&stage, 0, bot);
        talk.say("/help").await.unwrap();
        talk.see("What I know:").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_worker_hangs_is_killed_and_goes_on_in_its_epoch() {
    let only_one = |config: &str| config.replace("local = 2", "local = 1");
    let stage = Stage::open_with(1, only_one, &[]).await.unwrap();
    let bot = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, bot);
    talk.start(None).await.unwrap();
    stage.settled().await.unwrap();
    let before = epoch(&stage).await;
    let pid = stage.worker_of(bot).await.unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    talk.say("/help").await.unwrap();
    talk.see("What I know:").await.unwrap();
    assert_ne!(stage.worker_of(bot).await.unwrap(), pid);
    // Whoever is vouched for takes its epoch up by itself: nobody renews it.
    let settled = Duration::from_secs(3);
    stage
        .wait("it has been at work for a while", SERVED, |status| {
            let pool = &status["pools"][0];
            let age = status["workers"][0]["age_ms"].as_u64();
            pool["phase"] == "open" && age.is_some_and(|age| age < 1_000)
        })
        .await
        .unwrap();
    let none = stage
        .wait("a renewal", settled, |status| {
            status["pools"][0]["epoch"].as_u64() != Some(before)
        })
        .await;
    assert!(none.is_err(), "the epoch was renewed: {none:#?}");
}
