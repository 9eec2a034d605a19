//! Reading the outbox into memory: each entry once, of each chat a part ([`Backlog`](bot_worker_core::backlog)), foreign ones left out.
//!
//! Invariants: what is not taken in stays in Redis and is read again, or is moved on by a script; whoever is fenced, and may not know it yet, reads nothing,
//! so he sends nothing of the next epoch's.

use std::sync::atomic::Ordering;

use bot_worker_core::in_doubt::{draws_anothers_anew, prompt_of};
use shared_core::{BotId, ConversationKey, OutboxEntry, SendTarget};
use shared_io::clock;
use shared_io::redis::{EpochAnswer, OutboxPosition, StateError};
use tracing::{debug, info};

use super::Sender;
use super::deliver::out_of_reach;
use crate::engine::Input;
use crate::status::lock;
use crate::tenure::Tenure;

/// Entries read from Redis at once, and kept in memory at most.
const PAGE: usize = 500;
const LOADED: usize = 20_000;

/// Why the outbox was not read.
pub(super) enum NotRead {
    /// Another epoch has begun.
    Fenced,
    State(StateError),
}

impl From<StateError> for NotRead {
    fn from(error: StateError) -> Self {
        Self::State(error)
    }
}

type Entries = Vec<(OutboxPosition, OutboxEntry)>;

impl Sender {
    /// The outbox, and, the first time, the words of what was acknowledged before.
    pub(super) async fn read(&mut self) -> Result<(), NotRead> {
        self.load().await?;
        Ok(self.read_words().await?)
    }

    async fn load(&mut self) -> Result<(), NotRead> {
        self.refill().await?;
        while self.queue.len() < LOADED {
            let page = page(&self.tenure, self.after).await?;
            let full = page.len() == PAGE;
            for (position, entry) in page {
                let before = self.after.replace(position);
                self.take_in(position, entry, before).await;
            }
            if !full {
                break;
            }
        }
        *lock(&self.tenure.read_to) = self.after.max(self.tenure.stood);
        Ok(self.drop_foreign().await?)
    }

    /// Chats of which a part was passed over and that have run dry.
    async fn refill(&mut self) -> Result<(), NotRead> {
        let queue = &self.queue;
        let Some(dry) = self.backlog.dry(|chat| queue.waiting(chat)) else {
            return Ok(());
        };
        let mut at = dry.from;
        loop {
            let page = match page(&self.tenure, at).await {
                Ok(page) => page,
                Err(error) => {
                    self.backlog.put_back(dry);
                    return Err(error);
                }
            };
            let full = page.len() == PAGE;
            for (position, entry) in page {
                // The rest has not been read at all.
                if Some(position) > self.after {
                    return Ok(());
                }
                let before = at.replace(position);
                if dry.wants(entry.target, position) {
                    self.take_in(position, entry, before).await;
                }
            }
            if !full {
                return Ok(());
            }
        }
    }

    async fn take_in(
        &mut self,
        position: OutboxPosition,
        entry: OutboxEntry,
        before: Option<OutboxPosition>,
    ) {
        let me = self.tenure.context.lease.bot;
        if entry.by.is_some_and(|composer| composer != me) {
            self.foreign.push(position);
            return;
        }
        if let Some(why) = self.left_out(&position, &entry, me) {
            info!(entry = %entry.id, conversation = %entry.conversation, why, "left out: shown with where its member stands");
            lock(&self.tenure.left_out).push(entry.conversation);
            self.foreign.push(position);
            return;
        }
        if let Some((event, id)) = out_of_reach(&self.tenure, &entry) {
            // Nothing is asked of Telegram, so it waits for no chat's turn.
            let lost = Input::Internal {
                conversation: entry.conversation,
                event,
                id,
                settles: Some(position),
            };
            // An engine that has ended is seen by the next send.
            let _ = self.engine.send(lost).await;
            return;
        }
        if let Some(served) = &mut self.served
            && let Some(prompt) = prompt_of(&entry)
        {
            served.insert(entry.conversation, prompt);
        }
        for (position, superseded) in self.queue.supersede(&entry) {
            self.tries.remove(&superseded.id);
            self.foreign.push(position);
        }
        let chat: SendTarget = entry.target;
        if self.backlog.takes(chat, self.queue.waiting(chat), before) {
            self.queue.push(position, entry);
        }
    }

    /// Why this is not to be said, because its conversation is shown where it stands anyhow.
    fn left_out(
        &self,
        position: &OutboxPosition,
        entry: &OutboxEntry,
        me: BotId,
    ) -> Option<&'static str> {
        // Who owes no showing leaves nothing out.
        self.tenure.owed?;
        let in_doubt = self.in_doubt.as_ref();
        if in_doubt.is_some_and(|it| it.leaves_out(position, entry)) {
            return Some("another bot may have said it");
        }
        draws_anothers_anew(entry, me, self.tenure.followed, clock::unix_now())
            .then_some("another bot's message was to be drawn anew")
    }

    /// Prompts wait for this: whatever the sender before this one still sent brings that bot's buttons, what it left is this one's.
    pub(super) async fn tell_served(&mut self) {
        if let Some(served) = self.served.take() {
            // An engine that has ended is seen by the next send.
            let _ = self.engine.send(Input::Served(served)).await;
            self.tenure.has_turn.store(true, Ordering::Release);
        }
    }

    /// These prompts, of which it was told that this bot will show them, it does not.
    pub(super) async fn take_back(&mut self, prompts: Vec<(ConversationKey, u32)>) {
        if prompts.is_empty() || self.tenure.owed.is_none() {
            return;
        }
        let conversations = prompts.iter().map(|(conversation, _)| *conversation);
        let conversations: Vec<_> = conversations.collect();
        // Before they are handed over to be shown: the engine takes one after the other.
        let _ = self.engine.send(Input::NotServed(prompts)).await;
        lock(&self.tenure.left_out).extend(conversations);
    }

    /// What another bot composed in its own name, may have said or was to draw anew (this one owes its own), and edits that later ones make up for.
    async fn drop_foreign(&mut self) -> Result<(), StateError> {
        if self.foreign.is_empty() {
            return Ok(());
        }
        let state = self.tenure.context.state.clone();
        // Fenced: then nothing of this tenure will be sent either.
        let _ = state.discard(self.tenure.stamp, &self.foreign).await?;
        debug!(
            count = self.foreign.len(),
            "entries that are of no use any more are dropped"
        );
        self.foreign.clear();
        Ok(())
    }
}

async fn page(tenure: &Tenure, after: Option<OutboxPosition>) -> Result<Entries, NotRead> {
    let state = &tenure.context.state;
    match state
        .outbox_under(tenure.stamp, after.as_ref(), PAGE)
        .await?
    {
        EpochAnswer::Done(entries) => Ok(entries),
        EpochAnswer::Fenced { .. } => Err(NotRead::Fenced),
    }
}
