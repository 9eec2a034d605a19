//! Several candidates for one lead, at once: one of them has it, whoever that is, and the others follow.

use e2e::{Duo, Talk};
use serde_json::Value;

use super::{is_answered, nothing_was_done_twice};

/// Who wins is chance; so the race is run again.
const ROUNDS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn of_two_supervisors_that_start_at_once_one_leads() {
    let mut duo = Duo::open_at_once(1, &["e1", "e2"]).await.unwrap();
    one_leads(&duo, &[0, 1]).await;
    let bot = duo.stage.active().await.unwrap();
    Talk::private(&duo.stage, 0, bot).start(None).await.unwrap();
    is_answered(&duo, 0).await;
    let began = epoch(&duo).await;
    for round in 0..ROUNDS {
        for which in 0..2 {
            duo.kill(which).unwrap();
        }
        // The other one has the first word this time.
        for which in [round % 2, 1 - round % 2] {
            duo.start(which).unwrap();
        }
        one_leads(&duo, &[0, 1]).await;
        is_answered(&duo, 0).await;
    }
    nobody_was_moved(&duo, bot, began).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_follow_a_killed_leader_one_leads() {
    let mut duo = Duo::open(1, &["e1", "e2"], 0).await.unwrap();
    duo.start(2).unwrap();
    duo.both_are_shown().await.unwrap();
    let bot = duo.stage.active().await.unwrap();
    Talk::private(&duo.stage, 0, bot).start(None).await.unwrap();
    is_answered(&duo, 0).await;
    let began = epoch(&duo).await;
    for _ in 0..ROUNDS {
        let leader = duo.leader().await.unwrap();
        let others: Vec<usize> = (0..3).filter(|which| *which != leader).collect();
        duo.kill(leader).unwrap();
        duo.first_to_lead(&others).await.unwrap();
        one_leads(&duo, &others).await;
        is_answered(&duo, 0).await;
        duo.start(leader).unwrap();
        duo.both_are_shown().await.unwrap();
    }
    nobody_was_moved(&duo, bot, began).await;
}

/// All of these are shown; one of them leads, and goes on doing so, and each other one follows.
async fn one_leads(duo: &Duo, of: &[usize]) {
    let leader = duo.first_to_lead(of).await.unwrap();
    duo.both_are_shown().await.unwrap();
    let said = duo.stage.wait("each has its role", super::SEEN, |status| {
        of.iter().all(|which| {
            let role = match *which == leader {
                true => "leads",
                false => "follows",
            };
            role_of(duo, status, *which).is_some_and(|said| said == role)
        })
    });
    if let Err(error) = said.await {
        panic!("{error:#}\n{}", duo.log());
    }
}

fn role_of(duo: &Duo, status: &Value, which: usize) -> Option<String> {
    let pid = duo.pid(which)?;
    let mut shown = status["supervisors"].as_array()?.iter();
    let role = shown.find(|it| it["pid"] == pid)?["role"].as_str()?;
    Some(role.to_owned())
}

async fn epoch(duo: &Duo) -> Value {
    duo.stage.status().await.unwrap()["pools"][0]["epoch"].clone()
}

/// The first activation is the only one that there has been.
async fn nobody_was_moved(duo: &Duo, bot: i64, began: Value) {
    assert_eq!(duo.stage.active().await.unwrap(), bot, "{}", duo.log());
    assert_eq!(epoch(duo).await, began, "{}", duo.log());
    duo.stored("SELECT count(*) FROM switches", "1")
        .await
        .unwrap();
    nothing_was_done_twice(duo).await;
}
