//! The Telegram adapter: the only files that name grammers.
//!
//! A [`Line`] is one bot's connection. [`Calls`] is what can be asked of Telegram over it, each call with a deadline of our own and
//! without retries. [`UpdateFeed`] turns what the line receives, and what has to be fetched, into [`Batch`]es of
//! [`shared_core::Incoming`] together with the cursors that may be stored once a batch is committed.
//!
//! Invariants: no type of grammers is in a public signature; no error carries what was sent; an access hash never leaves the line
//! that learned it; dropping the line closes the socket.
//! Deliberately absent: retries, rate shaping and judging errors; that is the worker's business.
//! Facts: <https://core.telegram.org/api/updates>, <https://core.telegram.org/api/errors>, and the sources of grammers 0.11.

mod boxes;
mod calls;
mod convert;
mod error;
mod feed;
mod line;
mod peers;
mod session;

pub use boxes::BoxState;
pub use calls::{
    AdminRights, BasicGroup, Calls, ChannelKind, Fetched, Gate, OwnRights, Say, Source,
};
pub use error::CallError;
pub use feed::{Batch, FeedStart, UpdateFeed};
pub use line::{DcAddress, Identity, Line, LineParams, LineTimeouts, RawUpdates};
