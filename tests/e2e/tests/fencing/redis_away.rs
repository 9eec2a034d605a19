//! Redis does not answer for a while: connections are kept, nothing is said, and everything goes on from where it was committed.

use std::time::Duration;

use e2e::{DESCRIPTION, Stage, TITLE, Talk};
use rustix::process::Signal;
use sandbox::control::Event;
use sandbox::processes::redis_of;

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
