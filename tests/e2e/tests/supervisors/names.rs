//! Two live processes under one worker's name: the later one is refused, the first keeps working.

use std::process::Stdio;
use std::time::Duration;

use e2e::{Duo, Stage, Talk, built};
use rustix::process::Signal;

use super::is_answered;

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
    stage.start_worker(&holder).unwrap();
    let talk = Talk::private(&stage, 0, bot);
    talk.say("/help").await.unwrap();
    talk.see("What I know:").await.unwrap();
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
