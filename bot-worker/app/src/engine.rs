//! The engine of an open epoch: takes updates in, each conversation in order and conversations in parallel, and moves the cursors behind.
//!
//! ```text
//! batch ─▶ ticket in LowWater ─▶ lane of its conversation ─▶ commit ─▶ settle ─▶ cursors move over the settled run
//! held private messages, stored files, re-prompts and invitations take the same way, without a ticket
//! ```
//! What other conversations tell and timers that are due take that way too (`post.rs`).
//! Invariants: one commit per conversation is in flight, and at most [`RUNNING`] in all, pipelined on one connection; an item is settled after
//! its commit is known, never before; a refused commit (fenced) ends the engine. Redis away: lanes wait and try again, nothing is dropped,
//! and intake stops at a bound.

mod cache;
mod cursors;
mod damage;
mod held;
mod invite;
mod item;
mod lane;
mod meaning;
mod patience;
mod prompts;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bot_worker_core::served::Served;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use shared_core::{
    ChannelId, ConversationKey, Incoming, IncomingKind, MilestoneKind, Place, StartPayload,
};
use shared_io::redis::{Counter, HeldPosition, PrivateCursor};
use shared_io::telegram::Batch;
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use crate::announce;
use crate::parked;
use crate::tenure::Tenure;
use cache::Cache;
use cursors::{Flushed, Intake};
pub use item::{Input, Item, Origin, Posted};
pub use prompts::Prompts;

/// Items taken in and not settled, at most; beyond it the feed waits.
const IN_FLIGHT: usize = 2000;
/// Conversations that are worked on at once. Their commands share a connection, so more would only wait in its queue.
const RUNNING: usize = 256;
/// How often the pool's figures are renewed for the heartbeat.
const FIGURES: Duration = Duration::from_millis(500);

#[derive(PartialEq, Eq)]
enum LaneState {
    Idle,
    /// In the queue of those that may start.
    Ready,
    Running,
}

struct Lane {
    waiting: VecDeque<(Item, Origin)>,
    state: LaneState,
}

pub struct Engine {
    tenure: Arc<Tenure>,
    intake: Intake,
    lanes: HashMap<ConversationKey, Lane>,
    /// Lanes that have something to do and wait for room, first come, first served.
    ready: VecDeque<ConversationKey>,
    running: FuturesUnordered<BoxFuture<'static, lane::Done>>,
    cache: Cache,
    served: Served,
    drained: Vec<oneshot::Sender<()>>,
    /// Members who may be invited to the backups.
    invitations: FuturesUnordered<BoxFuture<'static, Option<invite::Invitation>>>,
}

impl Engine {
    pub fn new(
        tenure: Arc<Tenure>,
        private: Option<PrivateCursor>,
        channels: Vec<(ChannelId, i32)>,
    ) -> Self {
        Self {
            intake: Intake::new(private, channels),
            tenure,
            lanes: HashMap::new(),
            ready: VecDeque::new(),
            running: FuturesUnordered::new(),
            cache: Cache::default(),
            served: Served::default(),
            drained: Vec::new(),
            invitations: FuturesUnordered::new(),
        }
    }

    /// Runs until the epoch is over.
    pub async fn run(
        mut self,
        held: Vec<(HeldPosition, Incoming)>,
        mut inputs: mpsc::Receiver<Input>,
    ) {
        self.take_held(held);
        tokio::spawn(parked::take_up(Arc::clone(&self.tenure)));
        let mut flush: Option<BoxFuture<'static, Flushed>> = None;
        let mut figures = tokio::time::interval(FIGURES);
        loop {
            if flush.is_none() {
                flush = self.intake.flush(&self.tenure);
            }
            if self.running.is_empty() {
                for done in self.drained.drain(..) {
                    // Who asked may have stopped waiting.
                    let _ = done.send(());
                }
            }
            let room = self.intake.in_flight() < IN_FLIGHT;
            tokio::select! {
                Some(done) = self.running.next(), if !self.running.is_empty() => {
                    if !self.finish(done) { return }
                }
                flushed = async { match flush.as_mut() { Some(f) => f.await, None => std::future::pending().await } } => {
                    flush = None;
                    if !self.intake.flushed(&self.tenure, flushed) { return }
                }
                input = inputs.recv(), if room => match input {
                    Some(input) => self.take(input),
                    None => return,
                },
                () = self.tenure.echoes.to_settle.notified() => {
                    self.intake.settle_echoes(self.tenure.echoes.take_explained());
                }
                Some(found) = self.invitations.next(), if !self.invitations.is_empty() => {
                    if let Some(invitation) = found { self.invite(invitation) }
                }
                _ = figures.tick() => self.publish_figures(),
            }
        }
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Batch(batch) => self.take_batch(batch),
            Input::Reprompt(conversations) => self.reprompt(conversations),
            Input::Heard(round) => self.tenure.echoes.answer(round),
            Input::Served(prompts) => self.served.wait(prompts),
            Input::NotServed(prompts) => self.served.were_gone(prompts),
            Input::Drain(done) => self.drained.push(done),
            Input::CaughtUp => {
                info!(epoch = %self.tenure.stamp, "caught up");
                self.tenure.echoes.caught_up();
                let tenure = Arc::clone(&self.tenure);
                tokio::spawn(async move {
                    tenure.milestone(MilestoneKind::CaughtUp).await;
                    tenure.milestone(MilestoneKind::Resumed).await;
                    if tenure.owed.is_some() {
                        announce::run(&tenure).await;
                    }
                });
            }
            Input::Internal {
                conversation,
                event,
                id,
                settles,
            } => {
                self.push(
                    conversation,
                    Item::Internal { event, id, settles },
                    Origin::Own,
                );
            }
            Input::Posted {
                conversation,
                posted,
            } => self.push(conversation, Item::Posted(posted), Origin::Own),
        }
    }

    fn take_batch(&mut self, batch: Batch) {
        if batch.unknown > 0 {
            warn!(
                unknown = batch.unknown,
                "Telegram would not give out updates"
            );
            self.tenure
                .work
                .count(&self.tenure, Counter::UpdatesUnknown, batch.unknown);
            self.tenure.echoes.miss_some();
            self.tenure
                .context
                .missed_some
                .store(true, Ordering::Release);
        }
        let (ticket, items, echoes) = self.intake.open(batch);
        self.tenure.echoes.hear(ticket, echoes);
        for incoming in items {
            self.note_reach(&incoming);
            match incoming.what {
                IncomingKind::Stopped { .. } => self.intake.settle(ticket),
                _ => self.push(
                    incoming.conversation(),
                    Item::Heard(incoming),
                    Origin::Ticket(ticket),
                ),
            }
        }
    }

    /// Who writes to the bot in private, or takes a stop back, can be written to.
    fn note_reach(&mut self, incoming: &Incoming) {
        if incoming.place != Place::Private {
            return;
        }
        // His message's own lane takes up what is parked before it, so that his answer comes last.
        match &incoming.what {
            IncomingKind::Stopped { stopped: true } => self.intake.stopped(incoming.member),
            IncomingKind::Stopped { stopped: false } => {
                self.intake.started(incoming.member, false);
                self.tenure.unpark_soon(incoming.member);
            }
            IncomingKind::Message { text, .. } => {
                let invited = StartPayload::of_start(text) == Some(StartPayload::BACKUP);
                self.intake.started(incoming.member, invited);
            }
            IncomingKind::Edit { .. } | IncomingKind::Press { .. } => {
                self.intake.started(incoming.member, false);
            }
        }
    }

    fn invite(&mut self, invitation: invite::Invitation) {
        let invite::Invitation {
            conversation,
            event,
            id,
        } = invitation;
        let settles = None;
        let item = Item::Internal { event, id, settles };
        self.push(conversation, item, Origin::Own);
    }

    fn reprompt(&mut self, conversations: Vec<ConversationKey>) {
        for key in conversations {
            self.push(key, Item::Reprompt { served: None }, Origin::Own);
        }
    }

    fn push(&mut self, key: ConversationKey, item: Item, origin: Origin) {
        let lane = self.lanes.entry(key).or_insert_with(|| Lane {
            waiting: VecDeque::new(),
            state: LaneState::Idle,
        });
        lane.waiting.push_back((item, origin));
        if lane.state == LaneState::Idle {
            lane.state = LaneState::Ready;
            self.ready.push_back(key);
        }
        self.start_ready();
    }

    fn start_ready(&mut self) {
        while self.running.len() < RUNNING {
            let Some(key) = self.ready.pop_front() else {
                return;
            };
            self.start(key);
        }
    }

    /// Starts the lane's next item, or ends the lane when there is none.
    fn start(&mut self, key: ConversationKey) {
        let Some(lane) = self.lanes.get_mut(&key) else {
            return;
        };
        let Some((item, origin)) = lane.waiting.pop_front() else {
            self.lanes.remove(&key);
            return;
        };
        lane.state = LaneState::Running;
        let item = match item {
            Item::Reprompt { .. } => Item::Reprompt {
                served: self.served.latest(&key),
            },
            item => item,
        };
        let cached = self.cache.take(&key);
        let run = lane::run(Arc::clone(&self.tenure), key, cached, item, origin);
        self.running.push(Box::pin(run));
    }

    /// False when the epoch is over.
    fn finish(&mut self, done: lane::Done) -> bool {
        match done.outcome {
            lane::Outcome::Fenced => {
                info!(epoch = %self.tenure.stamp, "fenced: another epoch has begun");
                return false;
            }
            lane::Outcome::LeftAlone => {}
            lane::Outcome::Stands {
                envelope,
                serves,
                invites,
            } => {
                if let Some(cause) = invites
                    && self.invitations.len() < invite::AT_ONCE
                {
                    let tenure = Arc::clone(&self.tenure);
                    let look = invite::look_up(tenure, done.key, cause);
                    self.invitations.push(Box::pin(look));
                }
                if serves {
                    self.served.stepped(done.key, envelope.state.nonce());
                }
                self.cache.keep(done.key, *envelope);
            }
        }
        self.settle(done.origin);
        if let Some(lane) = self.lanes.get_mut(&done.key) {
            lane.state = LaneState::Ready;
            self.ready.push_back(done.key);
        }
        self.start_ready();
        true
    }

    fn settle(&mut self, origin: Origin) {
        match origin {
            Origin::Ticket(ticket) => self.intake.settle(ticket),
            Origin::Held(position) => self.intake.settle_held(position),
            Origin::Own => {}
        }
    }

    fn publish_figures(&self) {
        let tenure = Arc::clone(&self.tenure);
        tokio::spawn(async move {
            let state = &tenure.context.state;
            if let Ok(open) = state.open_count().await {
                tenure
                    .work
                    .conversations_open
                    .store(open, Ordering::Relaxed);
            }
            if let Ok(outbox) = state.outbox_len().await {
                tenure.work.outbox.store(outbox, Ordering::Relaxed);
            }
            if let Ok(parked) = state.parked_count().await {
                tenure.work.parked.store(parked, Ordering::Relaxed);
            }
            tenure
                .context
                .shared
                .status
                .set_pool(tenure.work.figures(&tenure));
        });
    }
}
