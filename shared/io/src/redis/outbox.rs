//! Replies on their way: read in order, removed by whoever knows that they were sent.
//!
//! Putting entries in is the epoch holder's right (`commit`, `enqueue`). Settling is not fenced: that an entry was sent stays true in
//! whatever epoch, and with it stays which message it became (`told`).
//! Invariant: `sent` counts an entry once, however often it is settled; an entry and its word change in one script.

use std::collections::HashMap;

use shared_core::{BotId, EpochStamp, OutboxEntry, Spent, TOLD_KEPT, Told};

use super::commit::{counted, json_list, positions};
use super::epoch::{fenced, stamp_arguments};
use super::error::StateError;
use super::reply::Reply;
use super::scripts;
use super::streams::{Page, Stream};
use super::{EpochAnswer, OutboxPosition, PoolState};

impl PoolState {
    /// Entries after a position, oldest first. An unreadable one is moved aside and not returned.
    pub async fn outbox(
        &self,
        after: Option<&OutboxPosition>,
        limit: usize,
    ) -> Result<Vec<(OutboxPosition, OutboxEntry)>, StateError> {
        let op = self.op("read", &"the outbox");
        self.read_stream(op, &self.outbox_stream(), after.map(|at| at.0), limit)
            .await
    }

    /// The same for whoever is about to send them. A holder that does not know yet that it is fenced must not see what its successor commits.
    pub async fn outbox_under(
        &self,
        stamp: EpochStamp,
        after: Option<&OutboxPosition>,
        limit: usize,
    ) -> Result<EpochAnswer<Vec<(OutboxPosition, OutboxEntry)>>, StateError> {
        let op = self.op("read", &"the outbox");
        let mut from = after.map_or_else(|| "-".to_owned(), |after| format!("({after}"));
        loop {
            let mut script = scripts::READ_OUTBOX.prepare_invoke();
            script
                .key(&self.keys.epoch)
                .key(&self.keys.outbox)
                .arg(&stamp_arguments(stamp))
                .arg(&from)
                .arg(limit);
            let mut reply: Reply = self.link.script(op, &script).await?;
            if reply.word != "done" {
                return fenced(op, reply);
            }
            let page: Page = reply.take(op)?;
            let Some((last, _)) = page.last() else {
                return Ok(EpochAnswer::Done(Vec::new()));
            };
            from = format!("({last}");
            let readable = self.readable(op, &self.outbox_stream(), &page).await?;
            if !readable.is_empty() {
                return Ok(EpochAnswer::Done(readable));
            }
        }
    }

    fn outbox_stream(&self) -> Stream<'_> {
        Stream {
            key: &self.keys.outbox,
            field: "e",
            entry: "an outbox entry",
        }
    }

    pub async fn outbox_len(&self) -> Result<u64, StateError> {
        self.link
            .query(
                self.op("measure", &"the outbox"),
                ::redis::cmd("XLEN").arg(&self.keys.outbox),
            )
            .await
    }

    /// The last entry's position.
    pub async fn outbox_end(&self) -> Result<Option<OutboxPosition>, StateError> {
        let op = self.op("look at the end of", &"the outbox");
        let mut command = ::redis::cmd("XREVRANGE");
        command.arg(&self.keys.outbox).arg("+").arg("-");
        command.arg("COUNT").arg(1);
        let found: Vec<(String, HashMap<String, Vec<u8>>)> = self.link.query(op, &command).await?;
        let ids = found.into_iter().map(|(id, _)| id).collect();
        Ok(positions(op, ids)?.into_iter().next())
    }

    /// Which of these do not stand there any more: whoever took them out knew what had become of them.
    pub async fn outbox_gone(
        &self,
        entries: &[OutboxPosition],
    ) -> Result<Vec<OutboxPosition>, StateError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let op = self.op("look again at", &"outbox entries");
        let mut pipeline = ::redis::pipe();
        for position in entries {
            let at = position.to_string();
            pipeline
                .cmd("XRANGE")
                .arg(&self.keys.outbox)
                .arg(&at)
                .arg(&at);
        }
        let found: Vec<Vec<::redis::Value>> = self.link.pipeline(op, &pipeline).await?;
        let looked = entries.iter().zip(found);
        let gone = looked.filter(|(_, found)| found.is_empty());
        Ok(gone.map(|(position, _)| *position).collect())
    }

    /// These were sent by the bot, each with the word of the message that it became. Says how many of them were still there.
    pub async fn outbox_settle(
        &self,
        bot: BotId,
        sent: &[(OutboxPosition, Option<Told>)],
    ) -> Result<u64, StateError> {
        if sent.is_empty() {
            return Ok(0);
        }
        let mut script = scripts::SETTLE.prepare_invoke();
        script
            .key(&self.keys.outbox)
            .key(&self.keys.counters)
            .key(self.keys.told(bot))
            .arg(TOLD_KEPT);
        for (position, told) in sent {
            script.arg(position.to_string());
            script.arg(told.map(|told| told.to_string()).unwrap_or_default());
        }
        let op = self.op("settle", &"outbox entries");
        self.link.script(op, &script).await
    }

    /// Messages of this bot that were acknowledged without their ids have been heard: each word is spent. Says how many were still there.
    pub async fn spend_words(&self, bot: BotId, spent: &[Spent]) -> Result<u64, StateError> {
        if spent.is_empty() {
            return Ok(0);
        }
        let mut script = scripts::SPEND_WORDS.prepare_invoke();
        script.key(self.keys.told(bot)).arg(TOLD_KEPT);
        for Spent { word, message } in spent {
            script.arg(word.to_string()).arg(message.to_string());
        }
        let op = self.op("spend", &"words of what was told");
        self.link.script(op, &script).await
    }

    /// The latest messages of this bot that Telegram has acknowledged, oldest first.
    pub async fn told(&self, bot: BotId) -> Result<Vec<Told>, StateError> {
        let op = self.op("read what was told by", &bot);
        let mut command = ::redis::cmd("LRANGE");
        command.arg(self.keys.told(bot)).arg(0).arg(-1);
        let words: Vec<String> = self.link.query(op, &command).await?;
        // A word of another version is as good as forgotten.
        Ok(words.iter().filter_map(|word| word.parse().ok()).collect())
    }

    /// These are of no use any more. Says how many of them were still there.
    pub async fn discard(
        &self,
        stamp: EpochStamp,
        entries: &[OutboxPosition],
    ) -> Result<EpochAnswer<u64>, StateError> {
        let mut script = scripts::DISCARD.prepare_invoke();
        script
            .key(&self.keys.epoch)
            .key(&self.keys.outbox)
            .key(&self.keys.counters)
            .arg(&stamp_arguments(stamp));
        for position in entries {
            script.arg(position.to_string());
        }
        let op = self.op("discard", &"outbox entries");
        let mut reply: Reply = self.link.script(op, &script).await?;
        match reply.word.as_str() {
            "done" => Ok(EpochAnswer::Done(reply.take(op)?)),
            _ => fenced(op, reply),
        }
    }

    /// Puts entries into the outbox that no conversation caused (announcements).
    pub async fn enqueue(
        &self,
        stamp: EpochStamp,
        entries: &[OutboxEntry],
    ) -> Result<EpochAnswer<Vec<OutboxPosition>>, StateError> {
        let op = self.op("enqueue", &"announcements");
        let mut script = scripts::ENQUEUE.prepare_invoke();
        script
            .key(&self.keys.epoch)
            .key(&self.keys.outbox)
            .arg(&stamp_arguments(stamp));
        counted(&mut script, json_list(op, entries)?);
        let mut reply: Reply = self.link.script(op, &script).await?;
        match reply.word.as_str() {
            "done" => Ok(EpochAnswer::Done(positions(op, reply.take(op)?)?)),
            _ => fenced(op, reply),
        }
    }
}
