//! Brings conversations what has no member behind it: words of other conversations, what became of replies that were moved aside, and timers that
//! are due.
//!
//! ```text
//! inbox    read in order, each entry once a tenure   engine: a step of the receiver, whose commit takes it out
//! timers   those that are due, by Redis' clock       engine: a step, whose commit takes the timer out or finds it gone
//! ```
//! Invariants: nothing is taken out here, so a crash brings it again to the next holder; at most [`ROOM`] of each are under way, and only
//! after everything that members have said meanwhile is handed over. A timer is looked for again only once all that were found are done.

use std::sync::Arc;
use std::time::Duration;

use bot_worker_core::{Event, event_of_letter};
use shared_core::{DueTimer, Letter};
use shared_io::redis::{EpochAnswer, InboxPosition, Settles, StateError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tracing::warn;

use crate::engine::{Input, Posted};
use crate::tenure::Tenure;

const ROOM: u32 = 64;
const PAGE: usize = ROOM as usize;
/// Looked at without a hint this often: a predecessor may have left some, and a timer may be due soon that was not to be foreseen.
const POLL: Duration = Duration::from_secs(1);
/// A timer is never waited for more closely than this.
const SOONEST: Duration = Duration::from_millis(20);

/// The epoch is over, or the engine is gone with it.
struct Over;

/// Delivers until the epoch is over.
pub async fn run(tenure: Arc<Tenure>, engine: mpsc::Sender<Input>) {
    let letters = letters(&tenure, &engine);
    let alarms = alarms(&tenure, &engine);
    tokio::join!(letters, alarms);
}

async fn letters(tenure: &Tenure, engine: &mpsc::Sender<Input>) {
    let room = Arc::new(Semaphore::new(PAGE));
    let mut after: Option<InboxPosition> = None;
    loop {
        match tenure.context.state.inbox(after.as_ref(), PAGE).await {
            Ok(page) => {
                let is_last = page.len() < PAGE;
                for (position, told) in page {
                    let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
                        return;
                    };
                    if engine.send(letter(position, told, permit)).await.is_err() {
                        return;
                    }
                    after = Some(position);
                }
                if !is_last {
                    continue;
                }
            }
            Err(error) => warn!(%error, "the inbox could not be read yet"),
        }
        let _ = tokio::time::timeout(POLL, tenure.inbox.notified()).await;
    }
}

fn letter(position: InboxPosition, told: Letter, room: OwnedSemaphorePermit) -> Input {
    let Letter {
        id, to, from, what, ..
    } = told;
    Input::Posted {
        conversation: to,
        posted: Posted {
            event: event_of_letter(from, what),
            id,
            settles: Settles::Inbox(position),
            _room: room,
        },
    }
}

async fn alarms(tenure: &Tenure, engine: &mpsc::Sender<Input>) {
    let room = Arc::new(Semaphore::new(PAGE));
    loop {
        let pause = match ring(tenure, engine, &room).await {
            Ok(Ok(pause)) => pause,
            Ok(Err(Over)) => return,
            Err(error) => {
                warn!(%error, "due timers could not be looked for yet");
                POLL
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Hands over what is due; says how long there is nothing to do.
async fn ring(
    tenure: &Tenure,
    engine: &mpsc::Sender<Input>,
    room: &Arc<Semaphore>,
) -> Result<Result<Duration, Over>, StateError> {
    // All that were found before are done with: none is found twice.
    let Ok(mut all) = Arc::clone(room).acquire_many_owned(ROOM).await else {
        return Ok(Err(Over));
    };
    let context = &tenure.context;
    let due = context
        .state
        .due_timers(tenure.stamp, context.catalog.remind_after, PAGE)
        .await?;
    let EpochAnswer::Done(due) = due else {
        return Ok(Err(Over));
    };
    let found = due.timers.len();
    for timer in due.timers {
        let Some(permit) = all.split(1) else {
            break;
        };
        let input = alarm(timer, timer.event(&context.pool), permit);
        if engine.send(input).await.is_err() {
            return Ok(Err(Over));
        }
    }
    Ok(Ok(match (found, due.next) {
        (PAGE, _) => Duration::ZERO,
        (_, Some(next)) => next.clamp(SOONEST, POLL),
        (_, None) => POLL,
    }))
}

fn alarm(timer: DueTimer, id: shared_core::EventId, room: OwnedSemaphorePermit) -> Input {
    Input::Posted {
        conversation: timer.key.conversation,
        posted: Posted {
            event: Event::Due(timer.key.timer),
            id,
            settles: Settles::Timer(timer),
            _room: room,
        },
    }
}
