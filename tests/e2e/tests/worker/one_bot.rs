//! One bot in trouble that it survives: cut lines, a cursor behind its commits, flood waits, a killed worker. Nothing is said twice.

use std::time::Duration;

use e2e::{DESCRIPTION, Stage, TITLE, Talk};
use serde_json::json;

const WAIT: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_line_cut_after_delivery_answers_once() {
    let stage = Stage::open(1).await.unwrap();
    let bot = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, bot);
    talk.open_upload().await.unwrap();
    for (said, answer) in [
        (TITLE, "✓ Title: "),
        (DESCRIPTION, "✓ Description: "),
        ("/help", "What I know:"),
    ] {
        let cut = stage
            .fault(json!({
                "kind": "reset", "bot": bot,
                "after": {"event": {"kind": "updates_delivered", "account": bot}},
            }))
            .await
            .unwrap();
        talk.say(said).await.unwrap();
        stage.fired(cut).await.unwrap();
        talk.see(answer).await.unwrap();
    }
    // An answer behind all of them: whatever comes again came before it.
    talk.say("/nonsense").await.unwrap();
    talk.see("I do not know /nonsense").await.unwrap();
    stage.settled().await.unwrap();
    for answer in ["✓ Title: ", "✓ Description: ", "What I know:", "Step 1/6"] {
        assert_eq!(talk.count(answer).await.unwrap(), 1, "{answer}");
    }
    assert_eq!(
        stage.active().await.unwrap(),
        bot,
        "a cut line is no switch"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_the_difference_brings_again_are_turned_away() {
    let stage = Stage::open(1).await.unwrap();
    let bot = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, bot);
    let before = stage.private_pts(bot).await.unwrap();
    talk.open_upload().await.unwrap();
    talk.give_title().await.unwrap();
    talk.give_description().await.unwrap();
    stage.settled().await.unwrap();

    // As after a crash between the commits and the cursor's move: the worker is gone, and the cursor is where it was. The line is shut
    // meanwhile, since the next worker reads the cursor once it is connected.
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
    stage.event(begin, "difference", asked).await.unwrap();

    talk.say("/help").await.unwrap();
    talk.see("What I know:").await.unwrap();
    stage.settled().await.unwrap();
    for answer in ["Welcome!", "✓ Title: ", "✓ Description: ", "What I know:"] {
        assert_eq!(talk.count(answer).await.unwrap(), 1, "{answer}");
    }
    // Title and description at least: a Start may be turned away elsewhere.
    stage
        .wait("replays are counted", WAIT, |status| {
            status["pools"][0]["counters"]["duplicates"].as_u64() >= Some(2)
        })
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_wait_delays_its_chat_and_nothing_else() {
    let stage = Stage::open(2).await.unwrap();
    let bot = stage.active().await.unwrap();
    let (one, other) = (Talk::private(&stage, 0, bot), Talk::private(&stage, 1, bot));
    one.start(None).await.unwrap();
    one.see("Welcome!").await.unwrap();
    other.start(None).await.unwrap();
    other.see("Welcome!").await.unwrap();
    let flood = stage
        .fault(json!({"kind": "flood", "bot": bot, "method": "messages.sendMessage", "seconds": 3, "count": 1}))
        .await
        .unwrap();
    one.say("/help").await.unwrap();
    stage.fired(flood).await.unwrap();
    one.say("/resume").await.unwrap();
    other.say("/help").await.unwrap();
    let undelayed = other.see("What I know:").await.unwrap();
    let last = one.see("Nothing is open.").await.unwrap();
    let delayed = one.see("What I know:").await.unwrap();
    assert!(
        undelayed.at_ms + 1_000 < delayed.at_ms,
        "{} {}",
        undelayed.at_ms,
        delayed.at_ms
    );
    assert!(delayed.id < last.id, "the order of answers is kept");
    stage.settled().await.unwrap();
    assert_eq!(one.count("What I know:").await.unwrap(), 1);
    assert_eq!(one.count("Nothing is open.").await.unwrap(), 1);
    assert_eq!(other.count("What I know:").await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_between_a_send_and_its_acknowledgement_says_it_once() {
    let stage = Stage::open(1).await.unwrap();
    let bot = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, bot);
    talk.open_upload().await.unwrap();
    let begin = stage.control.last_event().await.unwrap();
    let silence = stage
        .fault(json!({
            "kind": "silent", "bot": bot,
            "after": {"event": {"kind": "message_sent", "account": bot, "chat": {"user": talk.member}}},
        }))
        .await
        .unwrap();
    talk.say(TITLE).await.unwrap();
    stage.fired(silence).await.unwrap();
    stage.kill_active_worker().await.unwrap();
    stage.clear_fault(silence).await.unwrap();
    stage
        .wait("a takeover", WAIT, |status| {
            let pool = &status["pools"][0];
            pool["phase"] == "open" && pool["switches"][0]["kind"] == "takeover"
        })
        .await
        .unwrap();
    assert_eq!(stage.active().await.unwrap(), bot, "the bot stays");
    // The bot's box shows that it was sent; nobody tries a second time.
    talk.give_description().await.unwrap();
    assert_eq!(stage.counter("found_sent").await.unwrap(), 1);
    let again = stage.events_since(begin, "random_id_duplicate").await;
    assert!(again.unwrap().is_empty());
    stage.settled().await.unwrap();
    for answer in ["Step 1/6", "✓ Title: ", "✓ Description: "] {
        assert_eq!(talk.count(answer).await.unwrap(), 1, "{answer}");
    }
}

/// The bot is not a backup while its worker is replaced: what is written to it is held and answered, a Start too, and nobody is sent away.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_while_the_worker_is_replaced_is_answered_by_the_same_bot() {
    let stage = Stage::open(2).await.unwrap();
    let bot = stage.active().await.unwrap();
    let (one, newcomer) = (Talk::private(&stage, 0, bot), Talk::private(&stage, 1, bot));
    one.open_upload().await.unwrap();
    stage.settled().await.unwrap();
    // No line opens until both have written, so both are what the next worker finds.
    let shut = stage
        .fault(json!({"kind": "reset", "bot": bot, "refuse": true}))
        .await
        .unwrap();
    stage.kill_active_worker().await.unwrap();
    one.say(TITLE).await.unwrap();
    newcomer.start(Some("upload")).await.unwrap();
    stage.clear_fault(shut).await.unwrap();

    one.see("✓ Title: ").await.unwrap();
    assert_eq!(stage.active().await.unwrap(), bot, "the bot stays");
    newcomer.see("Step 1/6").await.unwrap();
    stage.settled().await.unwrap();
    assert_eq!(one.count("✓ Title: ").await.unwrap(), 1);
    assert_eq!(newcomer.count("Step 1/6").await.unwrap(), 1);
    for talk in [&one, &newcomer] {
        let sent_away = talk.count("I am a backup").await.unwrap();
        assert_eq!(sent_away, 0, "{:#?}", talk.heard().await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_between_a_copy_and_its_acknowledgement_keeps_the_file_once() {
    let stage = Stage::open(1).await.unwrap();
    let bot = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, bot);
    talk.upload_until_files().await.unwrap();
    stage.settled().await.unwrap();
    let silence = stage
        .fault(json!({
            "kind": "silent", "bot": bot,
            "after": {"event": {"kind": "message_sent", "account": bot, "chat": {"channel": stage.scene.storage}}},
        }))
        .await
        .unwrap();
    talk.send_file("bread.pdf", 70_000).await.unwrap();
    stage.fired(silence).await.unwrap();
    stage.kill_active_worker().await.unwrap();
    stage.clear_fault(silence).await.unwrap();
    talk.see("✓ File 1: bread.pdf").await.unwrap();
    talk.submit().await.unwrap();
    stage.settled().await.unwrap();
    assert_eq!(talk.count("✓ File").await.unwrap(), 1);
    assert_eq!(talk.count("did not arrive").await.unwrap(), 0);
    let posts = stage.control.posts(stage.scene.broadcast).await.unwrap();
    assert_eq!(posts.len(), 1, "{posts:?}");
    assert!(
        posts[0].text.contains("Files: bread.pdf"),
        "{}",
        posts[0].text
    );
}
