//! What can happen to a dialogue.
//!
//! Members' doings come from [`event_of`], the rest is made by the worker: a file arrived in the storage channel or is out of reach,
//! the active bot changed, another conversation tells something, a timer is due. What is not meant for the bot (group talk, edits of messages
//! that were no answer) is no event at all.

use shared_core::{
    BoxId, ConversationKey, Document, Incoming, IncomingKind, MessageId, Place, QueryId, Telling,
    Timer,
};

use crate::Dialogue;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Said(Said),
    /// A message that the dialogue had taken something from was edited.
    Edited {
        r#box: BoxId,
        message: MessageId,
        text: String,
    },
    Pressed {
        query: QueryId,
        r#box: BoxId,
        message: MessageId,
        data: String,
    },
    /// The file with this number is in the storage channel, as this message.
    FileStored {
        file: u32,
        at: MessageId,
    },
    /// Nobody can reach the file any more; the member has to send it again.
    FileLost {
        file: u32,
    },
    /// Another bot answers from here on: where we stand is shown again, with buttons that are alive.
    Resumed,
    /// Telegram refused a reply for good: where we stand is shown again, so that the member is not left waiting.
    Unsaid,
    /// Something that he wrote to this bot while it stood by is too old to be acted on, or too close to his step with another bot.
    NotTaken,
    /// A good moment to invite him to these standbys, usernames without `@`, which he has not started.
    Invited {
        bots: Vec<String>,
    },
    /// Another conversation has something to say to this one, whether anything is open here or not.
    Told {
        from: ConversationKey,
        what: Telling,
    },
    /// A timer of this conversation is due.
    Due(Timer),
}

impl Event {
    /// The member has done something. Only this ends a silence, moves him among the open conversations and outdates what he wrote before; that he is shown
    /// something, whatever the reason, does not, nor that something he did earlier comes to its end: a file may be stored long after he has written elsewhere.
    pub(crate) fn is_activity(&self) -> bool {
        match self {
            Self::Said(_) | Self::Edited { .. } | Self::Pressed { .. } => true,
            Self::FileStored { .. }
            | Self::FileLost { .. }
            | Self::Resumed
            | Self::Unsaid
            | Self::NotTaken
            | Self::Invited { .. }
            | Self::Told { .. }
            | Self::Due(_) => false,
        }
    }

    /// Neither the member nor the bot that he talks to has done anything.
    pub fn is_from_elsewhere(&self) -> bool {
        matches!(self, Self::Told { .. } | Self::Due(_))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub r#box: BoxId,
    pub message: MessageId,
    pub text: String,
    pub document: Option<Document>,
    pub album: Option<i64>,
    /// The member's first name.
    pub name: String,
}

/// What a letter of the pool's inbox is to the conversation that it is for: words of another one, or what became of its own replies and files.
pub fn event_of_letter(from: ConversationKey, what: Telling) -> Event {
    match what {
        Telling::Unsaid => Event::Unsaid,
        Telling::FileLost { file } => Event::FileLost { file },
        what @ Telling::CourseSubmitted { .. } => Event::Told { from, what },
    }
}

/// What the incoming means to this dialogue; `None` when nothing.
///
/// In a group a text counts when it is addressed to a bot of ours, and, in the middle of something, when it is a reply: after a switch
/// the active bot has never seen the prompts of the one before it and cannot know that they were replied to. A command to another
/// bot is no input even as a reply; `step` leaves it alone, because which bots are ours stands in its context.
pub fn event_of(incoming: &Incoming, dialogue: &Dialogue) -> Option<Event> {
    let r#box = incoming.r#box;
    match &incoming.what {
        IncomingKind::Message {
            message,
            text,
            document,
            album,
            reply_to,
            addressed,
        } => {
            let for_us = match incoming.place {
                Place::Private => true,
                Place::Group(_) if dialogue.is_open() => *addressed || reply_to.is_some(),
                Place::Group(_) => *addressed && text.trim_start().starts_with('/'),
            };
            for_us.then(|| {
                Event::Said(Said {
                    r#box,
                    message: *message,
                    text: text.clone(),
                    document: document.clone(),
                    album: *album,
                    name: incoming.name.clone(),
                })
            })
        }
        IncomingKind::Edit { message, text, .. } => {
            dialogue
                .listens_to_edit(r#box, *message)
                .then(|| Event::Edited {
                    r#box,
                    message: *message,
                    text: text.clone(),
                })
        }
        IncomingKind::Press {
            query,
            message,
            data,
        } => Some(Event::Pressed {
            query: *query,
            r#box,
            message: *message,
            data: data.clone(),
        }),
        IncomingKind::Stopped { .. } => None,
    }
}
