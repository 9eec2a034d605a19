//! `sender.rs`: empties the outbox, each entry until it is known what became of it.
//!
//! Real: `SendQueue`, `Pacer`, `Backlog`. Invariants: an entry leaves Redis only when its outcome is known; before each send the lease must hold.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use bot_worker_core::backlog::Backlog;
use bot_worker_core::pacing::{Pacer, Rates};
use bot_worker_core::send_queue::{Next, SendQueue};
use shared_core::{ConversationKey, EntryId, ErrorClass, OutboxEntry, SendTarget, Told};

use super::deliver::{Outcome, deliver};
use super::doubt::Doubt;
use super::tenure::{Item, Origin, Tenure};
use super::turn;
use crate::bug::Bug;
use crate::redis::Position;

const IN_FLIGHT: usize = 32;
const POLL: u64 = 1_000;
const READ_AGAIN: u64 = 25;
const SETTLE_AGAIN: u64 = 50;
const REFUSALS: u32 = 12;
const REFUSED_AGAIN: u64 = 5_000;

/// Wider than the product's defaults, so that a history does not wait for Telegram's pace.
const RATES: Rates = Rates {
    chat_per_second: 20,
    chat_burst: 5,
    group_per_minute: 2_000,
    group_burst: 20,
    bulk_per_second: 200,
    bulk_burst: 50,
};

#[derive(Debug, Clone, Copy, Default)]
pub struct Tries {
    /// The last one failed so that nobody knows whether Telegram did it.
    pub unknown: bool,
    pub copies: u32,
    pub failures: u32,
}

struct Sent {
    position: Position,
    entry: OutboxEntry,
    outcome: Outcome,
}

pub struct Sender {
    pub tenure: Rc<Tenure>,
    pub queue: SendQueue<Position>,
    pacer: Pacer,
    pub after: Option<Position>,
    pub backlog: Backlog<Position>,
    pub foreign: Vec<Position>,
    pub served: Option<BTreeMap<ConversationKey, u32>>,
    pub doubt: Doubt,
    pub unended: bool,
    in_flight: usize,
    done: Rc<RefCell<VecDeque<Sent>>>,
    pub tries: HashMap<EntryId, Tries>,
    settling: Rc<std::cell::Cell<bool>>,
}

pub enum After {
    GoOn,
    Over,
    Fatal(ErrorClass),
}

impl Sender {
    pub fn new(tenure: Rc<Tenure>) -> Self {
        Self {
            tenure,
            queue: SendQueue::default(),
            pacer: Pacer::new(RATES),
            after: None,
            backlog: Backlog::default(),
            foreign: Vec::new(),
            served: Some(BTreeMap::new()),
            doubt: Doubt::default(),
            unended: false,
            in_flight: 0,
            done: Rc::default(),
            tries: HashMap::new(),
            settling: Rc::default(),
        }
    }

    /// Runs until the session or the epoch is over, or it is told to stop.
    pub async fn run(mut self) {
        let tenure = Rc::clone(&self.tenure);
        let fatal = self.send_until_over().await;
        if let Some(fatal) = fatal {
            self.wind_down(fatal.is_some()).await;
            tenure.end(fatal);
        } else {
            tenure.may_be_repeated();
            tenure.end(None);
        }
        tenure.sender_ended.set(true);
        tenure.ended_bell.ring();
    }

    /// `None`: it never had its turn.
    async fn send_until_over(&mut self) -> Option<Option<ErrorClass>> {
        let doubts = turn::take(&self.tenure).await?;
        self.tenure.took_turn.set(true);
        if !doubts.is_empty() {
            // Whoever ends before this is looked at ends with it unknown.
            self.tenure.on_their_way.set(self.shown_already());
        }
        self.begin(&doubts);
        self.note_on_their_way();
        loop {
            if self.tenure.stop_sending.get() {
                return None;
            }
            if self.first_look().await.is_ok() {
                break;
            }
            self.tenure.sends.sleep(READ_AGAIN).await;
        }
        Some(self.send_all().await)
    }

    async fn send_all(&mut self) -> Option<ErrorClass> {
        let tenure = Rc::clone(&self.tenure);
        let (mut look, mut unread) = (true, false);
        loop {
            if std::mem::take(&mut look) {
                unread = self.load().await.is_err();
                if !unread {
                    self.count_unended();
                    self.tell_served();
                }
            }
            if !unread {
                self.look_at_echoes().await;
            }
            self.settle_beside();
            let mut pause = self.start_sends();
            if unread {
                pause = pause.min(READ_AGAIN);
            }
            tenure.waiting.set(self.queue.chats() + self.in_flight);
            self.note_on_their_way();
            if tenure.stop_sending.get() {
                return None;
            }
            let next = self.done.borrow_mut().pop_front();
            if let Some(sent) = next {
                self.in_flight -= 1;
                match self.finish(sent).await {
                    After::GoOn => look = self.queue.is_empty(),
                    After::Over => return None,
                    After::Fatal(class) => return Some(class),
                }
                continue;
            }
            if let Some(at) = self.doubt_ends() {
                pause = pause.min(at.saturating_sub(tenure.sends.sim.now()).max(1));
            }
            // A ring may mean anything: an entry, an echo, an answer.
            let rung = tenure.sends.rung_within(&tenure.sender_bell, pause).await;
            look = rung || unread || pause == POLL;
        }
    }

    /// Takes what is known to be sent out of Redis, beside the sends.
    fn settle_beside(&self) {
        if self.settling.get() || !self.tenure.has_sent() {
            return;
        }
        self.settling.set(true);
        let (tenure, settling) = (Rc::clone(&self.tenure), Rc::clone(&self.settling));
        self.tenure.sends.spawn(async move {
            tenure.settle_sent().await;
            if tenure.has_sent() {
                tenure.sends.sleep(SETTLE_AGAIN).await;
            }
            settling.set(false);
            tenure.sender_bell.ring();
        });
    }

    /// Waits a moment for what is in flight.
    async fn wind_down(&mut self, session_is_dead: bool) {
        let tenure = Rc::clone(&self.tenure);
        let bound = match session_is_dead {
            true => Tenure::wind_down_dead(),
            false => tenure.wind_down(),
        };
        let until = tenure.sends.sim.now() + bound;
        while self.in_flight > 0 && tenure.sends.sim.now() < until {
            let next = self.done.borrow_mut().pop_front();
            let Some(sent) = next else {
                let left = until - tenure.sends.sim.now();
                tenure.sends.rung_within(&tenure.sender_bell, left).await;
                continue;
            };
            self.in_flight -= 1;
            match sent.outcome {
                Outcome::Sent(told) => tenure.is_sent(sent.position, told),
                Outcome::NotNeeded => tenure.is_sent(sent.position, None),
                Outcome::Failed(ErrorClass::Network | ErrorClass::Server) => {
                    self.tries.entry(sent.entry.id).or_default().unknown = true;
                }
                _ => {}
            }
        }
        self.note_on_their_way();
        tenure.may_be_repeated();
        tenure.settle_sent().await;
    }

    /// What Telegram may have shown without our knowing: what is in flight, what failed on the line and waits for another try, and of each
    /// chat the first reply while there is doubt.
    fn note_on_their_way(&self) {
        let tried = self.tries.values().filter(|tries| tries.unknown).count();
        let before = match self.unended || self.doubt_ends().is_some() {
            true => self.queue.chats().max(self.shown_already()),
            false => 0,
        };
        self.tenure
            .on_their_way
            .set(self.in_flight + tried + before);
    }

    /// Starts what may leave; says how long there is nothing to do otherwise.
    fn start_sends(&mut self) -> u64 {
        let sim = Rc::clone(&self.tenure.sends.sim);
        let now = sim.boot();
        self.pacer.forget_idle(now);
        while self.in_flight < IN_FLIGHT {
            if !self.tenure.may_send() {
                return 50;
            }
            match self.queue.next(&mut self.pacer, now) {
                Next::Send(position, entry) => {
                    if sim.has(Bug::SettledBeforeSend) {
                        self.tenure.is_sent(position, None);
                    }
                    self.send(position, *entry);
                }
                Next::WaitUntil(at) => {
                    return u64::try_from(at.since(now).as_millis())
                        .unwrap_or(POLL)
                        .clamp(1, POLL);
                }
                Next::Idle => return POLL,
            }
        }
        POLL
    }

    fn send(&mut self, position: Position, entry: OutboxEntry) {
        self.in_flight += 1;
        let attempt = self
            .tries
            .get(&entry.id)
            .copied()
            .unwrap_or_default()
            .copies;
        let (tenure, done) = (Rc::clone(&self.tenure), Rc::clone(&self.done));
        self.tenure.sends.spawn(async move {
            let outcome = deliver(&tenure, &entry, attempt).await;
            tenure
                .sends
                .sim
                .say(|| format!("{} sends {}: {outcome:?}", tenure.bot.id(), entry.id));
            done.borrow_mut().push_back(Sent {
                position,
                entry,
                outcome,
            });
            tenure.sender_bell.ring();
        });
    }

    async fn finish(&mut self, sent: Sent) -> After {
        let Sent {
            position,
            entry,
            outcome,
        } = sent;
        let target = entry.target;
        match outcome {
            Outcome::Sent(told) => {
                self.pacer.taken();
                self.done_with(position, &entry, told);
            }
            Outcome::NotNeeded => self.done_with(position, &entry, None),
            Outcome::Event { event, id } => {
                self.queue.finish(target);
                self.tries.remove(&entry.id);
                let settles = Some(position);
                let item = Item::Internal { event, id, settles };
                self.tenure.push(entry.conversation, item, Origin::Own);
            }
            Outcome::Park(member) => return self.park(position, entry, member).await,
            Outcome::Refused => {
                let failures = self
                    .tries
                    .get(&entry.id)
                    .copied()
                    .unwrap_or_default()
                    .failures;
                if failures >= REFUSALS {
                    return self.refuse(position, entry).await;
                }
                self.tries.entry(entry.id).or_default().failures += 1;
                self.hold(target, REFUSED_AGAIN);
                self.queue.put_back(position, entry);
            }
            Outcome::Never => return self.refuse(position, entry).await,
            Outcome::CopyAgain => {
                self.tries.entry(entry.id).or_default().copies += 1;
                self.queue.put_back(position, entry);
            }
            Outcome::Failed(class) if class.is_fatal() => return After::Fatal(class),
            Outcome::Failed(class) => self.again(position, entry, class),
        }
        After::GoOn
    }

    fn done_with(&mut self, position: Position, entry: &OutboxEntry, told: Option<Told>) {
        self.queue.finish(entry.target);
        self.tries.remove(&entry.id);
        self.doubt.note(told);
        self.tenure.is_sent(position, told);
        if let SendTarget::Member(member) = entry.target {
            self.tenure.unpark_soon(member);
        }
    }

    fn again(&mut self, position: Position, entry: OutboxEntry, class: ErrorClass) {
        self.tenure.bot.error(class);
        let tries = self.tries.entry(entry.id).or_default();
        tries.failures += 1;
        tries.unknown |= matches!(class, ErrorClass::Network | ErrorClass::Server);
        let pause = 200 * u64::from(tries.failures.min(10));
        self.hold(entry.target, pause);
        self.queue.put_back(position, entry);
    }

    pub fn hold(&mut self, target: SendTarget, pause: u64) {
        let until = self
            .tenure
            .sends
            .sim
            .boot()
            .plus(Duration::from_millis(pause));
        self.pacer.hold(target, until);
    }
}
