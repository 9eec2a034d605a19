//! A worker that nobody can kill is stopped in the middle of its work, is replaced, and wakes up.

use std::time::Duration;

use e2e::{Stage, TITLE, Talk};
use rustix::process::Signal;
use sandbox::control::Event;

const TAKEN_OVER: Duration = Duration::from_secs(30);

/// What asks Telegram to show something to somebody.
const SENDS: [&str; 4] = [
    "messages.sendMessage",
    "messages.editMessage",
    "messages.forwardMessages",
    "messages.setBotCallbackAnswer",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_wakes_up_after_its_takeover_sends_and_commits_nothing() {
    const MEMBERS: usize = 6;
    let workers = ["e1", "e2"];
    let stage = Stage::open_with(MEMBERS, str::to_owned, &workers)
        .await
        .unwrap();
    let bot = stage.active().await.unwrap();
    let holder = holder(&stage, bot).await;
    assert!(workers.contains(&holder.as_str()), "{holder}");
    let talks: Vec<Talk<'_>> = (0..MEMBERS)
        .map(|member| Talk::private(&stage, member, bot))
        .collect();
    for talk in &talks {
        talk.open_upload().await.unwrap();
    }
    stage.settled().await.unwrap();

    // Each answer is one of a chat's burst or waits for its turn: when the first is out, others are in the queue.
    let begin = stage.control.last_event().await.unwrap();
    let old = connection_of(&stage, bot).await;
    for talk in &talks {
        talk.say(TITLE).await.unwrap();
        for _ in 0..4 {
            talk.say("/help").await.unwrap();
        }
    }
    stage
        .event(begin, "message_sent", |event| {
            event.number("account") == Some(bot)
        })
        .await
        .unwrap();
    stage.signal_worker(&holder, Signal::STOP).unwrap();
    assert!(stage.outbox().await.unwrap() > 0, "sends are in its queue");
    stage
        .wait("a takeover", TAKEN_OVER, |status| {
            let pool = &status["pools"][0];
            pool["phase"] == "open"
                && pool["switches"][0]["kind"] == "takeover"
                && pool["active"]["worker"] != holder.as_str()
        })
        .await
        .unwrap();
    assert_eq!(stage.active().await.unwrap(), bot, "the bot stays");
    let taken_over = stage.control.last_event().await.unwrap();
    stage.signal_worker(&holder, Signal::CONT).unwrap();
    let closed = |event: &Event| event.number("connection") == Some(old);
    stage
        .event(taken_over, "connection_closed", closed)
        .await
        .unwrap();

    for talk in &talks {
        talk.give_description_after_title().await;
    }
    stage.delivered().await.unwrap();
    let asked = stage.events_since(taken_over, "rpc").await.unwrap();
    let stale: Vec<&Event> = asked
        .iter()
        .filter(|event| event.number("connection") == Some(old))
        .filter(|event| {
            let method = event.fields.get("method").and_then(|it| it.as_str());
            method.is_some_and(|method| SENDS.contains(&method))
        })
        .collect();
    assert!(stale.is_empty(), "{stale:#?}");
    for talk in &talks {
        for (answer, times) in [
            ("✓ Title: ", 1),
            ("✓ Description: ", 1),
            ("What I know:", 4),
        ] {
            let count = talk.count(answer).await.unwrap();
            assert_eq!(count, times, "{answer} to {}", talk.member);
        }
    }
    let duplicated = stage.events_since(0, "auth_key_duplicated").await.unwrap();
    assert!(duplicated.is_empty(), "{duplicated:#?}");
}

trait Continues {
    async fn give_description_after_title(&self);
}

impl Continues for Talk<'_> {
    async fn give_description_after_title(&self) {
        self.see_times("What I know:", 4).await.unwrap();
        self.give_description().await.unwrap();
    }
}

/// The name of the worker that holds the bot.
async fn holder(stage: &Stage, bot: i64) -> String {
    let status = stage.status().await.unwrap();
    let bots = status["pools"][0]["bots"].as_array().unwrap().clone();
    let id = serde_json::json!(format!("b{bot}"));
    let found = bots
        .iter()
        .find(|it| it["bot"] == id || it["bot"] == serde_json::json!(bot));
    found.unwrap()["worker"].as_str().unwrap().to_owned()
}

/// The connection over which the bot called last.
async fn connection_of(stage: &Stage, bot: i64) -> i64 {
    let asked = stage.events_since(0, "rpc").await.unwrap();
    let last = asked
        .iter()
        .rev()
        .find(|event| event.number("account") == Some(bot));
    last.unwrap().number("connection").unwrap()
}
