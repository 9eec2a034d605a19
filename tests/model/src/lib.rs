//! A small model of the commit protocol, built from the very types that the product uses.
//!
//! What is real here: `Watermarks`, `LowWater`, `Envelope`, `EpochStamp`, `entry_id`, `random_id`. What is modelled: Redis (a
//! map with a compare-and-swap commit), Telegram (one box that replays from a cursor, and refuses a `random_id` it knows), and workers
//! that can be killed between any two steps or go on as if nothing had happened after they were fenced.
//!
//! Invariants, checked after each step: the cursor never stands behind an update that is not committed; no conversation takes an update in
//! twice or out of order; Telegram never shows one reply twice. Checked at the end, once faults have stopped: everything is taken in
//! and everything is answered. A [`Bug`] takes one safeguard away; the tests show that the model then objects.
//!
//! What this does not do: timing, Lua, the network. Those have tests over the real servers.

mod post;
mod telegram;
mod worker;
mod world;

pub use post::{Flaw, Turn, Word, Wrong, run_post};
pub use world::{Bug, Op, Violation, World, run};
