//! Telegram for tests and for the sandbox: real MTProto 2.0 over TCP, with an HTTP control API beside it.
//!
//! One packet's way: `transport` cuts it out of the stream, `crypto` opens it, `mtproto` takes it apart and strips the
//! wrappers, `server::core` hands the call to the `world` under the one lock, and what that produced (answers, pushes,
//! events) goes to the connections' queues under the same lock, so that order is the order of cause. `hub` knows who
//! is connected, `faults` what is broken on purpose, `control` is the HTTP side.
//!
//! Invariants: the world knows neither time nor network; nothing waits while the lock is held; every queue is bounded.
//! No code is shared with the product, except the TL schema and crypto primitives of `grammers`.
//! What it cannot prove is listed in README.md.

pub mod control;
pub mod crypto;
mod dispatch;
pub mod faults;
pub mod hub;
pub mod mtproto;
pub mod server;
mod services;
pub mod transport;
mod updates;
pub mod world;

pub use server::{RunningSim, Sim, SimConfig, StartError};
