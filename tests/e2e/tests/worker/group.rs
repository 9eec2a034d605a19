//! A conversation in the group, with others around it and through a switch.

use std::time::{Duration, Instant};

use e2e::{CATEGORY, DESCRIPTION, Stage, TITLE, Talk};
use reqwest::Method;
use sandbox::control::Event;
use serde_json::{Value, json};

/// Rights are looked at once a minute; who is told looks at once.
const NOTICED: Duration = Duration::from_secs(8);
/// By then each session has had its first look, and the next one is far.
const FIRST_LOOK: Duration = Duration::from_secs(2);
/// A probe a second, and what a busy machine adds.
const NOTICED_BY_A_PROBE_MS: i64 = 3_000;

#[tokio::test(flavor = "multi_thread")]
async fn only_his_own_member_presses_a_prompts_buttons() {
    let stage = Stage::open(2).await.unwrap();
    let (own, other) = (Talk::group(&stage, 0), Talk::group(&stage, 1));
    let prompt = upload_until_category(&stage, &own).await;
    let refused = other.press_on(&prompt, CATEGORY).await.unwrap();
    let told = refused.message.unwrap_or_default();
    assert!(told.contains("Only the member who is asked"), "{told:?}");
    assert_eq!(own.count("✓ Category: ").await.unwrap(), 0);
    own.press_on(&prompt, CATEGORY).await.unwrap();
    own.see("Step 4/6").await.unwrap();
    assert_eq!(
        own.count(&format!("✓ Category: {CATEGORY}")).await.unwrap(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_in_the_group_while_nobody_is_active_is_answered_once() {
    const OTHER: &str = "Knots for sailors";
    let stage = Stage::open(2).await.unwrap();
    let bot = stage.active().await.unwrap();
    let (one, other) = (Talk::group(&stage, 0), Talk::group(&stage, 1));
    upload_until_category(&stage, &one).await;
    other
        .say(&format!("/upload@{}", name(&stage, bot)))
        .await
        .unwrap();
    let asked = other.see_times("Step 1/6", 2).await.unwrap();
    stage.settled().await.unwrap();

    stage.revoke(bot).await.unwrap();
    let said = other.reply(&asked, OTHER).await.unwrap();
    let next = stage.switched_from(bot).await.unwrap();
    let switch = stage.typed_status().await.unwrap().pools[0].switches[0].clone();
    let activated = switch.activated_at.unwrap();
    assert!(said < activated, "nobody was active: {said} {activated}");
    let answer = other.see(&format!("✓ Title: {OTHER}")).await.unwrap();
    assert_eq!(answer.from, next);
    let again = one.see("↻ ").await.unwrap();
    assert!(again.text.contains("Step 3/6"), "{}", again.text);
    one.press_on(&again, CATEGORY).await.unwrap();
    one.see("Step 4/6").await.unwrap();
    stage.settled().await.unwrap();
    for once in [
        &format!("✓ Title: {OTHER}"),
        &format!("✓ Title: {TITLE}"),
        "✓ Category: ",
        "answers from here on",
    ] {
        assert_eq!(other.count(once).await.unwrap(), 1, "{once}");
    }
}

/// The pool's very first bot has never heard anything of the group: where the next one goes on is where the group stood when it began.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_words_in_a_group_are_answered_once_though_nobody_was_active() {
    let stage = Stage::open(1).await.unwrap();
    let bot = stage.active().await.unwrap();
    let talk = Talk::group(&stage, 0);
    stage.revoke(bot).await.unwrap();
    let said = talk.say("/upload").await.unwrap();
    let next = stage.switched_from(bot).await.unwrap();
    let switch = stage.typed_status().await.unwrap().pools[0].switches[0].clone();
    let activated = switch.activated_at.unwrap();
    assert!(said < activated, "nobody was active: {said} {activated}");
    let asked = talk.see("Step 1/6").await.unwrap();
    assert_eq!(asked.from, next);
    talk.reply(&asked, TITLE).await.unwrap();
    talk.see("Step 2/6").await.unwrap();
    stage.settled().await.unwrap();
    assert_eq!(talk.count("Step 1/6").await.unwrap(), 1);
    assert_eq!(talk.count("Step 2/6").await.unwrap(), 1);
}

/// It stays a member, so nothing is refused: its updates there go on being counted, without what members write. It is told of its own demotion.
#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_is_demoted_and_stays_in_the_group_says_so_at_once() {
    let stage = Stage::open(1).await.unwrap();
    let bot = stage.active().await.unwrap();
    let standby = stage.scene.bots[1].id;
    tokio::time::sleep(FIRST_LOOK).await;
    for demoted in [bot, standby] {
        let path = format!("/channels/{}/admins/{demoted}", stage.scene.group);
        let begun = Instant::now();
        stage.sim_call(Method::DELETE, &path, None).await.unwrap();
        let status = stage
            .wait("the missing rights are shown", NOTICED, |status| {
                !troubles(status, demoted).is_empty()
            })
            .await
            .unwrap();
        assert!(begun.elapsed() < NOTICED, "{:?}", begun.elapsed());
        let said = json!(troubles(&status, demoted)).to_string();
        assert!(
            said.contains("lacks rights") && said.contains("in the channel's administrators"),
            "{said}"
        );
    }
    // As with any right that lacks: an admin is to mend it, nobody is moved, and members are served where they can be.
    let card = stage.run(&["status"]).await.unwrap();
    let lines = card.lines().filter(|line| line.contains("lacks rights"));
    assert_eq!(lines.count(), 2, "{card}");
    let talk = Talk::private(&stage, 0, bot);
    talk.open_upload().await.unwrap();
    assert_eq!(stage.active().await.unwrap(), bot);
    for promoted in [bot, standby] {
        let path = format!("/channels/{}/admins/{promoted}", stage.scene.group);
        let rights = json!({"rights": sandbox::scene::GROUP_RIGHTS});
        stage
            .sim_call(Method::PUT, &path, Some(rights))
            .await
            .unwrap();
        stage
            .wait("that they are back is shown", NOTICED, |status| {
                troubles(status, promoted).is_empty()
            })
            .await
            .unwrap();
    }
}

/// A lost update with nothing behind it leaves no gap that could be seen: the bot that answers asks for the group's difference with each probe, once a second.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_group_update_that_nothing_follows_is_noticed_by_the_next_probe() {
    const REPLY: &str = "What I know:";
    let stage = Stage::open(1).await.unwrap();
    let bot = stage.active().await.unwrap();
    let talk = Talk::group(&stage, 0);
    talk.say("/help").await.unwrap();
    talk.see(REPLY).await.unwrap();
    stage.delivered().await.unwrap();
    // More than once, because it may be lost at any moment between two probes.
    for asked in 2..5 {
        let begin = stage.control.last_event().await.unwrap();
        let drop = json!({"kind": "drop_updates", "bot": bot, "count": 1});
        let drop = stage.fault(drop).await.unwrap();
        let said = talk.say("/help").await.unwrap();
        let is_lost = |event: &Event| event.fields.get("fault") == Some(&json!(drop));
        stage.event(begin, "updates_lost", is_lost).await.unwrap();
        talk.see_times(REPLY, asked).await.unwrap();
        let is_answer = |event: &Event| event.number("account") == Some(bot);
        let answer = stage.event(begin, "message_sent", is_answer).await.unwrap();
        let took = answer.unix_ms - said;
        eprintln!("answered after {took} ms");
        assert!(took < NOTICED_BY_A_PROBE_MS, "{took} ms");
        stage.delivered().await.unwrap();
        assert_eq!(talk.count(REPLY).await.unwrap(), asked);
    }
}

fn troubles(status: &Value, bot: i64) -> Vec<&Value> {
    let bots = status["pools"][0]["bots"].as_array();
    let of_bot = |it: &&Value| it["bot"].to_string().contains(&bot.to_string());
    let one = bots.and_then(|bots| bots.iter().find(of_bot));
    let troubles = one.and_then(|one| one["channels"].as_array());
    troubles.into_iter().flatten().collect()
}

pub async fn upload_until_category(stage: &Stage, talk: &Talk<'_>) -> sandbox::control::Viewed {
    let bot = stage.active().await.unwrap();
    talk.say(&format!("/upload@{}", name(stage, bot)))
        .await
        .unwrap();
    let asked = talk.see("Step 1/6").await.unwrap();
    talk.reply(&asked, TITLE).await.unwrap();
    let asked = talk.see("Step 2/6").await.unwrap();
    talk.reply(&asked, DESCRIPTION).await.unwrap();
    talk.see("Step 3/6").await.unwrap()
}

fn name(stage: &Stage, bot: i64) -> &str {
    let bots = &stage.scene.bots;
    &bots.iter().find(|it| it.id == bot).unwrap().username
}
