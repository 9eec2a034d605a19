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

use shared_core::{BotId, Epoch, EpochStamp};

use super::epoch::{fenced, stamp_arguments};
use super::error::StateError;
use super::reply::Reply;
use super::scripts;
use super::{EpochAnswer, PoolState};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resumed {
    /// In which epoch it was begun; tells one change of bots from the next.
    pub epoch: Epoch,
    pub done: bool,
    /// Who answered before.
    pub before: Option<BotId>,
}

impl PoolState {
    /// This bot answers now: what it owes.
    pub async fn begin_resumption(
        &self,
        stamp: EpochStamp,
        bot: BotId,
    ) -> Result<EpochAnswer<Resumed>, StateError> {
        let mut script = scripts::BEGIN_RESUMPTION.prepare_invoke();
        script
            .key(&self.keys.epoch)
            .key(&self.keys.resumed)
            .arg(&stamp_arguments(stamp))
            .arg(bot.to_string());
        let op = self.op("begin to resume as", &bot);
        let mut reply: Reply = self.link.script(op, &script).await?;
        if reply.word != "done" {
            return fenced(op, reply);
        }
        let epoch: u64 = reply.take(op)?;
        let state: String = reply.take(op)?;
        let before: String = reply.take(op)?;
        let before = (!before.is_empty()).then(|| before.parse::<BotId>());
        let before = before
            .transpose()
            .map_err(|_| StateError::unreadable(op, "it names no bot"))?;
        Ok(EpochAnswer::Done(Resumed {
            epoch: Epoch(epoch),
            done: state == "done",
            before,
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
