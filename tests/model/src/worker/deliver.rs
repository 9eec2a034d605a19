//! `sender/deliver.rs`: one outbox entry, one attempt: what is asked of Telegram, and what its answer means for the entry.

use std::rc::Rc;

use bot_worker_core::Event;
use shared_core::{
    BoxId, ErrorClass, EventId, Keyboard, MemberId, OutboxEntry, OutboxKind, PlaceKey, Priority,
    SendTarget, Told, random_id,
};

use super::calls::push;
use super::tenure::Tenure;
use crate::bug::Bug;
use crate::telegram::{Drawn, Refused, Say, buttons_of};

/// What became of an attempt.
#[derive(Debug, Clone)]
pub enum Outcome {
    Sent(Option<Told>),
    NotNeeded,
    Event { event: Event, id: EventId },
    Park(MemberId),
    Refused,
    Never,
    CopyAgain,
    Failed(ErrorClass),
}

pub async fn deliver(tenure: &Rc<Tenure>, entry: &OutboxEntry, attempt: u32) -> Outcome {
    match &entry.kind {
        OutboxKind::Say { keyboard, .. } => say(tenure, entry, keyboard.as_ref(), attempt).await,
        OutboxKind::Edit {
            r#box,
            message,
            keyboard,
            ..
        } => {
            let is_ours = match r#box {
                BoxId::Private(bot) => *bot == tenure.bot.id(),
                BoxId::Channel(_) => true,
            };
            if !is_ours {
                return say_anew(tenure, entry, keyboard.as_ref()).await;
            }
            let drawn = Drawn {
                conversation: entry.conversation,
                message: (entry.target, *message),
                print: entry.print(),
                buttons: buttons_of(keyboard.as_ref()),
            };
            let edited = tenure
                .calls
                .call(move |telegram, _, bot, _| telegram.edit(bot, drawn));
            match edited.await {
                Ok(()) => Outcome::Sent(None),
                Err(Refused(ErrorClass::Unreachable)) => {
                    say_anew(tenure, entry, keyboard.as_ref()).await
                }
                Err(error) => refused(tenure, entry, error),
            }
        }
        OutboxKind::StoreFile { from, file, .. } => {
            store(tenure, entry, *from, *file, attempt).await
        }
    }
}

/// What it offered is said anew; what merely closed it is of no use.
async fn say_anew(
    tenure: &Rc<Tenure>,
    entry: &OutboxEntry,
    keyboard: Option<&Keyboard>,
) -> Outcome {
    match keyboard {
        Some(_) => say(tenure, entry, keyboard, 0).await,
        None => Outcome::NotNeeded,
    }
}

async fn say(
    tenure: &Rc<Tenure>,
    entry: &OutboxEntry,
    keyboard: Option<&Keyboard>,
    attempt: u32,
) -> Outcome {
    let sim = &tenure.calls.ctx.sim;
    let id = match sim.has(Bug::RandomIdPerTry) {
        true => i64::from_be_bytes(sim.nonce().0),
        false => random_id(entry.id, tenure.bot.id(), attempt),
    };
    let Some(print) = entry.print() else {
        return Outcome::NotNeeded;
    };
    let say = Say {
        target: entry.target,
        print,
        conversation: entry.conversation,
        buttons: buttons_of(keyboard),
        random_id: id,
        entry: Some(entry.id),
        by: entry.by,
    };
    let line = tenure.calls.line.id;
    let sent = tenure.calls.call(move |telegram, ghost, bot, sim| {
        let (message, update) = telegram.say(ghost, bot, line, &say, sim.unix())?;
        if let Some(update) = update {
            sim.at(sim.now(), move |sim| push(sim, &update));
        }
        Ok(message)
    });
    match sent.await {
        Ok(message) => Outcome::Sent(Some(Told::Message(entry.target, message))),
        Err(Refused(ErrorClass::SentAlready)) => {
            Outcome::Sent(Some(Told::Somehow(entry.target, print)))
        }
        Err(error) => refused(tenure, entry, error),
    }
}

/// A file in another bot's private chat: nobody can reach it.
pub fn out_of_reach(tenure: &Tenure, entry: &OutboxEntry) -> Option<(Event, EventId)> {
    match entry.kind {
        OutboxKind::StoreFile {
            from: BoxId::Private(bot),
            file,
            ..
        } if bot != tenure.bot.id() => Some((Event::FileLost { file }, outcome_id(entry, 0))),
        _ => None,
    }
}

async fn store(
    tenure: &Rc<Tenure>,
    entry: &OutboxEntry,
    _from: BoxId,
    file: u32,
    attempt: u32,
) -> Outcome {
    let (line, id) = (
        tenure.calls.line.id,
        random_id(entry.id, tenure.bot.id(), attempt),
    );
    let copied = tenure
        .calls
        .call(move |telegram, _, bot, _| telegram.copy(bot, line, id));
    match copied.await {
        Ok(at) => Outcome::Event {
            event: Event::FileStored { file, at },
            id: outcome_id(entry, 1),
        },
        Err(Refused(ErrorClass::SentAlready)) => Outcome::CopyAgain,
        Err(Refused(class)) if class.is_fatal() || class.is_retryable() => Outcome::Failed(class),
        Err(_) => Outcome::Event {
            event: Event::FileLost { file },
            id: outcome_id(entry, 0),
        },
    }
}

/// One per entry and kind of outcome.
fn outcome_id(entry: &OutboxEntry, kind: u8) -> EventId {
    let mut id = entry.id.0;
    id[15] ^= kind;
    EventId(id)
}

fn refused(tenure: &Tenure, entry: &OutboxEntry, error: Refused) -> Outcome {
    match error.0 {
        ErrorClass::Recipient => match (entry.target, entry.conversation.place) {
            (SendTarget::Member(_), PlaceKey::Private)
                if entry.priority == Priority::Announcement =>
            {
                tenure.calls.ctx.sim.ghost.borrow_mut().needless(entry.id);
                Outcome::NotNeeded
            }
            (SendTarget::Member(member), PlaceKey::Private) => Outcome::Park(member),
            _ => Outcome::Refused,
        },
        ErrorClass::Other
        | ErrorClass::NotModified
        | ErrorClass::PressExpired
        | ErrorClass::Unreachable => Outcome::Never,
        class => Outcome::Failed(class),
    }
}
