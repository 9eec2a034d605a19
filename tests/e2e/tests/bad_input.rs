//! Bad input: each kind gets one line that says what, where and how to mend it, an exit code that is not zero, and loses nothing.
//!
//! The lines are read as an operator reads them, from the real binary's stderr. What only Telegram can tell (a basic group under a channel's id,
//! a bot that is in no channel) is in `bad_input/online.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "bad_input/configuration.rs"]
mod configuration;
#[path = "bad_input/folder.rs"]
mod folder;
#[path = "bad_input/listening.rs"]
mod listening;
#[path = "bad_input/online.rs"]
mod online;
#[path = "bad_input/pools.rs"]
mod pools;
#[path = "bad_input/rights.rs"]
mod rights;
#[path = "bad_input/stores.rs"]
mod stores;
#[path = "bad_input/worker.rs"]
mod worker;
