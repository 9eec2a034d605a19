//! The three commands before, during and after a switch, from the active bot and from standbys.

use anyhow::{Result, ensure};
use e2e::{Stage, Talk};
use reqwest::Method;
use serde_json::json;

use super::asking::{
    admin, ask, ask_until, data, labels, moved_once, moves, reads, reads_alone, recorded, said_so,
};

/// All three commands at a bot that is asked while all is calm.
async fn all_three(stage: &Stage, talk: &Talk<'_>, active: &str) {
    let help = ask(stage, talk, "/drhelp").await.unwrap();
    for command in ["/drstatus", "/emergency_recovery", "/drhelp"] {
        assert!(help.text.contains(command), "{}", help.text);
    }
    let card = ask_until(stage, talk, "/drstatus", "main: all well").await;
    let card = card.unwrap();
    for figure in [
        &format!("Active: @{active}, ready, reach "),
        "Standby: @",
        "second login at rest",
        "Worker w1: well",
        "Worker w2: well",
        "Redis: answers in ",
        "appendfsync ",
        "Database: answers",
        "Last switch: ",
        " ago",
        "Answered by @",
    ] {
        assert!(card.text.contains(figure), "{figure:?} in {}", card.text);
    }
    let plan = ask(stage, talk, "/emergency_recovery").await.unwrap();
    assert!(
        plan.text.starts_with("Emergency recovery of main\n"),
        "{}",
        plan.text
    );
    assert!(plan.text.contains("\nPlan: "), "{}", plan.text);
    talk.press_on(&plan, "Drop it").await.unwrap();
    let dropped = reads(stage, talk, &plan, "Dropped, nothing was done.").await;
    assert_eq!(dropped.unwrap().keyboard.unwrap_or_default().len(), 0);
}

/// The same while a switch is under way.
async fn all_three_during(stage: &Stage, talk: &Talk<'_>) -> Result<()> {
    let card = ask_until(stage, talk, "/drstatus", "main: switching").await?;
    ensure!(card.text.contains("Answered by @"), "{}", card.text);
    let plan = ask(stage, talk, "/emergency_recovery").await?;
    let starts = plan.text.starts_with("Emergency recovery of main\n");
    ensure!(starts, "{}", plan.text);
    // What is under way is said, and nothing is offered beside it.
    ensure!(plan.text.contains("a switch is under way"), "{}", plan.text);
    ensure!(labels(&plan) == ["Back to the status"], "{plan:?}");
    let help = ask(stage, talk, "/drhelp").await?;
    ensure!(help.text.contains("/drstatus"), "{}", help.text);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn three_commands_before_during_and_after_a_switch_from_active_and_standby() {
    let stage = Stage::open_for_admin(1).await.unwrap();
    let unlimited = json!({"enabled": false});
    stage
        .sim_call(Method::PUT, "/limits", Some(unlimited))
        .await
        .unwrap();
    let bots = &stage.scene.bots;
    let talks = [
        admin(&stage, 0).await,
        admin(&stage, 1).await,
        admin(&stage, 2).await,
    ];
    assert_eq!(stage.active().await.unwrap(), bots[0].id);
    for talk in &talks {
        all_three(&stage, talk, &bots[0].username).await;
    }
    let (before, epoch) = moves(&stage).await.unwrap();
    assert_eq!(before, 0, "dropped plans are not carried out");

    // The next bot's smoke test takes a while, so that the switch can be asked about while it is under way.
    let plan = ask(&stage, &talks[2], "/emergency_recovery").await.unwrap();
    let slow = json!({"kind": "slow", "bot": bots[1].id, "delay_ms": 1_200, "jitter_ms": 0});
    let slow = stage.fault(slow).await.unwrap();
    let pressed = talks[2].press_on(&plan, "Do it").await.unwrap();
    assert_eq!(pressed.message.as_deref(), Some("On its way."));
    let (active, standby) = tokio::join!(
        all_three_during(&stage, &talks[0]),
        all_three_during(&stage, &talks[2]),
    );
    active.unwrap();
    standby.unwrap();
    let done = reads(&stage, &talks[2], &plan, "Done in ").await.unwrap();
    for part in ["Order: recover\n", "Smoke test passed:\n✓ "] {
        assert!(done.text.contains(part), "{}", done.text);
    }
    assert_eq!(done.keyboard.unwrap_or_default().len(), 0, "used up");
    stage.clear_fault(slow).await.unwrap();
    moved_once(&stage).await.unwrap();
    let (_, next) = moves(&stage).await.unwrap();
    assert_ne!(next, epoch);
    assert_eq!(stage.switched_from(bots[0].id).await.unwrap(), bots[1].id);
    stage.served().await.unwrap();

    for talk in &talks {
        all_three(&stage, talk, &bots[1].username).await;
    }
    // Each use is a row; a plan that was not offered, because a switch was under way, is a refusal.
    for (talk, not_offered) in talks.iter().zip([1, 0, 1]) {
        let count = async |command: &str| said_so(&stage, talk, command).await.unwrap();
        let (helps, cards) = (count("/drhelp").await, count("/drstatus").await);
        let plans = count("/emergency_recovery").await;
        assert!(helps >= 2 && cards >= 2 && plans >= 2);
        for (action, verdict, times) in [
            ("drhelp", "allowed", helps),
            ("drstatus", "allowed", cards),
            ("emergency_recovery", "allowed", plans - not_offered),
            ("emergency_recovery", "refused", not_offered),
            ("drop", "done", 2),
        ] {
            recorded(&stage, talk, action, verdict, times)
                .await
                .unwrap();
        }
    }
    recorded(&stage, &talks[2], "confirm", "allowed", 1)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cards_buttons_refresh_show_events_and_switch_in_one_message() {
    let stage = Stage::open_for_admin(1).await.unwrap();
    let bots = &stage.scene.bots;
    let talk = admin(&stage, 1).await;
    let card = ask_until(&stage, &talk, "/drstatus", "main: all well").await;
    let card = card.unwrap();
    talk.press_on(&card, "Refresh").await.unwrap();
    talk.press_on(&card, "Recent events").await.unwrap();
    let events = reads(&stage, &talk, &card, "Recent events of main\n").await;
    let events = events.unwrap();
    assert!(events.text.contains("first nobody → @"), "{}", events.text);
    talk.press_on(&events, "Back to the status").await.unwrap();
    let card = reads(&stage, &talk, &card, "main: all well").await.unwrap();
    talk.press_on(&card, "Switch …").await.unwrap();
    let plan = reads(&stage, &talk, &card, "Switch of main to another bot\n").await;
    let plan = plan.unwrap();
    assert!(data(&plan, "Do it").starts_with("dr:c:"), "{plan:?}");
    let heard = talk.heard().await.unwrap().len();
    talk.press_on(&plan, "Do it").await.unwrap();
    let done = reads_alone(&stage, &talk, &plan, "Done in ", heard).await;
    let done = done.unwrap();
    assert!(done.text.contains("Order: rotate\n"), "{}", done.text);
    assert_ne!(stage.active().await.unwrap(), bots[0].id);
    for action in ["refresh", "events", "switch_plan", "confirm"] {
        let times = if action == "refresh" { 2 } else { 1 };
        recorded(&stage, &talk, action, "allowed", times)
            .await
            .unwrap();
    }
}
