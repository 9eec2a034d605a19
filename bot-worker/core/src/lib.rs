//! What the bots talk: a dialogue, an event, and what follows from them.
//!
//! One pass: the worker hears an `Incoming`; [`event_of`] says what it means to the member's [`Dialogue`], if anything;
//! [`take`] admits it once, [`step`] gives the dialogue after it and a list of [`Effect`]s, [`outbox_of`] gives the effects their ids; the
//! worker commits all of that at once and answers presses after it. What has no member behind it (a file arrived in the storage
//! channel, the active bot changed, another conversation tells something, a timer is due) comes as an [`Event`] of the worker's own
//! making and goes the same way.
//!
//! Continuity comes from the shape: everything a conversation knows is in its `Dialogue`, so whichever bot has the dialogue can go
//! on. A conversation is added in `conversations`; its module says how.
//!
//! What leaves when is decided here as well, without sending anything: `send_queue` gives the order, `pacing` the rate.
//!
//! Invariants of the crate: no runtime, no I/O, no clock, no randomness. A step never fails: what it cannot use it answers with a
//! helpful line. At most six effects a step, no text above Telegram's bounds. A step does not turn duplicates away: that is the
//! watermarks' business (`shared-core`), before it is taken.

#![forbid(unsafe_code)]

#[macro_use]
mod lines;

pub mod admin;
pub mod backlog;
mod bound;
mod button;
mod command;
mod context;
mod conversations;
mod dialogue;
pub mod echo;
mod effect;
mod event;
pub mod in_doubt;
mod intake;
mod invitation;
pub mod kept;
pub mod looks;
pub mod pacing;
pub mod refused;
pub mod send_queue;
pub mod served;
mod step;
mod texts;
mod turn;

#[cfg(test)]
mod tests;

pub use context::{Catalog, CatalogError, Context};
pub use dialogue::Dialogue;
pub use effect::{Effect, Outbox, PressAnswer, RecordDraft, To, outbox_of};
pub use event::{Event, Said, event_of, event_of_letter};
pub use intake::{Fresh, Intake, Taken, not_yet, read, start_over, take};
pub use invitation::AT_ONCE as INVITED_AT_ONCE;
pub use step::{Step, step};
pub use texts::{TemplateError, Texts, TextsError};
