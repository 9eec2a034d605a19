//! Redis does not answer for a while: connections are kept, nothing is said, and everything goes on from where it was committed.

use std::time::Duration;

use e2e::{DESCRIPTION, Stage, TITLE, Talk};
use rustix::process::Signal;
use sandbox::control::Event;
use sandbox::processes::redis_of;
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_redis_is_back_before_any_connection_is_given_up() {
    let stage = Stage::open(2).await.unwrap();
    let bot = stage.active().await.unwrap();
    let (one, other) = (Talk::private(&stage, 0, bot), Talk::private(&stage, 1, bot));
    one.open_upload().await.unwrap();
    other.open_upload().await.unwrap();
    stage.settled().await.unwrap();
    let begin = stage.control.last_event().await.unwrap();
    let redis = redis_of(&stage.folder.root).unwrap();
    redis.signal(Signal::KILL).unwrap();
    one.say(TITLE).await.unwrap();
    other.say(TITLE).await.unwrap();
    one.see("✓ Title: ").await.unwrap();
    other.see("✓ Title: ").await.unwrap();
    one.give_description().await.unwrap();
    stage.delivered().await.unwrap();
    for talk in [&one, &other] {
        assert_eq!(talk.count("✓ Title: ").await.unwrap(), 1);
    }
    assert_eq!(stage.active().await.unwrap(), bot, "no reason to switch");
    let closed = stage
        .events_since(begin, "connection_closed")
        .await
        .unwrap();
    assert!(closed.is_empty(), "{closed:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_silent_the_connection_is_kept_and_quiet() {
    let stage = Stage::open(1).await.unwrap();
    let bot = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, bot);
    talk.open_upload().await.unwrap();
    talk.give_title().await.unwrap();
    stage.settled().await.unwrap();
    let of_bot = |event: &Event| event.number("account") == Some(bot);
    let begin = stage.control.last_event().await.unwrap();
    // It hangs: nobody sees it die, so nobody starts it again before it is given up.
    let redis = redis_of(&stage.folder.root).unwrap();
    redis.signal(Signal::STOP).unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let quiet = stage.control.last_event().await.unwrap();
    talk.say(DESCRIPTION).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    let asked = stage.events_since(quiet, "rpc").await.unwrap();
    let asked: Vec<&Event> = asked.iter().filter(|event| of_bot(event)).collect();
    assert!(asked.is_empty(), "{asked:#?}");
    let closed = stage
        .events_since(begin, "connection_closed")
        .await
        .unwrap();
    assert!(!closed.iter().any(of_bot), "{closed:#?}");
    // Alive again, or started anew by the supervisor: both are Redis coming back.
    let _ = redis.signal(Signal::CONT);
    talk.see("✓ Description: ").await.unwrap();
    talk.choose_category().await.unwrap();
    stage.delivered().await.unwrap();
    for answer in ["✓ Title: ", "✓ Description: ", "✓ Category: "] {
        assert_eq!(talk.count(answer).await.unwrap(), 1, "{answer}");
    }
    assert_eq!(stage.active().await.unwrap(), bot, "no reason to switch");
    let duplicated = stage.events_since(0, "auth_key_duplicated").await.unwrap();
    assert!(duplicated.is_empty(), "{duplicated:#?}");
}

/// SIGSTOP and never SIGCONT: nobody sees a hung server die, so it has to be found out.
#[tokio::test(flavor = "multi_thread")]
async fn a_hung_private_redis_is_killed_and_started_again_on_its_data() {
    let impatient =
        |config: &str| config.replace("[workers]\n", "[redis]\nhung_ms = 1500\n\n[workers]\n");
    let stage = Stage::open_with(1, impatient, &[]).await.unwrap();
    let bot = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, bot);
    talk.open_upload().await.unwrap();
    talk.give_title().await.unwrap();
    stage.settled().await.unwrap();
    let before = stage.status().await.unwrap();
    let redis = redis_of(&stage.folder.root).unwrap();
    redis.signal(Signal::STOP).unwrap();
    talk.say(DESCRIPTION).await.unwrap();
    talk.see("✓ Description: ").await.unwrap();
    assert!(!redis.is_alive(), "the hung one is no more");
    talk.choose_category().await.unwrap();
    stage.delivered().await.unwrap();
    for answer in ["✓ Title: ", "✓ Description: ", "✓ Category: "] {
        assert_eq!(talk.count(answer).await.unwrap(), 1, "{answer}");
    }
    assert_eq!(stage.active().await.unwrap(), bot, "no reason to switch");
    let after = stage.status().await.unwrap();
    assert_eq!(after["pools"][0]["epoch"], before["pools"][0]["epoch"]);
}

/// Patroni's DCS failsafe: without the store nobody unknown is promoted, whatever happens to who answered; with it the pool goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_dies_while_redis_is_away_is_followed_only_when_redis_is_back() {
    // Whom the member has started is to follow, so that what he asks it for is answered by it.
    let patient = |config: &str| {
        let third = "name = \"third\"";
        assert!(config.contains(third), "{config}");
        config
            .replace("[workers]\n", "[redis]\nhung_ms = 60000\n\n[workers]\n")
            .replace(third, "name = \"third\"\npromote = false")
    };
    let stage = Stage::open_with(1, patient, &[]).await.unwrap();
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    let next = Talk::private(&stage, 0, bots[1]);
    next.meet_standby().await.unwrap();
    let group = Talk::group(&stage, 0);
    group.say("/upload").await.unwrap();
    let asked = group.see("Step 1/6").await.unwrap();
    let talk = Talk::private(&stage, 0, bots[0]);
    talk.open_upload().await.unwrap();
    stage.reach_is(bots[1], 1).await.unwrap();
    stage.delivered().await.unwrap();
    let before = stage.status().await.unwrap()["pools"][0]["epoch"].as_u64();

    let redis = redis_of(&stage.folder.root).unwrap();
    redis.signal(Signal::STOP).unwrap();
    let begin = stage.control.last_event().await.unwrap();
    stage.revoke(bots[0]).await.unwrap();
    group.reply(&asked, TITLE).await.unwrap();
    next.say("/resume").await.unwrap();
    // Several times what a switch takes, and longer than any lease.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let said = stage.events_since(begin, "message_sent").await.unwrap();
    let by_bots: Vec<&Event> = said.iter().filter(|event| event.flag("bot")).collect();
    assert!(by_bots.is_empty(), "{by_bots:#?}");
    assert!(redis.is_alive(), "it was away all the time");

    redis.signal(Signal::CONT).unwrap();
    let followed = stage.switched_from(bots[0]).await.unwrap();
    assert_eq!(followed, bots[1]);
    let status = stage.status().await.unwrap();
    assert!(status["pools"][0]["epoch"].as_u64() > before, "{before:?}");
    let answer = group.see("Step 2/6").await.unwrap();
    assert_eq!(answer.from, bots[1]);
    next.see("Step 1/6").await.unwrap();
    next.give_title().await.unwrap();
    stage.delivered().await.unwrap();
    assert_eq!(group.count("✓ Title: ").await.unwrap(), 1);
    assert_eq!(next.count("✓ Title: ").await.unwrap(), 1);
    // Whoever else is there said nothing in all this.
    let said = stage.events_since(begin, "message_sent").await.unwrap();
    let others = said.iter().filter(|event| {
        let text = event.fields.get("text").and_then(Value::as_str);
        event.flag("bot") && event.number("account") != Some(bots[1]) && text.is_some()
    });
    assert_eq!(others.count(), 0, "{said:#?}");
}
