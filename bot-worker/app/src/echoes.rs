//! The bot's own messages on their way from the engine, which hears them, to the sender, which knows what they are; and, while no sender is at
//! work, what is done with them at once.
//!
//! ```text
//! the engine hears one      it is an item of its batch: the cursor waits
//! the sender explains it    once no call to its chat is on its way (`bot-worker-core`, `echo`)
//! the sender releases it    once the reply that it was is out of Redis: the item is settled, the cursor may move
//! ```
//! Sends of a sender at work whose answers were lost are asked about: it asks for a *round*, the session has every box fetched, and when what that brought is
//! taken in the round is heard.
//!
//! So the cursor never passes a message of ours whose reply still stands in the outbox: whoever comes next hears it again, whatever was killed.
//! Invariant: what is taken in is released once, or the tenure ends with the cursor before it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bot_worker_core::echo::{Ledger, Meaning};
use shared_core::{Echo, EpochRecord, OutboxEntry, Ticket, Told};
use shared_io::redis::{Counter, OutboxPosition, StateError};
use tokio::sync::Notify;
use tracing::info;

use crate::context::BotContext;
use crate::status::lock;

/// Entries that are read at once, and at most, when a message of ours is found before the sender is at work. What was on its way may stand behind many that wait:
/// those of a chat that is held, and prompts that answers overtake.
const PAGE: usize = 5_000;
const COMPARED: usize = 50_000;

#[derive(Debug, Default)]
pub struct Echoes {
    heard: Mutex<Vec<(Ticket, Echo)>>,
    explained: Mutex<Vec<Ticket>>,
    caught_up: AtomicBool,
    /// Telegram would not give out some of the updates, or puts them off. Asked for as long as something is in doubt.
    incomplete: AtomicBool,
    /// The last round that the sender has asked for, and the last one that is heard.
    asked: AtomicU64,
    answered: AtomicU64,
    /// For the session: a round is asked for.
    pub to_hear: Notify,
    /// For the sender: there is something to explain, or all has been heard.
    pub to_explain: Notify,
    /// For the engine: there is something to settle.
    pub to_settle: Notify,
}

impl Echoes {
    pub fn hear(&self, ticket: Ticket, echoes: Vec<Echo>) {
        if !echoes.is_empty() {
            lock(&self.heard).extend(echoes.into_iter().map(|echo| (ticket, echo)));
            self.to_explain.notify_one();
        }
    }

    pub fn take_heard(&self) -> Vec<(Ticket, Echo)> {
        std::mem::take(&mut lock(&self.heard))
    }

    pub fn release(&self, tickets: impl IntoIterator<Item = Ticket>) {
        lock(&self.explained).extend(tickets);
        self.to_settle.notify_one();
    }

    pub fn take_explained(&self) -> Vec<Ticket> {
        std::mem::take(&mut lock(&self.explained))
    }

    /// Whatever was said before this tenure has been heard.
    pub fn caught_up(&self) {
        self.caught_up.store(true, Ordering::Release);
        self.to_explain.notify_one();
    }

    pub fn is_caught_up(&self) -> bool {
        self.caught_up.load(Ordering::Acquire)
    }

    /// Whatever Telegram has taken until now is to be heard; gives the round in which it will have been.
    pub fn ask(&self) -> u64 {
        let round = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        self.to_hear.notify_one();
        round
    }

    /// The latest round that is asked for, if it is a later one than this.
    pub fn asked_after(&self, heard: u64) -> Option<u64> {
        let asked = self.asked.load(Ordering::Acquire);
        (asked > heard).then_some(asked)
    }

    /// All rounds up to this one are heard.
    pub fn answer(&self, round: u64) {
        self.answered.store(round, Ordering::Release);
        self.to_explain.notify_one();
    }

    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Acquire)
    }

    pub fn miss_some(&self) {
        self.incomplete.store(true, Ordering::Relaxed);
    }

    pub fn is_incomplete(&self) -> bool {
        self.incomplete.load(Ordering::Relaxed)
    }
}

/// The outbox, from its front.
async fn waiting(context: &BotContext) -> Result<Vec<(OutboxPosition, OutboxEntry)>, StateError> {
    let mut all = Vec::new();
    loop {
        let after = all.last().map(|(at, _)| *at);
        let page = context.state.outbox(after.as_ref(), PAGE).await?;
        // One that is not full may lack what nobody can read.
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
        if all.len() >= COMPARED {
            // What is said again may be among the rest: it is counted.
            context.missed_some.store(true, Ordering::Release);
            return Ok(all);
        }
    }
}

/// Takes out of the outbox what these messages show to have been sent. For a bot that does not answer yet, in an epoch that nobody answers in:
/// its cursor passes the messages before its sender begins. False, with nothing done, when the epoch is not the one of `record` any more: another bot's
/// replies might be among what was read, and look the same.
pub async fn settle(
    context: &BotContext,
    echoes: &[Echo],
    record: Option<&EpochRecord>,
) -> Result<bool, StateError> {
    let (state, bot) = (&context.state, context.lease.bot);
    // In this order: what another login settles in between is then known by its word.
    let mut waiting = waiting(context).await?;
    let mut ledger = Ledger::new(state.told(bot).await?);
    // Behind the reading: whatever was read was committed before.
    if state.epoch().await?.as_ref() != record {
        return Ok(false);
    }
    let (mut found, mut spent) = (Vec::new(), Vec::new());
    for echo in echoes {
        let of_chat = waiting.iter().enumerate();
        let of_chat = of_chat.filter(|(_, (_, entry))| entry.target == echo.chat);
        let (places, entries): (Vec<_>, Vec<_>) =
            of_chat.map(|(place, (_, entry))| (place, entry)).unzip();
        match ledger.explain(bot, echo, &entries) {
            Meaning::Sent(at) => {
                let (position, entry) = waiting.remove(places[at]);
                info!(entry = %entry.id, conversation = %entry.conversation, "found sent");
                found.push((position, Some(Told::Message(echo.chat, echo.message))));
            }
            Meaning::Spent(words) => spent.push(words),
            Meaning::Known(_) | Meaning::Stranger => {}
        }
    }
    state.spend_words(bot, &spent).await?;
    if found.is_empty() {
        return Ok(true);
    }
    let settled = state.outbox_settle(bot, &found).await?;
    let settled = i64::try_from(settled).unwrap_or(i64::MAX);
    state.count(&[(Counter::FoundSent, settled)]).await?;
    Ok(true)
}
