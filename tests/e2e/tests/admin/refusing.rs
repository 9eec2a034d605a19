//! Who gets nothing, and what comes too late.

use e2e::{Stage, Talk};
use reqwest::Method;
use serde_json::{Value, json};

use super::asking::{actions, admin, answer, ask, forge, member, moves, recorded};

const COMMANDS: [&str; 3] = ["/drstatus", "/emergency_recovery", "/drhelp"];

#[tokio::test(flavor = "multi_thread")]
async fn strangers_get_nothing_from_any_bot_and_what_they_repeat_is_counted() {
    let mut stage = Stage::open_for_admin(2).await.unwrap();
    // Nobody waits for long where nobody answers.
    let doubts = json!({"press_timeout_ms": 500});
    stage.control.set_doubts(doubts).await.unwrap();
    let before = moves(&stage).await.unwrap();
    for bot in [0, 1] {
        let stranger = member(&stage, 1, bot).await;
        let heard = stranger.heard().await.unwrap();
        for command in COMMANDS {
            stranger.say(command).await.unwrap();
        }
        let message = heard.last().unwrap().id;
        for data in ["dr:s", "dr:w", "dr:e", "dr:c:0011223344556677", "dr:?"] {
            let answered = forge(&stage, &stranger, message, data).await;
            assert_eq!(answered, None, "{data} is answered by nobody");
        }
        recorded(&stage, &stranger, "drstatus", "refused", 1)
            .await
            .unwrap();
        // What is his to say is answered, or told who answers, as ever; nothing else was.
        stranger.say("/help").await.unwrap();
        if bot == 0 {
            stranger.see("What I know:").await.unwrap();
            let heard = stranger.heard().await.unwrap().len() - heard.len();
            assert_eq!(heard, 1, "{:#?}", stranger.heard().await.unwrap());
        } else {
            assert_eq!(stranger.heard().await.unwrap().len(), heard.len());
        }
        let found = actions(&stage).await.unwrap();
        let of_him = found
            .iter()
            .filter(|it| it.0 == format!("m{}", stranger.member));
        assert_eq!(of_him.count(), bot + 1, "once a minute: {found:#?}");
    }
    assert_eq!(moves(&stage).await.unwrap(), before);

    // What was held back within the minute is counted when it is over, or when the worker ends before: three commands and five presses, less
    // the one that has its row.
    stage.stop().unwrap();
    let sql = stage.sql().await.unwrap();
    let counted: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT via, verdict, details FROM admin_actions WHERE action = 'held_back'",
    )
    .fetch_all(&sql)
    .await
    .unwrap();
    assert_eq!(counted.len(), 2, "{counted:?}");
    for (via, verdict, details) in &counted {
        let details: Value = serde_json::from_str(details).unwrap();
        assert_eq!(
            (verdict.as_str(), &details["times"]),
            ("refused", &json!(7)),
            "{via}: {details}"
        );
        assert_eq!(details["why"], "not an admin");
    }
    assert_ne!(counted[0].0, counted[1].0, "one of each bot");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_group_the_commands_are_nobodys() {
    let stage = Stage::open_for_admin(1).await.unwrap();
    let group = Talk::group(&stage, 0);
    let username = &stage.scene.bots[0].username;
    for command in COMMANDS {
        group.say(command).await.unwrap();
        group.say(&format!("{command}@{username}")).await.unwrap();
    }
    // The group is answered in order: what is answered first is not one of these.
    group.say(&format!("/help@{username}")).await.unwrap();
    let first = answer(&stage, &group, "/help", 0).await.unwrap();
    assert!(first.text.contains("What I know:"), "{}", first.text);
    assert_eq!(group.heard().await.unwrap().len(), 1);
    assert_eq!(actions(&stage).await.unwrap(), vec![]);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_commands_do_nothing_but_say_so() {
    let stage = Stage::open_for_admin(1).await.unwrap();
    let before = moves(&stage).await.unwrap();
    for (bot, command, word) in [
        (0, "/emergency_recovery", "emergency_recovery"),
        (1, "/drstatus", "drstatus"),
    ] {
        let talk = admin(&stage, bot).await;
        let heard = talk.heard().await.unwrap().len();
        let body = json!({
            "to": {"user": stage.scene.bots[bot].id}, "text": command, "age_s": 300,
        });
        let path = format!("/members/{}/send", talk.member);
        stage
            .sim_call(Method::POST, &path, Some(body))
            .await
            .unwrap();
        let said = answer(&stage, &talk, command, heard).await.unwrap();
        assert_eq!(
            said.text,
            "This command is 5 min old, nothing was done: send it again."
        );
        assert!(said.keyboard.is_none(), "{said:?}");
        recorded(&stage, &talk, word, "expired", 1).await.unwrap();
        let again = ask(&stage, &talk, command).await.unwrap();
        assert!(!again.text.contains("nothing was done: send it again"));
    }
    assert_eq!(moves(&stage).await.unwrap(), before);
}
