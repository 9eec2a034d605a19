//! What a group is told of a switch, and that it stands only as long as it is true.

use e2e::{Stage, Talk};
use sandbox::control::Viewed;
use serde_json::json;

use super::{switch_to, urls};

const ANNOUNCED: &str = "answers from here on";

/// The announcements that the group sees now.
async fn standing(group: &Talk<'_>) -> Vec<Viewed> {
    let mut heard = group.heard().await.unwrap();
    heard.retain(|message| message.text.contains(ANNOUNCED));
    heard
}

/// Until one stands, and it is this bot's.
async fn only(stage: &Stage, group: &Talk<'_>, bot: i64) -> Viewed {
    let look = async || {
        let mut standing = standing(group).await;
        let one = standing.pop();
        Ok(one.filter(|one| one.from == bot && standing.is_empty()))
    };
    stage
        .until("one announcement stands, the active bot's", look)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announcement_goes_when_the_bot_before_it_is_back() {
    let stage = Stage::open(1).await.unwrap();
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    let group = Talk::group(&stage, 0);
    switch_to(&stage, "second").await;
    assert_eq!(stage.switched_from(bots[0]).await.unwrap(), bots[1]);
    let first = only(&stage, &group, bots[1]).await;
    // Until then the one before owes nobody anything: it would be as if nothing had been.
    stage.resumed_by(bots[1]).await.unwrap();
    let [one, other] = [0, 1].map(|at: usize| format!("@{}", stage.scene.bots[at].username));
    assert!(first.text.contains(&other), "{}", first.text);
    assert!(
        first.text.contains(&format!("in place of {one}")),
        "{}",
        first.text
    );

    stage.ready(bots[0]).await.unwrap();
    switch_to(&stage, "first").await;
    assert_eq!(stage.switched_from(bots[1]).await.unwrap(), bots[0]);
    let back = only(&stage, &group, bots[0]).await;
    stage.resumed_by(bots[0]).await.unwrap();
    assert!(
        back.text.contains(&format!("in place of {other}")),
        "{}",
        back.text
    );
    // A dead bot's announcement is taken away by the one that follows it.
    stage.revoke(bots[0]).await.unwrap();
    let next = stage.switched_from(bots[0]).await.unwrap();
    only(&stage, &group, next).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_may_delete_is_edited_by_its_author_and_holds_up_no_switch() {
    let stage = Stage::open(1).await.unwrap();
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    for bot in &bots {
        stage
            .fault(json!({"kind": "rpc_error", "bot": bot, "code": 403, "message": "MESSAGE_DELETE_FORBIDDEN",
                          "method": "channels.deleteMessages", "count": 1000}))
            .await
            .unwrap();
    }
    let group = Talk::group(&stage, 0);
    switch_to(&stage, "second").await;
    assert_eq!(stage.switched_from(bots[0]).await.unwrap(), bots[1]);
    let first = only(&stage, &group, bots[1]).await;
    // Until then the one before owes nobody anything: it would be as if nothing had been.
    stage.resumed_by(bots[1]).await.unwrap();
    assert_eq!(urls(&first).len(), 1);
    stage.ready(bots[0]).await.unwrap();
    switch_to(&stage, "first").await;
    assert_eq!(stage.switched_from(bots[1]).await.unwrap(), bots[0]);
    only(&stage, &group, bots[0]).await;
    let heard = group.heard().await.unwrap();
    let edited = heard.iter().find(|message| message.id == first.id).unwrap();
    let name = &stage.scene.bots[0].username;
    assert_eq!(edited.text, format!("@{name} answers again."));
    assert_eq!(urls(edited), Vec::<&str>::new(), "its button is gone");
}
