//! Which bot shows the open conversations where they stand, or was the last to do so.
//!
//! ```text
//! activated                           the record becomes              owed
//! nobody answered before              this bot, done                  -
//! another bot is on record            this bot, begun, after that one yes
//! this bot, begun                     stays                           yes: whatever died in between
//! this bot, done                      stays                           -
//! ```
//! It is noted when it begins, before anything is shown: members who were served by a bot that did not get to the end have its keyboards in front
//! of them, so the bot before it owes them its own when it comes back. A takeover by another worker does not take the debt away. Invariant:
//! written under the epoch; done only after the last of the prompts is committed.

use shared_core::{BotId, Epoch, EpochStamp, UnixMs};

use super::epoch::{fenced, stamp_arguments};
use super::error::StateError;
use super::reply::Reply;
use super::scripts;
use super::{EpochAnswer, PoolState};

/// The record as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resumption {
    pub bot: BotId,
    pub epoch: Epoch,
    pub done: bool,
    pub before: Option<BotId>,
}

/// Its fields: bot, epoch, state, bot before.
pub(super) type ResumptionFields = (Option<String>, Option<u64>, Option<String>, Option<String>);

impl Resumption {
    pub(super) const FIELDS: [&'static str; 4] = ["bot", "epoch", "state", "before"];

    /// `None` where nothing is noted, or nothing that can be read.
    pub(super) fn of((bot, epoch, state, before): ResumptionFields) -> Option<Self> {
        Some(Self {
            bot: bot?.parse().ok()?,
            epoch: Epoch(epoch?),
            done: state.is_none_or(|state| state == "done"),
            before: before.and_then(|before| before.parse().ok()),
        })
    }

    /// Names and values, as they are stored.
    pub(super) fn fields(&self) -> Vec<String> {
        let state = if self.done { "done" } else { "begun" };
        let before = self.before.map(|bot| bot.to_string()).unwrap_or_default();
        let values = [
            self.bot.to_string(),
            self.epoch.0.to_string(),
            state.to_owned(),
            before,
        ];
        let named = Self::FIELDS.iter().zip(values);
        named
            .flat_map(|(name, value)| [(*name).to_owned(), value])
            .collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resumed {
    /// In which epoch it was begun; tells one change of bots from the next.
    pub epoch: Epoch,
    pub done: bool,
    /// Who answered before.
    pub before: Option<BotId>,
    /// When this bot followed another one, by its worker's wall clock; unknown after a restoring.
    pub at: Option<UnixMs>,
}

impl PoolState {
    pub async fn resumption(&self) -> Result<Option<Resumption>, StateError> {
        let op = self.op("read", &"who resumes");
        let mut command = ::redis::cmd("HMGET");
        command.arg(&self.keys.resumed).arg(&Resumption::FIELDS);
        Ok(Resumption::of(self.link.query(op, &command).await?))
    }

    /// This bot answers now: what it owes.
    pub async fn begin_resumption(
        &self,
        stamp: EpochStamp,
        bot: BotId,
        now: UnixMs,
    ) -> Result<EpochAnswer<Resumed>, StateError> {
        let mut script = scripts::BEGIN_RESUMPTION.prepare_invoke();
        script
            .key(&self.keys.epoch)
            .key(&self.keys.resumed)
            .key(&self.keys.reminded)
            .key(&self.keys.open)
            .arg(&stamp_arguments(stamp))
            .arg(bot.to_string())
            .arg(now.0);
        let op = self.op("begin to resume as", &bot);
        let mut reply: Reply = self.link.script(op, &script).await?;
        if reply.word != "done" {
            return fenced(op, reply);
        }
        let epoch: u64 = reply.take(op)?;
        let state: String = reply.take(op)?;
        let before: String = reply.take(op)?;
        let at: String = reply.take(op)?;
        let before = (!before.is_empty()).then(|| before.parse::<BotId>());
        let before = before
            .transpose()
            .map_err(|_| StateError::unreadable(op, "it names no bot"))?;
        Ok(EpochAnswer::Done(Resumed {
            epoch: Epoch(epoch),
            done: state == "done",
            before,
            at: at.parse().ok().map(UnixMs),
        }))
    }

    /// Every open conversation has been shown by this bot.
    pub async fn set_resumed(
        &self,
        stamp: EpochStamp,
        bot: BotId,
    ) -> Result<EpochAnswer<()>, StateError> {
        let mut script = scripts::RESUMED.prepare_invoke();
        script
            .key(&self.keys.epoch)
            .key(&self.keys.resumed)
            .arg(&stamp_arguments(stamp))
            .arg(bot.to_string());
        let op = self.op("note", &"who resumed last");
        let reply: Reply = self.link.script(op, &script).await?;
        match reply.word.as_str() {
            "done" => Ok(EpochAnswer::Done(())),
            _ => fenced(op, reply),
        }
    }
}
