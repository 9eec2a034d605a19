//! With the supervisor killed, and with Redis killed as well: what the bots still say, and that they promise nothing.

use e2e::{Stage, Talk};
use rustix::process::Signal;
use sandbox::processes::redis_of;

use super::asking::{
    actions, admin, ask, ask_until, labels, moved_once, moves, reads, recorded, said, settled_plan,
};

/// Nothing is offered, and what a person does on the host is said.
async fn nothing_is_offered(stage: &Stage, talk: &Talk<'_>, why: &str) {
    let refused = ask_until(stage, talk, "/emergency_recovery", why).await;
    let refused = refused.unwrap();
    assert!(
        refused.text.starts_with("Nobody can carry this out: "),
        "{}",
        refused.text
    );
    for remedy in [
        "understudy run",
        "systemctl restart understudy-supervisor",
        "Nothing was done.",
    ] {
        assert!(refused.text.contains(remedy), "{}", refused.text);
    }
    assert_eq!(labels(&refused), ["Back to the status"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_supervisor_killed_the_bots_say_what_they_know_and_how_old_it_is() {
    let mut stage = Stage::open_for_admin(1).await.unwrap();
    {
        let talks = [admin(&stage, 0).await, admin(&stage, 1).await];
        for talk in &talks {
            ask_until(&stage, talk, "/drstatus", "main: all well")
                .await
                .unwrap();
        }
    }
    let before = moves(&stage).await.unwrap();
    stage.kill_supervisor().unwrap();
    for bot in [0, 1] {
        let talk = Talk::private(&stage, 0, stage.scene.bots[bot].id);
        let card = ask_until(&stage, &talk, "/drstatus", "has not been heard for ").await;
        let card = card.unwrap();
        for part in [
            "what it said last is as old:\nmain: all well\n",
            "What worker w",
            "login lease held",
            "Redis: answers in ",
            "Database: answers",
        ] {
            assert!(card.text.contains(part), "{part:?} in {}", card.text);
        }
        nothing_is_offered(&stage, &talk, "the supervisor has not been heard for").await;
        let help = ask(&stage, &talk, "/drhelp").await.unwrap();
        assert!(help.text.contains("/drstatus"), "{}", help.text);
        // A button of before is answered too, and offers as little.
        talk.press_on(&card, "Switch …").await.unwrap();
        let none = reads(&stage, &talk, &card, "Nobody can carry this out").await;
        assert!(none.unwrap().text.contains("understudy run"));
        recorded(&stage, &talk, "switch_plan", "refused", 1)
            .await
            .unwrap();
    }
    stage.start_supervisor().unwrap();
    stage.served().await.unwrap();
    let talk = Talk::private(&stage, 0, stage.scene.bots[1].id);
    ask_until(&stage, &talk, "/emergency_recovery", "Plan: ")
        .await
        .unwrap();
    assert_eq!(moves(&stage).await.unwrap(), before, "nothing was done");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_confirmed_without_a_supervisor_is_taken_by_the_next_one() {
    let mut stage = Stage::open_for_admin(1).await.unwrap();
    let plan = {
        let talk = admin(&stage, 1).await;
        settled_plan(&stage, &talk).await
    };
    stage.kill_supervisor().unwrap();
    {
        let talk = Talk::private(&stage, 0, stage.scene.bots[1].id);
        talk.press_on(&plan, "Do it").await.unwrap();
        let waits = "The supervisor has not been heard for ";
        reads(&stage, &talk, &plan, waits).await.unwrap();
    }
    stage.start_supervisor().unwrap();
    let talk = Talk::private(&stage, 0, stage.scene.bots[1].id);
    reads(&stage, &talk, &plan, "Done in ").await.unwrap();
    moved_once(&stage).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn with_redis_killed_the_bots_say_so_and_serve_on_when_it_is_back() {
    let mut stage = Stage::open_for_admin(1).await.unwrap();
    let offered = {
        let talks = [admin(&stage, 0).await, admin(&stage, 1).await];
        for talk in &talks {
            ask_until(&stage, talk, "/drstatus", "main: all well")
                .await
                .unwrap();
        }
        ask(&stage, &talks[0], "/emergency_recovery").await.unwrap()
    };
    let before = moves(&stage).await.unwrap();
    // The supervisor would bring it back at once.
    stage.kill_supervisor().unwrap();
    let redis = redis_of(&stage.folder.root).unwrap();
    redis.signal(Signal::KILL).unwrap();
    for bot in [0, 1] {
        let talk = Talk::private(&stage, 0, stage.scene.bots[bot].id);
        let card = ask_until(&stage, &talk, "/drstatus", "Redis: HAS NOT ANSWERED for ").await;
        let card = card.unwrap();
        for part in ["main: all well\n", "What worker w", "Database: answers"] {
            assert!(card.text.contains(part), "{part:?} in {}", card.text);
        }
        nothing_is_offered(&stage, &talk, "Redis has not answered this worker for").await;
        // Recorded in SQL though Redis is away.
        recorded(&stage, &talk, "drhelp", "allowed", 0)
            .await
            .unwrap();
        ask(&stage, &talk, "/drhelp").await.unwrap();
        recorded(&stage, &talk, "drhelp", "allowed", 1)
            .await
            .unwrap();
        if bot == 0 {
            let pressed = talk.press_on(&offered, "Do it").await.unwrap();
            assert_eq!(
                pressed.message.as_deref(),
                Some("Redis does not answer: nothing was done.")
            );
            recorded(&stage, &talk, "confirm", "failed", 1)
                .await
                .unwrap();
        }
    }
    stage.start_supervisor().unwrap();
    stage.served().await.unwrap();
    for bot in [0, 1] {
        let talk = Talk::private(&stage, 0, stage.scene.bots[bot].id);
        ask_until(&stage, &talk, "/drstatus", "main: all well")
            .await
            .unwrap();
        // What was heard while nothing could be committed came again, and was not answered again.
        let commands = said(&stage, &talk).await.unwrap();
        let answers = talk.heard().await.unwrap();
        assert_eq!(answers.len(), commands, "{answers:#?}");
    }
    assert_eq!(moves(&stage).await.unwrap().0, before.0, "nothing was done");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_while_sql_could_not_be_written_is_recorded_afterwards() {
    let stage = Stage::open_for_admin(1).await.unwrap();
    let talk = admin(&stage, 1).await;
    let sql = stage.sql().await.unwrap();
    let mut writer = sql.acquire().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut *writer)
        .await
        .unwrap();
    let help = ask(&stage, &talk, "/drhelp").await.unwrap();
    assert!(help.text.contains("/drstatus"), "{}", help.text);
    assert_eq!(
        actions(&stage).await.unwrap(),
        vec![],
        "nobody else may write"
    );
    sqlx::query("ROLLBACK").execute(&mut *writer).await.unwrap();
    recorded(&stage, &talk, "drhelp", "allowed", 1)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_killed_and_brought_back_costs_no_answer() {
    let stage = Stage::open_for_admin(1).await.unwrap();
    let talks = [admin(&stage, 0).await, admin(&stage, 1).await];
    for talk in &talks {
        settled_plan(&stage, talk).await;
    }
    let before = moves(&stage).await.unwrap();
    let redis = redis_of(&stage.folder.root).unwrap();
    redis.signal(Signal::KILL).unwrap();
    for talk in &talks {
        ask(&stage, talk, "/drstatus").await.unwrap();
        ask(&stage, talk, "/drhelp").await.unwrap();
        ask_until(&stage, talk, "/drstatus", "main: all well")
            .await
            .unwrap();
        let commands = said(&stage, talk).await.unwrap();
        let answers = talk.heard().await.unwrap();
        assert_eq!(answers.len(), commands, "{answers:#?}");
        recorded(&stage, talk, "drhelp", "allowed", 1)
            .await
            .unwrap();
    }
    assert_eq!(moves(&stage).await.unwrap(), before);
}
