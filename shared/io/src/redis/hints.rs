//! Whom a standby has told which bot answers: once a member, until the bots change or some hours have passed. A change is named by the epoch in which it
//! was (`Resumption`), so that another worker for the same bot is none, and one back and forth is two.
//!
//! A zset a bot, written when a hint was given and never otherwise, so that it does not grow with the updates. Invariant: noted after the
//! hint was sent, so whoever dies in between tells him twice rather than never. Times are those of the bot's own worker.

use std::time::Duration;

use shared_core::{BotId, Epoch, MemberId, UnixMs};

use super::PoolState;
use super::error::StateError;

/// After this long he is told again: his last message may be a new attempt.
const AGAIN: Duration = Duration::from_secs(6 * 3600);
/// Kept at most; beyond it the oldest is forgotten and told again.
const KEPT: isize = 50_000;

impl PoolState {
    /// Was he told by `bot`, not long ago, who answers since this change?
    pub async fn was_hinted(
        &self,
        bot: BotId,
        member: MemberId,
        change: Epoch,
        now: UnixMs,
    ) -> Result<bool, StateError> {
        let op = self.op("look up the hint to", &member);
        let mut command = ::redis::cmd("ZSCORE");
        command.arg(self.keys.hinted(bot)).arg(name(member, change));
        let told: Option<i64> = self.link.query(op, &command).await?;
        Ok(told.is_some_and(|at| u128::from(now.since(UnixMs(at))) < AGAIN.as_millis()))
    }

    pub async fn note_hint(
        &self,
        bot: BotId,
        member: MemberId,
        change: Epoch,
        now: UnixMs,
    ) -> Result<(), StateError> {
        let op = self.op("note the hint to", &member);
        let key = self.keys.hinted(bot);
        let again = i64::try_from(AGAIN.as_millis()).unwrap_or(i64::MAX);
        let mut pipeline = ::redis::pipe();
        pipeline
            .cmd("ZADD")
            .arg(&key)
            .arg(now.0)
            .arg(name(member, change))
            .ignore();
        pipeline
            .cmd("ZREMRANGEBYSCORE")
            .arg(&key)
            .arg("-inf")
            .arg(now.0 - again)
            .ignore();
        pipeline
            .cmd("ZREMRANGEBYRANK")
            .arg(&key)
            .arg(0)
            .arg(-KEPT - 1)
            .ignore();
        pipeline.cmd("PEXPIRE").arg(&key).arg(again).ignore();
        self.link.pipeline(op, &pipeline).await
    }
}

/// Who was told of what.
fn name(member: MemberId, change: Epoch) -> String {
    format!("{}:{}", member.0, change.0)
}
