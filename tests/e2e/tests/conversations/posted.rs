//! What nobody asked for and everybody would miss: a reminder once a silence, and news of a course for the admins, across crashes and switches.

use std::time::Duration;

use e2e::{Stage, TITLE, Talk};

const REMINDER: &str = "This is still open.";
const SILENCE: Duration = Duration::from_secs(6);

#[tokio::test(flavor = "multi_thread")]
async fn a_member_who_falls_silent_is_reminded_once_by_whichever_bot_answers_then() {
    let with_reminder =
        |config: &str| format!("{config}remind_after = \"{}s\"\n", SILENCE.as_secs());
    let stage = Stage::open_with(1, with_reminder, &[]).await.unwrap();
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    let (first, second) = (
        Talk::private(&stage, 0, bots[0]),
        Talk::private(&stage, 0, bots[1]),
    );
    second.meet_standby().await.unwrap();
    first.open_upload().await.unwrap();
    first.give_title().await.unwrap();
    stage.delivered().await.unwrap();
    stage.revoke(bots[0]).await.unwrap();
    assert_eq!(stage.switched_from(bots[0]).await.unwrap(), bots[1]);

    let reminded = second.see(REMINDER).await.unwrap();
    assert!(reminded.text.contains("Step 2/6"), "{}", reminded.text);
    assert!(reminded.text.contains(TITLE), "{}", reminded.text);
    // Longer than another silence: not again in this one, neither by this worker nor by the next.
    stage.kill_active_worker().await.unwrap();
    tokio::time::sleep(SILENCE + Duration::from_secs(2)).await;
    assert_eq!(second.count(REMINDER).await.unwrap(), 1);
    second.give_description().await.unwrap();
    assert_eq!(stage.timers().await.unwrap(), 0, "not due yet");
    // The worker dies before it is; the next one finds out.
    stage.kill_active_worker().await.unwrap();
    let again = second.see_times(REMINDER, 2).await.unwrap();
    assert!(again.text.contains("Step 3/6"), "{}", again.text);
    second.press("Back").await.unwrap();
    second.see_times("Step 2/6", 3).await.unwrap();
    second.say("/cancel").await.unwrap();
    second.see("Cancelled.").await.unwrap();
    // Nothing is open, so there is nothing to be reminded of.
    tokio::time::sleep(SILENCE + Duration::from_secs(2)).await;
    assert_eq!(stage.timers().await.unwrap(), 0);
    stage.delivered().await.unwrap();
    let told = stage.sent_to_members(0, bots[1], REMINDER).await.unwrap();
    assert_eq!(told[&second.member].len(), 2, "{told:?}");
    assert_eq!(first.count(REMINDER).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_hears_of_a_course_once_although_the_worker_dies_in_between() {
    const NEWS: &str = "A course was handed in by member";
    let stage = Stage::open_for_admin(2).await.unwrap();
    let bot = stage.active().await.unwrap();
    let (admin, member) = (Talk::private(&stage, 0, bot), Talk::private(&stage, 1, bot));
    // In the middle of something himself, which goes on as if nothing had been said.
    admin.open_upload().await.unwrap();
    member.upload_until_files().await.unwrap();
    member.press("Skip").await.unwrap();
    member.see("Step 6/6").await.unwrap();
    member.press("Submit").await.unwrap();
    stage.kill_active_worker().await.unwrap();
    let news = admin.see(NEWS).await.unwrap();
    assert_eq!(
        news.text,
        format!("{NEWS} {}: {TITLE}", member.member),
        "in words"
    );
    assert!(news.keyboard.is_none());
    admin.give_title().await.unwrap();
    stage.delivered().await.unwrap();
    assert_eq!(stage.inbox().await.unwrap(), 0);
    assert_eq!(admin.count(NEWS).await.unwrap(), 1);
    assert_eq!(member.count(NEWS).await.unwrap(), 0);
    assert_eq!(member.count("✓ Submitted: ").await.unwrap(), 1);
}
