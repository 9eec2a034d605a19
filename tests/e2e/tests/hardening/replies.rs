//! Single replies: those that Telegram has acknowledged are not said again by the next bot, a quote that is gone costs only the quote, and
//! Telegram's own trouble is waited out.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use e2e::{Stage, TITLE, Talk};
use reqwest::Method;
use sandbox::control::Event;
use serde_json::{Value, json};

const MEMBERS: usize = 20;
/// These say three things each, so that what they are told follows at once on what is acknowledged; the others come when they are being answered.
const TALKERS: usize = 6;
/// So many of their replies have left by then: more than one for somebody, and not all.
const LEFT: usize = 10;

/// In one chat a reply leaves only when the one before it is acknowledged. So all but the last that the dead bot sent to a member are known
/// to have been said, however slow the line was.
#[tokio::test(flavor = "multi_thread")]
async fn replies_acknowledged_on_a_slow_line_are_not_said_again_by_the_next_bot() {
    let stage = Stage::open(MEMBERS).await.unwrap();
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    for member in 0..MEMBERS {
        let standby = Talk::private(&stage, member, bots[1]);
        standby.start(None).await.unwrap();
    }
    let reached = u64::try_from(MEMBERS).unwrap();
    stage.reach_is(bots[1], reached).await.unwrap();

    stage
        .fault(json!({"kind": "slow", "bot": bots[0], "delay_ms": 5, "jitter_ms": 60}))
        .await
        .unwrap();
    for member in 0..TALKERS {
        let talk = Talk::private(&stage, member, bots[0]);
        talk.start(None).await.unwrap();
        talk.say("/first").await.unwrap();
        talk.say("/second").await.unwrap();
    }
    stage
        .until("some replies have left", async || {
            let sent = replies(&stage, bots[0]).await?;
            Ok((sent.values().map(Vec::len).sum::<usize>() >= LEFT).then_some(()))
        })
        .await
        .unwrap();
    for member in TALKERS..MEMBERS {
        let talk = Talk::private(&stage, member, bots[0]);
        talk.start(None).await.unwrap();
    }
    stage.revoke(bots[0]).await.unwrap();
    assert_eq!(stage.switched_from(bots[0]).await.unwrap(), bots[1]);
    stage.delivered().await.unwrap();

    let before = replies(&stage, bots[0]).await.unwrap();
    let after = replies(&stage, bots[1]).await.unwrap();
    assert!(!after.is_empty(), "the dead bot had said everything");
    let mut acknowledged = 0;
    for (member, texts) in &before {
        let again = after.get(member).cloned().unwrap_or_default();
        let known = &texts[..texts.len() - 1];
        acknowledged += known.len();
        for text in known {
            assert!(!again.contains(text), "{member} was told twice: {text:?}");
        }
        let different: BTreeSet<&String> = again.iter().collect();
        assert_eq!(different.len(), again.len(), "{member}: {again:?}");
    }
    assert!(acknowledged > 0, "nobody was told two things: {before:#?}");
}

/// What a bot has told each member, but for a standby's hints.
async fn replies(stage: &Stage, bot: i64) -> Result<BTreeMap<i64, Vec<String>>> {
    let mut sent = stage.sent_to_members(0, bot, "").await?;
    for texts in sent.values_mut() {
        texts.retain(|text| !text.starts_with("I am a backup"));
    }
    sent.retain(|_, texts| !texts.is_empty());
    Ok(sent)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_who_deletes_what_is_to_be_quoted_is_answered_without_a_quote() {
    let stage = Stage::open(2).await.unwrap();
    let bot = stage.active().await.unwrap();
    let talk = Talk::group(&stage, 0);
    let begin = stage.control.last_event().await.unwrap();
    let flood = stage
        .fault(json!({"kind": "flood", "bot": bot, "method": "messages.sendMessage", "seconds": 2, "count": 1}))
        .await
        .unwrap();
    let name = &stage
        .scene
        .bots
        .iter()
        .find(|it| it.id == bot)
        .unwrap()
        .username;
    let command = format!("/upload@{name}");
    talk.say(&command).await.unwrap();
    // Its answer has been refused for two seconds, and it is committed with the quote.
    let refused = |event: &Event| {
        event.fields.get("fault") == Some(&json!(flood)) && event.fields.contains_key("method")
    };
    stage.event(begin, "fault_fired", refused).await.unwrap();
    let seen = stage.control.view(talk.member, talk.chat, 0).await.unwrap();
    let own = seen.iter().find(|one| one.text == command).unwrap();
    let body = json!({"chat": {"channel": stage.scene.group}, "message_ids": [own.id]});
    let path = format!("/members/{}/delete", talk.member);
    stage
        .sim_call(Method::POST, &path, Some(body))
        .await
        .unwrap();

    let asked = talk.see("Step 1/6").await.unwrap();
    assert_eq!((asked.from, asked.reply_to), (bot, None));
    let without_it = |event: &Event| {
        let error = event.fields.get("error").and_then(Value::as_str);
        error.is_some_and(|error| error.contains("REPLY_MESSAGE_ID_INVALID"))
    };
    stage.event(begin, "rpc", without_it).await.unwrap();
    // It goes on, and what is still there is quoted.
    talk.reply(&asked, TITLE).await.unwrap();
    let next = talk.see("Step 2/6").await.unwrap();
    assert!(next.reply_to.is_some(), "{next:?}");
    stage.delivered().await.unwrap();
    assert_eq!(talk.count("Step 1/6").await.unwrap(), 1);
    assert_eq!(talk.count("Step 2/6").await.unwrap(), 1);
}

/// 500 is Telegram's own trouble: the reply waits, longer each time, and leaves when it is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_telegram_fails_three_times_is_said_once_and_asked_for_less_and_less_often() {
    const FAILURES: usize = 3;
    let stage = Stage::open(2).await.unwrap();
    let bot = stage.active().await.unwrap();
    let (talk, other) = (Talk::private(&stage, 0, bot), Talk::private(&stage, 1, bot));
    for one in [&talk, &other] {
        one.start(None).await.unwrap();
        one.see("Welcome!").await.unwrap();
    }
    stage.delivered().await.unwrap();
    let begin = stage.control.last_event().await.unwrap();
    stage
        .fault(json!({
            "kind": "rpc_error", "bot": bot, "method": "messages.sendMessage",
            "code": 500, "message": "RPC_CALL_FAIL", "count": FAILURES,
        }))
        .await
        .unwrap();
    talk.say("/help").await.unwrap();
    talk.see("What I know:").await.unwrap();
    stage.delivered().await.unwrap();

    let calls = stage.events_since(begin, "rpc").await.unwrap();
    let sends = calls.iter().filter(|call| {
        let method = call.fields.get("method").and_then(Value::as_str);
        call.number("account") == Some(bot) && method == Some("messages.sendMessage")
    });
    let at: Vec<i64> = sends.map(|call| call.at_ms).collect();
    assert_eq!(at.len(), FAILURES + 1, "{at:?}");
    let gaps: Vec<i64> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.windows(2).all(|pair| pair[0] < pair[1]), "{gaps:?}");
    assert_eq!(talk.count("What I know:").await.unwrap(), 1);
    assert_eq!(stage.counter("refused").await.unwrap(), 0);
    // Nobody else had to wait behind it for long, and nothing is left of the trouble.
    other.say("/help").await.unwrap();
    other.see("What I know:").await.unwrap();
    assert_eq!(stage.active().await.unwrap(), bot, "no reason to switch");
}

/// A reply that was sent and stands in the outbox all the same leaves it when Telegram says that it has it.
#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_telegram_has_already_leaves_the_outbox_and_is_seen_once() {
    let stage = Stage::open(1).await.unwrap();
    let bot = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, bot);
    talk.start(None).await.unwrap();
    talk.see("Welcome!").await.unwrap();
    stage.delivered().await.unwrap();
    let begin = stage.control.last_event().await.unwrap();
    // So long it can be read where it stands.
    stage
        .fault(json!({"kind": "flood", "bot": bot, "method": "messages.sendMessage", "seconds": 2, "count": 1}))
        .await
        .unwrap();
    talk.say("/help").await.unwrap();
    let entry = stage
        .until_stored("the reply waits", async || {
            Ok(stage.outbox_entries().await?.into_iter().next())
        })
        .await
        .unwrap();
    talk.see("What I know:").await.unwrap();
    stage.delivered().await.unwrap();
    stage.put_in_outbox(&entry).await.unwrap();
    let of_bot = |event: &Event| event.number("account") == Some(bot);
    stage
        .event(begin, "random_id_duplicate", of_bot)
        .await
        .unwrap();
    stage.delivered().await.unwrap();
    assert_eq!(talk.count("What I know:").await.unwrap(), 1);
    assert_eq!(stage.counter("refused").await.unwrap(), 0);
    let status = stage.status().await.unwrap();
    let aside = &status["pools"][0]["moved_aside"];
    assert_eq!(aside["count"], 0, "{aside}");
    talk.say("/resume").await.unwrap();
    talk.see("Nothing is open.").await.unwrap();
}
