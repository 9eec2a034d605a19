//! A reply that was sent, and whose acknowledgement died with its login, is not said again by the bot's other login: whether Telegram remembers
//! `random_id`s per account or per login, and whoever was killed. Another bot cannot know, and what it says anew is counted.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::time::Duration;

use e2e::{Stage, TITLE, Talk};
use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};
use sandbox::control::{Chat, Content, Event};
use serde_json::json;

const MEMBERS: usize = 20;
/// What nothing but `/help` leads to.
const REPLY: &str = "What I know:";
/// What is asked comes in together, and its answers leave long before their acknowledgements come. Well below what makes a line a silent one.
const SLOW_MS: u64 = 1_500;
/// So many replies have left when the blow falls; some are still to leave then.
const LEFT: usize = 8;

/// A stage where the random ids are known per `scope` for so long, and the members have begun to talk.
async fn stage(scope: &str, memory_s: u64) -> Stage {
    let stage = Stage::open(MEMBERS).await.unwrap();
    let doubts = json!({ "random_id_scope": scope, "random_id_memory_s": memory_s });
    stage
        .sim_call(Method::PUT, "/doubts", Some(doubts))
        .await
        .unwrap();
    let bot = stage.active().await.unwrap();
    for member in 0..MEMBERS {
        let talk = Talk::private(&stage, member, bot);
        talk.start(None).await.unwrap();
    }
    stage.reach_is(bot, MEMBERS as u64).await.unwrap();
    stage.settled().await.unwrap();
    stage
}

/// Everybody asks at once, in private and one in the group; returns when some replies have left and none is acknowledged.
async fn ask_over_a_slow_line(stage: &Stage, bot: i64) -> u64 {
    let begin = stage.control.last_event().await.unwrap();
    let slow = everybody_asks(stage, bot).await;
    stage
        .until("some replies have left", async || {
            let sent = stage.sent_to_members(begin, bot, REPLY).await?;
            Ok((sent.len() >= LEFT).then_some(()))
        })
        .await
        .unwrap();
    slow
}

/// The same; the line is reset at the very moment at which one of the replies is taken: none is acknowledged by then.
async fn reset_with_replies_on_their_way(stage: &Stage, bot: i64) {
    let taken = json!({
        "kind": "message_sent", "account": bot, "chat": {"user": stage.scene.members[LEFT].id}
    });
    let reset = json!({"kind": "reset", "bot": bot, "after": {"event": taken}});
    let reset = stage.fault(reset).await.unwrap();
    let slow = everybody_asks(stage, bot).await;
    stage.fired(reset).await.unwrap();
    stage.clear_fault(slow).await.unwrap();
}

async fn everybody_asks(stage: &Stage, bot: i64) -> u64 {
    let slow = json!({"kind": "slow", "bot": bot, "delay_ms": SLOW_MS});
    let slow = stage.fault(slow).await.unwrap();
    let help = Content::Text("/help".into());
    let group = Chat::Channel(stage.scene.group);
    let first = stage.scene.members[0].id;
    // Updates are as late as answers: what is asked comes in together.
    for member in &stage.scene.members {
        stage
            .control
            .send(member.id, Chat::Bot(bot), &help, None)
            .await
            .unwrap();
    }
    stage.control.send(first, group, &help, None).await.unwrap();
    slow
}

async fn everybody_was_told_once(stage: &Stage, begin: u64) {
    // What nobody has fetched yet is in no queue that could be looked at.
    stage
        .until("everybody is told", async || {
            Ok((told(stage, begin).await?.len() == MEMBERS + 1).then_some(()))
        })
        .await
        .unwrap();
    stage.delivered().await.unwrap();
    let told = told(stage, begin).await.unwrap();
    assert!(told.values().all(|times| *times == 1), "{told:#?}");
}

/// How often the reply was sent, by chat.
async fn told(stage: &Stage, begin: u64) -> anyhow::Result<BTreeMap<String, usize>> {
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for event in stage.events_since(begin, "message_sent").await? {
        let text = event.fields.get("text").and_then(|text| text.as_str());
        if text.is_some_and(|text| text.contains(REPLY)) {
            *told.entry(event.fields["chat"].to_string()).or_default() += 1;
        }
    }
    Ok(told)
}

async fn somebody_goes_on(stage: &Stage, kind: &str) {
    stage
        .wait(kind, Duration::from_secs(60), |status| {
            let pool = &status["pools"][0];
            pool["phase"] == "open" && pool["switches"][0]["kind"] == kind
        })
        .await
        .unwrap();
}

async fn found_to_be_sent(stage: &Stage) {
    let found = stage.counter("found_sent").await.unwrap();
    assert!(found >= LEFT as u64, "only {found} were found to be sent");
    assert_eq!(stage.counter("maybe_repeated").await.unwrap(), 0);
}

/// Redis is gone when the acknowledgements come in, and for longer than a lease, so the tenure ends before it could say to Redis what Telegram has taken.
/// The process knows it, and says it as soon as Redis is back: nobody has to find it out by listening, which another bot could not.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_while_redis_was_gone_is_settled_when_it_is_back() {
    let mut stage = stage("login", 24 * 3_600).await;
    let bot = stage.active().await.unwrap();
    let mut connection = stage.redis().await.unwrap();
    let server: String = redis::cmd("INFO")
        .arg("server")
        .query_async(&mut connection)
        .await
        .unwrap();
    let pid = server
        .lines()
        .find_map(|line| line.strip_prefix("process_id:"));
    let pid = Pid::from_raw(pid.unwrap().parse().unwrap()).unwrap();
    let begin = stage.control.last_event().await.unwrap();
    let slow = ask_over_a_slow_line(&stage, bot).await;
    stage.kill_supervisor().unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    tokio::time::sleep(Duration::from_millis(2 * SLOW_MS)).await;
    stage.clear_fault(slow).await.unwrap();
    stage.start_supervisor().unwrap();
    stage.served().await.unwrap();
    everybody_was_told_once(&stage, begin).await;
    assert_eq!(stage.active().await.unwrap(), bot, "the bot stays");
    // But for those whose acknowledgement had not come by the end of the lease.
    let found = stage.counter("found_sent").await.unwrap();
    assert!(found < LEFT as u64 / 2, "{found} had to be found out");
}

async fn a_killed_workers_replies_are_not_repeated(scope: &str) {
    let stage = stage(scope, 24 * 3_600).await;
    let bot = stage.active().await.unwrap();
    let worker = stage.worker_of(bot).await.unwrap();
    let begin = stage.control.last_event().await.unwrap();
    let slow = ask_over_a_slow_line(&stage, bot).await;
    kill_process(worker, Signal::KILL).unwrap();
    stage.clear_fault(slow).await.unwrap();
    somebody_goes_on(&stage, "takeover").await;
    assert_eq!(stage.active().await.unwrap(), bot, "the bot stays");
    everybody_was_told_once(&stage, begin).await;
    found_to_be_sent(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_workers_replies_are_not_repeated_where_ids_are_known_per_login() {
    a_killed_workers_replies_are_not_repeated("login").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_workers_replies_are_not_repeated_where_ids_are_known_per_account() {
    a_killed_workers_replies_are_not_repeated("account").await;
}

/// What is posted in the broadcast channel is heard in that channel's box, and nowhere else.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_workers_post_is_not_repeated() {
    let stage = stage("login", 24 * 3_600).await;
    let bot = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, bot);
    talk.upload_until_files().await.unwrap();
    talk.send_file("bread.pdf", 70_000).await.unwrap();
    talk.see("✓ File 1: bread.pdf").await.unwrap();
    talk.press("Done").await.unwrap();
    talk.see("Step 6/6").await.unwrap();
    stage.settled().await.unwrap();
    let worker = stage.worker_of(bot).await.unwrap();
    let begin = stage.control.last_event().await.unwrap();
    let slow = json!({"kind": "slow", "bot": bot, "delay_ms": SLOW_MS});
    let slow = stage.fault(slow).await.unwrap();
    let posts = async || {
        let sent = stage.events_since(begin, "message_sent").await?;
        let text = |event: &Event| event.fields.get("text").map(|text| text.to_string());
        let posts = sent.iter().filter_map(text);
        Ok::<_, anyhow::Error>(posts.filter(|text| text.contains("New course")).count())
    };
    talk.press("Submit").await.unwrap();
    stage
        .until("the post has left", async || {
            Ok((posts().await? > 0).then_some(()))
        })
        .await
        .unwrap();
    kill_process(worker, Signal::KILL).unwrap();
    stage.clear_fault(slow).await.unwrap();
    somebody_goes_on(&stage, "takeover").await;
    talk.see("✓ Submitted: ").await.unwrap();
    stage.settled().await.unwrap();
    assert_eq!(posts().await.unwrap(), 1);
}

/// Where nothing is remembered at all, the same login repeats nothing on its next connection either.
#[tokio::test(flavor = "multi_thread")]
async fn a_broken_lines_replies_are_not_repeated_where_no_id_is_remembered() {
    let stage = stage("account", 0).await;
    let bot = stage.active().await.unwrap();
    let begin = stage.control.last_event().await.unwrap();
    reset_with_replies_on_their_way(&stage, bot).await;
    everybody_was_told_once(&stage, begin).await;
}

/// The line breaks with the answers on their way, and its session is over when it is back; the token is good, so the same bot goes on with its
/// other login.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_sessions_replies_are_not_repeated_by_the_other_login() {
    let stage = stage("login", 24 * 3_600).await;
    let bot = stage.active().await.unwrap();
    let begin = stage.control.last_event().await.unwrap();
    // What the connection asks for first when it is back.
    let over = json!({
        "kind": "rpc_error", "bot": bot, "code": 401, "message": "SESSION_REVOKED",
        "method": "updates.getDifference", "count": 1
    });
    stage.fault(over).await.unwrap();
    reset_with_replies_on_their_way(&stage, bot).await;
    somebody_goes_on(&stage, "relogin").await;
    assert_eq!(stage.active().await.unwrap(), bot, "the bot stays");
    everybody_was_told_once(&stage, begin).await;
    found_to_be_sent(&stage).await;
}

/// The worker is struck with replies on their way that nothing but themselves would bring, and its bot dies before anybody can hear what was taken:
/// another bot says them anew. Of what it may have repeated, members see no more than is counted.
async fn what_another_bot_may_have_repeated_is_counted(blow: Signal) {
    let stage = stage("login", 24 * 3_600).await;
    let bot = stage.active().await.unwrap();
    everybody_meets_the_standbys_of(&stage, bot).await;
    let worker = stage.worker_of(bot).await.unwrap();
    let begin = stage.control.last_event().await.unwrap();
    let before = stage.counter("commits").await.unwrap();
    // From the moment at which this one is taken nothing passes any more: its acknowledgement cannot come, however slow this machine is.
    let taken = json!({
        "kind": "message_sent", "account": bot, "chat": {"user": stage.scene.members[LEFT].id}
    });
    let silent = json!({"kind": "silent", "bot": bot, "after": {"event": taken}});
    let silent = stage.fault(silent).await.unwrap();
    let slow = everybody_asks(&stage, bot).await;
    stage.fired(silent).await.unwrap();
    stage.revoke(bot).await.unwrap();
    kill_process(worker, blow).unwrap();
    // What it had not taken in by then is in a box that nobody can read.
    let heard = stage.counter("commits").await.unwrap() - before;
    stage.clear_fault(silent).await.unwrap();
    stage.clear_fault(slow).await.unwrap();
    assert_ne!(stage.switched_from(bot).await.unwrap(), bot);

    stage
        .until("everybody who was heard is told", async || {
            Ok((told(&stage, begin).await?.len() as u64 >= heard).then_some(()))
        })
        .await
        .unwrap();
    stage.delivered().await.unwrap();
    let told = told(&stage, begin).await.unwrap();
    assert!(told.values().all(|times| *times <= 2), "{told:#?}");
    let repeated = told.values().filter(|times| **times == 2).count() as u64;
    assert!(repeated >= 1, "nothing was said anew: {told:#?}");
    // Workers tell their counts now and then.
    let counted = stage
        .until_stored("repeats are counted", async || {
            let counted = stage.counter("maybe_repeated").await?;
            Ok((counted >= repeated).then_some(counted))
        })
        .await;
    let counted = counted.unwrap_or_else(|error| panic!("{repeated} were repeated: {error:#}"));
    assert!(counted <= MEMBERS as u64 + 1, "{counted} of {told:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_workers_dead_bot_may_have_said_and_another_says_anew_is_counted() {
    what_another_bot_may_have_repeated_is_counted(Signal::KILL).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_hung_workers_dead_bot_may_have_said_and_another_says_anew_is_counted() {
    what_another_bot_may_have_repeated_is_counted(Signal::STOP).await;
}

async fn everybody_meets_the_standbys_of(stage: &Stage, bot: i64) {
    for standby in stage.scene.bots.iter().filter(|one| one.id != bot) {
        for member in 0..MEMBERS {
            let talk = Talk::private(stage, member, standby.id);
            talk.meet_standby().await.unwrap();
        }
    }
}

/// The worker is struck with replies on their way, and the bot's token dies before anybody can hear what was taken: no other bot can know. It says nothing
/// twice that it shows anyhow.
async fn what_a_dead_bot_may_have_said_is_shown_and_not_said_again(blow: Signal) {
    let stage = stage("login", 24 * 3_600).await;
    let bot = stage.active().await.unwrap();
    let members = 0..MEMBERS;
    everybody_meets_the_standbys_of(&stage, bot).await;
    for member in members.clone() {
        let talk = Talk::private(&stage, member, bot);
        talk.open_upload().await.unwrap();
    }
    stage.settled().await.unwrap();
    let worker = stage.worker_of(bot).await.unwrap();
    let begin = stage.control.last_event().await.unwrap();
    let slow = json!({"kind": "slow", "bot": bot, "delay_ms": SLOW_MS});
    let slow = stage.fault(slow).await.unwrap();
    for member in members.clone() {
        Talk::private(&stage, member, bot).say(TITLE).await.unwrap();
    }
    let taken = async |by: i64| stage.sent_to_members(begin, by, "✓ Title: ").await;
    stage
        .until("all replies have left", async || {
            Ok((taken(bot).await?.len() == MEMBERS).then_some(()))
        })
        .await
        .unwrap();
    kill_process(worker, blow).unwrap();
    stage.revoke(bot).await.unwrap();
    stage.clear_fault(slow).await.unwrap();
    let next = stage.switched_from(bot).await.unwrap();
    for member in members.clone() {
        let talk = Talk::private(&stage, member, next);
        let shown = talk.see("Step 2/6").await.unwrap();
        assert!(shown.text.contains(&format!("Title: {TITLE}")), "{shown:?}");
    }
    stage.delivered().await.unwrap();
    let (first, second) = (taken(bot).await.unwrap(), taken(next).await.unwrap());
    assert_eq!(first.len(), MEMBERS);
    assert!(second.is_empty(), "{second:#?}");
    for member in members {
        let talk = Talk::private(&stage, member, next);
        assert_eq!(talk.count("Step 2/6").await.unwrap(), 1);
        talk.give_description().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_workers_dead_bot_may_have_said_is_not_said_again() {
    what_a_dead_bot_may_have_said_is_shown_and_not_said_again(Signal::KILL).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_hung_workers_dead_bot_may_have_said_is_not_said_again() {
    what_a_dead_bot_may_have_said_is_shown_and_not_said_again(Signal::STOP).await;
}
