//! Saying, editing and answering presses over whichever line the bot has, past the outbox.
//!
//! A line may end at any moment and the next one comes with another session: what can be repeated without harm is tried again until its
//! deadline. Sending bears a random id that follows from what is answered, so a repetition is not shown twice.

use std::time::Duration;

use bot_worker_core::admin::Screen;
use shared_core::{ErrorClass, MemberId, MessageId, QueryId, SendTarget};
use shared_io::telegram::{CallError, Calls, Say};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tracing::debug;

/// Between two attempts when Telegram does not say how long to wait.
const AGAIN: Duration = Duration::from_millis(300);

pub struct Wire {
    line: watch::Sender<Option<Calls>>,
}

impl Default for Wire {
    fn default() -> Self {
        Self {
            line: watch::Sender::new(None),
        }
    }
}

impl Wire {
    pub fn connected(&self, calls: &Calls) {
        self.line.send_replace(Some(calls.clone()));
    }

    /// Whether it was said in time.
    pub async fn say(&self, to: MemberId, screen: &Screen, random_id: i64, until: Instant) -> bool {
        let how = How::Say { random_id };
        self.attempt(to, screen, how, until).await
    }

    /// Did it come to look so?
    pub async fn edit(
        &self,
        of: MemberId,
        message: MessageId,
        screen: &Screen,
        until: Instant,
    ) -> bool {
        let how = How::Edit { message };
        self.attempt(of, screen, how, until).await
    }

    /// Once: a press that is not answered is pressed again. `alert` is a window that has to be closed.
    pub async fn answer_press(&self, query: QueryId, text: Option<&str>, alert: bool) {
        let calls = self.line.borrow().clone();
        let Some(calls) = calls else { return };
        if let Err(error) = calls.answer_press(query, text, alert).await {
            debug!(%error, "an admin's press was not answered");
        }
    }

    async fn attempt(&self, to: MemberId, screen: &Screen, how: How, until: Instant) -> bool {
        let mut line = self.line.subscribe();
        loop {
            let calls = line.borrow_and_update().clone();
            let pause = match calls {
                None => None,
                Some(calls) => match timeout_at(until, how.show(&calls, to, screen)).await {
                    Err(_) => return false,
                    Ok(Ok(())) => return true,
                    Ok(Err(error)) => match pause_after(&error) {
                        Some(pause) => Some(pause),
                        None => return false,
                    },
                },
            };
            let until_again = pause.map_or(until, |pause| until.min(Instant::now() + pause));
            // Another line is tried at once.
            if let Ok(Err(_)) = timeout_at(until_again, line.changed()).await {
                return false;
            }
            if Instant::now() >= until {
                return false;
            }
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

/// `None` when trying again would be of no use on any line. A session that died is followed by another one.
fn pause_after(error: &CallError) -> Option<Duration> {
    debug!(%error, "an admin's message did not get through");
    match error.class {
        ErrorClass::Wait(seconds) => Some(Duration::from_secs(seconds.into())),
        class if class.is_retryable() || class.is_fatal() => Some(AGAIN),
        _ => None,
    }
}
