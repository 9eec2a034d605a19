//! One member in one chat: what he does there, and what he waits to see.
//!
//! Invariant: everything is judged by what the member's own view shows. It presses what is shown last, as people do, unless told otherwise.

use anyhow::{Context, Result};
use sandbox::control::{Answer, Chat, Content, ControlError, Event, Viewed};
use sandbox::course::CATEGORIES;
use serde_json::Value;

use crate::Stage;

pub struct Talk<'a> {
    stage: &'a Stage,
    pub member: i64,
    pub chat: Chat,
}

/// What the walked-through upload consists of.
pub const TITLE: &str = "Bread without kneading";
pub const DESCRIPTION: &str = "Flour, water, salt and a long night.";
pub const CATEGORY: &str = CATEGORIES[2];

impl<'a> Talk<'a> {
    /// The stage's member with this place in the list, in private with a bot.
    pub fn private(stage: &'a Stage, member: usize, bot: i64) -> Self {
        Self {
            stage,
            member: stage.scene.members[member].id,
            chat: Chat::Bot(bot),
        }
    }

    pub fn group(stage: &'a Stage, member: usize) -> Self {
        Self {
            stage,
            member: stage.scene.members[member].id,
            chat: Chat::Channel(stage.scene.group),
        }
    }

    /// Presses Start; only in private.
    pub async fn start(&self, payload: Option<&str>) -> Result<()> {
        let Chat::Bot(bot) = self.chat else {
            anyhow::bail!("Start is pressed in private");
        };
        self.stage.control.start(self.member, bot, payload).await?;
        Ok(())
    }

    /// Presses Start at a standby and waits for its word, so that it may write to him from then on.
    pub async fn meet_standby(&self) -> Result<Viewed> {
        self.start(None).await?;
        self.see("I am a backup").await
    }

    /// Gives the time at which it was sent, in unix milliseconds.
    pub async fn say(&self, text: &str) -> Result<i64> {
        self.send(&Content::Text(text.into()), None).await
    }

    pub async fn reply(&self, to: &Viewed, text: &str) -> Result<i64> {
        self.send(&Content::Text(text.into()), Some(to.id)).await
    }

    pub async fn send_file(&self, name: &str, bytes: u64) -> Result<i64> {
        let name = name.to_owned();
        self.send(&Content::Document { name, bytes }, None).await
    }

    async fn send(&self, content: &Content, reply_to: Option<i64>) -> Result<i64> {
        let control = &self.stage.control;
        let sent = control
            .send(self.member, self.chat, content, reply_to)
            .await?;
        Ok(sent.unix_ms)
    }

    /// Presses the button with this label on the latest message that has it.
    pub async fn press(&self, label: &str) -> Result<Answer> {
        let heard = self.heard().await?;
        let message = heard.iter().rev().find(|one| data(one, label).is_some());
        let message = message.with_context(|| format!("no button {label} in {heard:#?}"))?;
        Ok(self.press_on(message, label).await?)
    }

    /// Presses the button that this message had when it was seen, whatever became of it.
    pub async fn press_on(&self, message: &Viewed, label: &str) -> Result<Answer, ControlError> {
        let data = data(message, label).unwrap_or_default();
        let control = &self.stage.control;
        control
            .press(self.member, self.chat, message.id, data)
            .await
    }

    /// What bots said in this chat, oldest first.
    pub async fn heard(&self) -> Result<Vec<Viewed>> {
        let seen = self
            .stage
            .control
            .view(self.member, self.chat, 0)
            .await?
            .into_iter();
        let bots = &self.stage.scene.bots;
        Ok(seen
            .filter(|one| bots.iter().any(|bot| bot.id == one.from))
            .collect())
    }

    /// Waits until a bot has said this; the latest such message.
    pub async fn see(&self, part: &str) -> Result<Viewed> {
        self.see_times(part, 1).await
    }

    /// Waits until bots have said this so often; the latest such message.
    pub async fn see_times(&self, part: &str, times: usize) -> Result<Viewed> {
        let look = async || Ok(nth(with(self.heard().await?, part), times));
        let what = format!("{part:?} is said {times} times");
        match self.stage.until(&what, look).await {
            Ok(seen) => Ok(seen),
            Err(error) => Err(error.context(format!("heard: {:#?}", self.heard().await?))),
        }
    }

    /// How many messages with this in them bots have sent here, whatever they were edited into since.
    pub async fn count(&self, part: &str) -> Result<usize> {
        let sent = self.stage.events_since(0, "message_sent").await?;
        let here = |event: &Event| match self.chat {
            Chat::Bot(bot) => {
                event.number("account") == Some(bot) && event.chat("user") == Some(self.member)
            }
            Chat::Channel(channel) => event.flag("bot") && event.chat("channel") == Some(channel),
        };
        let has = |event: &Event| {
            let text = event.fields.get("text").and_then(Value::as_str);
            text.is_some_and(|text| text.contains(part))
        };
        Ok(sent.iter().filter(|it| here(it) && has(it)).count())
    }

    /// Opens an upload, by Start; returns at the step Title.
    pub async fn open_upload(&self) -> Result<()> {
        self.start(Some("upload")).await?;
        self.see("Step 1/6").await.map(drop)
    }

    pub async fn give_title(&self) -> Result<()> {
        self.say(TITLE).await?;
        self.see("Step 2/6").await.map(drop)
    }

    pub async fn give_description(&self) -> Result<()> {
        self.say(DESCRIPTION).await?;
        self.see("Step 3/6").await.map(drop)
    }

    pub async fn choose_category(&self) -> Result<()> {
        self.press(CATEGORY).await?;
        self.see("Step 4/6").await.map(drop)
    }

    /// From nothing to the step Files.
    pub async fn upload_until_files(&self) -> Result<()> {
        self.open_upload().await?;
        self.give_title().await?;
        self.give_description().await?;
        self.choose_category().await?;
        self.press("Done").await?;
        self.see("Step 5/6").await.map(drop)
    }

    /// From the review to the end.
    pub async fn submit_review(&self) -> Result<()> {
        self.press("Submit").await?;
        self.see("✓ Submitted: ").await.map(drop)
    }

    /// The buttons of the latest message that has any, in their order.
    pub async fn labels(&self) -> Result<Vec<String>> {
        let heard = self.heard().await?;
        let mut keyboards = heard.iter().rev().filter_map(|one| one.keyboard.as_ref());
        let rows = keyboards.next().context("no message has buttons")?;
        Ok(rows
            .iter()
            .flatten()
            .map(|button| button.text.clone())
            .collect())
    }

    /// From the step Files, with what is stored, to the end.
    pub async fn submit(&self) -> Result<()> {
        self.press("Done").await?;
        self.see("Step 6/6").await?;
        self.press("Submit").await?;
        self.see("✓ Submitted: ").await.map(drop)
    }
}

fn nth(mut found: Vec<Viewed>, at_least: usize) -> Option<Viewed> {
    (found.len() >= at_least).then(|| found.pop()).flatten()
}

fn with(heard: Vec<Viewed>, part: &str) -> Vec<Viewed> {
    heard
        .into_iter()
        .filter(|one| one.text.contains(part))
        .collect()
}

fn data<'a>(message: &'a Viewed, label: &str) -> Option<&'a str> {
    let rows = message.keyboard.as_ref()?;
    let button = rows.iter().flatten().find(|button| button.text == label)?;
    button.data.as_deref()
}
