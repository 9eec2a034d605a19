//! `telegram/feed.rs` and `telegram/boxes.rs` of `shared-io`: what is missing of each box, and when to ask for it.
//!
//! A live update is given out when it follows on the counter, dropped when it was given out before, and kept for a moment when something is missing
//! before it; then the difference is fetched. While a difference is being fetched the box's live updates are held back. Modelled, since the product's
//! boxes live in a crate that is not pure. Invariant: a counter moves over an update only when that update has been given out.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use shared_core::{
    BotId, BoxId, ChannelId, Echo, Incoming, IncomingKind, MessageId, Place, SendTarget,
};

use super::calls::Calls;
use crate::bug::Bug;
use crate::sim::wait::Bell;
use crate::telegram::{Pushed, Refused, Update, What};

/// Updates overtake each other; after this something is missing.
const GAP: u64 = 500;
/// A channel that was silent for so long is looked at with the probe.
const QUIET: u64 = 900;
const RETRY: u64 = 250;
/// Updates in a slice of a difference; few, so that there are several slices.
const SLICE: usize = 3;

#[derive(Debug, Clone, Default)]
pub struct Batch {
    pub items: Vec<Rc<Incoming>>,
    pub echoes: Vec<Echo>,
    pub private_after: Option<i32>,
    pub channels_after: Vec<(ChannelId, i32)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fetch {
    Idle,
    Wanted,
    Asked,
}

struct Tracked {
    pts: i32,
    generation: u64,
    fetch: Fetch,
    again: bool,
    early: Vec<Update>,
    held: Vec<Update>,
    /// When the difference is wanted by itself.
    overdue: Option<u64>,
    heard_at: u64,
}

impl Tracked {
    fn new(pts: i32, generation: u64, now: u64) -> Self {
        Self {
            pts,
            generation,
            fetch: Fetch::Wanted,
            again: false,
            early: Vec::new(),
            held: Vec::new(),
            overdue: None,
            heard_at: now,
        }
    }

    fn want(&mut self) {
        self.early.clear();
        self.overdue = None;
        match self.fetch {
            Fetch::Idle => self.fetch = Fetch::Wanted,
            Fetch::Asked => self.again = true,
            Fetch::Wanted => {}
        }
    }

    /// Takes a live update in; gives out what is due.
    fn offer(
        &mut self,
        update: Update,
        now: u64,
        at_once: bool,
        gaps: bool,
        due: &mut Vec<Update>,
    ) {
        self.heard_at = now;
        if self.fetch != Fetch::Idle && !at_once {
            self.held.push(update);
            return;
        }
        if update.pts <= self.pts {
            return;
        }
        if update.pts > self.pts + 1 && !at_once && !gaps {
            self.overdue.get_or_insert(now + GAP);
            self.early.push(update);
            return;
        }
        self.pts = update.pts;
        due.push(update);
        self.early.sort_by_key(|early| early.pts);
        for early in std::mem::take(&mut self.early) {
            if early.pts == self.pts + 1 {
                self.pts = early.pts;
                due.push(early);
            } else if early.pts > self.pts {
                self.early.push(early);
            }
        }
        if self.early.is_empty() {
            self.overdue = None;
        }
    }
}

pub struct Feed {
    calls: Calls,
    me: BotId,
    boxes: RefCell<BTreeMap<BoxId, Tracked>>,
    ready: RefCell<VecDeque<Batch>>,
    generations: RefCell<u64>,
    fetches: Bell,
    error: RefCell<Option<Refused>>,
}

impl Feed {
    pub fn new(calls: Calls, private: i32) -> Rc<Self> {
        let me = calls.bot.id();
        let feed = Rc::new(Self {
            calls,
            me,
            boxes: RefCell::default(),
            ready: RefCell::default(),
            generations: RefCell::default(),
            fetches: Bell::default(),
            error: RefCell::default(),
        });
        feed.load(BoxId::Private(me), private);
        let fetching = Rc::clone(&feed);
        feed.calls
            .ctx
            .spawn(async move { fetching.fetch_all().await });
        feed
    }

    fn load(&self, r#box: BoxId, pts: i32) {
        *self.generations.borrow_mut() += 1;
        let generation = *self.generations.borrow();
        let tracked = Tracked::new(pts, generation, self.calls.ctx.sim.now());
        self.boxes.borrow_mut().insert(r#box, tracked);
        self.fetches.ring();
    }

    /// The pool's channels, from their committed cursors on. What was received of them before and not taken yet is dropped.
    pub fn set_channels(&self, channels: &[(ChannelId, i32)]) {
        let is_set = |channel: &ChannelId| channels.iter().any(|(set, _)| set == channel);
        if !self.calls.ctx.sim.has(Bug::ReceivedBeforeKept) {
            for batch in self.ready.borrow_mut().iter_mut() {
                batch.channels_after.retain(|(channel, _)| !is_set(channel));
                batch.items.retain(|item| match item.place {
                    Place::Group(channel) => !is_set(&channel),
                    Place::Private => true,
                });
                batch.echoes.retain(|echo| match echo.chat {
                    SendTarget::Channel(channel) => !is_set(&channel),
                    SendTarget::Member(_) => true,
                });
            }
        }
        for (channel, pts) in channels {
            self.load(BoxId::Channel(*channel), *pts);
        }
    }

    /// Telegram's own account of the private box.
    pub fn observe(&self, pts: i32) {
        let now = self.calls.ctx.sim.now();
        if let Some(private) = self.boxes.borrow_mut().get_mut(&BoxId::Private(self.me))
            && private.fetch == Fetch::Idle
            && private.pts < pts
        {
            private.overdue.get_or_insert(now + GAP);
        }
        self.fetches.ring();
    }

    pub fn look_at_channels(&self) {
        let now = self.calls.ctx.sim.now();
        let mut boxes = self.boxes.borrow_mut();
        for (r#box, tracked) in boxes.iter_mut() {
            if matches!(r#box, BoxId::Channel(_))
                && tracked.fetch == Fetch::Idle
                && now - tracked.heard_at >= QUIET
            {
                tracked.want();
            }
        }
        drop(boxes);
        self.fetches.ring();
    }

    /// Every box is to be fetched anew.
    pub fn look_everywhere(&self) {
        let mut boxes = self.boxes.borrow_mut();
        boxes.values_mut().for_each(Tracked::want);
        drop(boxes);
        self.fetches.ring();
    }

    pub fn caught_up(&self) -> bool {
        let boxes = self.boxes.borrow();
        let idle = boxes.values().all(|tracked| tracked.fetch == Fetch::Idle);
        idle && self.ready.borrow().is_empty()
    }

    pub fn take_error(&self) -> Option<Refused> {
        self.error.borrow_mut().take()
    }

    /// The next batch, live ones taken in first.
    pub fn next(&self) -> Option<Batch> {
        let line = Rc::clone(&self.calls.line);
        loop {
            // Taken out before it is looked at: that may bring more.
            let next = line.inbox.borrow_mut().pop_front();
            let Some(pushed) = next else { break };
            match pushed {
                Pushed::Update(update) => self.live(update),
                Pushed::Press(press) => self.give(Batch {
                    items: vec![press],
                    ..Batch::default()
                }),
            }
        }
        self.ready.borrow_mut().pop_front()
    }

    fn give(&self, batch: Batch) {
        self.ready.borrow_mut().push_back(batch);
    }

    fn live(&self, update: Update) {
        let sim = &self.calls.ctx.sim;
        let at_once = sim.has(Bug::LiveBeforeCatchUp);
        let r#box = update.r#box;
        let mut due = Vec::new();
        let follows =
            matches!(r#box, BoxId::Channel(_)) && !self.boxes.borrow().contains_key(&r#box);
        if follows {
            // A group without a cursor begins with the first update that is seen of it.
            self.load(r#box, update.pts - 1);
            if let Some(tracked) = self.boxes.borrow_mut().get_mut(&r#box) {
                tracked.fetch = Fetch::Idle;
            }
        }
        if let Some(tracked) = self.boxes.borrow_mut().get_mut(&r#box) {
            tracked.offer(
                update,
                sim.now(),
                at_once,
                sim.has(Bug::GapIgnored),
                &mut due,
            );
        }
        self.fetches.ring();
        if let Some(last) = due.last().map(|update| update.pts) {
            self.give_updates(r#box, due, last, false);
        }
    }

    fn give_updates(&self, r#box: BoxId, updates: Vec<Update>, after: i32, is_slice: bool) {
        let by_pts = is_slice && self.calls.ctx.sim.has(Bug::IdFromDifference);
        let mut batch = Batch::default();
        for update in updates {
            match update.what {
                What::Heard(incoming) if by_pts => {
                    batch.items.push(Rc::new(renamed(&incoming, after)));
                }
                What::Heard(incoming) => batch.items.push(incoming),
                What::Own(bot, echo) if bot == self.me => batch.echoes.push(echo),
                What::Own(..) => {}
            }
        }
        match r#box {
            BoxId::Private(_) => batch.private_after = Some(after),
            BoxId::Channel(channel) => batch.channels_after.push((channel, after)),
        }
        self.give(batch);
    }

    /// Asks for every difference that is wanted, a box at a time each.
    async fn fetch_all(self: Rc<Self>) {
        let ctx = self.calls.ctx.clone();
        loop {
            let now = ctx.sim.now();
            let mut asks = Vec::new();
            let mut wake: Option<u64> = None;
            for (r#box, tracked) in self.boxes.borrow_mut().iter_mut() {
                if tracked.fetch == Fetch::Idle && tracked.overdue.is_some_and(|at| at <= now) {
                    tracked.want();
                }
                match tracked.fetch {
                    Fetch::Wanted => {
                        tracked.fetch = Fetch::Asked;
                        asks.push((*r#box, tracked.pts, tracked.generation));
                    }
                    Fetch::Idle => {
                        wake = wake.into_iter().chain(tracked.overdue).min();
                    }
                    Fetch::Asked => {}
                }
            }
            for (r#box, pts, generation) in asks {
                let this = Rc::clone(&self);
                ctx.spawn(async move { this.fetch(r#box, pts, generation).await });
            }
            match wake {
                Some(at) => drop(ctx.rung_within(&self.fetches, at.saturating_sub(now)).await),
                None => self.fetches.rung().await,
            }
        }
    }

    async fn fetch(&self, r#box: BoxId, pts: i32, generation: u64) {
        let asked = self
            .calls
            .call(move |telegram, _, _, _| Ok(telegram.difference(r#box, pts, SLICE)));
        let answer = asked.await;
        if answer.is_err() {
            self.calls.ctx.sleep(RETRY).await;
        }
        let is_current =
            |tracked: &Tracked| tracked.generation == generation && tracked.fetch == Fetch::Asked;
        if !self.boxes.borrow().get(&r#box).is_some_and(is_current) {
            return;
        }
        match answer {
            Ok((updates, after, is_all)) => {
                let first_only = self.calls.ctx.sim.has(Bug::FirstSliceOnly);
                let (after, is_all) = match first_only {
                    true => (self.calls.ctx.sim.telegram.borrow().pts(r#box), true),
                    false => (after, is_all),
                };
                if after != pts {
                    self.give_updates(r#box, updates, after, true);
                }
                let held = self.end_slice(r#box, after, is_all);
                held.into_iter().for_each(|update| self.live(update));
            }
            Err(refused) => {
                if refused.0.is_fatal() {
                    *self.error.borrow_mut() = Some(refused);
                }
                if let Some(tracked) = self.boxes.borrow_mut().get_mut(&r#box) {
                    tracked.fetch = Fetch::Wanted;
                }
            }
        }
        self.fetches.ring();
        self.calls.line.bell.ring();
    }

    /// The slice has been given out; what was held back meanwhile, if nothing more is fetched.
    fn end_slice(&self, r#box: BoxId, after: i32, is_all: bool) -> Vec<Update> {
        let mut boxes = self.boxes.borrow_mut();
        let Some(tracked) = boxes.get_mut(&r#box) else {
            return Vec::new();
        };
        tracked.pts = tracked.pts.max(after);
        tracked.heard_at = self.calls.ctx.sim.now();
        let more = !is_all || std::mem::take(&mut tracked.again);
        tracked.fetch = if more { Fetch::Wanted } else { Fetch::Idle };
        match more {
            true => Vec::new(),
            false => std::mem::take(&mut tracked.held),
        }
    }
}

/// The same message under the number that its difference ends with.
fn renamed(incoming: &Incoming, after: i32) -> Incoming {
    let mut renamed = incoming.clone();
    if let IncomingKind::Message { message, .. } = &mut renamed.what {
        *message = MessageId(after);
    }
    renamed
}
