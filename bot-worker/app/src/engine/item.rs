//! What the engine is given, and what it makes of it: the items of conversations' lanes. Data only.

use std::collections::HashMap;

use bot_worker_core::Event;
use shared_core::{ConversationKey, EventId, Incoming};
use shared_io::redis::{HeldPosition, OutboxPosition, Settles};
use shared_io::telegram::Batch;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// What comes to the engine from the other tasks of its tenure.
pub enum Input {
    Batch(Batch),
    CaughtUp,
    /// Everything that the boxes had when this round was asked for (`echoes.rs`) was handed over before.
    Heard(u64),
    /// Conversations to be shown where they stand.
    Reprompt(Vec<ConversationKey>),
    /// Conversations that a reply of this bot's outbox will put a live prompt before.
    Served(HashMap<ConversationKey, u32>),
    /// Of these that turned out to be wrong: another bot has shown that prompt.
    NotServed(Vec<(ConversationKey, u32)>),
    /// Answered once everything that was taken in before is committed.
    Drain(oneshot::Sender<()>),
    /// Something that happened to a conversation and did not come from its member.
    Internal {
        conversation: ConversationKey,
        event: Event,
        id: EventId,
        /// The outbox entry that this is the outcome of.
        settles: Option<OutboxPosition>,
    },
    /// What another conversation tells, or a timer that is due.
    Posted {
        conversation: ConversationKey,
        posted: Posted,
    },
}

/// Something for a conversation that its member has no part in.
pub struct Posted {
    pub event: Event,
    pub id: EventId,
    /// Where it comes from, and leaves with the commit.
    pub settles: Settles,
    /// Given back when it is done with, whatever became of it.
    pub _room: OwnedSemaphorePermit,
}

/// What has to be settled when an item is done.
#[derive(Debug, Clone, Copy)]
pub enum Origin {
    Ticket(shared_core::Ticket),
    Held(HeldPosition),
    Own,
}

pub enum Item {
    Heard(Incoming),
    /// Kept by this bot while it was a standby.
    Held(Incoming, HeldPosition),
    /// Kept for so long that it is not acted on; its member is told.
    NotTaken(Incoming, HeldPosition),
    Internal {
        event: Event,
        id: EventId,
        settles: Option<OutboxPosition>,
    },
    Posted(Posted),
    /// Show the prompt again, unless the latest one is this, which its member gets without it.
    Reprompt {
        served: Option<u32>,
    },
}
