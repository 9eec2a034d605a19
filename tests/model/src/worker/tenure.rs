//! `tenure.rs`, `engine.rs`, `echoes.rs`: one epoch of one bot: its lanes, its cursors, and what the tasks of that time share.
//!
//! Each conversation is worked on in order, conversations side by side. Invariants: one commit of a conversation is under way; an item is settled
//! after its commit is known; a commit that is refused ends the engine.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use bot_worker_core::kept::{Age, Kept};
use bot_worker_core::served::Served;
use bot_worker_core::{Context, Dialogue, Event};
use shared_core::{
    BotId, ConversationKey, Echo, Envelope, EpochStamp, ErrorClass, EventId, Incoming,
    IncomingKind, MemberId, Place, Spent, Ticket, Told,
};

use super::bot::Bot;
use super::calls::Calls;
use super::cursors::Intake;
use super::feed::Batch;
use super::lane;
use crate::bug::Bug;
use crate::redis::{Position, Resumed};
use crate::sim::wait::Bell;
use crate::sim::{Away, Ctx};

/// What has to be settled when an item is done.
#[derive(Debug, Clone, Copy)]
pub enum Origin {
    Ticket(Ticket),
    Held(Position),
    Own,
}

#[derive(Debug, Clone)]
pub enum Item {
    Heard(Rc<Incoming>),
    Held(Rc<Incoming>, Kept, Position),
    Internal {
        event: Event,
        id: EventId,
        settles: Option<Position>,
    },
    Reprompt {
        served: Option<u32>,
    },
}

#[derive(Default)]
struct Lane {
    waiting: VecDeque<(Item, Origin)>,
    running: bool,
}

pub struct Tenure {
    pub calls: Calls,
    pub bot: Rc<Bot>,
    /// The engine's tasks end before the sender's do.
    pub engine: Ctx,
    pub sends: Ctx,
    pub stamp: EpochStamp,
    pub resumed: Resumed,
    pub after_another: bool,
    pub previous_username: Option<String>,
    /// The last entry of the outbox when the tenure began.
    pub stood: Option<Position>,
    lanes: RefCell<BTreeMap<ConversationKey, Lane>>,
    cache: RefCell<BTreeMap<ConversationKey, Envelope<Dialogue>>>,
    pub served: RefCell<Served>,
    pub intake: RefCell<Intake>,
    pub flush_bell: Bell,
    running: Cell<usize>,
    pub idle_bell: Bell,
    pub sender_bell: Bell,
    pub stop_sending: Cell<bool>,
    pub sender_ended: Cell<bool>,
    pub ended_bell: Bell,
    pub took_turn: Cell<bool>,
    pub has_turn: Cell<bool>,
    /// What this bot may have said before is not all known yet.
    pub doubts_itself: Cell<bool>,
    /// Prompts that turn out to have been another bot's.
    pub left_out: RefCell<Vec<ConversationKey>>,
    pub waiting: Cell<usize>,
    /// Sends that Telegram may have shown without our knowing.
    pub on_their_way: Cell<usize>,
    pub sent: RefCell<Vec<(Position, Option<Told>)>>,
    pub spent: RefCell<Vec<Spent>>,
    pub heard: RefCell<Vec<(Ticket, Echo)>>,
    pub caught_up: Cell<bool>,
    pub told_caught_up: Cell<bool>,
    pub parked: RefCell<BTreeSet<MemberId>>,
    pub parked_known: Cell<bool>,
    /// The engine or the sender has ended; with the error that ended the session.
    pub over: Cell<Option<Option<ErrorClass>>>,
}

/// What a tenure is made of.
pub struct Terms {
    pub calls: Calls,
    pub stamp: EpochStamp,
    pub resumed: Resumed,
    pub after_another: bool,
    pub stood: Option<Position>,
    pub intake: Intake,
}

impl Tenure {
    pub fn new(terms: Terms) -> Self {
        let bot = Rc::clone(&terms.calls.bot);
        let ctx = &terms.calls.ctx;
        let sim = &ctx.sim;
        let before = terms.resumed.before.filter(|_| !terms.resumed.done);
        let name = |bot: BotId| sim.fixed.usernames[crate::fixed::bot_index(bot)].clone();
        Self {
            engine: ctx.child(),
            sends: ctx.child(),
            bot,
            stamp: terms.stamp,
            previous_username: before.map(name),
            resumed: terms.resumed,
            after_another: terms.after_another,
            stood: terms.stood,
            lanes: RefCell::default(),
            cache: RefCell::default(),
            served: RefCell::default(),
            intake: RefCell::new(terms.intake),
            flush_bell: Bell::default(),
            running: Cell::new(0),
            idle_bell: Bell::default(),
            sender_bell: Bell::default(),
            stop_sending: Cell::new(false),
            sender_ended: Cell::new(false),
            ended_bell: Bell::default(),
            took_turn: Cell::new(false),
            has_turn: Cell::new(false),
            doubts_itself: Cell::new(false),
            left_out: RefCell::default(),
            waiting: Cell::new(0),
            on_their_way: Cell::new(0),
            sent: RefCell::default(),
            spent: RefCell::default(),
            heard: RefCell::default(),
            caught_up: Cell::new(false),
            told_caught_up: Cell::new(false),
            parked: RefCell::default(),
            parked_known: Cell::new(false),
            over: Cell::new(None),
            calls: terms.calls,
        }
    }

    pub fn history(&self) -> Option<u64> {
        Some(self.calls.tenancy.history)
    }

    /// May something leave now?
    pub fn may_send(&self) -> bool {
        let sim = &self.calls.ctx.sim;
        let view = self.bot.worker.view.borrow();
        let current = view.record().map(|record| record.stamp);
        current == Some(self.stamp) && self.bot.cell.holds(self.calls.tenancy, sim.boot())
    }

    pub fn in_context<T>(&self, key: ConversationKey, f: impl FnOnce(&Context<'_>) -> T) -> T {
        let sim = &self.calls.ctx.sim;
        let fixed = &sim.fixed;
        f(&Context {
            pool: &fixed.pool,
            me_username: &fixed.usernames[crate::fixed::bot_index(self.bot.id())],
            previous_username: self.previous_username.as_deref(),
            pool_usernames: &fixed.usernames,
            texts: &fixed.texts,
            catalog: &fixed.catalog,
            now: sim.unix(),
            invite_again_ms: 0,
            records_full: false,
            key,
        })
    }

    /// How a kept message stands to the last step in its private conversation.
    pub fn age(&self, kept: Kept, envelope: &Envelope<Dialogue>) -> Age {
        kept.age(envelope, self.bot.id(), self.resumed.at)
    }

    /// One event per change of bots.
    pub fn resumption(&self) -> EventId {
        let mut id = [0; 16];
        id[..7].copy_from_slice(&self.resumed.epoch.to_be_bytes()[1..]);
        id[8..].copy_from_slice(&self.bot.id().0.to_be_bytes());
        EventId(id)
    }

    /// Did this bot, and no other, answer last?
    pub fn follows_itself(&self) -> bool {
        self.resumed.done || !self.after_another
    }

    /// Are open conversations to be shown where they stand? Also where this bot was the last to do so and another one's epoch lay in between in
    /// which nobody came to it: somebody may have started this bot since.
    pub fn owes(&self) -> bool {
        let sim = &self.calls.ctx.sim;
        let lay_between = self.after_another && self.resumed.epoch != self.stamp.epoch.0;
        (!self.resumed.done || lay_between) && !sim.has(Bug::NothingOwed)
    }

    /// The work of this epoch is over.
    pub fn end(&self, error: Option<ErrorClass>) {
        if self.over.get().is_none() {
            self.over.set(Some(error));
            self.bot.bell.ring();
        }
    }

    /// A batch comes in: its items go to their lanes, its cursor waits.
    pub fn take_batch(self: &Rc<Self>, batch: Batch) {
        let sim = &self.calls.ctx.sim;
        for incoming in batch.items.iter().filter(|it| it.place == Place::Private) {
            if let IncomingKind::Message { .. } | IncomingKind::Press { .. } = incoming.what {
                self.intake.borrow_mut().started(incoming.member);
            }
        }
        let echoes = batch.echoes.clone();
        let items = batch.items.clone();
        let ticket = self.intake.borrow_mut().open(batch, sim.bug);
        if !echoes.is_empty() {
            if sim.has(Bug::EchoesUnsettled) {
                let mut intake = self.intake.borrow_mut();
                echoes.iter().for_each(|_| intake.settle_echo(ticket));
            } else {
                let heard = echoes.into_iter().map(|echo| (ticket, echo));
                self.heard.borrow_mut().extend(heard);
                self.sender_bell.ring();
            }
        }
        for incoming in items {
            let key = incoming.conversation();
            if sim.has(Bug::SettledBeforeCommit) {
                self.settle(Origin::Ticket(ticket));
                self.push(key, Item::Heard(incoming), Origin::Own);
            } else {
                self.push(key, Item::Heard(incoming), Origin::Ticket(ticket));
            }
        }
        self.flush_bell.ring();
    }

    pub fn push(self: &Rc<Self>, key: ConversationKey, item: Item, origin: Origin) {
        let mut lanes = self.lanes.borrow_mut();
        let lane = lanes.entry(key).or_default();
        lane.waiting.push_back((item, origin));
        let idle = !lane.running;
        drop(lanes);
        if idle {
            self.start(key);
        }
    }

    /// Shows these where they stand, unless the conversation went on by itself.
    pub fn reprompt(self: &Rc<Self>, keys: Vec<ConversationKey>) {
        for key in keys {
            self.push(key, Item::Reprompt { served: None }, Origin::Own);
        }
    }

    /// Starts the lane's next item, or ends the lane when there is none.
    fn start(self: &Rc<Self>, key: ConversationKey) {
        let served = self.served.borrow().latest(&key);
        let mut lanes = self.lanes.borrow_mut();
        let Some(lane) = lanes.get_mut(&key) else {
            return;
        };
        let Some((item, origin)) = lane.waiting.pop_front() else {
            lanes.remove(&key);
            return;
        };
        lane.running = true;
        drop(lanes);
        let item = match item {
            Item::Reprompt { .. } => Item::Reprompt { served },
            item => item,
        };
        self.running.set(self.running.get() + 1);
        let cached = self.cache.borrow_mut().remove(&key);
        let tenure = Rc::clone(self);
        self.engine.spawn(async move {
            let outcome = lane::run(&tenure, key, cached, &item).await;
            tenure.finish(key, origin, outcome);
        });
    }

    fn finish(self: &Rc<Self>, key: ConversationKey, origin: Origin, outcome: lane::Outcome) {
        self.running.set(self.running.get() - 1);
        match outcome {
            lane::Outcome::Fenced => {
                if self.calls.ctx.sim.has(Bug::FencedIsSettled) {
                    self.settle(origin);
                }
                return self.end(None);
            }
            lane::Outcome::Stands { envelope, serves } => {
                if serves {
                    let nonce = envelope.state.nonce();
                    self.served.borrow_mut().stepped(key, nonce);
                }
                self.cache.borrow_mut().insert(key, *envelope);
            }
        }
        self.settle(origin);
        if let Some(lane) = self.lanes.borrow_mut().get_mut(&key) {
            lane.running = false;
        }
        self.start(key);
        if self.running.get() == 0 {
            self.idle_bell.ring();
        }
    }

    pub fn is_idle(&self) -> bool {
        self.running.get() == 0
    }

    pub fn settle(&self, origin: Origin) {
        let mut intake = self.intake.borrow_mut();
        match origin {
            Origin::Ticket(ticket) => intake.settle(ticket),
            Origin::Held(position) => intake.settle_held(position),
            Origin::Own => {}
        }
        drop(intake);
        self.flush_bell.ring();
    }

    /// Messages of our own that are explained: the cursor may pass them.
    pub fn release(&self, tickets: impl IntoIterator<Item = Ticket>) {
        let mut intake = self.intake.borrow_mut();
        tickets
            .into_iter()
            .for_each(|ticket| intake.settle_echo(ticket));
        drop(intake);
        self.flush_bell.ring();
    }

    pub fn cached(&self) -> BTreeMap<ConversationKey, Envelope<Dialogue>> {
        self.cache.borrow().clone()
    }

    pub fn load_cache(&self, cache: BTreeMap<ConversationKey, Envelope<Dialogue>>) {
        *self.cache.borrow_mut() = cache;
    }

    /// A member's replies that waited until he could be written to. False: another epoch has begun.
    pub async fn unpark(&self, member: MemberId) -> Result<bool, Away> {
        // Out of the set first: whoever parks something meanwhile puts him in again behind it.
        let has_some = self.parked.borrow_mut().remove(&member);
        if !has_some && self.parked_known.get() {
            return Ok(true);
        }
        let (stamp, held) = (self.stamp, self.history());
        let moved = self
            .calls
            .ctx
            .redis(held, move |redis, _| redis.unpark(stamp, member))
            .await;
        match moved {
            Ok(Some(some)) => {
                if some {
                    self.sender_bell.ring();
                }
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(away) => {
                self.parked.borrow_mut().insert(member);
                Err(away)
            }
        }
    }

    pub fn unpark_soon(self: &Rc<Self>, member: MemberId) {
        if self.engine.sim.has(Bug::NeverUnparked) {
            return;
        }
        if self.parked_known.get() && !self.parked.borrow().contains(&member) {
            return;
        }
        let tenure = Rc::clone(self);
        self.engine.spawn(async move {
            let _ = tenure.unpark(member).await;
        });
    }

    pub fn is_sent(&self, position: Position, told: Option<Told>) {
        self.sent.borrow_mut().push((position, told));
    }

    /// The tenure ends with these unknown. The product names them (docs/model.md, "Where the model differs from the product").
    pub fn may_be_repeated(&self) {
        let count = u64::try_from(self.on_their_way.take()).unwrap_or(u64::MAX);
        self.sends.sim.ghost.borrow_mut().said += count;
    }

    /// Is there something to be settled?
    pub fn has_sent(&self) -> bool {
        !self.sent.borrow().is_empty() || !self.spent.borrow().is_empty()
    }

    pub fn is_unsettled(&self, position: Position) -> bool {
        self.sent
            .borrow()
            .iter()
            .any(|(known, _)| *known == position)
    }

    /// The entry that became this message, while it still stands in Redis.
    pub fn unsettled(&self, told: Told) -> Option<Position> {
        let sent = self.sent.borrow();
        let found = sent.iter().find(|(_, known)| *known == Some(told));
        found.map(|(position, _)| *position)
    }

    /// Takes what is known to be sent out of Redis. Not fenced.
    pub async fn settle_sent(&self) {
        if !self.has_sent() {
            return;
        }
        let settling = self.sent.borrow().clone();
        let (bot, held, sent) = (self.bot.id(), self.history(), settling.clone());
        let stamp = self.stamp;
        let mut spent = self.spent.borrow().clone();
        spent.retain(|it| settling.iter().all(|(_, told)| *told != Some(it.word)));
        let spending = spent.clone();
        let settled = self.calls.ctx.redis(held, move |redis, sim| {
            if sim.has(Bug::SettledByHolderOnly) && !redis.live.is_open_for(stamp) {
                return;
            }
            redis.settle(&mut sim.ghost.borrow_mut(), bot, &sent);
            redis.spend_words(bot, &spending);
        });
        let settled = settled.await;
        let sim = &self.calls.ctx.sim;
        sim.say(|| format!("{bot} settles {settling:?}: {settled:?}"));
        if settled.is_ok() {
            let is_settled = |position| settling.iter().any(|(known, _)| *known == position);
            self.sent
                .borrow_mut()
                .retain(|(position, _)| !is_settled(*position));
            self.spent.borrow_mut().retain(|it| !spent.contains(it));
        }
    }
}
