//! States that nobody can read: the member has a way on, the operator is told, nobody else is held up, and nothing is thrown away.

use std::process::Output;
use std::time::Duration;

use e2e::{Stage, TITLE, Talk, built};
use serde_json::Value;

const WAIT: Duration = Duration::from_secs(30);
const GARBAGE: &str = "no version, no line";
const UNREADABLE: &str = "I could not read where we stood";

async fn understudy(stage: &Stage, words: &[&str]) -> Output {
    tokio::process::Command::new(built("understudy").unwrap())
        .args(words)
        .arg("--config")
        .arg(stage.folder.config())
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_moved_aside_and_its_member_goes_on() {
    let stage = Stage::open(2).await.unwrap();
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    let (damaged, other) = (
        Talk::private(&stage, 0, bots[0]),
        Talk::private(&stage, 1, bots[0]),
    );
    damaged.open_upload().await.unwrap();
    other.open_upload().await.unwrap();
    stage.delivered().await.unwrap();
    stage
        .overwrite_conversation(damaged.member, GARBAGE)
        .await
        .unwrap();
    // Whoever serves keeps it in memory; the next worker has to read it.
    stage.kill_active_worker().await.unwrap();

    damaged.say(TITLE).await.unwrap();
    let told = damaged.see(UNREADABLE).await.unwrap();
    assert!(told.text.contains("/upload starts anew"), "{}", told.text);
    other.give_title().await.unwrap();
    damaged.say("/upload").await.unwrap();
    damaged.see_times("Step 1/6", 2).await.unwrap();
    damaged.give_title().await.unwrap();
    stage.delivered().await.unwrap();
    assert_eq!(damaged.count(UNREADABLE).await.unwrap(), 1);
    assert_eq!(other.count(UNREADABLE).await.unwrap(), 0);

    let aside = |status: &Value| status["pools"][0]["conversations_quarantined"] == 1;
    stage.wait("it is shown", WAIT, aside).await.unwrap();
    let card = understudy(&stage, &["status"]).await;
    let card = String::from_utf8_lossy(&card.stdout).into_owned();
    assert!(card.contains("1 conversations in quarantine"), "{card}");
    let key = format!("m{}", damaged.member);
    stage
        .until_stored("it is an event", async || {
            let events = stdout(&understudy(&stage, &["events", "--json"]).await);
            let mut lines = events.lines();
            let found =
                lines.any(|line| line.contains("conversation_quarantined") && line.contains(&key));
            Ok(found.then_some(()))
        })
        .await
        .unwrap();

    let quarantine = ["conversations", "quarantine"];
    let list = stdout(&understudy(&stage, &[quarantine[0], quarantine[1], "list", "--json"]).await);
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list[0]["conversation"], key, "{list}");
    assert!(!list.to_string().contains(GARBAGE), "{list}");
    let id = list[0]["id"].as_str().unwrap();
    let shown = understudy(&stage, &[quarantine[0], quarantine[1], "show", &id[..8]]).await;
    assert_eq!(stdout(&shown).trim_end(), GARBAGE);
    let refused = understudy(&stage, &[quarantine[0], quarantine[1], "restore", id]).await;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains("has gone on since"), "{why}");
    stdout(&understudy(&stage, &[quarantine[0], quarantine[1], "drop", id]).await);
    let empty = understudy(&stage, &[quarantine[0], quarantine[1], "list"]).await;
    assert!(stdout(&empty).starts_with("no conversation is in quarantine"));
    let log = stage.log_tail();
    assert!(!log.contains(GARBAGE), "{log}");
}

/// What parses as a number and is none that a commit writes, and the last one that nothing can follow: nobody spins, nobody's message is lost
/// without a word, and the cursor of all the others goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_no_commit_can_follow_holds_up_nobody() {
    const VERSIONS: [&str; 4] = ["18446744073709551615", "007", "+7", "4503599627370496"];
    let stage = Stage::open(VERSIONS.len() + 1).await.unwrap();
    let bot = stage.active().await.unwrap();
    let talks: Vec<Talk> = (0..=VERSIONS.len())
        .map(|member| Talk::private(&stage, member, bot))
        .collect();
    for talk in &talks {
        talk.open_upload().await.unwrap();
    }
    stage.delivered().await.unwrap();
    for (talk, version) in talks.iter().zip(VERSIONS) {
        let stored = stage.stored_conversation(talk.member).await.unwrap();
        let stored = stored.unwrap();
        let (_, json) = stored.split_once('\n').unwrap();
        let damaged = format!("{version}\n{json}");
        stage
            .overwrite_conversation(talk.member, &damaged)
            .await
            .unwrap();
    }
    stage.kill_active_worker().await.unwrap();
    let before = stage.private_pts(bot).await.unwrap();
    for talk in &talks {
        talk.say(TITLE).await.unwrap();
    }
    let (other, damaged) = talks.split_last().unwrap();
    other.see("Step 2/6").await.unwrap();
    for talk in damaged {
        talk.see(UNREADABLE).await.unwrap();
    }
    // What was said and what was answered, of everybody.
    let said = i64::try_from(2 * talks.len()).unwrap();
    stage
        .until_stored("the cursor has passed them all", async || {
            let moved = stage.private_pts(bot).await? - before;
            Ok((moved >= said).then_some(()))
        })
        .await
        .unwrap();
    for talk in damaged {
        talk.say("/upload").await.unwrap();
        talk.see_times("Step 1/6", 2).await.unwrap();
        talk.give_title().await.unwrap();
    }
    stage.delivered().await.unwrap();
    for talk in damaged {
        assert_eq!(talk.count(UNREADABLE).await.unwrap(), 1);
    }
    let list =
        stdout(&understudy(&stage, &["conversations", "quarantine", "list", "--json"]).await);
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list.as_array().unwrap().len(), VERSIONS.len(), "{list}");
}

/// Put back while nobody has gone on, it is what the next message meets.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_moved_aside_by_mistake_is_put_back_and_goes_on() {
    let stage = Stage::open(1).await.unwrap();
    let bot = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, bot);
    talk.open_upload().await.unwrap();
    talk.give_title().await.unwrap();
    stage.delivered().await.unwrap();
    let good = stage
        .stored_conversation(talk.member)
        .await
        .unwrap()
        .unwrap();
    // A value that is cut, and whole again in quarantine: as if a later program could read it.
    stage
        .overwrite_conversation(talk.member, GARBAGE)
        .await
        .unwrap();
    stage.kill_active_worker().await.unwrap();
    talk.say("hello?").await.unwrap();
    talk.see(UNREADABLE).await.unwrap();
    stage.mend_quarantined(&good).await.unwrap();
    let list =
        stdout(&understudy(&stage, &["conversations", "quarantine", "list", "--json"]).await);
    let list: Value = serde_json::from_str(&list).unwrap();
    let id = list[0]["id"].as_str().unwrap();
    let restored = understudy(&stage, &["conversations", "quarantine", "restore", id]).await;
    assert!(stdout(&restored).contains("is back where it was"));
    talk.say("/resume").await.unwrap();
    let stands = talk.see_times("Step 2/6", 2).await.unwrap();
    assert!(stands.text.contains(TITLE), "{}", stands.text);
    talk.give_description().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_newer_program_wrote_is_left_as_it_is_and_its_member_is_told_once() {
    const NEWER: &str = "7\n{\"f\":99,\"w\":{},\"s\":{\"v\":99}}";
    const TOLD: &str = "a newer version of me wrote it";
    let stage = Stage::open(2).await.unwrap();
    let bot = stage.active().await.unwrap();
    let (newer, other) = (Talk::private(&stage, 0, bot), Talk::private(&stage, 1, bot));
    newer.open_upload().await.unwrap();
    stage.delivered().await.unwrap();
    stage
        .overwrite_conversation(newer.member, NEWER)
        .await
        .unwrap();
    stage.kill_active_worker().await.unwrap();
    let before = stage.private_pts(bot).await.unwrap();
    newer.say(TITLE).await.unwrap();
    newer.see(TOLD).await.unwrap();
    newer.say(TITLE).await.unwrap();
    other.open_upload().await.unwrap();
    // The cursor passes what could not be acted on: nobody waits behind it.
    stage
        .until_stored("the cursor has passed both", async || {
            let moved = stage.private_pts(bot).await? - before;
            Ok((moved >= 4).then_some(()))
        })
        .await
        .unwrap();
    stage.delivered().await.unwrap();
    assert_eq!(newer.count(TOLD).await.unwrap(), 1);
    assert_eq!(newer.count("✓ ").await.unwrap(), 0);
    let stored = stage.stored_conversation(newer.member).await.unwrap();
    assert_eq!(stored.as_deref(), Some(NEWER));
}
