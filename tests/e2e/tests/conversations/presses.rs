//! A press that a difference brings again, with either answer to whether Telegram does that, and presses of what is over.

use std::time::Duration;

use e2e::{CATEGORY, Stage, Talk};
use serde_json::json;

const WAIT: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_press_is_taken_once_where_differences_replay_presses() {
    replayed(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_press_is_taken_once_where_differences_replay_none() {
    replayed(false).await;
}

/// The worker dies between its commits and the cursor's move, so that all of it comes again to the next one.
async fn replayed(doubt: bool) {
    let stage = Stage::open(1).await.unwrap();
    stage
        .control
        .set_doubts(json!({"difference_replays_presses": doubt}))
        .await
        .unwrap();
    let bot = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, bot);
    talk.open_upload().await.unwrap();
    talk.give_title().await.unwrap();
    talk.give_description().await.unwrap();
    stage.settled().await.unwrap();
    let before = stage.private_pts(bot).await.unwrap();
    talk.choose_category().await.unwrap();
    let tags: Vec<String> = talk.labels().await.unwrap();
    // On, off, and another: played back out of place this would end otherwise.
    for (label, shown) in [
        (tags[0].clone(), format!("✓ {}", tags[0])),
        (format!("✓ {}", tags[0]), tags[0].clone()),
        (tags[1].clone(), format!("✓ {}", tags[1])),
    ] {
        let _ = talk.press(&label).await.unwrap();
        stage
            .until("the keyboard shows it", async || {
                let labels = talk.labels().await?;
                Ok(labels.contains(&shown).then_some(()))
            })
            .await
            .unwrap();
    }
    stage.settled().await.unwrap();
    let stored = stage.stored_conversation(talk.member).await.unwrap();

    let begin = stage.control.last_event().await.unwrap();
    let shut = stage
        .fault(json!({"kind": "reset", "bot": bot, "refuse": true}))
        .await
        .unwrap();
    stage.kill_active_worker().await.unwrap();
    stage.set_private_pts(bot, before).await.unwrap();
    stage.clear_fault(shut).await.unwrap();
    let asked = |event: &sandbox::control::Event| {
        event.number("account") == Some(bot) && event.number("from_pts") == Some(before)
    };
    stage
        .event_within(WAIT, begin, "difference", asked)
        .await
        .unwrap();
    stage
        .wait("a takeover", WAIT, |status| {
            let pool = &status["pools"][0];
            pool["phase"] == "open" && pool["switches"][0]["kind"] == "takeover"
        })
        .await
        .unwrap();
    // An answer behind all of them.
    talk.say("/nonsense").await.unwrap();
    talk.see("I do not know /nonsense").await.unwrap();
    stage.settled().await.unwrap();
    let state = |stored: &Option<String>| {
        let (_, json) = stored.as_deref().unwrap().split_once('\n').unwrap();
        let json: serde_json::Value = serde_json::from_str(json).unwrap();
        json["s"].clone()
    };
    let after = stage.stored_conversation(talk.member).await.unwrap();
    assert_eq!(
        state(&after),
        state(&stored),
        "differences replay presses: {doubt}"
    );
    let chosen = format!("✓ Category: {CATEGORY}");
    assert_eq!(talk.count(&chosen).await.unwrap(), 1);
    talk.press("Done").await.unwrap();
    let files = talk.see("Step 5/6").await.unwrap();
    let only = format!("✓ Tags: {}\n", tags[1]);
    assert!(files.text.starts_with(&only), "{}", files.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn buttons_of_what_is_over_say_so_and_do_nothing() {
    let stage = Stage::open(1).await.unwrap();
    let bot = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, bot);
    talk.upload_until_files().await.unwrap();
    talk.press("Skip").await.unwrap();
    let review = talk.see("Step 6/6").await.unwrap();
    talk.submit_review().await.unwrap();
    stage.delivered().await.unwrap();
    let stored = stage
        .stored_conversation(talk.member)
        .await
        .unwrap()
        .unwrap();
    assert!(stored.len() < 300, "a tombstone: {stored}");
    for label in ["Submit", "Change title", "Cancel"] {
        let answer = talk.press_on(&review, label).await.unwrap();
        let text = format!("{answer:?}");
        assert!(text.contains("from an earlier step"), "{label}: {text}");
    }
    assert_eq!(talk.count("✓ Submitted: ").await.unwrap(), 1);
    assert_eq!(
        stage
            .control
            .posts(stage.scene.broadcast)
            .await
            .unwrap()
            .len(),
        1
    );
    talk.open_upload().await.unwrap();
    let answer = talk.press_on(&review, "Submit").await.unwrap();
    assert!(format!("{answer:?}").contains("from an earlier step"));
}
