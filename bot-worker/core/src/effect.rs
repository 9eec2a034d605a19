//! What a step wants done: a closed list, and how it becomes entries of the outbox.
//!
//! Invariant: an entry's id follows from the update and the effect's place in the list alone, so a replayed update gives the same
//! ids. Answers to presses are not durable: they are given after the commit, and a member who gets none presses again.

use shared_core::{
    BotId, BoxId, ChannelId, ConversationKey, Keyboard, Letter, MessageId, OutboxEntry, OutboxKind,
    PlaceKey, PoolId, Priority, QueryId, Record, SendTarget, Telling, UnixMs, UpdateId, entry_id,
    told_id,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    Say {
        text: String,
        keyboard: Option<Keyboard>,
        to: To,
        priority: Priority,
        /// The member's message that is answered, in groups.
        quote: Option<(BoxId, MessageId)>,
    },
    /// Changes one of our messages in this chat.
    EditHere {
        r#box: BoxId,
        message: MessageId,
        text: String,
        keyboard: Option<Keyboard>,
    },
    /// Copies the member's file into the storage channel.
    StoreFile {
        from: BoxId,
        message: MessageId,
        to: ChannelId,
        file: u32,
    },
    Record(RecordDraft),
    AnswerPress(PressAnswer),
    /// Each of these conversations hears of it once, whatever happens meanwhile.
    Tell {
        to: Vec<ConversationKey>,
        what: Telling,
    },
}

/// Where something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// In the chat of the conversation.
    Here,
    /// As a post in a channel.
    Broadcast(ChannelId),
}

/// A record without what follows from the conversation and the update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordDraft {
    Course {
        title: String,
        description: String,
        category: String,
        tags: Vec<String>,
        /// (name, bytes, message id in the storage channel)
        files: Vec<(String, u64, MessageId)>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PressAnswer {
    pub query: QueryId,
    pub text: Option<String>,
    /// Shown as a box to be closed rather than as a passing line.
    pub alert: bool,
}

/// A step's effects, sorted by what has to be done with them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outbox {
    /// Committed with the state.
    pub entries: Vec<OutboxEntry>,
    /// Committed with the state.
    pub records: Vec<Record>,
    /// Committed with the state.
    pub told: Vec<Letter>,
    /// Given once the commit stands.
    pub answers: Vec<PressAnswer>,
}

/// Gives the effects of one update their ids and addresses.
pub fn outbox_of(
    effects: Vec<Effect>,
    pool: &PoolId,
    key: &ConversationKey,
    update: &UpdateId,
    me: BotId,
    now: UnixMs,
) -> Outbox {
    let mut outbox = Outbox::default();
    for (index, effect) in (0u32..).zip(effects) {
        let id = entry_id(pool, key, update, index);
        let is_of_me = speaks_of_its_bot(&effect);
        let entry = |target, priority, kind| OutboxEntry {
            id,
            conversation: *key,
            target,
            priority,
            since: now,
            by: is_of_me.then_some(me),
            kind,
        };
        match effect {
            Effect::Say {
                text,
                keyboard,
                to,
                priority,
                quote,
            } => {
                let target = match to {
                    To::Here => here(key),
                    To::Broadcast(channel) => SendTarget::Channel(channel),
                };
                let kind = OutboxKind::Say {
                    text,
                    keyboard,
                    reply_to: quote,
                };
                outbox.entries.push(entry(target, priority, kind));
            }
            Effect::EditHere {
                r#box,
                message,
                text,
                keyboard,
            } => {
                let kind = OutboxKind::Edit {
                    r#box,
                    message,
                    text,
                    keyboard,
                };
                outbox
                    .entries
                    .push(entry(here(key), Priority::Answer, kind));
            }
            Effect::StoreFile {
                from,
                message,
                to,
                file,
            } => {
                let kind = OutboxKind::StoreFile {
                    from,
                    message,
                    to,
                    file,
                };
                let target = SendTarget::Channel(to);
                outbox.entries.push(entry(target, Priority::Answer, kind));
            }
            Effect::Record(RecordDraft::Course {
                title,
                description,
                category,
                tags,
                files,
            }) => outbox.records.push(Record::Course {
                id,
                member: key.member,
                conversation: *key,
                title,
                description,
                category,
                tags,
                files,
                submitted: now,
            }),
            Effect::AnswerPress(answer) => outbox.answers.push(answer),
            Effect::Tell { to, what } => {
                let told = to.into_iter().map(|to| Letter {
                    id: told_id(pool, key, update, index, &to),
                    to,
                    from: *key,
                    since: now,
                    what: what.clone(),
                });
                outbox.told.extend(told);
            }
        }
    }
    outbox
}

/// A prompt after a switch names the bot that shows it, an invitation those that would follow it: another bot does not send them.
fn speaks_of_its_bot(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::Say {
            priority: Priority::Reprompt,
            ..
        } | Effect::Say {
            priority: Priority::Announcement,
            to: To::Here,
            ..
        }
    )
}

fn here(key: &ConversationKey) -> SendTarget {
    match key.place {
        PlaceKey::Private => SendTarget::Member(key.member),
        PlaceKey::Group(channel) => SendTarget::Channel(channel),
    }
}
