//! Who empties the outbox: one sender after the other, so that nothing leaves through two bots while the first one's answers are on their way.
//!
//! ```text
//! begin_sending    the next sender, once the one before it has ended, or can send no more because its bot's lease is not its own
//! end_sending      a sender whose last calls are answered and settled; or given up, and then it leaves word of what is in doubt
//! ```
//! Invariant: the place is taken under the epoch and only from whoever the taker saw there. It says nothing about who may commit. What a sender
//! had on its way when it died stays unknown: its entries are sent again, by the same bot under the same random id. What is in doubt has a key of its
//! own, a field a bot, which stands until the next sender has ended: a begin that is repeated because its answer was lost finds it again, and a program that does not
//! know it goes by it.

use serde::{Deserialize, Serialize};
use shared_core::{BotId, EpochStamp, Nonce, WorkerId};

use super::commit::json;
use super::epoch::{fenced, stamp_arguments};
use super::error::StateError;
use super::reply::Reply;
use super::{EpochAnswer, OutboxPosition, PoolState, scripts};

/// A sender: one tenure of one process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sending {
    pub bot: BotId,
    pub worker: WorkerId,
    pub nonce: Nonce,
    pub epoch: EpochStamp,
    /// Of this tenure alone: an end that was given up and reaches Redis late must not be taken for that of the same process' next tenure. Absent from
    /// what earlier versions wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenure: Option<Nonce>,
}

/// Who was found in the sender's place, in the very words that stood there: another version may write more than this one knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenSending {
    /// `None` where this version cannot read it.
    pub who: Option<Sending>,
    text: Vec<u8>,
}

impl SeenSending {
    pub fn of(text: Vec<u8>) -> Self {
        let who = serde_json::from_slice(&text).ok();
        Self { who, text }
    }

    /// Whose sends they are; 0, which is no bot, where nobody can tell.
    pub fn bot(&self) -> BotId {
        self.who.as_ref().map_or(BotId(0), |who| who.bot)
    }
}

/// Sends of which nobody knows whether Telegram took them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendsInDoubt {
    /// Through which bot.
    pub bot: BotId,
    /// Their positions in the outbox; empty where it could be whatever stood there.
    #[serde(default)]
    pub entries: Vec<String>,
    /// Nothing behind this position is among them.
    #[serde(default)]
    pub up_to: Option<String>,
}

/// Who has the sender's place now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Begun {
    Ours {
        /// At most one of each bot.
        left: Vec<SendsInDoubt>,
    },
    Anothers,
}

impl PoolState {
    /// Who may have calls on their way.
    pub async fn sending(&self) -> Result<Option<SeenSending>, StateError> {
        let op = self.op("read", &"who sends");
        let found: Option<Vec<u8>> = self
            .link
            .query(op, ::redis::cmd("GET").arg(&self.keys.sending))
            .await?;
        Ok(found.map(SeenSending::of))
    }

    /// Takes the place of `before`, unless somebody else has it by now. `stood`: the outbox's end when the taker's epoch began; whoever did not say that
    /// it has ended may have sent up to there. `None` where the outbox was empty: then nothing is in doubt.
    pub async fn begin_sending(
        &self,
        before: Option<&SeenSending>,
        mine: &Sending,
        stood: Option<&OutboxPosition>,
    ) -> Result<EpochAnswer<Begun>, StateError> {
        let op = self.op("begin to send as", &mine.bot);
        let unended = before.filter(|before| before.who.as_ref() != Some(mine));
        let doubt = unended.map(|it| SendsInDoubt {
            bot: it.bot(),
            entries: Vec::new(),
            up_to: stood.map(ToString::to_string),
        });
        let doubt = doubt.map(|doubt| json(op, &doubt)).transpose()?;
        let mut script = scripts::BEGIN_SENDING.prepare_invoke();
        script
            .key(&self.keys.epoch)
            .key(&self.keys.sending)
            .key(&self.keys.doubts)
            .arg(&stamp_arguments(mine.epoch))
            .arg(before.map_or(&[][..], |before| &before.text))
            .arg(json(op, mine)?)
            .arg(unended.map_or(String::new(), |it| it.bot().0.to_string()))
            .arg(doubt.unwrap_or_default())
            .arg(u8::from(stood.is_some()));
        let mut reply: Reply = self.link.script(op, &script).await?;
        match reply.word.as_str() {
            "done" => {
                let left: Vec<(i64, String)> = reply.take(op)?;
                let left = left
                    .into_iter()
                    .map(|(bot, text)| doubt_of(BotId(bot), &text));
                Ok(EpochAnswer::Done(Begun::Ours {
                    left: left.collect(),
                }))
            }
            "other" => Ok(EpochAnswer::Done(Begun::Anothers)),
            _ => fenced(op, reply),
        }
    }

    /// Says that nothing of ours is on its way any more, and what is in doubt, of each bot at most once. In whatever epoch: it stays true.
    pub async fn end_sending(
        &self,
        mine: &Sending,
        left: &[SendsInDoubt],
    ) -> Result<bool, StateError> {
        let op = self.op("end sending as", &mine.bot);
        let mut script = scripts::END_SENDING.prepare_invoke();
        script
            .key(&self.keys.sending)
            .key(&self.keys.doubts)
            .arg(json(op, mine)?);
        for doubt in left {
            script.arg(doubt.bot.0).arg(json(op, doubt)?);
        }
        self.link.script(op, &script).await
    }
}

/// A word of another version says no more than that there is a doubt: it may be whatever stands there.
fn doubt_of(bot: BotId, text: &str) -> SendsInDoubt {
    let whatever = SendsInDoubt {
        bot,
        entries: Vec::new(),
        up_to: None,
    };
    serde_json::from_str(text).unwrap_or(whatever)
}
