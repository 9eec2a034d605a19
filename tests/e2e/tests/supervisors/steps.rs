//! A leader that ends after any step of a move: the follower finishes it or undoes it, and the old one, when it wakes, does no harm.
//!
//! Each step is a script on its way to Redis. A trap in the leader's line stops right there: after the script, and then the leader is killed before it
//! hears of it; or before it, and then the leader is stopped, and the script arrives when another leads, as late packets do.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use e2e::{Duo, Trap, When, built};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{is_answered, knows_all_bots, nothing_was_done_twice};

const SPRUNG: Duration = Duration::from_secs(60);
const FINISHED: Duration = Duration::from_secs(40);

/// What a script has in it that does this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    TakeOrder,
    Fence,
    Assign,
    Activate,
    Open,
    ClearSaga,
    EndOrder,
}

impl Step {
    fn trap(self, when: When) -> Trap {
        let has: &[&str] = match self {
            Self::TakeOrder => &["us:{main}:orders", "\"progress\":{\"state\":\"running\""],
            Self::Fence => &["\"state\":{\"state\":\"fenced\""],
            Self::Assign => &["us:{main}:assign", "\r\nHSET\r\n"],
            Self::Activate => &["\"state\":{\"state\":\"activated\""],
            Self::Open => &["\"state\":{\"state\":\"opened\""],
            Self::ClearSaga => &["us:{main}:saga", "\r\nDEL\r\n"],
            Self::EndOrder => &["us:{main}:orders", "\"progress\":{\"state\":\"done\""],
        };
        let has = has.iter().map(|text| (*text).to_owned()).collect();
        Trap { has, when }
    }
}

/// How the leader ends at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The script was carried out, its answer did not arrive, and the leader is no more.
    KilledAfter,
    /// The script arrives when another leads, and so does its sender.
    StoppedBefore,
}

/// Has the leader end there, and waits until the other one leads. Says which one that was.
async fn end_leader(duo: &mut Duo, step: Step, end: End, begin: impl AsyncFnOnce(&Duo)) -> usize {
    let leader = duo.leader().await.unwrap();
    let when = match end {
        End::KilledAfter => When::After,
        End::StoppedBefore => When::Before,
    };
    duo.proxies[leader].set_trap(step.trap(when));
    begin(duo).await;
    let sprung = duo.proxies[leader].sprung(SPRUNG).await;
    assert!(sprung.is_ok(), "{step:?} {end:?} never came\n{}", duo.log());
    match end {
        End::KilledAfter => duo.kill(leader).unwrap(),
        End::StoppedBefore => duo.signal(leader, Signal::STOP).unwrap(),
    }
    let took = duo.leads(1 - leader).await.unwrap();
    eprintln!("{step:?} {end:?}: followed after {} ms", took.as_millis());
    leader
}

/// The pool is open, and nothing is left under way.
async fn finished(duo: &Duo) -> Value {
    let done = duo.stage.wait("the move is over", FINISHED, |status| {
        let pool = &status["pools"][0];
        pool["phase"] == "open" && pool["orders"].as_array().is_some_and(Vec::is_empty)
    });
    let done = match done.await {
        Ok(status) => status,
        Err(error) => panic!("{error:#}\n{}", duo.log()),
    };
    duo.stage
        .until_stored("the saga is closed", async || {
            let mut redis = duo.redis().await?;
            let saga: Option<String> = redis::cmd("GET")
                .arg("us:{main}:saga")
                .query_async(&mut redis)
                .await?;
            Ok(saga.is_none().then_some(()))
        })
        .await
        .unwrap();
    done
}

/// Brings the old leader back: what it had on its way arrives, and it goes on or is started anew.
async fn bring_back(duo: &mut Duo, old: usize, end: End) {
    duo.proxies[old].open();
    match end {
        End::KilledAfter => duo.start(old).unwrap(),
        End::StoppedBefore => duo.signal(old, Signal::CONT).unwrap(),
    }
    let pid = duo.pid(old).unwrap();
    let follows = duo.stage.wait("the old one follows", FINISHED, |status| {
        let shown = status["supervisors"].as_array().into_iter().flatten();
        let mut ours = shown.filter(|it| it["pid"] == pid);
        ours.any(|it| it["role"] == "follows" && it["age_ms"].as_u64() < Some(1_500))
    });
    if let Err(error) = follows.await {
        panic!("{error:#}\n{}", duo.log());
    }
}

fn epoch(status: &Value) -> u64 {
    status["pools"][0]["epoch"].as_u64().unwrap()
}

async fn switches(duo: &Duo) -> Vec<String> {
    let rows = duo.sql("SELECT id || ' ' || kind || ' ' || outcome FROM switches ORDER BY started");
    rows.unwrap().lines().map(str::to_owned).collect()
}

/// One `understudy` command that follows its order to the end.
async fn order(duo: &Duo, words: &[&str]) -> tokio::task::JoinHandle<ExitStatus> {
    let mut command = tokio::process::Command::new(built("understudy").unwrap());
    command
        .args(words)
        .args(["--timeout", "60", "--config"])
        .arg(duo.stage.folder.config())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    tokio::spawn(async move { command.status().await.unwrap() })
}

/// An order in all its steps; `words` for the bot that is to answer next.
async fn ordered(words: impl Fn(&Duo, i64) -> Vec<String>) {
    let mut duo = Duo::open(1, &["e1", "e2"], 0).await.unwrap();
    knows_all_bots(&duo, 0).await;
    // Redis knows the script of orders from here on: one that it does not know is sent twice, and the first time does nothing.
    for words in ["pause", "resume"] {
        let laid = order(&duo, &[words]).await.await.unwrap();
        assert!(laid.success(), "{}", duo.log());
    }
    let workers = pids(&duo).await;
    let steps = [
        Step::TakeOrder,
        Step::Fence,
        Step::Activate,
        Step::Open,
        Step::ClearSaga,
        Step::EndOrder,
    ];
    for step in steps {
        for end in [End::KilledAfter, End::StoppedBefore] {
            duo.stage.served().await.unwrap();
            let (before, active) = (
                duo.stage.status().await.unwrap(),
                duo.stage.active().await.unwrap(),
            );
            let known = switches(&duo).await.len();
            let words = words(&duo, active);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let mut followed = None;
            let begin = async |duo: &Duo| followed = Some(order(duo, &words).await);
            let old = end_leader(&mut duo, step, end, begin).await;
            let code = followed.unwrap().await.unwrap().code();
            let after = finished(&duo).await;
            let moved = duo.stage.active().await.unwrap() != active;
            // Taken and never begun: undone. Otherwise it is carried out, once.
            let undone = matches!(
                (step, end),
                (Step::TakeOrder, End::KilledAfter) | (Step::Fence, End::StoppedBefore)
            );
            assert_eq!(moved, !undone, "{step:?} {end:?}\n{}", duo.log());
            assert_eq!(code, Some(i32::from(undone)), "{step:?} {end:?}");
            let expected = known + usize::from(!undone);
            let count = "SELECT count(*) FROM switches WHERE outcome = 'done'";
            duo.stored(count, &expected.to_string()).await.unwrap();

            is_answered(&duo, 0).await;
            bring_back(&mut duo, old, end).await;
            is_answered(&duo, 0).await;
            let later = duo.stage.status().await.unwrap();
            assert_eq!(
                epoch(&later),
                epoch(&after),
                "{step:?} {end:?}\n{}",
                duo.log()
            );
            assert_eq!(undone, epoch(&after) == epoch(&before), "{step:?} {end:?}");
            assert_eq!(switches(&duo).await.len(), expected, "{step:?} {end:?}");
        }
    }
    assert_eq!(pids(&duo).await, workers, "no worker was ended for it");
    nothing_was_done_twice(&duo).await;
}

async fn pids(duo: &Duo) -> Vec<Value> {
    let status = duo.stage.status().await.unwrap();
    let workers = status["workers"].as_array().unwrap().iter();
    workers.map(|it| it["pid"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_by_order_is_finished_or_undone_whenever_its_leader_ends() {
    ordered(|duo, active| {
        let bots = duo.stage.scene.bots.iter();
        let next = bots.map(|bot| bot.id).find(|bot| *bot != active).unwrap();
        ["switch", "--to", &format!("b{next}")]
            .map(str::to_owned)
            .to_vec()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_by_order_is_finished_or_undone_whenever_its_leader_ends() {
    ordered(|_, _| vec!["rotate".to_owned()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_takeover_is_finished_whenever_its_leader_ends() {
    let mut duo = Duo::open(1, &["e1", "e2"], 0).await.unwrap();
    knows_all_bots(&duo, 0).await;
    let bot = duo.stage.active().await.unwrap();
    let steps = [
        Step::Fence,
        Step::Assign,
        Step::Activate,
        Step::Open,
        Step::ClearSaga,
    ];
    for step in steps {
        for end in [End::KilledAfter, End::StoppedBefore] {
            duo.stage.served().await.unwrap();
            let status = duo.stage.status().await.unwrap();
            let worker = status["pools"][0]["active"]["worker"].as_str().unwrap();
            let begin = async |duo: &Duo| duo.stage.signal_worker(worker, Signal::KILL).unwrap();
            let old = end_leader(&mut duo, step, end, begin).await;
            let after = finished(&duo).await;
            assert_eq!(duo.stage.active().await.unwrap(), bot, "the bot stays");
            assert_ne!(after["pools"][0]["active"]["worker"], worker);
            is_answered(&duo, 0).await;
            duo.stage.start_worker(worker).unwrap();
            bring_back(&mut duo, old, end).await;
            is_answered(&duo, 0).await;
            assert_eq!(duo.stage.active().await.unwrap(), bot, "the bot stays");
        }
    }
    nothing_was_done_twice(&duo).await;
}

/// One relogin; the next one of a pool has to wait for a minute.
async fn relogin(step: Step, end: End) {
    let mut duo = Duo::open(1, &["e1", "e2"], 0).await.unwrap();
    knows_all_bots(&duo, 0).await;
    let bot = duo.stage.active().await.unwrap();
    let lost = json!({"kind": "rpc_error", "bot": bot, "method": "updates.getState",
                      "code": 401, "message": "SESSION_REVOKED", "count": 1});
    let begin = async |duo: &Duo| {
        duo.stage.fault(lost).await.unwrap();
    };
    let old = end_leader(&mut duo, step, end, begin).await;
    let after = finished(&duo).await;
    assert_eq!(
        after["pools"][0]["switches"][0]["kind"],
        "relogin",
        "{}",
        duo.log()
    );
    assert_eq!(duo.stage.active().await.unwrap(), bot, "the bot stays");
    is_answered(&duo, 0).await;
    bring_back(&mut duo, old, end).await;
    is_answered(&duo, 0).await;
    nothing_was_done_twice(&duo).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relogin_whose_leader_is_killed_after_its_fence_is_finished() {
    relogin(Step::Fence, End::KilledAfter).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relogin_whose_leader_is_stopped_before_it_assigns_is_finished() {
    relogin(Step::Assign, End::StoppedBefore).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relogin_whose_leader_is_killed_after_it_assigned_is_finished() {
    relogin(Step::Assign, End::KilledAfter).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relogin_whose_leader_is_stopped_before_it_activates_is_finished() {
    relogin(Step::Activate, End::StoppedBefore).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relogin_whose_leader_is_killed_after_it_activated_is_finished() {
    relogin(Step::Activate, End::KilledAfter).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relogin_whose_leader_is_stopped_before_it_opens_is_finished() {
    relogin(Step::Open, End::StoppedBefore).await;
}
