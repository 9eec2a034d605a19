//! One outbox entry, one attempt: what is asked of Telegram, and what its answer means for the entry.

use bot_worker_core::Event;
use bot_worker_core::refused::outcome_id;
use shared_core::{
    BoxId, ChannelId, ErrorClass, EventId, Keyboard, MemberId, MessageId, OutboxEntry, OutboxKind,
    PlaceKey, Priority, SendTarget, Told, random_id,
};
use shared_io::telegram::{CallError, Say, Source};

use crate::announce;
use crate::tenure::Tenure;

/// What became of an attempt.
pub enum Outcome {
    /// With the word of the message that it became, where it became one.
    Sent(Option<Told>),
    /// There is nothing to do any more (an edit that changes nothing).
    NotNeeded,
    /// The conversation has to hear of it; the entry is settled with that commit.
    Event {
        event: Event,
        id: EventId,
    },
    Park(MemberId),
    /// The group or channel does not take it for now; whoever waits in it is told once it has taken nothing for a while (`aside`).
    Refused(CallError),
    /// Telegram refuses it for good, for this reason.
    Never(String),
    /// A copy was made and its message id is unknown: another copy, under another random id, does no harm.
    CopyAgain,
    Failed(CallError),
}

pub async fn deliver(tenure: &Tenure, entry: &OutboxEntry, attempt: u32) -> Outcome {
    match &entry.kind {
        OutboxKind::Say {
            text,
            keyboard,
            reply_to,
        } => {
            let quote =
                reply_to.and_then(|(r#box, message)| quotable(tenure, entry, r#box, message));
            match announce::is_announcement(entry) {
                Some(channel) => announced(tenure, entry, channel, text, keyboard.as_ref()).await,
                None => say(tenure, entry, text, keyboard.as_ref(), quote).await,
            }
        }
        OutboxKind::Edit {
            r#box,
            message,
            text,
            keyboard,
        } => {
            if !is_ours(tenure, *r#box) {
                return say_anew(tenure, entry, text, keyboard.as_ref()).await;
            }
            let edited = tenure
                .calls
                .edit(entry.target, *message, text, keyboard.as_ref())
                .await;
            match edited {
                Ok(()) => Outcome::Sent(None),
                Err(error) if error.class == ErrorClass::NotModified => Outcome::NotNeeded,
                // Deleted by its reader, or another bot's in a group.
                Err(error) if error.class == ErrorClass::Unreachable => {
                    say_anew(tenure, entry, text, keyboard.as_ref()).await
                }
                Err(error) => refused(entry, error),
            }
        }
        OutboxKind::StoreFile {
            from,
            message,
            to,
            file,
        } => store(tenure, entry, *from, *message, *to, *file, attempt).await,
    }
}

/// The switch's announcement takes the place of those before it, and is noted so that it can be taken away in its turn.
async fn announced(
    tenure: &Tenure,
    entry: &OutboxEntry,
    channel: ChannelId,
    text: &str,
    keyboard: Option<&Keyboard>,
) -> Outcome {
    announce::clear_the_way(tenure, channel).await;
    let say = Say {
        text,
        keyboard,
        reply_to: None,
        random_id: random_id(entry.id, tenure.context.lease.bot, 0),
        silent: false,
    };
    match tenure.calls.say(entry.target, &say).await {
        Ok(message) => {
            if let Some(message) = message {
                announce::note(tenure, channel, message).await;
            }
            sent(entry, message)
        }
        Err(error) if error.class == ErrorClass::SentAlready => sent(entry, None),
        Err(error) => refused(entry, error),
    }
}

/// A message that cannot be edited: what it offered is said anew; what merely closed it is of no use without it.
async fn say_anew(
    tenure: &Tenure,
    entry: &OutboxEntry,
    text: &str,
    keyboard: Option<&Keyboard>,
) -> Outcome {
    match keyboard {
        Some(_) => say(tenure, entry, text, keyboard, None).await,
        None => Outcome::NotNeeded,
    }
}

/// A file in another bot's private chat: nobody can reach it, and its conversation has to hear of that.
pub fn out_of_reach(tenure: &Tenure, entry: &OutboxEntry) -> Option<(Event, EventId)> {
    match entry.kind {
        OutboxKind::StoreFile {
            from: BoxId::Private(bot),
            file,
            ..
        } if bot != tenure.context.lease.bot => {
            Some((Event::FileLost { file }, outcome_id(entry, 0)))
        }
        _ => None,
    }
}

async fn say(
    tenure: &Tenure,
    entry: &OutboxEntry,
    text: &str,
    keyboard: Option<&Keyboard>,
    reply_to: Option<MessageId>,
) -> Outcome {
    let say = Say {
        text,
        keyboard,
        reply_to,
        random_id: random_id(entry.id, tenure.context.lease.bot, 0),
        silent: false,
    };
    match tenure.calls.say(entry.target, &say).await {
        Ok(message) => sent(entry, message),
        Err(error) if error.class == ErrorClass::SentAlready => sent(entry, None),
        // The quoted message is gone: say it without.
        Err(error) if error.class == ErrorClass::Unreachable && reply_to.is_some() => {
            let plain = Say {
                reply_to: None,
                ..say
            };
            match tenure.calls.say(entry.target, &plain).await {
                Ok(message) => sent(entry, message),
                Err(error) if error.class == ErrorClass::SentAlready => sent(entry, None),
                Err(error) => refused(entry, error),
            }
        }
        Err(error) => refused(entry, error),
    }
}

fn sent(entry: &OutboxEntry, message: Option<MessageId>) -> Outcome {
    let chat = entry.target;
    let told = match message {
        Some(message) => Some(Told::Message(chat, message)),
        None => entry.print().map(|print| Told::Somehow(chat, print)),
    };
    Outcome::Sent(told)
}

#[allow(clippy::too_many_arguments)] // One call's worth of fields, taken apart by the caller's match.
async fn store(
    tenure: &Tenure,
    entry: &OutboxEntry,
    from: BoxId,
    message: MessageId,
    to: ChannelId,
    file: u32,
    attempt: u32,
) -> Outcome {
    let lost = || Outcome::Event {
        event: Event::FileLost { file },
        id: outcome_id(entry, 0),
    };
    let source = match from {
        BoxId::Private(_) => Source::Private(entry.conversation.member),
        BoxId::Channel(channel) => Source::Channel(channel),
    };
    let id = random_id(entry.id, tenure.context.lease.bot, attempt);
    match tenure.calls.copy_message(source, message, to, id).await {
        Ok(at) => Outcome::Event {
            event: Event::FileStored { file, at },
            id: outcome_id(entry, 1),
        },
        Err(error) => match error.class {
            ErrorClass::SentAlready => Outcome::CopyAgain,
            class if class.is_fatal() || class.is_retryable() => Outcome::Failed(error),
            // The storage channel is the trouble: files of others would fare no better.
            ErrorClass::Recipient | ErrorClass::Ours if is_about_storage(&error) => {
                Outcome::Refused(error)
            }
            // This file cannot be copied: its member is asked for it again, nobody else waits for it.
            _ => lost(),
        },
    }
}

fn is_about_storage(error: &CallError) -> bool {
    error.class == ErrorClass::Ours
        || matches!(
            error.name.as_str(),
            "CHAT_WRITE_FORBIDDEN" | "CHAT_ADMIN_REQUIRED"
        )
}

fn refused(entry: &OutboxEntry, error: CallError) -> Outcome {
    match error.class {
        ErrorClass::Recipient => match (entry.target, entry.conversation.place) {
            // Nobody waits for it: who comes back to the bot is shown where he stands, and news is old by then.
            (SendTarget::Member(member), PlaceKey::Private)
                if entry.priority == Priority::Announcement =>
            {
                tracing::debug!(entry = %entry.id, %member, "not said: its reader has not started this bot");
                Outcome::NotNeeded
            }
            (SendTarget::Member(member), PlaceKey::Private) => Outcome::Park(member),
            _ => Outcome::Refused(error),
        },
        ErrorClass::Other | ErrorClass::NotModified | ErrorClass::PressExpired => {
            Outcome::Never(format!("Telegram refuses it: {}", error.name))
        }
        ErrorClass::Unreachable => Outcome::Never(format!("its message is gone: {}", error.name)),
        _ => Outcome::Failed(error),
    }
}

/// Only our own messages can be edited: those of this bot's private box. In a group the box does not tell whose it is; Telegram does.
fn is_ours(tenure: &Tenure, r#box: BoxId) -> bool {
    match r#box {
        BoxId::Private(bot) => bot == tenure.context.lease.bot,
        BoxId::Channel(_) => true,
    }
}

/// A message can be quoted where it can be seen: in its own group, or in this bot's private chat.
fn quotable(
    tenure: &Tenure,
    entry: &OutboxEntry,
    r#box: BoxId,
    message: MessageId,
) -> Option<MessageId> {
    let visible = match (r#box, entry.target) {
        (BoxId::Private(bot), SendTarget::Member(_)) => bot == tenure.context.lease.bot,
        (BoxId::Channel(channel), SendTarget::Channel(target)) => channel == target,
        _ => false,
    };
    visible.then_some(message)
}
