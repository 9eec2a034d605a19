//! What admins ask the bots in private, and what they are answered; pure, like the conversations.
//!
//! One pass: the worker hears an `Incoming`; [`asked`] says whether it is an admin's business at all, [`judge`] whether it may be
//! done (a stranger and an old command may not); a screen (text and buttons) is made by [`AdminTexts`] from a [`Sight`], which is all that the
//! worker knows: the supervisor's last board with its age, and what the worker sees itself. What an order became is followed
//! through [`AdminTexts::progress`].
//!
//! Invariants: nothing here decides who answers members, that is the leader's business, who checks again; every figure that is
//! shown bears its age; a button's data names what is wanted and is no authority: who pressed is vouched for by Telegram, what was
//! offered to whom stands in Redis. An offer is made only while the supervisor is heard.
//! Not done here: group chats (there these commands are nobody's), recording, sending.

mod ask;
mod card;
mod events;
mod order;
mod proposal;
mod sight;
mod words;

#[cfg(test)]
mod tests;

pub use ask::{Asked, Command, Judged, OLD_MS, Press, asked, is_command, judge};
pub use events::Happening;
pub use order::Alert;
pub use proposal::Proposal;
pub use sight::{Answered, FRESH_MS, Heard, Sight};
pub use words::AdminTexts;

use shared_core::Keyboard;

/// A message as it is to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screen {
    pub text: String,
    pub keyboard: Option<Keyboard>,
}
