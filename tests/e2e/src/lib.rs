//! End-to-end tests: the binaries as they are built, real Redis and SQLite, stock grammers over TCP to telegram-sim.
//!
//! A [`Stage`] is one running system with its simulator, a [`Duo`] one with two supervisors, a [`Talk`] is one member in one of its chats. Invariant: when a stage is dropped, also by
//! a failing test, nothing of it is left running. It drives through public interfaces only: the simulator's control API, the CLI, and the
//! stores as an operator would see them.

mod duo;
mod events;
mod proxy;
mod shared_redis;
mod stage;
mod stores;
mod talk;

pub use duo::{Duo, NAMES};
pub use proxy::{Proxy, Trap, When};
pub use shared_redis::SharedRedis;
pub use stage::{Stage, built};
pub use talk::{CATEGORY, DESCRIPTION, TITLE, Talk};
