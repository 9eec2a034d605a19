//! Conversations in whole systems: reminders, words between conversations, states that cannot be read, presses that come again. Each test is
//! one running system.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "conversations/posted.rs"]
mod posted;
#[path = "conversations/presses.rs"]
mod presses;
#[path = "conversations/unreadable.rs"]
mod unreadable;
