//! Members in private through switches: what they wrote to a standby, files on their way, old keyboards, and a way there and back.

use std::time::Duration;

use e2e::{CATEGORY, DESCRIPTION, Stage, TITLE, Talk, built};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_to_a_standby_is_taken_up_once_when_it_becomes_active() {
    let stage = Stage::open(2).await.unwrap();
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    // One is in the middle of an upload and gives the title to the standby; the other opens one there.
    let active = Talk::private(&stage, 0, bots[0]);
    let (one, other) = (
        Talk::private(&stage, 0, bots[1]),
        Talk::private(&stage, 1, bots[1]),
    );
    active.open_upload().await.unwrap();
    for talk in [&one, &other] {
        let hint = talk.meet_standby().await.unwrap();
        let link = format!("https://t.me/{}", stage.scene.bots[0].username);
        assert!(hint.text.contains(&link), "{}", hint.text);
    }
    // Telegram's dates are whole seconds: within one of his last step nobody could tell which came first (`reach too_late`).
    tokio::time::sleep(Duration::from_secs(1)).await;
    one.say(TITLE).await.unwrap();
    other.say("/upload").await.unwrap();
    stage.held_is(bots[1], 2).await.unwrap();
    for talk in [&active, &one] {
        assert_eq!(
            talk.count("✓ Title: ").await.unwrap(),
            0,
            "nobody answers yet"
        );
    }

    stage.revoke(bots[0]).await.unwrap();
    assert_eq!(stage.switched_from(bots[0]).await.unwrap(), bots[1]);
    one.see(&format!("✓ Title: {TITLE}")).await.unwrap();
    other.see("Step 1/6").await.unwrap();
    one.give_description().await.unwrap();
    other.give_title().await.unwrap();
    stage.settled().await.unwrap();
    stage.held_is(bots[1], 0).await.unwrap();
    assert_eq!(one.count("✓ Title: ").await.unwrap(), 1);
    assert_eq!(other.count("✓ Title: ").await.unwrap(), 1);
    assert_eq!(other.count("already open").await.unwrap(), 0);
    for talk in [&one, &other] {
        assert_eq!(talk.count("I am a backup").await.unwrap(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_flight_at_a_revoke_is_asked_for_again() {
    const FILE: &str = "bread.pdf";
    let stage = Stage::open(1).await.unwrap();
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    let talk = Talk::private(&stage, 0, bots[1]);
    talk.meet_standby().await.unwrap();
    let old = Talk::private(&stage, 0, bots[0]);
    old.upload_until_files().await.unwrap();
    let revoke = stage.revoke_at_delivery(bots[0]).await.unwrap();
    old.send_file(FILE, 70_000).await.unwrap();
    stage.fired(revoke).await.unwrap();
    assert_eq!(stage.switched_from(bots[0]).await.unwrap(), bots[1]);
    let asked = talk.see("did not arrive").await.unwrap();
    assert!(asked.text.contains(FILE), "{}", asked.text);
    talk.send_file(FILE, 70_000).await.unwrap();
    talk.see(&format!("✓ File 1: {FILE}")).await.unwrap();
    talk.submit().await.unwrap();
    stage.settled().await.unwrap();
    assert_eq!(talk.count("did not arrive").await.unwrap(), 1);
    assert_eq!(talk.count("✓ File").await.unwrap(), 1);
    assert_eq!(old.count("✓ File").await.unwrap(), 0);
    stage.has_one_file_and_one_post(FILE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_keyboard_pressed_after_the_switch_changes_nothing() {
    let stage = Stage::open(1).await.unwrap();
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    let talk = Talk::private(&stage, 0, bots[1]);
    talk.meet_standby().await.unwrap();
    let old = Talk::private(&stage, 0, bots[0]);
    old.open_upload().await.unwrap();
    old.give_title().await.unwrap();
    old.give_description().await.unwrap();
    let keyboard = old.see("Step 3/6").await.unwrap();
    stage.settled().await.unwrap();
    // By hand, so that the old bot lives on.
    let ordered = tokio::process::Command::new(built("understudy").unwrap())
        .args(["switch", "--to", stage.scene.bots[1].name, "--config"])
        .arg(stage.folder.config())
        .stdin(std::process::Stdio::null())
        .output()
        .await
        .unwrap();
    assert!(ordered.status.success(), "{ordered:?}");
    assert_eq!(stage.switched_from(bots[0]).await.unwrap(), bots[1]);
    let shown = talk.see("↻ ").await.unwrap();
    assert!(shown.text.contains("Step 3/6"), "{}", shown.text);
    stage.ready(bots[0]).await.unwrap();

    let pressed = old.press_on(&keyboard, CATEGORY).await.unwrap();
    let active = format!("@{} answers", stage.scene.bots[1].username);
    let word = pressed.message.unwrap_or_default();
    assert!(
        word.starts_with("I am a backup") && word.contains(&active),
        "{word}"
    );
    // Its step is still open, and goes on with the new keyboard only.
    talk.say("/resume").await.unwrap();
    let stands = talk.see_times("So far:", 2).await.unwrap();
    assert!(!stands.text.contains(CATEGORY), "{}", stands.text);
    talk.choose_category().await.unwrap();
    stage.settled().await.unwrap();
    assert_eq!(talk.count("✓ Category: ").await.unwrap(), 1);
    assert_eq!(old.count("✓ Category: ").await.unwrap(), 0);
    assert_eq!(talk.count("↻ ").await.unwrap(), 1);
    // Who writes to the old one is told who answers.
    old.say("/help").await.unwrap();
    let hint = old.see("I am a backup").await.unwrap();
    let link = format!("https://t.me/{}", stage.scene.bots[1].username);
    assert!(hint.text.contains(&link), "{}", hint.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_and_back_again_nothing_is_answered_twice() {
    let stage = Stage::open(1).await.unwrap();
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    let chats = [0, 1, 2].map(|at: usize| Talk::private(&stage, 0, bots[at]));
    for standby in &chats[1..] {
        standby.meet_standby().await.unwrap();
    }
    chats[0].open_upload().await.unwrap();
    stage.settled().await.unwrap();
    let deleted = stage
        .fault(json!({"kind": "delete", "bot": bots[0]}))
        .await
        .unwrap();
    let second = stage.switched_from(bots[0]).await.unwrap();
    let talk = chats.iter().find(|it| is_with(it, second)).unwrap();
    talk.see("↻ ").await.unwrap();
    talk.give_title().await.unwrap();
    stage.clear_fault(deleted).await.unwrap();
    stage.ready(bots[0]).await.unwrap();

    let revoke = stage.revoke_at_delivery(second).await.unwrap();
    talk.say(DESCRIPTION).await.unwrap();
    stage.fired(revoke).await.unwrap();
    let third = stage.switched_from(second).await.unwrap();
    let talk = chats.iter().find(|it| is_with(it, third)).unwrap();
    let shown = talk.see("Step 3/6").await.unwrap();
    assert!(shown.text.contains(DESCRIPTION), "{}", shown.text);
    talk.choose_category().await.unwrap();
    stage.settled().await.unwrap();
    let times = async |answer| {
        let mut times = 0;
        for chat in &chats {
            times += chat.count(answer).await.unwrap();
        }
        times
    };
    for answer in ["✓ Title: ", "✓ Category: ", "Welcome!"] {
        assert_eq!(times(answer).await, 1, "{answer}");
    }
    // Where nobody can know whether the second bot has said it, it is shown with all the rest instead.
    assert!(times("✓ Description: ").await <= 1);
}

fn is_with(talk: &Talk<'_>, bot: i64) -> bool {
    talk.chat == sandbox::control::Chat::Bot(bot)
}
