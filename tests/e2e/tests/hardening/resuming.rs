//! Going on where members stood: what a worker that dies in the middle of it leaves to the next one, and what is too old to be gone on with.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use e2e::{DESCRIPTION, Stage, TITLE, Talk};
use rustix::process::{Signal, kill_process};
use sandbox::control::Event;
use serde_json::{Value, json};

/// So many that the last prompts are asked for only when the first ones have left.
const MEMBERS: usize = 100;
const CONTINUED: &str = "conversations_continued";
const TAKEN_OVER: Duration = Duration::from_secs(20);

/// All members have started the next bot and are asked for a title by the active one. Gives how many they are.
async fn everybody_uploads(stage: &Stage, active: i64, next: i64) -> u64 {
    for member in 0..MEMBERS {
        // Not everybody gets a hint at once, so nobody waits for his.
        Talk::private(stage, member, next)
            .start(None)
            .await
            .unwrap();
        let talk = Talk::private(stage, member, active);
        talk.start(Some("upload")).await.unwrap();
    }
    let reached = u64::try_from(MEMBERS).unwrap();
    stage.reach_is(next, reached).await.unwrap();
    stage
        .until("everybody is asked for a title", async || {
            let asked = stage.sent_to_members(0, active, "Step 1/6").await?;
            Ok((asked.len() == MEMBERS).then_some(()))
        })
        .await
        .unwrap();
    stage.delivered().await.unwrap();
    reached
}

/// The active bot is revoked, and the next one has begun to show everybody where he stands. Gives the log's end before that.
async fn amid_the_prompts(stage: &Stage, active: i64, next: i64) -> u64 {
    let begin = stage.control.last_event().await.unwrap();
    stage.revoke(active).await.unwrap();
    let first = |event: &Event| {
        let text = event.fields.get("text").and_then(Value::as_str);
        event.number("account") == Some(next) && text.is_some_and(|text| text.contains("↻ "))
    };
    stage.event(begin, "message_sent", first).await.unwrap();
    begin
}

/// He moves to the front of the list, past what has been looked through, and the help that he gets is no prompt.
#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_help_amid_the_prompts_of_a_switch_is_shown_his_as_well() {
    let stage = Stage::open(MEMBERS).await.unwrap();
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    let next = bots[1];
    let reached = everybody_uploads(&stage, bots[0], next).await;
    let begin = amid_the_prompts(&stage, bots[0], next).await;
    // Who was asked first stands last in the list.
    let last = Talk::private(&stage, 0, next);
    last.say("/help").await.unwrap();
    last.see("What I know:").await.unwrap();
    let continued = stage.counter(CONTINUED).await.unwrap();
    assert!(continued < reached, "too late: all are committed");
    stage.resumed_by(next).await.unwrap();
    stage.delivered().await.unwrap();
    let prompts = stage.sent_to_members(begin, next, "↻ ").await.unwrap();
    for member in &stage.scene.members {
        let shown = prompts.get(&member.id).map_or(0, Vec::len);
        assert_eq!(shown, 1, "prompts for {}", member.id);
    }
    last.give_title().await.unwrap();
}

/// Whoever comes to hold the bot owes everybody his prompt: those of whom its predecessor had not thought yet, and those whose prompt it had
/// committed and not sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_takeover_amid_the_prompts_of_a_switch_leaves_nobody_out() {
    let stage = Stage::open(MEMBERS).await.unwrap();
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    let next = bots[1];
    let reached = everybody_uploads(&stage, bots[0], next).await;

    let worker = stage.worker_of(next).await.unwrap();
    let begin = amid_the_prompts(&stage, bots[0], next).await;
    kill_process(worker, Signal::KILL).unwrap();
    let left = stage.outbox().await.unwrap();
    let continued = stage.counter(CONTINUED).await.unwrap();
    assert!(left > 0, "nothing committed is left to be sent");
    assert!(continued < reached, "killed too late: all are committed");

    let status = stage
        .wait("a takeover", TAKEN_OVER, |status| {
            let pool = &status["pools"][0];
            pool["phase"] == "open" && pool["switches"][0]["kind"] == "takeover"
        })
        .await
        .unwrap();
    let living = stage.active().await.unwrap();
    assert_eq!(living, next, "the bot stays: {status:#}");
    stage.resumed_by(living).await.unwrap();
    stage.delivered().await.unwrap();
    assert_eq!(stage.counter(CONTINUED).await.unwrap(), reached);
    let prompts = stage.sent_to_members(begin, living, "↻ ").await.unwrap();
    for member in &stage.scene.members {
        let shown = prompts.get(&member.id).map_or(0, Vec::len);
        assert_eq!(shown, 1, "prompts for {}, {left} were left", member.id);
    }
    let group = Talk::group(&stage, 0);
    let announced = group.heard().await.unwrap();
    let by = |bot: i64| {
        let said = announced.iter().filter(|one| one.from == bot);
        said.filter(|one| one.text.contains("answers from here on"))
            .count()
    };
    assert_eq!(by(living), 1, "{announced:#?}");
    assert_eq!(by(bots[2]), 0, "{announced:#?}");
    // The prompts are alive: one of them goes on.
    let last = Talk::private(&stage, MEMBERS - 1, living);
    last.give_title().await.unwrap();
}

/// What he typed to the dead bot was meant for the step that he gave to the next one meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_typed_to_a_dead_bot_is_not_taken_for_a_later_step_when_it_is_back() {
    const TYPED: &str = "Typed while nobody listened";
    let stage = Stage::open(1).await.unwrap();
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    let (first, second) = (
        Talk::private(&stage, 0, bots[0]),
        Talk::private(&stage, 0, bots[1]),
    );
    second.meet_standby().await.unwrap();
    first.open_upload().await.unwrap();
    stage.delivered().await.unwrap();
    let deleted = stage
        .fault(json!({"kind": "delete", "bot": bots[0]}))
        .await
        .unwrap();
    assert_eq!(stage.switched_from(bots[0]).await.unwrap(), bots[1]);
    second.see("↻ ").await.unwrap();
    let typed = first.say(TYPED).await.unwrap();
    stage.clear_fault(deleted).await.unwrap();
    stage.ready(bots[0]).await.unwrap();
    stage.held_is(bots[0], 1).await.unwrap();
    stage
        .until_stored("Telegram's dates tell the two apart", async || {
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
            Ok((now.as_millis() > u128::try_from(typed)? + 1_000).then_some(()))
        })
        .await
        .unwrap();
    second.say(TITLE).await.unwrap();
    second.see("Step 2/6").await.unwrap();
    stage.delivered().await.unwrap();

    stage.revoke(bots[1]).await.unwrap();
    assert_eq!(stage.switched_from(bots[1]).await.unwrap(), bots[0]);
    let shown = first.see("↻ ").await.unwrap();
    assert!(shown.text.contains("Step 2/6"), "{}", shown.text);
    stage.held_is(bots[0], 0).await.unwrap();
    stage.delivered().await.unwrap();
    assert_eq!(first.count("✓ ").await.unwrap(), 0, "{TYPED:?} was taken");
    first.give_description().await.unwrap();
    first.choose_category().await.unwrap();
    stage.delivered().await.unwrap();
    for chat in [&first, &second] {
        assert_eq!(chat.count(TYPED).await.unwrap(), 0);
    }
    let described = format!("✓ Description: {DESCRIPTION}");
    assert_eq!(first.count(&described).await.unwrap(), 1);
}

/// A bot that dies amid its prompts leaves some in the outbox: they speak of it, and the next one owes everybody its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_switch_amid_the_prompts_of_the_first_shows_one_prompt_that_names_who_speaks() {
    let stage = Stage::open(MEMBERS).await.unwrap();
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    for member in 0..MEMBERS {
        for bot in &bots[1..] {
            Talk::private(&stage, member, *bot)
                .start(None)
                .await
                .unwrap();
        }
        let active = Talk::private(&stage, member, bots[0]);
        active.start(Some("upload")).await.unwrap();
    }
    let reached = u64::try_from(MEMBERS).unwrap();
    for bot in &bots[1..] {
        stage.reach_is(*bot, reached).await.unwrap();
    }
    stage
        .until("everybody is asked for a title", async || {
            let asked = stage.sent_to_members(0, bots[0], "Step 1/6").await?;
            Ok((asked.len() == MEMBERS).then_some(()))
        })
        .await
        .unwrap();
    stage.delivered().await.unwrap();

    let begin = stage.control.last_event().await.unwrap();
    stage.revoke(bots[0]).await.unwrap();
    let first = |event: &Event| {
        let text = event.fields.get("text").and_then(Value::as_str);
        event.flag("bot") && text.is_some_and(|text| text.contains("↻ "))
    };
    let shown = stage.event(begin, "message_sent", first).await.unwrap();
    let second = shown.number("account").unwrap();
    stage.revoke(second).await.unwrap();
    let third = stage.switched_from(second).await.unwrap();
    stage.resumed_by(third).await.unwrap();
    stage.delivered().await.unwrap();

    let prompts = stage.sent_to_members(begin, third, "↻ ").await.unwrap();
    let name = stage.scene.username(third);
    for member in &stage.scene.members {
        let shown = prompts.get(&member.id).cloned().unwrap_or_default();
        assert_eq!(shown.len(), 1, "{}: {shown:#?}", member.id);
        assert!(shown[0].contains(&format!("I am {name} ")), "{}", shown[0]);
    }
    let group = Talk::group(&stage, 0).heard().await.unwrap();
    for bot in [second, third] {
        let said = group.iter().filter(|one| one.from == bot);
        let announced = said.filter(|one| one.text.contains("answers from here on"));
        assert!(announced.count() <= 1, "{group:#?}");
    }
}

/// The debt of a switch is paid once: who begins something with the bot after that is not shown it anew when the bot begins anew.
#[tokio::test(flavor = "multi_thread")]
async fn who_began_after_a_switch_is_not_shown_it_when_the_bot_begins_anew() {
    let stage = Stage::open(1).await.unwrap();
    let first = stage.active().await.unwrap();
    for bot in stage.scene.bots.iter().filter(|bot| bot.id != first) {
        let talk = Talk::private(&stage, 0, bot.id);
        talk.meet_standby().await.unwrap();
    }
    stage.revoke(first).await.unwrap();
    let next = stage.switched_from(first).await.unwrap();
    stage.settled().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let talk = Talk::private(&stage, 0, next);
    talk.open_upload().await.unwrap();
    stage.settled().await.unwrap();
    // Longer than its lease, shorter than what makes it silent: it begins anew in the same epoch.
    let worker = stage.worker_of(next).await.unwrap();
    kill_process(worker, Signal::STOP).unwrap();
    tokio::time::sleep(Duration::from_millis(1_250)).await;
    kill_process(worker, Signal::CONT).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    talk.give_title().await.unwrap();
    stage.settled().await.unwrap();
    assert_eq!(talk.count("↻ ").await.unwrap(), 0);
}

/// Half an hour after somebody last said anything, a message that he did not ask for would be a nuisance. He goes on when he comes.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_last_active_half_an_hour_ago_is_not_written_to_and_goes_on_when_he_comes() {
    let stage = Stage::open(2).await.unwrap();
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    for member in 0..2 {
        Talk::private(&stage, member, bots[1])
            .meet_standby()
            .await
            .unwrap();
        let talk = Talk::private(&stage, member, bots[0]);
        talk.open_upload().await.unwrap();
        talk.give_title().await.unwrap();
    }
    stage.reach_is(bots[1], 2).await.unwrap();
    stage.delivered().await.unwrap();
    let long_ago = Duration::from_secs(31 * 60);
    let gone = stage.scene.members[0].id;
    stage.last_active_earlier(gone, long_ago).await.unwrap();

    let begin = stage.control.last_event().await.unwrap();
    stage.revoke(bots[0]).await.unwrap();
    assert_eq!(stage.switched_from(bots[0]).await.unwrap(), bots[1]);
    let (gone, here) = (
        Talk::private(&stage, 0, bots[1]),
        Talk::private(&stage, 1, bots[1]),
    );
    here.see("↻ ").await.unwrap();
    stage.resumed_by(bots[1]).await.unwrap();
    stage.delivered().await.unwrap();
    let said = stage.sent_to_members(begin, bots[1], "").await.unwrap();
    assert!(!said.contains_key(&gone.member), "{said:#?}");
    assert_eq!(said.get(&here.member).map(Vec::len), Some(1), "{said:#?}");

    gone.say("/resume").await.unwrap();
    let shown = gone.see("Step 2/6").await.unwrap();
    assert!(shown.text.contains(TITLE), "{}", shown.text);
    gone.give_description().await.unwrap();
    stage.delivered().await.unwrap();
    assert_eq!(gone.count("Step 2/6").await.unwrap(), 1);
    assert_eq!(gone.count("Step 3/6").await.unwrap(), 1);
}

/// An edit waits for Telegram and its bot dies. The next one cannot make it: it shows the step that was reached since, with what was chosen, and no other.
#[tokio::test(flavor = "multi_thread")]
async fn a_choice_whose_redraw_waited_is_shown_with_the_step_that_was_reached() {
    let stage = Stage::open(2).await.unwrap();
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    let [goes_on, stays] = [0, 1].map(|member| Talk::private(&stage, member, bots[0]));
    for talk in [&goes_on, &stays] {
        let member = usize::from(talk.member == stays.member);
        Talk::private(&stage, member, bots[1])
            .meet_standby()
            .await
            .unwrap();
        talk.open_upload().await.unwrap();
        talk.give_title().await.unwrap();
        talk.give_description().await.unwrap();
        talk.choose_category().await.unwrap();
    }
    stage.reach_is(bots[1], 2).await.unwrap();
    stage.settled().await.unwrap();
    let flood =
        json!({"kind": "flood", "bot": bots[0], "method": "messages.editMessage", "seconds": 600});
    stage.fault(flood).await.unwrap();
    let tag = stays.labels().await.unwrap().swap_remove(0);
    goes_on.press(&tag).await.unwrap();
    stays.press(&tag).await.unwrap();
    goes_on.press("Done").await.unwrap();
    stage
        .until_stored("two edits and a step wait", async || {
            Ok((stage.outbox().await? == 3).then_some(()))
        })
        .await
        .unwrap();

    stage.revoke(bots[0]).await.unwrap();
    assert_eq!(stage.switched_from(bots[0]).await.unwrap(), bots[1]);
    let [goes_on, stays] = [0, 1].map(|member| Talk::private(&stage, member, bots[1]));
    goes_on.see("Step 5/6").await.unwrap();
    stays.see("Step 4/6").await.unwrap();
    stage.delivered().await.unwrap();
    assert_eq!(goes_on.count("Step 4/6").await.unwrap(), 0);
    assert_eq!(goes_on.count("Step 5/6").await.unwrap(), 1);
    assert_eq!(stays.count("Step 4/6").await.unwrap(), 1);
    // His choice is among the buttons, and they work.
    let chosen = stays.labels().await.unwrap().swap_remove(0);
    assert_ne!(chosen, tag, "it is marked");
    stays.press("Done").await.unwrap();
    stays.see("Step 5/6").await.unwrap();
}
