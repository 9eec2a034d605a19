//! Confirmations: once, by whom they were made for, through the bot that made them, in time. And an order is followed whoever dies.

use e2e::Stage;
use rustix::process::{Signal, kill_process};
use serde_json::json;

use super::asking::{
    admin, ask, data, forge, member, moved_once, moves, reads, reads_alone, recorded, settled_plan,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmation_that_is_pressed_twice_moves_once() {
    let stage = Stage::open_for_admin(1).await.unwrap();
    let talk = admin(&stage, 1).await;
    let plan = settled_plan(&stage, &talk).await;
    let heard = talk.heard().await.unwrap().len();
    let (one, other) = tokio::join!(talk.press_on(&plan, "Do it"), talk.press_on(&plan, "Do it"));
    let mut said = [one, other].map(|answer| answer.unwrap().message.unwrap_or_default());
    said.sort();
    assert_eq!(said, ["On its way.", "Used before: nothing more was done."]);
    reads_alone(&stage, &talk, &plan, "Done in ", heard)
        .await
        .unwrap();
    moved_once(&stage).await.unwrap();
    let after = moves(&stage).await.unwrap();
    // A client that still shows the button.
    let again = forge(&stage, &talk, plan.id, &data(&plan, "Do it")).await;
    let again = again.unwrap();
    assert_eq!(again["message"], "Used before: nothing more was done.");
    assert_eq!(again["alert"], true);
    recorded(&stage, &talk, "confirm", "allowed", 1)
        .await
        .unwrap();
    recorded(&stage, &talk, "confirm", "repeated", 2)
        .await
        .unwrap();
    assert_eq!(moves(&stage).await.unwrap(), after);
    // And what became of it, from the leader.
    recorded(&stage, &talk, "recover", "done", 1).await.unwrap();
    let shown = reads(&stage, &talk, &plan, "Done in ").await.unwrap();
    assert!(shown.text.contains("Smoke test passed"), "{}", shown.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_foreign_and_forged_confirmations_change_nothing() {
    let stage = Stage::open_for_admin(2).await.unwrap();
    let before = moves(&stage).await.unwrap();
    let (talk, elsewhere) = (admin(&stage, 0).await, admin(&stage, 1).await);
    let plan = settled_plan(&stage, &talk).await;
    let confirm = data(&plan, "Do it");
    let refused = "Not a confirmation of this bot for you, or long over: nothing was done.";

    let other = ask(&stage, &elsewhere, "/drstatus").await.unwrap();
    let foreign = forge(&stage, &elsewhere, other.id, &confirm).await;
    assert_eq!(foreign.unwrap()["message"], refused, "another bot's");
    for made_up in ["dr:c:0123456789abcdef", "dr:x:0123456789abcdef"] {
        let forged = forge(&stage, &talk, plan.id, made_up).await.unwrap();
        assert_eq!(forged["message"], refused, "{made_up}");
    }
    let garbage = forge(&stage, &talk, plan.id, "dr:c:now").await.unwrap();
    assert_eq!(
        garbage["message"],
        "That is not a button of this bot: nothing was done."
    );

    // Two minutes pass for it.
    let nonce = confirm.trim_start_matches("dr:c:");
    let key = format!("us:{{main}}:offer:{nonce}");
    let mut redis = stage.redis().await.unwrap();
    let at: i64 = redis::cmd("HGET")
        .arg(&key)
        .arg("at")
        .query_async(&mut redis)
        .await
        .unwrap();
    let () = redis::cmd("HSET")
        .arg(&key)
        .arg("at")
        .arg(at - 121_000)
        .query_async(&mut redis)
        .await
        .unwrap();
    let late = talk.press_on(&plan, "Do it").await.unwrap();
    assert_eq!(
        late.message.as_deref(),
        Some("Too late, nothing was done: ask again.")
    );
    let closed = reads(&stage, &talk, &plan, "Too late").await.unwrap();
    assert_eq!(closed.keyboard.unwrap_or_default().len(), 0);

    recorded(&stage, &elsewhere, "confirm", "forged", 1)
        .await
        .unwrap();
    recorded(&stage, &talk, "confirm", "forged", 1)
        .await
        .unwrap();
    recorded(&stage, &talk, "drop", "forged", 1).await.unwrap();
    recorded(&stage, &talk, "forged_button", "forged", 1)
        .await
        .unwrap();
    recorded(&stage, &talk, "confirm", "expired", 1)
        .await
        .unwrap();
    recorded(&stage, &talk, "confirm", "allowed", 0)
        .await
        .unwrap();
    assert_eq!(moves(&stage).await.unwrap(), before);
    assert_eq!(stage.active().await.unwrap(), stage.scene.bots[0].id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmation_is_only_for_the_admin_who_was_shown_it() {
    let stage = Stage::open_for_admins(3, 2).await.unwrap();
    // Nobody waits for long where nobody answers.
    let doubts = json!({"press_timeout_ms": 500});
    stage.control.set_doubts(doubts).await.unwrap();
    let talk = admin(&stage, 1).await;
    let (colleague, stranger) = (member(&stage, 1, 1).await, member(&stage, 2, 1).await);
    let card = ask(&stage, &colleague, "/drstatus").await.unwrap();
    assert!(card.text.contains("Answered by @"), "an admin: {card:?}");
    let seen = stranger.heard().await.unwrap();
    let before = moves(&stage).await.unwrap();
    let plan = settled_plan(&stage, &talk).await;
    let heard = talk.heard().await.unwrap().len();
    let confirm = data(&plan, "Do it");

    let foreign = forge(&stage, &colleague, card.id, &confirm).await;
    assert_eq!(
        foreign.unwrap()["message"],
        "Not a confirmation of this bot for you, or long over: nothing was done."
    );
    recorded(&stage, &colleague, "confirm", "forged", 1)
        .await
        .unwrap();
    let nothing = forge(&stage, &stranger, seen.last().unwrap().id, &confirm).await;
    assert_eq!(nothing, None, "a stranger is answered by nobody");
    recorded(&stage, &stranger, "confirm", "refused", 1)
        .await
        .unwrap();
    assert_eq!(stranger.heard().await.unwrap().len(), seen.len());
    assert_eq!(moves(&stage).await.unwrap(), before);
    assert_eq!(stage.active().await.unwrap(), stage.scene.bots[0].id);

    // Neither has used it up.
    let pressed = talk.press_on(&plan, "Do it").await.unwrap();
    assert_eq!(pressed.message.as_deref(), Some("On its way."));
    reads_alone(&stage, &talk, &plan, "Done in ", heard)
        .await
        .unwrap();
    moved_once(&stage).await.unwrap();
    recorded(&stage, &talk, "confirm", "allowed", 1)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_progress_is_shown_to_its_end_though_the_worker_that_showed_it_dies() {
    let stage = Stage::open_for_admin(1).await.unwrap();
    let bots = &stage.scene.bots;
    // The active bot's worker is not the next one's.
    let worker = stage.worker_of(bots[0].id).await.unwrap();
    assert_ne!(worker, stage.worker_of(bots[1].id).await.unwrap());
    let talk = admin(&stage, 0).await;
    let plan = settled_plan(&stage, &talk).await;
    // Its next holder's smoke test takes a while, so that there is progress when the worker dies.
    let slow = json!({"kind": "slow", "bot": bots[1].id, "delay_ms": 1_200, "jitter_ms": 0});
    stage.fault(slow).await.unwrap();
    let after = stage.control.last_event().await.unwrap();
    talk.press_on(&plan, "Do it").await.unwrap();
    reads(&stage, &talk, &plan, "Order: recover\n• ")
        .await
        .unwrap();
    kill_process(worker, Signal::KILL).unwrap();
    let done = reads(&stage, &talk, &plan, "Done in ").await.unwrap();
    assert!(done.text.contains("Order: recover\n"), "{}", done.text);
    let again = stage
        .events_since(after, "connection_opened")
        .await
        .unwrap();
    assert!(!again.is_empty(), "the bot has been connected anew");
}
