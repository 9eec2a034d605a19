//! Which bot last finished showing the open conversations where they stand.
//!
//! A bot that is activated owes that to members when another bot did it last, whatever happened in between: workers may have died in
//! the middle of it, and a takeover by another worker does not take the debt away. Invariant: written under the epoch, after the last
//! of the prompts is committed.

use shared_core::{BotId, Epoch, EpochStamp};

use super::epoch::{fenced, stamp_arguments};
use super::error::StateError;
use super::reply::Reply;
use super::scripts;
use super::{EpochAnswer, PoolState};

/// The last resumption that was finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resumed {
    pub bot: BotId,
    /// In which epoch it was finished; tells one change of bots from the next.
    pub epoch: Epoch,
}

impl PoolState {
    pub async fn resumed(&self) -> Result<Option<Resumed>, StateError> {
        let op = self.op("read", &"who resumed last");
        let mut command = ::redis::cmd("HMGET");
        command.arg(&self.keys.resumed).arg("bot").arg("epoch");
        let (bot, epoch): (Option<String>, Option<u64>) = self.link.query(op, &command).await?;
        let bot = bot.map(|text| text.parse::<BotId>());
        match (bot, epoch) {
            (Some(Ok(bot)), Some(epoch)) => Ok(Some(Resumed {
                bot,
                epoch: Epoch(epoch),
            })),
            (None, _) => Ok(None),
            _ => Err(StateError::unreadable(op, "it names no bot or no epoch")),
        }
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
