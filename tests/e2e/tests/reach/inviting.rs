//! Members are asked to press Start with the backups ahead of time, once, at a good moment; how far that went is shown.

use std::time::Duration;

use e2e::{Stage, Talk};
use sandbox::control::Viewed;
use serde_json::Value;

use super::urls;

const INVITED: &str = "a backup goes on with you";

fn counter(status: &Value, name: &str) -> i64 {
    status["pools"][0]["counters"][name].as_i64().unwrap_or(0)
}

/// At one of his good moments: the workers hear that the standbys are ready a moment after it is so.
async fn invited(talk: &Talk<'_>) -> Viewed {
    for times in 1..=20 {
        talk.say("/help").await.unwrap();
        talk.see_times("What I know:", times).await.unwrap();
        let heard = talk.heard().await.unwrap();
        if let Some(invitation) = heard.into_iter().find(|one| one.text.contains(INVITED)) {
            return invitation;
        }
    }
    talk.see(INVITED).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_is_invited_once_and_what_he_starts_is_counted() {
    let invites =
        |config: &str| config.replace("[workers]", "[reach]\ninvite_again = \"7d\"\n\n[workers]");
    let stage = Stage::open_with(2, invites, &[]).await.unwrap();
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    // Whose name is not known yet is in no invitation.
    for standby in &bots[1..] {
        stage.ready(*standby).await.unwrap();
    }
    // What workers know of one another is a round of the supervisor's behind its status.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let talk = Talk::private(&stage, 0, bots[0]);
    talk.start(None).await.unwrap();
    talk.see("Welcome!").await.unwrap();
    let invitation = invited(&talk).await;
    let link = |at: usize| {
        format!(
            "https://t.me/{}?start=backup",
            stage.scene.bots[at].username
        )
    };
    assert_eq!(urls(&invitation), [link(1), link(2)]);

    // He follows one link, twice: one bot more may write to him.
    let second = Talk::private(&stage, 0, bots[1]);
    second.start(Some("backup")).await.unwrap();
    second.see("I am a backup").await.unwrap();
    second.start(Some("backup")).await.unwrap();
    stage.reach_is(bots[1], 1).await.unwrap();
    let status = stage
        .wait("it is counted", Duration::from_secs(30), |status| {
            counter(status, "invited_started") == 1
        })
        .await
        .unwrap();
    assert_eq!(counter(&status, "invited"), 1);

    talk.say("/help").await.unwrap();
    talk.upload_until_files().await.unwrap();
    talk.press("Skip").await.unwrap();
    talk.see("Step 6/6").await.unwrap();
    talk.press("Submit").await.unwrap();
    talk.see("✓ Submitted: ").await.unwrap();
    // Whoever has not been invited is: the system is not idle. In the group nobody is.
    let group = Talk::group(&stage, 1);
    group
        .say(&format!("/help@{}", stage.scene.bots[0].username))
        .await
        .unwrap();
    group.see("What I know:").await.unwrap();
    let other = Talk::private(&stage, 1, bots[0]);
    invited(&other).await;
    stage.delivered().await.unwrap();
    assert_eq!(talk.count(INVITED).await.unwrap(), 1, "once");
    assert_eq!(group.count(INVITED).await.unwrap(), 0);
    assert_eq!(stage.counter("invited").await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_invited_where_that_is_turned_off_or_in_the_middle_of_something() {
    let off = |config: &str| config.replace("[workers]", "[reach]\ninvite_again = 0\n\n[workers]");
    let stage = Stage::open_with(1, off, &[]).await.unwrap();
    let bot = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, bot);
    talk.start(None).await.unwrap();
    talk.see("Welcome!").await.unwrap();
    talk.say("/help").await.unwrap();
    talk.see("What I know:").await.unwrap();
    talk.say("/cancel").await.unwrap();
    talk.see("Nothing is open").await.unwrap();
    stage.delivered().await.unwrap();
    assert_eq!(talk.count(INVITED).await.unwrap(), 0);
    assert_eq!(stage.counter("invited").await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn how_many_could_be_continued_unasked_is_shown_for_each_bot() {
    let stage = Stage::open(3).await.unwrap();
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    for member in 0..3 {
        let talk = Talk::private(&stage, member, bots[0]);
        talk.open_upload().await.unwrap();
    }
    for (member, bot) in [(0, bots[1]), (1, bots[1]), (0, bots[2])] {
        Talk::private(&stage, member, bot)
            .meet_standby()
            .await
            .unwrap();
    }
    let status = stage
        .wait(
            "the survey has seen it",
            Duration::from_secs(30),
            |status| {
                let pool = &status["pools"][0];
                let of = |at: usize| pool["bots"][at]["reach_open"].as_u64();
                pool["private_open"] == 3 && [of(0), of(1), of(2)] == [Some(3), Some(2), Some(1)]
            },
        )
        .await
        .unwrap();
    assert!(status["pools"][0]["reach_at"].as_i64().unwrap() > 0);
    let card = tokio::process::Command::new(e2e::built("understudy").unwrap())
        .args(["status", "--config"])
        .arg(stage.folder.config())
        .output()
        .await
        .unwrap();
    let card = String::from_utf8(card.stdout).unwrap();
    assert!(card.contains("reach 2 (2 of 3 open in private)"), "{card}");
    // One that ends is no longer open.
    let talk = Talk::private(&stage, 1, bots[0]);
    talk.say("/cancel").await.unwrap();
    stage
        .wait("the next survey", Duration::from_secs(30), |status| {
            let pool = &status["pools"][0];
            pool["private_open"] == 2 && pool["bots"][1]["reach_open"] == 1
        })
        .await
        .unwrap();
}
