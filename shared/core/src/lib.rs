//! The words and protocols that every part of Understudy shares, and nothing that touches the world.
//!
//! One pass through the crate follows one update: it has an identity ([`UpdateId`]), a conversation admits it once
//! ([`Watermarks`]), the step's replies become [`OutboxEntry`]s with ids that no other reply can ever have, the
//! commit is refused when the [`EpochStamp`] is not the current one, and the box's cursor follows behind the commits
//! ([`LowWater`]). Who may hold a bot's connection is a [`LoginLease`]; whether a lease still stands is judged by
//! [`LeaseClock`] on the holder's side only.
//!
//! Invariant of the crate: no runtime, no I/O, no clock, no randomness. Time and seeds come in as arguments.

#![forbid(unsafe_code)]

mod board;
mod clock;
mod conversation;
mod conversation_key;
mod cursor;
mod echo;
mod epoch;
mod health;
mod ids;
mod inbox;
mod incoming;
mod lease;
mod link;
mod message_at;
mod order;
mod outbox;
mod protocol;
mod secret;
mod smoke;
mod supervisor;
mod telegram_error;
mod token;
mod update;
mod watermark;

pub use board::{BoardBot, BoardRedis, BoardState, BoardSwitch, BoardWorker, PoolBoard, Preview};
pub use clock::{BootMs, UnixMs};
pub use conversation::{
    Envelope, EnvelopeError, LARGEST_STORED, LARGEST_VERSION, STORED_VERSION, Salvaged,
    TOMBSTONE_KEPT, stored_version,
};
pub use conversation_key::{ConversationKey, PlaceKey};
pub use cursor::{LowWater, Ticket};
pub use echo::{Echo, NotTold, Print, Spent, TOLD_KEPT, Told};
pub use epoch::{Epoch, EpochBlock, EpochRecord, EpochStamp, Holder, MintRefused, Phase};
pub use health::{
    BotHealth, BotRole, ChannelTrouble, Connection, ErrorSeen, Heartbeat, LatencySummary,
    OtherLogin, PoolWork,
};
pub use ids::{
    BotId, ChannelId, EntryId, EventId, IdError, LoginSlot, MemberId, MessageId, Nonce, PoolId,
    QueryId, SwitchId, WorkerId,
};
pub use inbox::{DueTimer, Letter, Telling, Timer, TimerKey, told_id};
pub use incoming::{Document, Incoming, IncomingKind, Place};
pub use lease::{LETS_GO_AFTER, LeaseClock, LeaseTiming, LoginLease, QUIET_AT_MOST};
pub use link::{StartPayload, deep_link};
pub use message_at::{MessageAt, Remembers};
pub use order::{
    CONFIRM_WITHIN_MS, Laid, ORDER_LIVES_MS, Order, OrderId, Overrides, PlanId, Progress, Request,
    Requester, SCHEDULE_AHEAD_MS, SCHEDULE_LIVES_MS, Scheduled, Take,
};
pub use outbox::{
    Button, Keyboard, OutboxEntry, OutboxKind, Priority, Record, SendTarget, entry_id, random_id,
};
pub use protocol::{Assignment, Milestone, MilestoneKind, ProcessId, WorkerNotice};
pub use secret::{AuthKey, Secret};
pub use smoke::{SmokeCheck, SmokeReport, SmokeResult};
pub use supervisor::SupervisorBeat;
pub use telegram_error::{ErrorClass, SessionFate, classify};
pub use token::{BotToken, TokenError};
pub use update::{BoxId, UpdateId};
pub use watermark::{Admission, Watermarks};
