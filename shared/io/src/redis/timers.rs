//! Timers of conversations: set by a commit, found when they are due, gone with the commit of what they lead to.
//!
//! One sorted set a pool, by when they are due, so that finding those whose time has come costs as much as there are of them. Redis' clock sets
//! them and judges them; a worker's clock has no say. Invariant: a timer leaves or moves only under the epoch, and only as it was
//! seen: one that was set again meanwhile stays.

use std::time::Duration;

use shared_core::{Alarm, DueTimer, EpochStamp, Timer, TimerKey, UnixMs};

use super::epoch::{fenced, stamp_arguments};
use super::error::StateError;
use super::reply::Reply;
use super::scripts;
use super::{EpochAnswer, PoolState};

/// Timers whose time has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DueTimers {
    /// The longest due first.
    pub timers: Vec<DueTimer>,
    /// Until the next one; `None` when there is none.
    pub next: Option<Duration>,
}

impl PoolState {
    /// At most `limit` of those that are due. What no program knows is reported and put out of the way.
    pub async fn due_timers(
        &self,
        stamp: EpochStamp,
        limit: usize,
    ) -> Result<DueTimers, StateError> {
        let op = self.op("look for", &"due timers");
        let mut script = scripts::DUE_TIMERS.prepare_invoke();
        script.key(&self.keys.timers).arg(limit);
        let mut reply: Reply = self.link.script(op, &script).await?;
        let found: Vec<(String, String)> = reply.take(op)?;
        let wait: String = reply.take(op)?;
        let mut timers = Vec::with_capacity(found.len());
        for (name, due) in found {
            match (name.parse::<TimerKey>(), due.parse()) {
                (Ok(key), Ok(due)) => timers.push(DueTimer {
                    key,
                    due: UnixMs(due),
                }),
                _ => {
                    tracing::error!(pool = %self.keys.pool, "a timer that this program does not know was forgotten");
                    let _ = self.put_off(stamp, &name, &due, None).await?;
                }
            }
        }
        let next = wait.parse().ok().map(Duration::from_millis);
        Ok(DueTimers { timers, next })
    }

    /// Its conversation cannot take it in for now: it is due again after `delay`.
    pub async fn put_off_timer(
        &self,
        stamp: EpochStamp,
        timer: &DueTimer,
        delay: Duration,
    ) -> Result<EpochAnswer<()>, StateError> {
        let (name, due) = (timer.key.to_string(), timer.due.to_string());
        self.put_off(stamp, &name, &due, Some(delay)).await
    }

    async fn put_off(
        &self,
        stamp: EpochStamp,
        name: &str,
        due: &str,
        delay: Option<Duration>,
    ) -> Result<EpochAnswer<()>, StateError> {
        let op = self.op("put off", &"a timer");
        let delay = delay.map(|delay| delay.as_millis().to_string());
        let mut script = scripts::PUT_OFF_TIMER.prepare_invoke();
        script
            .key(&self.keys.epoch)
            .key(&self.keys.timers)
            .arg(&stamp_arguments(stamp))
            .arg(name)
            .arg(due)
            .arg(delay.unwrap_or_default());
        let reply: Reply = self.link.script(op, &script).await?;
        match reply.word.as_str() {
            "done" => Ok(EpochAnswer::Done(())),
            _ => fenced(op, reply),
        }
    }

    /// Timers that are set.
    pub async fn timer_count(&self) -> Result<u64, StateError> {
        let op = self.op("count", &"the timers");
        let mut command = ::redis::cmd("ZCARD");
        command.arg(&self.keys.timers);
        self.link.query(op, &command).await
    }
}

/// A change's timer, and its delay in milliseconds, or nothing.
pub(super) fn words(alarm: &Alarm) -> (Timer, String) {
    match alarm {
        Alarm::Set(timer, after) => (*timer, after.as_millis().to_string()),
        Alarm::Clear(timer) => (*timer, String::new()),
    }
}
