//! What the tests do as an admin, and where they look for it afterwards.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use e2e::{Stage, Talk};
use sandbox::control::{Chat, Viewed};
use serde_json::{Value, json};

/// Longest wait for something to be noticed that is noticed within seconds.
const NOTICED: Duration = Duration::from_secs(40);

/// The stage's admin in private with a bot that he has started.
pub async fn admin(stage: &Stage, bot: usize) -> Talk<'_> {
    member(stage, 0, bot).await
}

pub async fn member(stage: &Stage, member: usize, bot: usize) -> Talk<'_> {
    let talk = Talk::private(stage, member, stage.scene.bots[bot].id);
    talk.start(None).await.unwrap();
    talk.see("").await.unwrap();
    talk
}

/// Sends a command and waits for what is said to it.
pub async fn ask(stage: &Stage, talk: &Talk<'_>, command: &str) -> Result<Viewed> {
    let before = talk.heard().await?.len();
    talk.say(command).await?;
    answer(stage, talk, command, before).await
}

/// How many messages he has sent here.
pub async fn said(stage: &Stage, talk: &Talk<'_>) -> Result<usize> {
    let seen = stage.control.view(talk.member, talk.chat, 0).await?;
    Ok(seen.iter().filter(|one| one.from == talk.member).count())
}

/// How often he has sent this command here.
pub async fn said_so(stage: &Stage, talk: &Talk<'_>, command: &str) -> Result<usize> {
    let seen = stage.control.view(talk.member, talk.chat, 0).await?;
    let same = |one: &&Viewed| one.from == talk.member && one.text == command;
    Ok(seen.iter().filter(same).count())
}

/// Waits for a message beyond the first `before`.
pub async fn answer(stage: &Stage, talk: &Talk<'_>, to: &str, before: usize) -> Result<Viewed> {
    let look = async || {
        let heard = talk.heard().await?;
        Ok((heard.len() > before)
            .then(|| heard.into_iter().next_back())
            .flatten())
    };
    stage.until(&format!("an answer to {to}"), look).await
}

/// Asks again until the answer has this in it: what it is about is noticed in its own time.
pub async fn ask_until(
    stage: &Stage,
    talk: &Talk<'_>,
    command: &str,
    part: &str,
) -> Result<Viewed> {
    let until = Instant::now() + NOTICED;
    loop {
        let said = ask(stage, talk, command).await?;
        if said.text.contains(part) {
            return Ok(said);
        }
        if Instant::now() > until {
            bail!("{part:?} is not in the answer to {command}: {}", said.text);
        }
    }
}

/// The plan of a recovery once all three bots are in it: one that is shown while a bot still connects is refused when it has.
pub async fn settled_plan(stage: &Stage, talk: &Talk<'_>) -> Viewed {
    let whole = "; if it does not pass: third, then first";
    let plan = ask_until(stage, talk, "/emergency_recovery", whole).await;
    plan.unwrap()
}

/// Waits until this message reads so; it is edited in place.
pub async fn reads(stage: &Stage, talk: &Talk<'_>, message: &Viewed, part: &str) -> Result<Viewed> {
    let look = async || {
        let heard = talk.heard().await?;
        let found = heard.into_iter().find(|it| it.id == message.id);
        Ok(found.filter(|it| it.text.contains(part)))
    };
    match stage.until(&format!("message reads {part:?}"), look).await {
        Ok(found) => Ok(found),
        Err(error) => Err(error.context(format!("heard: {:#?}", talk.heard().await?))),
    }
}

/// The same of an order's progress: until then nothing else is said here. Nothing is ever taken away, so counting afterwards is enough.
pub async fn reads_alone(
    stage: &Stage,
    talk: &Talk<'_>,
    message: &Viewed,
    part: &str,
    before: usize,
) -> Result<Viewed> {
    let read = reads(stage, talk, message, part).await?;
    let heard = talk.heard().await?;
    if heard.len() != before {
        bail!("more than one message tells of it: {heard:#?}");
    }
    Ok(read)
}

/// The labels under it, in reading order.
pub fn labels(message: &Viewed) -> Vec<&str> {
    let buttons = message.keyboard.iter().flatten().flatten();
    buttons.map(|button| button.text.as_str()).collect()
}

/// The data of the button with this label.
pub fn data(message: &Viewed, label: &str) -> String {
    let rows = message.keyboard.iter().flatten().flatten();
    let button = rows.into_iter().find(|button| button.text == label);
    let data = button.and_then(|button| button.data.clone());
    data.unwrap_or_else(|| panic!("no button {label} on {message:#?}"))
}

/// A press by a client that shows whatever keyboard it likes: what it was answered, `None` when nobody did.
pub async fn forge(stage: &Stage, talk: &Talk<'_>, message: i64, data: &str) -> Option<Value> {
    let Chat::Bot(bot) = talk.chat else {
        panic!("in private");
    };
    let body = json!({"chat": {"user": bot}, "message_id": message, "data": data, "forged": true});
    let path = format!("/members/{}/press", talk.member);
    stage
        .sim_call(reqwest::Method::POST, &path, Some(body))
        .await
        .ok()
}

/// A row of `admin_actions` without its times: who, via, action, verdict.
pub type Action = (String, String, String, String);

pub async fn actions(stage: &Stage) -> Result<Vec<Action>> {
    let sql = stage.sql().await?;
    let rows =
        sqlx::query_as("SELECT who, via, action, verdict FROM admin_actions ORDER BY at, id")
            .fetch_all(&sql)
            .await
            .context("reading the admin actions");
    sql.close().await;
    rows
}

/// Waits until it is recorded exactly so often that this member did this through this bot, with this verdict.
pub async fn recorded(
    stage: &Stage,
    talk: &Talk<'_>,
    action: &str,
    verdict: &str,
    times: usize,
) -> Result<()> {
    let Chat::Bot(bot) = talk.chat else {
        bail!("in private");
    };
    let wanted: Action = (
        format!("m{}", talk.member),
        format!("b{bot}"),
        action.into(),
        verdict.into(),
    );
    let look = async || {
        let found = actions(stage).await?;
        let count = found.iter().filter(|it| **it == wanted).count();
        if count > times {
            bail!("{wanted:?} is recorded {count} times: {found:#?}");
        }
        Ok((count == times).then_some(()))
    };
    match stage.until_stored("it is recorded", look).await {
        Ok(()) => Ok(()),
        Err(error) => Err(error.context(format!("{wanted:?} in {:#?}", actions(stage).await?))),
    }
}

/// How many switches, takeovers and relogins there have been, and the epoch they led to.
pub async fn moves(stage: &Stage) -> Result<(i64, Value)> {
    let sql = stage.sql().await?;
    let count: (i64,) = sqlx::query_as("SELECT COUNT(*) FROM switches WHERE kind <> 'first'")
        .fetch_one(&sql)
        .await?;
    sql.close().await;
    Ok((count.0, stage.status().await?["pools"][0]["epoch"].clone()))
}

/// Waits until the one move that was ordered is in the record.
pub async fn moved_once(stage: &Stage) -> Result<()> {
    let look = async || Ok((moves(stage).await?.0 == 1).then_some(()));
    stage.until_stored("one move is recorded", look).await
}
