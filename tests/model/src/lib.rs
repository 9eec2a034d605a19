//! A model of the whole: the real cores of worker and supervisor over a model of Redis, Telegram and members, on a virtual clock, through random
//! histories that follow from a seed.
//!
//! Real is whatever decides: `supervisor_core` (`decide`, `check_plan`, `Saga`, `Arrivals`), `bot_worker_core` (`take`, `event_of`, `SendQueue`, `Pacer`,
//! `Backlog`, `Ledger`) and `shared_core` (`Watermarks`, `LowWater`, `Envelope`, `LeaseClock`, `EpochBlock`, entry and random ids). Modelled are the
//! servers ([`redis`], [`telegram`], [`sql`]) and, written small, the glue between them ([`worker`], [`supervisor`]): each call is a request
//! under way, carried out, an answer under way, and a fault may come between any two of these.
//!
//! One history: [`op`] draws operations from a seed, [`history`] runs them, [`ghost`] objects to whatever must never be, [`check`] looks at what must be in the
//! end. [`bug`] takes a safeguard away; [`hunt`] runs many histories and shrinks the one that fails. `post` is an older, smaller model: of
//! what conversations tell one another.

mod bug;
mod check;
mod fixed;
mod ghost;
mod history;
mod hunt;
mod op;
mod post;
mod redis;
mod sim;
mod sql;
mod stage;
mod supervisor;
mod telegram;
mod worker;

pub use bug::Bug;
pub use ghost::Wrong;
pub use history::{Failure, Figures, cast, draw};
pub use hunt::{Found, Hunt, Progress, Report, hunt, replay};
pub use op::{Op, Setup};
pub use post::{Flaw, Turn, Word, Wrong as WrongPost, run_post};
