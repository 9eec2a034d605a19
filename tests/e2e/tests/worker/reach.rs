//! Whom a bot may write to: who has started it, until he blocks it. What nobody may be told yet waits for his Start.

use e2e::{DESCRIPTION, Stage, Talk};

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_to_somebody_the_next_bot_may_not_write_to_waits_for_his_start() {
    let stage = Stage::open(1).await.unwrap();
    let bot = stage.active().await.unwrap();
    let old = Talk::private(&stage, 0, bot);
    old.open_upload().await.unwrap();
    old.give_title().await.unwrap();
    let begin = stage.control.last_event().await.unwrap();
    let revoke = stage.revoke_at_delivery(bot).await.unwrap();
    old.say(DESCRIPTION).await.unwrap();
    stage.fired(revoke).await.unwrap();
    let next = stage.switched_from(bot).await.unwrap();
    stage.settled().await.unwrap();
    assert_eq!(
        stage.parked(old.member).await.unwrap(),
        1,
        "the reply waits"
    );
    assert_eq!(old.count("✓ Description: ").await.unwrap(), 0);
    let sent = stage.events_since(begin, "message_sent").await.unwrap();
    let to_him = |event: &&sandbox::control::Event| event.chat("user") == Some(old.member);
    assert_eq!(
        sent.iter().filter(to_him).count(),
        0,
        "nobody may write to him"
    );

    let talk = Talk::private(&stage, 0, next);
    talk.start(None).await.unwrap();
    talk.see("✓ Description: ").await.unwrap();
    talk.see("Welcome!").await.unwrap();
    stage.settled().await.unwrap();
    assert_eq!(stage.parked(old.member).await.unwrap(), 0);
    // Once more: what was taken up does not come again, and the upload goes on from where it stood.
    talk.start(None).await.unwrap();
    talk.see_times("Welcome!", 2).await.unwrap();
    talk.choose_category().await.unwrap();
    talk.say("/resume").await.unwrap();
    let stands = talk.see("So far:").await.unwrap();
    assert!(stands.text.contains(e2e::TITLE), "{}", stands.text);
    assert!(stands.text.contains(DESCRIPTION), "{}", stands.text);
    stage.settled().await.unwrap();
    assert_eq!(talk.count("✓ Description: ").await.unwrap(), 1);
    assert_eq!(talk.count("✓ Category: ").await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn blocking_a_bot_takes_its_member_out_of_reach_and_unblocking_brings_him_back() {
    let stage = Stage::open(2).await.unwrap();
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    let stop = async |member: usize, bot: i64, how: &str| {
        let path = format!("/members/{}/{how}", stage.scene.members[member].id);
        let body = serde_json::json!({"bot": bot});
        stage
            .sim_call(reqwest::Method::POST, &path, Some(body))
            .await
            .unwrap();
    };
    for member in 0..2 {
        let active = Talk::private(&stage, member, bots[0]);
        active.start(None).await.unwrap();
        active.see("Welcome!").await.unwrap();
        let standby = Talk::private(&stage, member, bots[1]);
        standby.meet_standby().await.unwrap();
    }
    stage.reach_is(bots[0], 2).await.unwrap();
    stage.reach_is(bots[1], 2).await.unwrap();
    for bot in [bots[0], bots[1]] {
        stop(0, bot, "block").await;
        stage.reach_is(bot, 1).await.unwrap();
    }
    for bot in [bots[0], bots[1]] {
        stop(0, bot, "unblock").await;
        stage.reach_is(bot, 2).await.unwrap();
    }
    let talk = Talk::private(&stage, 0, bots[0]);
    talk.say("/help").await.unwrap();
    talk.see("What I know:").await.unwrap();
}

/// He pressed Start with it: that it stood by then is no reason to let his reply wait for a second Start.
#[tokio::test(flavor = "multi_thread")]
async fn a_parked_reply_comes_through_a_bot_that_was_started_while_it_stood_by() {
    let stage = Stage::open(1).await.unwrap();
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    let old = Talk::private(&stage, 0, bots[0]);
    old.start(None).await.unwrap();
    old.see("Welcome!").await.unwrap();
    let revoke = stage.revoke_at_delivery(bots[0]).await.unwrap();
    old.say("/help").await.unwrap();
    stage.fired(revoke).await.unwrap();
    assert_eq!(stage.switched_from(bots[0]).await.unwrap(), bots[1]);
    stage.settled().await.unwrap();
    assert_eq!(stage.parked(old.member).await.unwrap(), 1);

    let talk = Talk::private(&stage, 0, bots[2]);
    talk.meet_standby().await.unwrap();
    stage.revoke(bots[1]).await.unwrap();
    assert_eq!(stage.switched_from(bots[1]).await.unwrap(), bots[2]);
    talk.see("What I know:").await.unwrap();
    stage.settled().await.unwrap();
    assert_eq!(talk.count("What I know:").await.unwrap(), 1);
    assert_eq!(stage.parked(old.member).await.unwrap(), 0);
}
