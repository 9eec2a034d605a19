//! End-to-end tests: the binaries as they are built, real Redis and SQLite, stock grammers over TCP to telegram-sim.
//!
//! A [`Stage`] is one running system with its simulator. Invariant: when it is dropped, also by a failing test, nothing of it is
//! left running. It drives through public interfaces only: the simulator's control API, the CLI, and the stores as an operator would see them.

mod stage;

pub use stage::{Stage, built};
