//! What follows from what Telegram said of a send; the table is the parent's.
//!
//! Invariant: each entry that comes back is settled, held for its chat, handed on, or moved aside: none is dropped.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bot_worker_core::Event;
use shared_core::{ErrorClass, MilestoneKind, OutboxEntry, SendTarget, Told};
use shared_io::clock;
use shared_io::redis::OutboxPosition;
use shared_io::telegram::CallError;
use tracing::{info, warn};

use super::deliver::Outcome;
use super::{REFUSED_AGAIN, Sender, Sent};
use crate::engine::Input;

/// Whether the sender goes on.
pub(super) enum After {
    GoOn,
    Over,
    Fatal(CallError),
}

impl Sender {
    pub(super) async fn finish(&mut self, sent: Sent) -> After {
        let Sent {
            position,
            entry,
            outcome,
        } = sent;
        let target = entry.target;
        self.leaving.remove(&position);
        match outcome {
            Outcome::Sent(told) => {
                self.pacer.taken();
                self.shut.takes(target);
                self.first_reply();
                self.done(position, &entry, told);
            }
            Outcome::NotNeeded => self.done(position, &entry, None),
            Outcome::Event { event, id } => {
                self.queue.finish(target);
                self.tries.remove(&entry.id);
                if matches!(event, Event::FileStored { .. }) {
                    self.shut.takes(target);
                }
                let settles = Some(position);
                let input = Input::Internal {
                    conversation: entry.conversation,
                    event,
                    id,
                    settles,
                };
                if self.engine.send(input).await.is_err() {
                    return After::Over;
                }
            }
            Outcome::Park(member) => return self.park(position, entry, member).await,
            Outcome::Refused(error) => {
                if self.shut.refuses(target, clock::boot_now()) {
                    let why = format!("the chat cannot be written to: {}", error.name);
                    return self.refuse(position, entry, why).await;
                }
                warn!(target = ?entry.target, %error, "a chat cannot be written to; tried again");
                self.hold(target, REFUSED_AGAIN);
                self.queue.put_back(position, entry);
            }
            Outcome::Never(why) => return self.refuse(position, entry, why).await,
            Outcome::CopyAgain => {
                self.tries.entry(entry.id).or_default().copies += 1;
                self.queue.put_back(position, entry);
            }
            Outcome::Failed(error) if error.class.is_fatal() => {
                self.tenure.context.status.error(error.class, &error.name);
                return After::Fatal(error);
            }
            Outcome::Failed(error) => self.again(position, entry, &error),
        }
        After::GoOn
    }

    fn done(&mut self, position: OutboxPosition, entry: &OutboxEntry, told: Option<Told>) {
        self.queue.finish(entry.target);
        self.tries.remove(&entry.id);
        self.doubt.note(told);
        self.tenure.is_sent(position, told);
        if let SendTarget::Member(member) = entry.target {
            // He can be written to after all: he pressed Start while one of his replies was being parked.
            self.tenure.unpark_soon(member);
        }
    }

    fn again(&mut self, position: OutboxPosition, entry: OutboxEntry, error: &CallError) {
        self.tenure.context.status.error(error.class, &error.name);
        let tries = self.tries.entry(entry.id).or_default();
        tries.failures += 1;
        match error.class {
            ErrorClass::Wait(seconds) => {
                info!(target = ?entry.target, seconds, "told to wait");
                let wait = Duration::from_secs(seconds.into());
                let now = clock::boot_now();
                self.pacer.told_to_wait(entry.target, wait, now);
            }
            class => {
                let pause = Duration::from_millis(200 * u64::from(tries.failures.min(10)));
                match is_unknown(class) {
                    true => {
                        tries.unknown = true;
                        self.hear_first(entry.target, pause);
                    }
                    false => self.hold(entry.target, pause),
                }
            }
        }
        self.queue.put_back(position, entry);
    }

    pub(super) fn hold(&mut self, target: SendTarget, pause: Duration) {
        self.pacer.hold(target, clock::boot_now().plus(pause));
    }

    fn first_reply(&self) {
        if !self.replied.swap(true, Ordering::Relaxed) {
            let tenure = Arc::clone(&self.tenure);
            tokio::spawn(async move { tenure.milestone(MilestoneKind::FirstReply).await });
        }
    }
}

/// May Telegram have done it all the same? Its own trouble may strike after a message was taken, too.
pub(super) fn is_unknown(class: ErrorClass) -> bool {
    matches!(class, ErrorClass::Network | ErrorClass::Server)
}
