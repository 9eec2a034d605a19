//! What a stage waits for and brings about on the simulator: its event log, faults, and switches.
//!
//! Invariant: nothing here sleeps where the log can be polled; every wait is bounded and says what it was for.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};
use sandbox::control::Event;
use serde_json::{Value, json};

use crate::Stage;

/// Longest wait for anything that a member or the log shows.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest wait for another bot or worker to serve.
const SWITCHED: Duration = Duration::from_secs(30);
/// How often a store is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// What members see changes with these.
const SEEN: &str = "message_sent,message_edited,message_deleted,press_answered";

impl Stage {
    /// Looks again after each event that changes what members see, until there is an answer.
    pub async fn until<T>(
        &self,
        what: &str,
        look: impl AsyncFn() -> Result<Option<T>>,
    ) -> Result<T> {
        let until = Instant::now() + PATIENCE;
        loop {
            // Read before looking, so that what happens meanwhile ends the wait at once.
            let after = self.control.last_event().await?;
            if let Some(found) = look().await? {
                return Ok(found);
            }
            let left = until.saturating_duration_since(Instant::now()).as_millis();
            if left == 0 {
                bail!("not within {} s: {what}", PATIENCE.as_secs());
            }
            let wait = u64::try_from(left).unwrap_or(1_000).min(5_000);
            self.control.events(after, wait, SEEN).await?;
        }
    }

    /// The same for what is in a store, which tells nobody when it changes.
    pub async fn until_stored<T>(
        &self,
        what: &str,
        look: impl AsyncFn() -> Result<Option<T>>,
    ) -> Result<T> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            if Instant::now() > until {
                bail!("not within {} s: {what}", PATIENCE.as_secs());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The first event of this kind behind `after` that is as wanted.
    pub async fn event(
        &self,
        after: u64,
        kind: &str,
        is_it: impl Fn(&Event) -> bool,
    ) -> Result<Event> {
        self.event_within(PATIENCE, after, kind, is_it).await
    }

    /// The same for what may take longer.
    pub async fn event_within(
        &self,
        at_most: Duration,
        after: u64,
        kind: &str,
        is_it: impl Fn(&Event) -> bool,
    ) -> Result<Event> {
        let until = Instant::now() + at_most;
        let mut after = after;
        loop {
            let page = self.control.events(after, 1_000, kind).await?;
            if let Some(found) = page.events.into_iter().find(|event| is_it(event)) {
                return Ok(found);
            }
            after = page.next;
            if Instant::now() > until {
                bail!("not within {} s: an event {kind}", at_most.as_secs());
            }
        }
    }

    /// All events of this kind behind `after`, as far as there are any.
    pub async fn events_since(&self, after: u64, kind: &str) -> Result<Vec<Event>> {
        let last = self.control.last_event().await?;
        let mut found = Vec::new();
        let mut after = after;
        // A page looks at a stretch of the log, and may be empty before its end.
        while after < last {
            let page = self.control.events(after, 0, kind).await?;
            found.extend(page.events);
            after = page.next;
        }
        Ok(found)
    }

    /// What this bot has sent to each member behind `after`, in order, where it has this in it.
    pub async fn sent_to_members(
        &self,
        after: u64,
        bot: i64,
        part: &str,
    ) -> Result<BTreeMap<i64, Vec<String>>> {
        let mut sent: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for event in self.events_since(after, "message_sent").await? {
            let text = event.fields.get("text").and_then(Value::as_str);
            let text = text.unwrap_or_default();
            if let Some(member) = event.chat("user")
                && event.number("account") == Some(bot)
                && text.contains(part)
            {
                sent.entry(member).or_default().push(text.to_owned());
            }
        }
        Ok(sent)
    }

    /// Sets a fault and gives its number.
    pub async fn fault(&self, fault: Value) -> Result<u64> {
        let set = self.sim_call(Method::POST, "/faults", Some(fault)).await?;
        set["id"].as_u64().context("a fault without a number")
    }

    pub async fn clear_fault(&self, fault: u64) -> Result<()> {
        self.sim_call(Method::DELETE, &format!("/faults/{fault}"), None)
            .await?;
        Ok(())
    }

    /// Waits until the fault has fired.
    pub async fn fired(&self, fault: u64) -> Result<()> {
        let is_it = |event: &Event| event.fields.get("fault") == Some(&json!(fault));
        self.event(0, "fault_fired", is_it).await.map(drop)
    }

    /// The bot's token is revoked and its sessions die, at once.
    pub async fn revoke(&self, bot: i64) -> Result<()> {
        self.fault(json!({"kind": "revoke", "bot": bot, "live_sessions": "killed"}))
            .await
            .map(drop)
    }

    /// The same at the moment when the next updates have been handed to the bot.
    pub async fn revoke_at_delivery(&self, bot: i64) -> Result<u64> {
        self.fault(json!({
            "kind": "revoke", "bot": bot, "live_sessions": "killed",
            "after": {"event": {"kind": "updates_delivered", "account": bot}},
        }))
        .await
    }

    /// Waits until another bot serves, and gives it.
    pub async fn switched_from(&self, bot: i64) -> Result<i64> {
        self.wait("another bot is active", SWITCHED, |status| {
            let pool = &status["pools"][0];
            pool["phase"] == "open" && active_in(status).is_some_and(|active| active != bot)
        })
        .await
        .map(|status| active_in(&status))?
        .context("no bot is active")
    }

    /// Waits until this bot is connected and holds its lease, in whatever role.
    pub async fn ready(&self, bot: i64) -> Result<()> {
        self.wait("the bot is connected", SWITCHED, |status| {
            bot_in(status, bot).is_some_and(|it| it["connection"] == "ready" && it["ready"] == true)
        })
        .await
        .map(drop)
    }

    /// Waits until this many members can be reached through this bot.
    pub async fn reach_is(&self, bot: i64, members: u64) -> Result<()> {
        self.wait(&format!("reach is {members}"), PATIENCE, |status| {
            bot_in(status, bot).is_some_and(|it| it["reach"] == members)
        })
        .await
        .map(drop)
    }

    /// Waits until every committed reply is known to be sent, or parked.
    pub async fn settled(&self) -> Result<()> {
        self.wait("the outbox is empty", PATIENCE, |status| {
            status["pools"][0]["outbox"] == 0
        })
        .await
        .map(drop)
    }

    /// One file in the storage channel and one post that names it.
    pub async fn has_one_file_and_one_post(&self, file: &str) -> Result<()> {
        let stored = self.control.posts(self.scene.storage).await?;
        let posts = self.control.posts(self.scene.broadcast).await?;
        if stored.len() == 1 && posts.len() == 1 && posts[0].text.contains(file) {
            return Ok(());
        }
        bail!("stored: {stored:#?}, posts: {posts:#?}")
    }

    /// The process that holds this bot, in whatever role.
    pub async fn worker_of(&self, bot: i64) -> Result<Pid> {
        let status = self.status().await?;
        let name = bot_in(&status, bot).map(|it| it["worker"].clone());
        let name = name.context("the bot is not known")?;
        let workers = status["workers"].as_array().context("no workers")?;
        let worker = workers.iter().find(|worker| worker["name"] == name);
        let pid = worker.and_then(|worker| worker["pid"].as_i64());
        pid.and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?))
            .context("the bot's worker is not known")
    }

    /// SIGKILL to the worker that holds the active bot.
    pub async fn kill_active_worker(&self) -> Result<()> {
        let pid = self.typed_status().await?.active_pid();
        let pid = pid
            .and_then(Pid::from_raw)
            .context("the active worker's process is not known")?;
        kill_process(pid, Signal::KILL).context("killing the active worker")
    }
}

fn bot_in(status: &Value, bot: i64) -> Option<&Value> {
    let bots = status["pools"][0]["bots"].as_array()?;
    bots.iter().find(|it| id(&it["bot"]) == Some(bot))
}

fn active_in(status: &Value) -> Option<i64> {
    id(&status["pools"][0]["active"]["bot"])
}

/// A bot's id is a number, or its short form `b7`.
fn id(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.trim_start_matches('b').parse().ok(),
        other => other.as_i64(),
    }
}
