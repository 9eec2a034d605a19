//! The conversations from outside: what a member does, and what he reads.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod activity;
mod buttons;
mod commands;
mod forged;
mod groups;
mod intake;
mod inviting;
mod outbox;
mod posted;
mod properties;
mod refusals;
mod stored;
mod switching;
mod talk;
mod upload;
mod versions;
