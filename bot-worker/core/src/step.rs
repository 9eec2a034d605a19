//! One step: a dialogue and an event in, the dialogue after it and the effects out.
//!
//! ```text
//! event                     something open                                nothing open
//! Said, a command           run it                                        run it
//! Said, another bot's       -                                             -
//! Said, else                to the conversation                           private: "nothing is open"; group: silence
//! Edited                    to the conversation                           -
//! Pressed, foreign member   a note to who pressed                         the same
//! Pressed, old or unknown   a note to who pressed                         the same
//! Pressed, live             to the conversation                           -
//! FileStored, FileLost      to the conversation                           -
//! Resumed, Unsaid           where we stand, and the prompt again          -
//! NotTaken                  that, where we stand, and the prompt again    that, and that nothing is open
//! Invited                   -                                             the invitation, unless there was one lately
//! Told                      a line; what is open stays as it is           the same line
//! Due(Reminder)             a line, where we stand, the prompt again      -
//! ```
//! When the reminder is due follows from when the member was last active in what is open (`shared-io`, `redis/timers.rs`), so no step sets it: it
//! comes once a silence and never in the middle of activity.
//! Invariants: a press is answered exactly once; a step has at most six effects; nothing that was entered is lost by an input
//! that could not be used.

use shared_core::{PlaceKey, Priority, Timer};

use crate::bound::{clip, one_line};
use crate::button::Mark;
use crate::command::{self, Parsed};
use crate::conversations::{self, Input};
use crate::dialogue::Speaker;
use crate::invitation;
use crate::texts::Line;
use crate::turn::Turn;
use crate::{Context, Dialogue, Effect, Event, Said};

/// A member's name in a prompt, at most.
const NAME: usize = 64;

/// What a step leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub dialogue: Dialogue,
    pub effects: Vec<Effect>,
    /// The member is in the middle of something.
    pub open: bool,
    /// A good moment to invite him to the backups.
    pub invites: bool,
}

impl Step {
    /// Nothing happens.
    pub(crate) fn unchanged(dialogue: &Dialogue) -> Self {
        Self {
            open: dialogue.is_open(),
            dialogue: dialogue.clone(),
            effects: Vec::new(),
            invites: false,
        }
    }
}

/// Takes one event in. Whether it was taken in before is not asked here.
pub fn step(dialogue: &Dialogue, event: &Event, ctx: &Context<'_>) -> Step {
    let mut turn = Turn::new(dialogue, ctx);
    match event {
        Event::Said(said) => hear(said, &mut turn),
        Event::Edited {
            r#box,
            message,
            text,
        } => turn.give(Input::Edited {
            message: (*r#box, *message),
            text: command::without_mention(text, ctx),
        }),
        Event::Pressed {
            query,
            r#box,
            message,
            data,
        } => {
            turn.pressed(*query, *r#box, *message);
            press(data, &mut turn);
        }
        Event::FileStored { file, at } => turn.give(Input::FileStored {
            file: *file,
            at: *at,
        }),
        Event::FileLost { file } => turn.give(Input::FileLost { file: *file }),
        Event::Resumed => resume(&mut turn),
        Event::Unsaid => {
            let why = turn.text(&Line::Unsaid {});
            turn.prompt_with_so_far(Some(why), Priority::Reprompt);
        }
        Event::NotTaken => not_taken(&mut turn),
        Event::Invited { bots } => invitation::run(bots, &mut turn),
        Event::Told { from, what } => conversations::told(from, what, &mut turn),
        Event::Due(Timer::Reminder) => remind(&mut turn),
    }
    let (after, effects) = turn.finish();
    Step {
        invites: invitation::is_good_moment(dialogue, &after, event, ctx),
        open: after.is_open(),
        dialogue: after,
        effects,
    }
}

/// The event cannot be taken: with it the conversation would be longer than can be kept.
pub(crate) fn refuse(dialogue: &Dialogue, event: &Event, ctx: &Context<'_>) -> Step {
    let mut turn = Turn::new(dialogue, ctx);
    if let Event::Pressed {
        query,
        r#box,
        message,
        ..
    } = event
    {
        turn.pressed(*query, *r#box, *message);
    }
    if !event.is_from_elsewhere() {
        turn.note(turn.text(&Line::TooLarge {}));
    }
    let (after, effects) = turn.finish();
    Step {
        open: after.is_open(),
        dialogue: after,
        effects,
        invites: false,
    }
}

fn remind(turn: &mut Turn<'_>) {
    // Switched off since it was found to be due: then nobody is reminded.
    if turn.ctx.catalog.remind_after.is_some() && turn.is_open() {
        let first = turn.text(&Line::Reminder {});
        turn.prompt_with_so_far(Some(first), Priority::Announcement);
    }
}

/// In a group: whom to address and what to quote.
pub(crate) fn speaker_of(event: &Event, ctx: &Context<'_>) -> Option<Speaker> {
    match event {
        Event::Said(said) => addressed(said, ctx),
        _ => None,
    }
}

fn addressed(said: &Said, ctx: &Context<'_>) -> Option<Speaker> {
    (ctx.key.place != PlaceKey::Private).then(|| Speaker {
        name: clip(&one_line(&said.name), NAME),
        message: (said.r#box, said.message).into(),
    })
}

fn hear(said: &Said, turn: &mut Turn<'_>) {
    let ctx = turn.ctx;
    let text = command::without_mention(&said.text, ctx);
    let parsed = command::parse(text, ctx);
    if parsed == Parsed::Foreign {
        // Not said to us: it must not become what the next prompt quotes either.
        return;
    }
    if let Some(speaker) = addressed(said, ctx) {
        turn.dialogue.speaker = Some(speaker);
    }
    match parsed {
        Parsed::Known(command) => conversations::run(command, turn),
        Parsed::Unknown(name) => {
            let command = format!("/{}", clip(name, NAME));
            turn.line(&Line::UnknownCommand { command: &command });
        }
        Parsed::NotACommand if turn.is_open() => turn.give(Input::Said {
            message: (said.r#box, said.message),
            text,
            document: said.document.as_ref(),
            album: said.album,
        }),
        Parsed::NotACommand if ctx.key.place == PlaceKey::Private => {
            turn.line(&Line::NothingOpen {});
        }
        Parsed::NotACommand | Parsed::Foreign => {}
    }
}

fn press(data: &str, turn: &mut Turn<'_>) {
    let mark = Mark::parse(data);
    if mark.is_some_and(|mark| mark.member != turn.ctx.key.member) {
        return turn.note(turn.text(&Line::ForeignButton {}));
    }
    let live = mark.filter(|mark| {
        let flow = turn.dialogue.flow.as_ref();
        flow.is_some_and(|flow| flow.tag() == mark.flow) && mark.nonce == turn.dialogue.nonce
    });
    match live {
        Some(mark) => turn.give(Input::Chose(mark.choice)),
        None => turn.note(turn.text(&Line::StaleButton {})),
    }
}

fn resume(turn: &mut Turn<'_>) {
    let new = turn.ctx.me_username;
    let switched = match turn.ctx.previous_username {
        Some(old) => turn.text(&Line::Switched {
            old: &old,
            new: &new,
        }),
        None => turn.text(&Line::SwitchedUnknown { new: &new }),
    };
    turn.prompt_with_so_far(Some(switched), Priority::Reprompt);
}

/// He is not left without a word: what he wrote is gone by, and this is where he stands.
fn not_taken(turn: &mut Turn<'_>) {
    let lead = turn.text(&Line::NotTaken {});
    if turn.is_open() {
        turn.prompt_with_so_far(Some(lead), Priority::Reprompt);
    } else {
        let rest = turn.text(&Line::NothingOpen {});
        turn.say(format!("{lead}\n{rest}"));
    }
}
