//! A planned rotation over a line that takes its time: what members do meanwhile reaches a bot that does not answer any more.

use std::time::Duration;

use e2e::{CATEGORY, Stage, TITLE, Talk};
use serde_json::json;

use super::{order, said_to, stage_where_all_of, switch_by_hand};

const LINE_MS: u64 = 200;
const FILE: &str = "bread.pdf";
const AWAY: &str = "I am a backup and listen only.";

/// So long after they acted the order comes: before it is heard, when it just was, and when the answer is on its way.
const ORDERS_MS: [u64; 4] = [0, 150, 250, 400];

/// Each rotation leads to another bot; whoever acts then is answered, or told who answers, and goes on there.
#[tokio::test(flavor = "multi_thread")]
async fn who_acts_while_a_rotation_is_under_way_gets_an_answer_or_a_word_and_goes_on() {
    let stage = stage_where_all_of(3 * ORDERS_MS.len()).await;
    let slow = json!({"kind": "slow", "delay_ms": LINE_MS});
    for (round, after_ms) in ORDERS_MS.into_iter().enumerate() {
        let bot = stage.active().await.unwrap();
        let [presses, types, sends] = [0, 1, 2].map(|role| 3 * round + role);
        stand_ready(&stage, bot, [presses, types, sends]).await;
        let begin = stage.control.last_event().await.unwrap();
        let slow = stage.fault(slow.clone()).await.unwrap();
        let [press, title, file] =
            [presses, types, sends].map(|member| Talk::private(&stage, member, bot));
        let rotate = async {
            tokio::time::sleep(Duration::from_millis(after_ms)).await;
            order(&stage, "rotate").await;
        };
        let (pressed, typed, sent, ()) = tokio::join!(
            press.press(CATEGORY),
            title.say(TITLE),
            file.send_file(FILE, 4_000),
            rotate
        );
        let word = pressed.unwrap().message.unwrap_or_default();
        eprintln!("{after_ms} ms: {word:?}");
        typed.unwrap();
        sent.unwrap();
        let next = stage.active().await.unwrap();
        assert_ne!(next, bot);
        let took_effect = went_on(&stage, begin, next, [presses, types, sends]).await;
        let tells = word.starts_with(AWAY);
        assert_eq!(took_effect, !tells, "{after_ms} ms: {word:?}");
        stage.clear_fault(slow).await.unwrap();
        let late = stage.events_since(begin, "press_timed_out").await.unwrap();
        assert!(late.is_empty(), "{after_ms} ms: {late:#?}");
    }
}

/// One is asked for the category, one for the title, one for files.
async fn stand_ready(stage: &Stage, bot: i64, [presses, types, sends]: [usize; 3]) {
    let talk = |member| Talk::private(stage, member, bot);
    for member in [presses, types] {
        talk(member).open_upload().await.unwrap();
    }
    talk(presses).give_title().await.unwrap();
    talk(presses).give_description().await.unwrap();
    talk(sends).upload_until_files().await.unwrap();
    stage.settled().await.unwrap();
}

/// All finish with the next bot, whatever it has of them; says whether the press had taken effect.
async fn went_on(
    stage: &Stage,
    begin: u64,
    next: i64,
    [presses, types, sends]: [usize; 3],
) -> bool {
    let talk = |member| Talk::private(stage, member, next);
    let (press, title, file) = (talk(presses), talk(types), talk(sends));
    if stands_at(&title).await == 1 {
        title.give_title().await.unwrap();
    }
    title.give_description().await.unwrap();
    title.choose_category().await.unwrap();
    let took_effect = stands_at(&press).await == 4;
    if !took_effect {
        press.choose_category().await.unwrap();
    }
    for talk in [&press, &title] {
        talk.press("Done").await.unwrap();
        talk.see("Step 5/6").await.unwrap();
        talk.press("Skip").await.unwrap();
        talk.see("Step 6/6").await.unwrap();
        talk.submit_review().await.unwrap();
    }
    file.see("Step 5/6").await.unwrap();
    let what = format!("{FILE} is acknowledged, or he is told that it was not taken");
    let is_taken = async || {
        let said = said_to(stage, begin, sends).await?;
        let has = |part: &str| said.iter().any(|text| text.contains(part));
        Ok(if has("✓ File ") {
            Some(true)
        } else {
            let again = has("send it again: ") || has("please send again") || has(AWAY);
            again.then_some(false)
        })
    };
    if !stage.until(&what, is_taken).await.unwrap() {
        file.send_file(FILE, 4_000).await.unwrap();
        file.see("✓ File ").await.unwrap();
    }
    file.submit().await.unwrap();
    stage.settled().await.unwrap();
    took_effect
}

/// Where the next bot shows a member that he stands.
async fn stands_at(talk: &Talk<'_>) -> u32 {
    let shown = talk.see("↻ ").await.unwrap();
    let (_, rest) = shown.text.split_once("Step ").unwrap();
    rest[..1].parse().unwrap()
}

/// In the group too: the button is the old bot's, and nobody else can answer it.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_button_in_the_group_says_who_answers() {
    let stage = Stage::open(1).await.unwrap();
    let [first, second] = [0, 1].map(|at| &stage.scene.bots[at]);
    let talk = Talk::group(&stage, 0);
    talk.say("/upload").await.unwrap();
    let asked = talk.see("Step 1/6").await.unwrap();
    talk.reply(&asked, TITLE).await.unwrap();
    let old = talk.see("Step 2/6").await.unwrap();
    stage.settled().await.unwrap();
    switch_by_hand(&stage, second.name).await;
    assert_eq!(stage.switched_from(first.id).await.unwrap(), second.id);
    talk.see("↻ ").await.unwrap();
    let pressed = talk.press_on(&old, "Back").await.unwrap();
    let word = pressed.message.unwrap_or_default();
    assert!(
        word.starts_with(AWAY) && word.contains(&second.username),
        "{word}"
    );
    let stands = talk.see("Step 2/6").await.unwrap();
    assert_eq!(stands.from, second.id, "it changed nothing");
}
