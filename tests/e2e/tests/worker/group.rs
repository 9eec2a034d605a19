//! A conversation in the group, with others around it and through a switch.

use e2e::{CATEGORY, DESCRIPTION, Stage, TITLE, Talk};

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

async fn upload_until_category(stage: &Stage, talk: &Talk<'_>) -> sandbox::control::Viewed {
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
