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

/// How many sends a worker has handed to its connection at most.
const IN_FLIGHT: usize = 32;
/// Their answers are far more than may be on their way: a worker that did not stop would send the rest.
const MEMBERS: usize = 12;
const HELPS: usize = 4;

/// When the worker is stopped. Its queue is full of sends either way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// Each chat's next answer waits for its turn: nothing is on its way.
    BetweenSends,
    /// The first of many answers has just left.
    AmidSends,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_wakes_up_after_its_takeover_sends_and_commits_nothing() {
    let stale = stale_sends(Moment::BetweenSends).await;
    assert!(stale.is_empty(), "{stale:#?}");
}

/// What was handed to the connection before it slept leaves when it wakes, however short that moment is: Telegram knows each by its random id.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_stopped_amid_sends_says_nothing_twice() {
    let stale = stale_sends(Moment::AmidSends).await;
    assert!(stale.len() <= IN_FLIGHT, "{stale:#?}");
}

/// Stops a worker that nobody can kill, wakes it after its takeover, and checks what members see; gives the sends over its old connection
/// since it woke.
async fn stale_sends(moment: Moment) -> Vec<Event> {
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

    let begin = stage.control.last_event().await.unwrap();
    let old = connection_of(&stage, bot).await;
    for talk in &talks {
        talk.say(TITLE).await.unwrap();
        for _ in 0..HELPS {
            talk.say("/help").await.unwrap();
        }
    }
    await_moment(&stage, bot, begin, moment).await;
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
        talk.see_times("What I know:", HELPS).await.unwrap();
        talk.give_description().await.unwrap();
    }
    stage.delivered().await.unwrap();
    for talk in &talks {
        for (answer, times) in [
            ("✓ Title: ", 1),
            ("✓ Description: ", 1),
            ("What I know:", HELPS),
        ] {
            let count = talk.count(answer).await.unwrap();
            assert_eq!(count, times, "{answer} to {}", talk.member);
        }
    }
    let duplicated = stage.events_since(0, "auth_key_duplicated").await.unwrap();
    assert!(duplicated.is_empty(), "{duplicated:#?}");
    let asked = stage.events_since(taken_over, "rpc").await.unwrap();
    let is_send = |event: &Event| {
        let method = event.fields.get("method").and_then(|it| it.as_str());
        method.is_some_and(|method| SENDS.contains(&method))
    };
    asked
        .into_iter()
        .filter(|event| event.number("connection") == Some(old) && is_send(event))
        .collect()
}

async fn await_moment(stage: &Stage, bot: i64, begin: u64, moment: Moment) {
    let by_bot = |event: &Event| event.number("account") == Some(bot);
    stage.event(begin, "message_sent", by_bot).await.unwrap();
    if moment == Moment::AmidSends {
        return;
    }
    let mut after = begin;
    loop {
        let page = stage.control.events(after, 150, "message_sent").await;
        let page = page.unwrap();
        if page.events.is_empty() && page.next >= stage.control.last_event().await.unwrap() {
            return;
        }
        after = page.next;
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
