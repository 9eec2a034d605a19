//! A member follows a link to a bot that he has not started. What he writes behind it gives him nothing of anybody else's.

use e2e::{DESCRIPTION, Stage, TITLE, Talk};

use super::{switch_to, urls};

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_the_link_gets_what_is_parked_and_then_where_he_stands() {
    let stage = Stage::open(2).await.unwrap();
    let bot = stage.active().await.unwrap();
    let old = Talk::private(&stage, 0, bot);
    old.open_upload().await.unwrap();
    old.give_title().await.unwrap();
    let revoke = stage.revoke_at_delivery(bot).await.unwrap();
    old.say(DESCRIPTION).await.unwrap();
    stage.fired(revoke).await.unwrap();
    let next = stage.switched_from(bot).await.unwrap();
    stage.delivered().await.unwrap();
    stage.parked_are(old.member, 1).await.unwrap();
    let group = Talk::group(&stage, 0);
    let announced = group.see("answers from here on").await.unwrap();
    let username = &stage.scene.bots[1].username;
    assert_eq!(
        urls(&announced),
        [format!("https://t.me/{username}?start=go")]
    );

    // Somebody else comes first, with all that he can think of.
    let stranger = Talk::private(&stage, 1, next);
    let links = [
        "go".to_owned(),
        format!("m{}", old.member),
        format!("go-{}", old.member),
        old.member.to_string(),
        "A".repeat(64),
        "go".to_owned(),
    ];
    for payload in &links {
        stranger.start(Some(payload)).await.unwrap();
    }
    stranger.see_times("Welcome!", links.len()).await.unwrap();
    let typed = [
        format!("/start us:{{main}}:c:m{}", old.member),
        format!("/start go m{}", old.member),
        format!("/start {}", "x".repeat(3_000)),
        format!("/start@{username} m{}", old.member),
        format!("/start {{\"member\":{}}}", old.member),
    ];
    for text in &typed {
        stranger.say(text).await.unwrap();
    }
    let all = links.len() + typed.len();
    stranger.see_times("Welcome!", all).await.unwrap();
    for part in [TITLE, DESCRIPTION, "Step ", "So far:"] {
        assert_eq!(stranger.count(part).await.unwrap(), 0, "{part}");
    }
    assert_eq!(stage.parked(old.member).await.unwrap(), 1, "it is his");

    let talk = Talk::private(&stage, 0, next);
    talk.start(Some("go")).await.unwrap();
    let parked = talk.see("✓ Description: ").await.unwrap();
    let stands = talk.see("So far:").await.unwrap();
    assert!(parked.id < stands.id, "what was parked comes first");
    assert!(
        stands.text.contains(TITLE) && stands.text.contains("Step 3/6"),
        "{}",
        stands.text
    );
    talk.choose_category().await.unwrap();
    stage.delivered().await.unwrap();
    assert_eq!(stage.parked(old.member).await.unwrap(), 0);
    // The same link once more shows where he stands, and repeats nothing.
    talk.start(Some("go")).await.unwrap();
    // The one before has become what was chosen in it.
    talk.see("So far:").await.unwrap();
    assert_eq!(talk.count("So far:").await.unwrap(), 2);
    assert_eq!(talk.count("✓ Description: ").await.unwrap(), 1);
    assert_eq!(talk.count("✓ Category: ").await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_has_been_replaced_tells_each_member_once_where_to_go() {
    let stage = Stage::open(2).await.unwrap();
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    let old = [0, 1].map(|member| Talk::private(&stage, member, bots[0]));
    for talk in &old {
        talk.start(None).await.unwrap();
        talk.see("Welcome!").await.unwrap();
    }
    switch_to(&stage, "second").await;
    assert_eq!(stage.switched_from(bots[0]).await.unwrap(), bots[1]);
    stage.ready(bots[0]).await.unwrap();
    for talk in &old {
        talk.say("/help").await.unwrap();
        let hint = talk.see("I am a backup").await.unwrap();
        let link = format!("https://t.me/{}?start=go", stage.scene.bots[1].username);
        assert_eq!(urls(&hint), [link.as_str()]);
        assert!(hint.text.contains(&link), "{}", hint.text);
    }
    // A process that knows nothing of it takes over the bot: it does not say it again.
    let worker = stage.worker_of(bots[0]).await.unwrap();
    rustix::process::kill_process(worker, rustix::process::Signal::KILL).unwrap();
    stage.served().await.unwrap();
    let kept = stage.held(bots[0]).await.unwrap();
    old[0].say("hello?").await.unwrap();
    old[1].say("hello?").await.unwrap();
    stage.held_is(bots[0], kept + 2).await.unwrap();
    // Another bot answers from here on: that is news.
    stage.ready(bots[2]).await.unwrap();
    switch_to(&stage, "third").await;
    assert_eq!(stage.switched_from(bots[1]).await.unwrap(), bots[2]);
    stage.ready(bots[0]).await.unwrap();
    old[0].say("hello??").await.unwrap();
    let hint = old[0].see_times("I am a backup", 2).await.unwrap();
    let link = format!("https://t.me/{}?start=go", stage.scene.bots[2].username);
    assert_eq!(urls(&hint), [link.as_str()]);
    assert_eq!(old[0].count("I am a backup").await.unwrap(), 2);
    assert_eq!(old[1].count("I am a backup").await.unwrap(), 1);
}
