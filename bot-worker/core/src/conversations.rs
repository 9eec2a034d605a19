//! The conversations. Commands are one function each; a conversation that lasts is a state machine behind [`Conversation`].
//!
//! # How to add one
//! 1. Write `conversations/<name>.rs`: a `struct` with all that it has to remember (serde, short field names: there is one per
//!    member) and `impl Conversation` for it. `take` is the whole machine: state and input in, state and reply out.
//! 2. Add a variant to [`Flow`], and its line to each `match` of `impl Flow`; the compiler names them.
//! 3. Add its command to `command.rs` and `run`, its texts to `texts/line.rs` and `texts/*.toml`.
//! 4. Add a table of inputs and expected texts to `tests/`.
//!
//! What it gets for free, because it happens around it (`step.rs`, `turn.rs`): it is stored and committed with duplicate protection;
//! it goes on with another bot after a switch, with its prompt shown again; its buttons die with their prompt and work for
//! its own member only; in groups the member is addressed and quoted; `/cancel` and `/resume` work; who falls silent in the middle of it is
//! reminded once.
//!
//! What concerns another conversation is an `Effect::Tell`: a variant of `shared_core::Telling`, and what its receiver makes of it in
//! [`told`]. It is committed with the step and arrives once. What is to happen later without the member is set by nobody: the reminder follows from
//! when he was last active. Another kind of timer is a variant of `shared_core::Timer`, what comes of it in `step.rs`, and a rule for when it
//! is due where those that are due are looked for (`shared-io`, `redis/timers.rs`).
//!
//! Invariant: nothing in here reads a clock, draws a number, or knows which bot it runs on.

mod cancel;
mod help;
mod resume;
mod start;
pub(crate) mod upload;

use serde::{Deserialize, Serialize};
use shared_core::{BoxId, ConversationKey, Document, MessageAt, MessageId, Telling};

use crate::command::Command;
use crate::dialogue::following;
use crate::turn::Turn;
use crate::{Context, Effect};
use upload::Upload;

/// A message's identity.
pub(crate) type MessageRef = (BoxId, MessageId);

/// A conversation that lasts longer than one answer.
pub(crate) trait Conversation: Sized {
    /// Stands in its buttons' data; at most 4 characters, and no two conversations have the same.
    const TAG: &'static str;

    /// The first state.
    fn open() -> Self;

    /// Takes an input in.
    fn take(self, input: Input<'_>, desk: &mut Desk<'_>) -> Reaction<Self>;

    /// What the member is asked in this state.
    fn prompt(&self, ctx: &Context<'_>) -> Prompt;

    /// What he has said so far, a line each.
    fn so_far(&self, ctx: &Context<'_>) -> Vec<String>;

    /// Whether an edit of this message is an input.
    fn listens_to_edit(&self, message: MessageRef) -> bool;

    /// Goes over every message that it remembers.
    fn each_message(&mut self, visit: &mut dyn FnMut(&mut MessageAt));
}

/// What a conversation is told.
pub(crate) enum Input<'a> {
    Said {
        message: MessageRef,
        text: &'a str,
        document: Option<&'a Document>,
        album: Option<i64>,
    },
    Edited {
        message: MessageRef,
        text: &'a str,
    },
    /// A live button of the latest prompt, by its own member.
    Chose(&'a str),
    FileStored {
        file: u32,
        at: MessageId,
    },
    FileLost {
        file: u32,
    },
}

/// What a conversation may use besides its state.
pub(crate) struct Desk<'a> {
    pub ctx: &'a Context<'a>,
    /// The dialogue's count of files; see `Dialogue::files`.
    pub files: &'a mut u32,
}

impl Desk<'_> {
    /// A number that no file of this dialogue has had.
    pub fn number_file(&mut self) -> u32 {
        *self.files = following(*self.files, self.ctx.now);
        *self.files
    }
}

/// What the member is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prompt {
    /// First line, the step's name in it.
    pub heading: String,
    /// What has been said so far; left out where it was just said.
    pub card: Vec<String>,
    /// The question.
    pub text: String,
    /// Rows of (label, choice).
    pub buttons: Vec<Vec<(String, String)>>,
}

/// What comes of an input.
pub(crate) struct Reaction<S> {
    /// `None` ends the conversation.
    pub state: Option<S>,
    pub reply: Reply,
    /// What has to be done besides; at most three.
    pub also: Vec<Effect>,
}

pub(crate) enum Reply {
    Nothing,
    /// The prompt, with something said in front of it. `settled` is what the pressed message becomes, without its buttons.
    Prompt {
        lead: Option<String>,
        settled: Option<String>,
    },
    /// The pressed message becomes the prompt; its buttons stay alive.
    Redraw,
    /// A passing line for who pressed.
    Note(String),
    /// The last words.
    Closing(String),
}

impl<S> Reaction<S> {
    pub fn prompt(state: S, lead: impl Into<Option<String>>) -> Self {
        let reply = Reply::Prompt {
            lead: lead.into(),
            settled: None,
        };
        Self::of(state, reply)
    }

    pub fn of(state: S, reply: Reply) -> Self {
        Self {
            state: Some(state),
            reply,
            also: Vec::new(),
        }
    }

    pub fn ignore(state: S) -> Self {
        Self::of(state, Reply::Nothing)
    }

    pub fn end(closing: String, also: Vec<Effect>) -> Self {
        Self {
            state: None,
            reply: Reply::Closing(closing),
            also,
        }
    }

    fn map<T>(self, wrap: impl FnOnce(S) -> T) -> Reaction<T> {
        Reaction {
            state: self.state.map(wrap),
            reply: self.reply,
            also: self.also,
        }
    }
}

/// The conversation that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Flow {
    #[serde(rename = "u")]
    Upload(Upload),
}

impl Flow {
    pub fn tag(&self) -> &'static str {
        match self {
            Self::Upload(_) => Upload::TAG,
        }
    }

    pub fn take(self, input: Input<'_>, desk: &mut Desk<'_>) -> Reaction<Self> {
        match self {
            Self::Upload(upload) => upload.take(input, desk).map(Self::Upload),
        }
    }

    pub fn prompt(&self, ctx: &Context<'_>) -> Prompt {
        match self {
            Self::Upload(upload) => upload.prompt(ctx),
        }
    }

    pub fn so_far(&self, ctx: &Context<'_>) -> Vec<String> {
        match self {
            Self::Upload(upload) => upload.so_far(ctx),
        }
    }

    pub fn listens_to_edit(&self, message: MessageRef) -> bool {
        match self {
            Self::Upload(upload) => upload.listens_to_edit(message),
        }
    }

    pub fn each_message(&mut self, visit: &mut dyn FnMut(&mut MessageAt)) {
        match self {
            Self::Upload(upload) => upload.each_message(visit),
        }
    }
}

/// Another conversation tells this one something. It is heard whatever is open here, and disturbs nothing of that.
pub(crate) fn told(from: &ConversationKey, what: &Telling, turn: &mut Turn<'_>) {
    match what {
        Telling::CourseSubmitted { title } => upload::heard_of(from, title, turn),
        // Nobody else's words: events of their own (`event_of_letter`).
        Telling::Unsaid | Telling::FileLost { .. } => {}
    }
}

/// Does what a command says.
pub(crate) fn run(command: Command<'_>, turn: &mut Turn<'_>) {
    match command {
        Command::Start { payload } => start::run(payload, turn),
        Command::Help => help::run(turn),
        Command::Cancel => cancel::run(turn),
        Command::Resume => resume::run(turn),
        Command::Upload => upload::run(turn),
    }
}
