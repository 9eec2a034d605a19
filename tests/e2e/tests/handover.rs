//! A switch away from a bot that is well shows nothing twice and loses nothing, however slow the line or the old worker is.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "handover/late.rs"]
mod late;

use std::time::Duration;

use e2e::{CATEGORY, Stage, TITLE, Talk, built};
use reqwest::Method;
use rustix::process::{Signal, kill_process};
use sandbox::control::{Content, Event};
use serde_json::json;

const MEMBERS: usize = 20;
/// A reply of the bots that nothing but `/help` leads to.
const REPLY: &str = "What I know:";

async fn stage_where_all_know_all_bots() -> Stage {
    stage_where_all_of(MEMBERS).await
}

/// So many members, who know all bots.
async fn stage_where_all_of(members: usize) -> Stage {
    let stage = Stage::open(members).await.unwrap();
    for bot in stage.scene.bots.iter().map(|bot| bot.id) {
        for member in 0..members {
            Talk::private(&stage, member, bot)
                .start(None)
                .await
                .unwrap();
        }
        let reached = u64::try_from(members).unwrap();
        stage.reach_is(bot, reached).await.unwrap();
    }
    stage.settled().await.unwrap();
    stage
}

/// All members ask the active bot at once; returns when it has taken everything in and begun to answer. What it has not taken in when it is replaced it
/// does not answer any more: it tells who does.
async fn everybody_asks(stage: &Stage, bot: i64) {
    let begin = stage.control.last_event().await.unwrap();
    let before = stage.counter("commits").await.unwrap();
    for member in &stage.scene.members {
        let to = Talk::private(stage, 0, bot).chat;
        let text = Content::Text("/help".into());
        stage
            .control
            .send(member.id, to, &text, None)
            .await
            .unwrap();
    }
    let answers = |event: &Event| event.number("account") == Some(bot);
    stage.event(begin, "message_sent", answers).await.unwrap();
    stage
        .until_stored("all of it is taken in", async || {
            let commits = stage.counter("commits").await? - before;
            Ok((commits >= MEMBERS as u64).then_some(()))
        })
        .await
        .unwrap();
}

async fn switch_by_hand(stage: &Stage, to: &str) {
    let output = tokio::process::Command::new(built("understudy").unwrap())
        .args(["switch", "--to", to, "--config"])
        .arg(stage.folder.config())
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

async fn order(stage: &Stage, word: &str) {
    let output = tokio::process::Command::new(built("understudy").unwrap())
        .args([word, "--config"])
        .arg(stage.folder.config())
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

async fn everybody_has_one_reply(stage: &Stage) {
    stage.settled().await.unwrap();
    let mut replies = std::collections::BTreeMap::new();
    for bot in stage.scene.bots.iter().map(|bot| bot.id) {
        for (member, said) in stage.sent_to_members(0, bot, REPLY).await.unwrap() {
            *replies.entry(member).or_insert(0) += said.len();
        }
    }
    for member in &stage.scene.members {
        assert_eq!(replies.get(&member.id), Some(&1), "{replies:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_over_a_slow_line_says_nothing_twice() {
    let stage = stage_where_all_know_all_bots().await;
    stage
        .fault(json!({"kind": "slow", "delay_ms": 300}))
        .await
        .unwrap();
    let bot = stage.active().await.unwrap();
    everybody_asks(&stage, bot).await;
    switch_by_hand(&stage, "second").await;
    everybody_has_one_reply(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_while_the_old_worker_stalls_says_nothing_twice() {
    let stage = stage_where_all_know_all_bots().await;
    let bot = stage.active().await.unwrap();
    let worker = stage.worker_of(bot).await.unwrap();
    everybody_asks(&stage, bot).await;
    // Shorter than its lease: it may go on sending when it wakes up, until it has looked.
    kill_process(worker, Signal::STOP).unwrap();
    let switch = switch_by_hand(&stage, "second");
    let wake = async {
        tokio::time::sleep(Duration::from_millis(600)).await;
        kill_process(worker, Signal::CONT).unwrap();
    };
    tokio::join!(switch, wake);
    everybody_has_one_reply(&stage).await;
}

/// The active bot is told to wait ten minutes with everything. The rotation hands its queue over at once; only who cannot be reached waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_away_from_a_bot_under_a_flood_wait_leaves_nobody_waiting_for_it() {
    let stage = Stage::open(MEMBERS).await.unwrap();
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    for (place, bot) in bots.iter().enumerate() {
        // The last member knows the first bot only.
        let known = if place == 0 { MEMBERS } else { MEMBERS - 1 };
        for member in 0..known {
            let talk = Talk::private(&stage, member, *bot);
            talk.start(None).await.unwrap();
        }
        let reached = u64::try_from(known).unwrap();
        stage.reach_is(*bot, reached).await.unwrap();
    }
    stage.settled().await.unwrap();
    // By hand, so that automation is not faster.
    order(&stage, "pause").await;
    let begin = stage.control.last_event().await.unwrap();
    let flood =
        json!({"kind": "flood", "bot": bots[0], "method": "messages.sendMessage", "seconds": 600});
    let flood = stage.fault(flood).await.unwrap();
    for member in &stage.scene.members {
        let to = Talk::private(&stage, 0, bots[0]).chat;
        let text = Content::Text("/help".into());
        stage
            .control
            .send(member.id, to, &text, None)
            .await
            .unwrap();
    }
    let refused = |event: &Event| {
        event.fields.get("fault") == Some(&json!(flood)) && event.fields.contains_key("method")
    };
    stage.event(begin, "fault_fired", refused).await.unwrap();
    // All of it is committed before the order comes.
    stage
        .until_stored("all replies wait", async || {
            Ok((stage.outbox().await? == MEMBERS as u64).then_some(()))
        })
        .await
        .unwrap();
    order(&stage, "rotate").await;
    let next = stage.active().await.unwrap();
    assert_ne!(next, bots[0]);
    stage.delivered().await.unwrap();
    let said = stage.sent_to_members(begin, next, REPLY).await.unwrap();
    let (last, others) = stage.scene.members.split_last().unwrap();
    for member in others {
        assert_eq!(said.get(&member.id).map(Vec::len), Some(1), "{said:?}");
    }
    assert_eq!(said.get(&last.id), None);
    assert_eq!(
        stage.parked(last.id).await.unwrap(),
        1,
        "it waits for his Start"
    );
    let by_the_first = stage.sent_to_members(begin, bots[0], REPLY).await.unwrap();
    assert!(by_the_first.is_empty(), "{by_the_first:?}");
    let parked = Talk::private(&stage, MEMBERS - 1, next);
    parked.start(None).await.unwrap();
    // What is parked is not in the outbox until his Start is taken in.
    parked.see(REPLY).await.unwrap();
    stage.delivered().await.unwrap();
    let said = stage.sent_to_members(begin, next, REPLY).await.unwrap();
    assert_eq!(said.get(&last.id).map(Vec::len), Some(1), "{said:?}");
}

/// What members did last is taken in when a planned rotation comes, and neither answered nor stored. A file that is on its way then may be asked for
/// again. What is not taken in by then: `late.rs`.
#[tokio::test(flavor = "multi_thread")]
async fn who_presses_types_or_sends_files_when_a_rotation_comes_goes_on_with_the_next_bot() {
    let stage = stage_where_all_of(ROLES).await;
    let bot = stage.active().await.unwrap();
    let [presses, types, sends, albums] = [0, 1, 2, 3].map(|at| Talk::private(&stage, at, bot));
    for talk in [&presses, &types] {
        talk.open_upload().await.unwrap();
    }
    presses.give_title().await.unwrap();
    presses.give_description().await.unwrap();
    for talk in [&sends, &albums] {
        talk.upload_until_files().await.unwrap();
    }
    stage.delivered().await.unwrap();

    let begin = stage.control.last_event().await.unwrap();
    let before = stage.counter("commits").await.unwrap();
    let slow = json!({"kind": "slow", "bot": bot, "delay_ms": 100});
    let slow = stage.fault(slow).await.unwrap();
    let rotated = async {
        // A press, a title, a file, and three in one album.
        let taken_in = async || {
            let commits = stage.counter("commits").await? - before;
            Ok((commits >= 3 + ALBUM.len() as u64).then_some(()))
        };
        let all = stage.until_stored("all of it is taken in", taken_in);
        all.await.unwrap();
        order(&stage, "rotate").await;
    };
    let (pressed, typed, sent, (), ()) = tokio::join!(
        presses.press(CATEGORY),
        types.say(TITLE),
        sends.send_file(FILE, 70_000),
        send_album(&stage, &albums, bot),
        rotated,
    );
    pressed.unwrap();
    typed.unwrap();
    sent.unwrap();
    stage.clear_fault(slow).await.unwrap();
    let next = stage.active().await.unwrap();
    assert_ne!(next, bot);
    all_go_on(&stage, begin, next).await;
    let late = stage.events_since(begin, "press_timed_out").await.unwrap();
    assert!(late.is_empty(), "{late:#?}");
    for (member, answer) in [(0, "✓ Category: "), (1, "✓ Title: ")] {
        let said = said_to(&stage, begin, member).await.unwrap();
        let said = said.iter().filter(|text| text.contains(answer));
        assert_eq!(said.count(), 1, "{answer}");
    }
    for (member, name) in files() {
        let said = said_to(&stage, begin, member).await.unwrap();
        let acknowledged = said.iter().filter(|text| is_acknowledged(text, name));
        assert_eq!(acknowledged.count(), 1, "{name}: {said:#?}");
        let posts = stage.control.posts(stage.scene.broadcast).await.unwrap();
        let posted = posts.iter().filter(|post| post.text.contains(name));
        assert_eq!(posted.count(), 1, "{name}: {posts:#?}");
    }
}

/// Who presses, who types, who sends a file, and who sends an album.
const ROLES: usize = 4;
const FILE: &str = "bread.pdf";
const ALBUM: [&str; 3] = ["dough.pdf", "oven.pdf", "crust.pdf"];

/// Each file, and whose it is.
fn files() -> impl Iterator<Item = (usize, &'static str)> {
    let album = ALBUM.iter().map(|name| (3, *name));
    std::iter::once((2, FILE)).chain(album)
}

async fn send_album(stage: &Stage, talk: &Talk<'_>, bot: i64) {
    let items = ALBUM.map(|name| json!({"name": name, "mime": "application/pdf", "size": 4_000}));
    let path = format!("/members/{}/send", talk.member);
    let album = json!({"to": {"user": bot}, "album": items});
    let sent = stage.sim_call(Method::POST, &path, Some(album)).await;
    sent.unwrap();
}

/// Each finishes his upload with this bot.
async fn all_go_on(stage: &Stage, begin: u64, next: i64) {
    let [presses, types, sends, albums] = [0, 1, 2, 3].map(|at| Talk::private(stage, at, next));
    types.see("Step 2/6").await.unwrap();
    types.give_description().await.unwrap();
    types.choose_category().await.unwrap();
    presses.see("Step 4/6").await.unwrap();
    for talk in [&presses, &types] {
        talk.press("Done").await.unwrap();
        talk.see("Step 5/6").await.unwrap();
        talk.press("Skip").await.unwrap();
        talk.see("Step 6/6").await.unwrap();
        talk.submit_review().await.unwrap();
    }
    for (member, name) in files() {
        let talk = Talk::private(stage, member, next);
        let is_asked = async || {
            let said = said_to(stage, begin, member).await?;
            if said.iter().any(|text| is_acknowledged(text, name)) {
                return Ok(Some(false));
            }
            let mut heard = talk.heard().await?.into_iter();
            Ok(heard.any(|it| is_asked_for(&it.text, name)).then_some(true))
        };
        let what = format!("{name} is acknowledged or asked for");
        if stage.until(&what, is_asked).await.unwrap() {
            eprintln!("{name} is asked for again");
            talk.send_file(name, 4_000).await.unwrap();
            let is_told = async || {
                let said = said_to(stage, begin, member).await?;
                let told = said.iter().any(|text| is_acknowledged(text, name));
                Ok(told.then_some(()))
            };
            stage.until(&what, is_told).await.unwrap();
        }
    }
    for talk in [&sends, &albums] {
        talk.see("Step 5/6").await.unwrap();
        talk.submit().await.unwrap();
    }
    stage.delivered().await.unwrap();
}

fn is_acknowledged(text: &str, name: &str) -> bool {
    let mut lines = text.lines();
    lines.any(|line| line.starts_with("✓ File ") && line.ends_with(name))
}

fn is_asked_for(text: &str, name: &str) -> bool {
    let asks = ["Please send it again: ", "Missing, please send again"];
    asks.iter().any(|part| text.contains(part)) && text.contains(name)
}

/// By whichever bot.
async fn said_to(stage: &Stage, begin: u64, member: usize) -> anyhow::Result<Vec<String>> {
    let member = stage.scene.members[member].id;
    let mut all = Vec::new();
    for bot in stage.scene.bots.iter().map(|bot| bot.id) {
        let mut sent = stage.sent_to_members(begin, bot, "").await?;
        all.extend(sent.remove(&member).unwrap_or_default());
    }
    Ok(all)
}

/// A Start that only opens the chat is answered by a pointer and over; one that asks for something is kept like any other message.
#[tokio::test(flavor = "multi_thread")]
async fn who_comes_to_a_standby_for_an_upload_gets_it_when_that_one_takes_over() {
    let stage = Stage::open(2).await.unwrap();
    let [first, second] = [0, 1].map(|at| stage.scene.bots[at].id);
    let asks = Talk::private(&stage, 0, second);
    asks.start(Some("upload")).await.unwrap();
    asks.see("I am a backup").await.unwrap();
    let only_starts = Talk::private(&stage, 1, second);
    only_starts.meet_standby().await.unwrap();
    stage.reach_is(second, 2).await.unwrap();
    stage.revoke(first).await.unwrap();
    assert_eq!(stage.switched_from(first).await.unwrap(), second);
    asks.see("Step 1/6").await.unwrap();
    stage.settled().await.unwrap();
    assert_eq!(asks.count("Step 1/6").await.unwrap(), 1);
    assert_eq!(only_starts.count("Welcome!").await.unwrap(), 0);
}
