//! What a standby hears, and what Telegram does not let it hear.

use e2e::{Stage, Talk};
use serde_json::json;

/// Its cursor is refused, so it goes on from where Telegram is: something may lie between, and nobody else's count would show it.
#[tokio::test(flavor = "multi_thread")]
async fn what_telegram_does_not_give_out_to_a_standby_is_counted_as_unknown() {
    let stage = Stage::open(1).await.unwrap();
    let (active, standby) = (stage.scene.bots[0].id, stage.scene.bots[1].id);
    let talk = Talk::private(&stage, 0, standby);
    talk.meet_standby().await.unwrap();
    stage.reach_is(standby, 1).await.unwrap();
    assert_eq!(stage.counter("updates_unknown").await.unwrap(), 0);
    let refused = stage
        .fault(json!({
            "kind": "rpc_error", "bot": standby, "method": "updates.getDifference",
            "code": 400, "message": "PERSISTENT_TIMESTAMP_INVALID", "count": 1,
        }))
        .await
        .unwrap();
    stage
        .fault(json!({"kind": "reset", "bot": standby}))
        .await
        .unwrap();
    stage.fired(refused).await.unwrap();
    stage
        .until_stored("it is counted", async || {
            Ok((stage.counter("updates_unknown").await? > 0).then_some(()))
        })
        .await
        .unwrap();
    // It stands by as before, and the count is not made again.
    talk.say("Is somebody there?").await.unwrap();
    stage.held_is(standby, 1).await.unwrap();
    assert_eq!(stage.counter("updates_unknown").await.unwrap(), 1);
    assert_eq!(stage.active().await.unwrap(), active, "no reason to switch");
}
