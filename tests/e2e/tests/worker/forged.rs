//! Presses in the group whose client names whatever message it likes, with a live button of its own member's.

use e2e::{CATEGORY, Stage, Talk};
use reqwest::Method;
use sandbox::control::Viewed;
use serde_json::json;

use crate::group::upload_until_category;

const TAG: &str = "video";

/// Presses this button of its own prompt as if it were under that message.
async fn forge(stage: &Stage, talk: &Talk<'_>, own: &Viewed, label: &str, message: i64) {
    let buttons = own.keyboard.iter().flatten().flatten();
    let mut found = buttons.filter(|button| button.text == label);
    let data = found.next().and_then(|button| button.data.clone());
    let press = json!({
        "chat": {"channel": stage.scene.group}, "message_id": message, "data": data.unwrap(), "forged": true,
    });
    let path = format!("/members/{}/press", talk.member);
    let pressed = stage.sim_call(Method::POST, &path, Some(press)).await;
    pressed.unwrap();
}

/// The message as it stands.
async fn stands(talk: &Talk<'_>, message: i64) -> Viewed {
    let heard = talk.heard().await.unwrap();
    heard.into_iter().find(|it| it.id == message).unwrap()
}

fn labels(message: &Viewed) -> Vec<&str> {
    let buttons = message.keyboard.iter().flatten().flatten();
    buttons.map(|button| button.text.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_draws_over_anothers_prompt_or_whatever_else_the_bot_said() {
    let stage = Stage::open(2).await.unwrap();
    let (victim, attacker) = (Talk::group(&stage, 0), Talk::group(&stage, 1));
    let prompt = upload_until_category(&stage, &victim).await;
    victim.say("/help").await.unwrap();
    let help = victim.see("What I know:").await.unwrap();
    upload_until_category(&stage, &attacker).await;
    let own = attacker.see_times("Step 3/6", 2).await.unwrap();
    stage.delivered().await.unwrap();

    // What closes a prompt closes his own alone; what he chose counts.
    forge(&stage, &attacker, &own, CATEGORY, prompt.id).await;
    let own = attacker.see("Step 4/6").await.unwrap();
    stage.delivered().await.unwrap();
    // What draws one anew is said instead.
    for (times, untouched) in [(2, &prompt), (3, &help)] {
        let label = match times {
            2 => TAG.to_owned(),
            _ => format!("✓ {TAG}"),
        };
        let latest = attacker.see_times("Step 4/6", times - 1).await.unwrap();
        forge(&stage, &attacker, &latest, &label, untouched.id).await;
        let said = attacker.see_times("Step 4/6", times).await.unwrap();
        stage.delivered().await.unwrap();
        assert!(said.id > latest.id, "{said:#?}");
        let found = stands(&victim, untouched.id).await;
        assert_eq!(found.text, untouched.text);
        assert_eq!(labels(&found), labels(untouched));
        assert_eq!(found.edited_at_ms, None);
    }

    // Each goes on with his own, and that is drawn where it stands.
    attacker.press_on(&own, TAG).await.unwrap();
    stage.delivered().await.unwrap();
    let drawn = stands(&attacker, own.id).await;
    assert!(labels(&drawn).contains(&format!("✓ {TAG}").as_str()));
    assert_eq!(attacker.count("Step 4/6").await.unwrap(), 3);
    victim.press_on(&prompt, CATEGORY).await.unwrap();
    victim.see_times("Step 4/6", 4).await.unwrap();
    stage.delivered().await.unwrap();
    let closed = stands(&victim, prompt.id).await;
    assert_eq!(labels(&closed), Vec::<&str>::new());
}
