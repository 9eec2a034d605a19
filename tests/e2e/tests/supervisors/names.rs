//! Two live processes under one worker's name: the later one is refused, the first keeps working.

use std::process::Stdio;
use std::time::Duration;

use e2e::{Duo, Stage, Talk, built};
use rustix::process::Signal;

use super::{is_answered, nothing_was_done_twice};

const SEEN: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_under_a_live_workers_name_is_refused_in_one_line() {
    let stage = Stage::open_with(1, str::to_owned, &["e1", "e2"])
        .await
        .unwrap();
    let bot = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, bot);
    talk.start(None).await.unwrap();
    stage.settled().await.unwrap();
    let before = stage.status().await.unwrap();
    for name in ["e1", "e2"] {
        // Also one that somebody vouches for: what he knows of is another host's.
        for vouched in [&[][..], &["--nonce", "00000000000000aa"]] {
            let second = tokio::process::Command::new(built("understudy-worker").unwrap())
                .arg("--config")
                .arg(stage.folder.config())
                .args(["--name", name])
                .args(vouched)
                .stdin(Stdio::null())
                .kill_on_drop(true)
                .output();
            let second = tokio::time::timeout(SEEN, second).await.unwrap().unwrap();
            assert_eq!(second.status.code(), Some(3), "{second:?}");
            let said = String::from_utf8(second.stderr).unwrap();
            let last = said.lines().last().unwrap_or_default();
            assert_eq!(
                last,
                format!(
                    "understudy-worker: another live process is worker {name} of this deployment; give this one another name (--name, or workers.name for those that a supervisor starts)"
                )
            );
            talk.say("/help").await.unwrap();
        }
    }
    talk.see_times("What I know:", 4).await.unwrap();
    stage.settled().await.unwrap();
    let after = stage.status().await.unwrap();
    assert_eq!(after["pools"][0]["epoch"], before["pools"][0]["epoch"]);
    let pids = |status: &serde_json::Value| {
        let workers = status["workers"].as_array().unwrap().iter();
        workers.map(|it| it["pid"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(pids(&after), pids(&before));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_slept_while_another_took_its_name_ends_when_it_wakes() {
    let mut stage = Stage::open_with(1, str::to_owned, &["e1", "e2"])
        .await
        .unwrap();
    let bot = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, bot);
    talk.start(None).await.unwrap();
    stage.settled().await.unwrap();
    let status = stage.status().await.unwrap();
    let holder = status["pools"][0]["active"]["worker"].as_str();
    let holder = holder.unwrap().to_owned();
    stage.signal_worker(&holder, Signal::STOP).unwrap();
    let mut slept = stage.forget_worker(&holder).unwrap();
    let slept_pid = pid_of(&stage.status().await.unwrap(), &holder);
    stage.start_worker(&holder).unwrap();
    let talk = Talk::private(&stage, 0, bot);
    talk.say("/help").await.unwrap();
    talk.see("What I know:").await.unwrap();
    // The other worker may be the one who answers; only a name that was taken is lost.
    stage
        .wait("the later process has the name", SEEN, |status| {
            pid_of(status, &holder).is_some_and(|pid| Some(pid) != slept_pid)
        })
        .await
        .unwrap();
    slept.signal(Signal::CONT);
    let ended = slept.ended(SEEN).await.unwrap();
    assert_eq!(ended.code(), Some(3), "{ended:?}");
    talk.say("/help").await.unwrap();
    talk.see_times("What I know:", 2).await.unwrap();
    stage.settled().await.unwrap();
    assert_eq!(talk.count("What I know:").await.unwrap(), 2);
    let duplicated = stage.events_since(0, "auth_key_duplicated").await.unwrap();
    assert!(duplicated.is_empty(), "{duplicated:#?}");
}

/// A worker that Redis alone does not hear keeps its connections for minutes. Whoever takes its name on another host leaves them alone.
#[tokio::test(flavor = "multi_thread")]
async fn the_connections_of_a_cut_off_worker_are_left_alone_by_the_next_of_its_name() {
    let mut duo = Duo::open(1, &[], 0).await.unwrap();
    let bot = duo.stage.active().await.unwrap();
    Talk::private(&duo.stage, 0, bot).start(None).await.unwrap();
    let ready = duo.stage.wait("every bot has two logins", SEEN, two_logins);
    let status = ready.await.unwrap();
    let name = status["pools"][0]["active"]["worker"].as_str().unwrap();
    let name = name.to_owned();
    let before = pid_of(&status, &name);
    // Nobody takes the bot over: what stands is what the next process finds.
    duo.stage.run(&["pause"]).await.unwrap();
    duo.line_of(&name).unwrap().stall();
    let mut cut_off = duo.stage.forget_worker(&name).unwrap();
    let elsewhere = [("UNDERSTUDY__DATA_DIR", "state-elsewhere")];
    duo.stage.start_worker_with(&name, &elsewhere).unwrap();
    let has_the_name = duo.stage.wait("the name has passed", SEEN, |status| {
        pid_of(status, &name).is_some_and(|pid| Some(pid) != before)
    });
    has_the_name.await.unwrap();
    // Longer than a lease lasts: the next one could have it by now.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let status = duo.stage.status().await.unwrap();
    let mut workers = status["workers"].as_array().unwrap().iter();
    let found = workers.find(|worker| worker["name"] == name.as_str());
    assert_eq!(found.unwrap()["bots"], serde_json::json!([]), "{status:#}");
    nothing_was_done_twice(&duo).await;
    duo.stage.run(&["resume"]).await.unwrap();
    is_answered(&duo, 0).await;
    assert_eq!(duo.stage.active().await.unwrap(), bot, "the bot stays");
    duo.stage.served().await.unwrap();
    nothing_was_done_twice(&duo).await;
    duo.line_of(&name).unwrap().open();
    let ended = cut_off.ended(SEEN).await.unwrap();
    assert_eq!(ended.code(), Some(3), "{ended:?}");
    is_answered(&duo, 0).await;
    nothing_was_done_twice(&duo).await;
}

/// A service manager starts it again; nobody saw it die, and the lock that it left proves that it did.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_that_is_started_again_proves_that_it_was_dead() {
    let mut stage = Stage::open_with(1, str::to_owned, &["e1", "e2"])
        .await
        .unwrap();
    let status = stage.wait("every bot has two logins", SEEN, two_logins);
    let status = status.await.unwrap();
    let active = status["pools"][0]["active"]["worker"].clone();
    let name = if active == "e1" { "e2" } else { "e1" };
    let pid = pid_of(&status, name);
    stage.signal_worker(name, Signal::KILL).unwrap();
    let mut killed = stage.forget_worker(name).unwrap();
    killed.ended(SEEN).await.unwrap();
    stage.start_worker(name).unwrap();
    let back = stage.wait("it is back with its bots", SEEN, |status| {
        let mut bots = status["pools"][0]["bots"].as_array().into_iter().flatten();
        pid_of(status, name).is_some_and(|now| Some(now) != pid)
            && bots.all(|bot| bot["connection"] == "ready")
    });
    back.await.unwrap();
    // Whether the leader moves its bots meanwhile or leaves them to it: neither is a guess.
    let log = stage.log_tail();
    assert!(log.contains("has seen this worker's process end"), "{log}");
    assert!(!log.contains("has passed to"), "{log}");
    let duplicated = stage.events_since(0, "auth_key_duplicated").await.unwrap();
    assert!(duplicated.is_empty(), "{duplicated:#?}");
}

fn two_logins(status: &serde_json::Value) -> bool {
    let mut bots = status["pools"][0]["bots"].as_array().into_iter().flatten();
    bots.all(|bot| bot["other_login"] == "resting")
}

/// Whose heartbeat stands under the name.
fn pid_of(status: &serde_json::Value, name: &str) -> Option<u64> {
    let workers = status["workers"].as_array()?;
    let found = workers.iter().find(|worker| worker["name"] == name)?;
    found["pid"].as_u64()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_hosts_workers_of_the_same_names_take_nothing_from_the_first() {
    let mut duo = Duo::open_named(1, ["w", "w"], 2).await.unwrap();
    let bot = duo.stage.active().await.unwrap();
    Talk::private(&duo.stage, 0, bot).start(None).await.unwrap();
    let before = duo.stage.status().await.unwrap();
    // The second one's die again and again; each death is its own process', whatever its name.
    let said =
        "another process has this worker's name: set workers.name to another one here, or there";
    duo.says(1, said).await.unwrap();
    is_answered(&duo, 0).await;
    let doctor = duo.stage.run(&["doctor"]).await.unwrap();
    assert!(
        doctor.contains("w1 is the name of workers of two supervisors"),
        "{doctor}"
    );

    // Also when the one whose workers are refused leads.
    duo.kill(0).unwrap();
    duo.leads(1).await.unwrap();
    is_answered(&duo, 0).await;
    let after = duo.stage.status().await.unwrap();
    assert_eq!(
        after["pools"][0]["epoch"],
        before["pools"][0]["epoch"],
        "{}",
        duo.log()
    );
    let pids = |status: &serde_json::Value| {
        let workers = status["workers"].as_array().unwrap().iter();
        workers.map(|it| it["pid"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(pids(&after), pids(&before), "the first host's serve on");
}
