//! Timers of conversations: made when they are due, gone with the commit of what they lead to.
//!
//! ```text
//! us:{P}:open       conversation -> last activity    every commit of what the member did moves him
//! us:{P}:reminded   a moment of that                 up to it whoever is silent has his timer, or has had it
//! us:{P}:timers     timer -> when it is due          made by `due_timers` once it is due, taken out by a commit
//! ```
//! That a member is to be reminded follows from when he was last active, so nothing is written about it before it is due: a member who goes on
//! costs no timer. When he does something or ends what is open, that commit takes a timer out that was made meanwhile.
//! Redis' clock judges what is due. When it is due follows from what is stored: found again by a Redis that has lost its last writes, it is the
//! same timer, and its event has the same id.
//! Invariants: a timer comes, leaves or moves only under the epoch, and leaves only as it was seen; the mark only goes on while
//! members are reminded, and what a member does puts him past it whatever his worker's clock says, so each silence is found once.

use std::time::Duration;

use shared_core::{ConversationKey, DueTimer, EpochStamp, Timer, TimerKey, UnixMs};

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
    /// At most `limit` of those that are due (one at least), after whoever has been silent for `remind_after` was given his. `None`: nobody is reminded.
    /// What no program knows is reported and put out of the way.
    pub async fn due_timers(
        &self,
        stamp: EpochStamp,
        remind_after: Option<Duration>,
        limit: usize,
    ) -> Result<EpochAnswer<DueTimers>, StateError> {
        let op = self.op("look for", &"due timers");
        let silence = remind_after.map(|silence| silence.as_millis().to_string());
        let mut script = scripts::DUE_TIMERS.prepare_invoke();
        script
            .key(&self.keys.epoch)
            .key(&self.keys.open)
            .key(&self.keys.reminded)
            .key(&self.keys.timers)
            .arg(&stamp_arguments(stamp))
            .arg(limit.max(1))
            .arg(Timer::Reminder.as_str())
            .arg(silence.unwrap_or_default());
        let mut reply: Reply = self.link.script(op, &script).await?;
        if reply.word != "due" {
            return fenced(op, reply);
        }
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
        Ok(EpochAnswer::Done(DueTimers { timers, next }))
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

    /// Timers that are there: due, and not settled yet.
    pub async fn timer_count(&self) -> Result<u64, StateError> {
        let op = self.op("count", &"the timers");
        let mut command = ::redis::cmd("ZCARD");
        command.arg(&self.keys.timers);
        self.link.query(op, &command).await
    }
}

/// All timers that a conversation may have.
pub(super) fn names(conversation: &ConversationKey) -> Vec<String> {
    let keys = Timer::ALL.iter().map(|timer| TimerKey {
        conversation: *conversation,
        timer: *timer,
    });
    keys.map(|key| key.to_string()).collect()
}
