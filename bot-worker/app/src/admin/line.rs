//! Saying, editing and answering presses over whichever line the bot has, past the outbox.
//!
//! A line may end at any moment and the next one comes with another session: what can be repeated without harm is tried again until its
//! deadline, and composed again each time, so that what is shown late is not old. Sending bears a random id that follows from what is
//! answered, so a repetition is not shown twice. While Telegram says to wait, nothing is tried.

use std::sync::Mutex;
use std::time::Duration;

use bot_worker_core::admin::Screen;
use shared_core::{ErrorClass, MemberId, MessageId, QueryId, SendTarget};
use shared_io::telegram::{CallError, Calls, Say};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tracing::debug;

use crate::status::lock;

/// Between two attempts when Telegram does not say how long to wait.
const AGAIN: Duration = Duration::from_millis(300);

/// Makes what is to be shown, as it is at that moment.
pub type Compose<'a> = &'a (dyn Fn() -> Screen + Send + Sync);

/// What became of something that was to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Shown {
    Yes,
    /// Not in time; later it may be.
    NotInTime,
    /// Telegram does not want it, whoever asks.
    Never,
}

pub struct Wire {
    line: watch::Sender<Option<Calls>>,
    /// Telegram has said to wait until then.
    rests: Mutex<Option<Instant>>,
}

impl Default for Wire {
    fn default() -> Self {
        Self {
            line: watch::Sender::new(None),
            rests: Mutex::new(None),
        }
    }
}

impl Wire {
    pub fn connected(&self, calls: &Calls) {
        self.line.send_replace(Some(calls.clone()));
    }

    pub async fn say(
        &self,
        to: MemberId,
        what: Compose<'_>,
        random_id: i64,
        until: Instant,
    ) -> Shown {
        self.attempt(to, what, How::Say { random_id }, until).await
    }

    pub async fn edit(
        &self,
        of: MemberId,
        message: MessageId,
        what: Compose<'_>,
        until: Instant,
    ) -> Shown {
        self.attempt(of, what, How::Edit { message }, until).await
    }

    /// Once: a press that is not answered is pressed again. `alert` is a window that has to be closed.
    pub async fn answer_press(&self, query: QueryId, text: Option<&str>, alert: bool) {
        let calls = self.line.borrow().clone();
        let Some(calls) = calls else { return };
        if let Err(error) = calls.answer_press(query, text, alert).await {
            debug!(%error, "an admin's press was not answered");
        }
    }

    async fn attempt(&self, to: MemberId, what: Compose<'_>, how: How, until: Instant) -> Shown {
        let mut line = self.line.subscribe();
        let mut again = Instant::now();
        loop {
            let rests = *lock(&self.rests);
            again = rests.map_or(again, |rests| again.max(rests));
            let calls = line.borrow_and_update().clone();
            if let Some(calls) = calls.filter(|_| again <= Instant::now()) {
                match timeout_at(until, how.show(&calls, to, &what())).await {
                    Err(_) => return Shown::NotInTime,
                    Ok(Ok(())) => return Shown::Yes,
                    Ok(Err(error)) => match self.pause_after(&error) {
                        Some(pause) => again = Instant::now() + pause,
                        None => return Shown::Never,
                    },
                }
            } else if again <= Instant::now() {
                again = until;
            }
            if until <= Instant::now() {
                return Shown::NotInTime;
            }
            // Another line is tried at once.
            match timeout_at(until.min(again), line.changed()).await {
                Ok(Err(_)) => return Shown::NotInTime,
                Ok(Ok(())) => again = Instant::now(),
                Err(_) => {}
            }
        }
    }

    /// `None` when trying again would be of no use on any line. A session that died is followed by another one.
    fn pause_after(&self, error: &CallError) -> Option<Duration> {
        debug!(%error, "an admin's message did not get through");
        match error.class {
            ErrorClass::Wait(seconds) => {
                let pause = Duration::from_secs(seconds.into());
                *lock(&self.rests) = Some(Instant::now() + pause);
                Some(pause)
            }
            class if class.is_retryable() || class.is_fatal() => Some(AGAIN),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum How {
    Say { random_id: i64 },
    Edit { message: MessageId },
}

impl How {
    async fn show(self, calls: &Calls, to: MemberId, screen: &Screen) -> Result<(), CallError> {
        let target = SendTarget::Member(to);
        let keyboard = screen.keyboard.as_ref();
        let shown = match self {
            Self::Say { random_id } => {
                let say = Say {
                    text: &screen.text,
                    keyboard,
                    reply_to: None,
                    random_id,
                    silent: false,
                };
                calls.say(target, &say).await.map(drop)
            }
            Self::Edit { message } => calls.edit(target, message, &screen.text, keyboard).await,
        };
        match shown {
            Err(error) if stands_already(error.class) => Ok(()),
            other => other,
        }
    }
}

fn stands_already(class: ErrorClass) -> bool {
    matches!(class, ErrorClass::SentAlready | ErrorClass::NotModified)
}
