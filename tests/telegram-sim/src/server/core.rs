//! Everything that changes, and the rules by which a step runs: a call or a control request, then its events (which may fire
//! faults), then its answer, then pushes and finished calls.
//!
//! Invariant: a fault that an event fires is in force before the answer and the pushes of the same step are sent.

mod calls;
mod fire;
mod packets;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

pub use fire::FaultError;
pub use packets::{PacketContext, Reaction};

use crate::faults::{Faults, UpdateFate};
use crate::hub::{CloseReason, Hub, Outgoing, Payload};
use crate::server::log::{EventLog, Logged, WireEvent};
use crate::world::{Event, Now, PendingId, Push, RpcError, UpdatesTo, World};

/// What a press came to, for the control API.
pub type PressResult = Result<Vec<u8>, RpcError>;

#[derive(Debug)]
pub struct Core {
    pub world: World,
    pub hub: Hub,
    pub faults: Faults,
    pub log: EventLog,
    waiting: HashMap<PendingId, Waiting>,
}

/// Who is told when a pending call is finished.
#[derive(Debug)]
enum Waiting {
    Call(calls::WaitingCall),
    Control(oneshot::Sender<PressResult>),
}

impl Core {
    pub fn new(world: World, seed: u64) -> Self {
        Self {
            world,
            hub: Hub::default(),
            faults: Faults::new(seed),
            log: EventLog::default(),
            waiting: HashMap::new(),
        }
    }

    /// Logs an event and fires the faults that it triggers, and theirs in turn (each fault fires once).
    pub fn record(&mut self, event: WireEvent, now: Now) {
        self.record_all([Logged::Wire(event)].into(), now);
    }

    /// Carries out what the last act set off, until nothing is left.
    pub fn settle(&mut self, now: Now) {
        loop {
            self.absorb_events(now);
            let pushes = self.world.drain_pushes();
            let finished = self.world.drain_finished(now);
            let expired = self.faults.expire(now.mono_ms);
            if pushes.is_empty() && finished.is_empty() && expired.is_empty() {
                break;
            }
            for push in pushes {
                self.deliver(push, now);
            }
            for fault in expired {
                self.undo(&fault, now);
            }
            self.absorb_events(now);
            for (id, result) in finished {
                self.finish(id, result);
            }
        }
        self.log.announce();
    }

    pub fn next_deadline(&self) -> Option<u64> {
        let deadlines = [self.world.next_deadline(), self.faults.next_expiry()];
        deadlines.into_iter().flatten().min()
    }

    /// Has a finished press told to a control request.
    pub fn await_press(&mut self, id: PendingId) -> oneshot::Receiver<PressResult> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.insert(id, Waiting::Control(sender));
        receiver
    }

    pub fn close(&mut self, connection: u64, reason: &CloseReason, now: Now) {
        let Some(closed) = self.hub.close(connection) else {
            return;
        };
        self.waiting.retain(
            |_, waiting| !matches!(waiting, Waiting::Call(call) if call.connection == connection),
        );
        let reason = reason.to_string();
        self.record(
            WireEvent::ConnectionClosed {
                connection,
                account: closed.account,
                reason,
            },
            now,
        );
    }

    /// Queues a message for a connection, unless a fault swallows it.
    pub(super) fn send(&mut self, connection: u64, payload: Payload) {
        let Some(target) = self.hub.get(connection) else {
            return;
        };
        if let Some(fault) = self.faults.is_silent(target.account, connection) {
            self.faults.count_hits(fault, 1);
            return;
        }
        let delay = self.faults.delay(target.account);
        let due = (delay.ms > 0).then(|| Instant::now() + Duration::from_millis(delay.ms));
        target.outbox.send(Outgoing { due, payload });
    }

    fn absorb_events(&mut self, now: Now) {
        let events = self.world.drain_events();
        if !events.is_empty() {
            self.record_all(events.into_iter().map(Logged::World).collect(), now);
        }
    }

    fn record_all(&mut self, mut queue: VecDeque<Logged>, now: Now) {
        while let Some(event) = queue.pop_front() {
            let fired = if self.faults.has_armed() {
                let value = serde_json::to_value(&event).unwrap_or_default();
                self.faults.triggered_by(&value)
            } else {
                Vec::new()
            };
            if let Logged::World(Event::FaultFired { fault, .. }) = event {
                self.faults.count_hits(fault, 1);
            }
            self.log.push(event, now);
            for fault in fired {
                queue.extend(self.fire(fault, now).0);
            }
        }
    }

    fn deliver(&mut self, push: Push, now: Now) {
        // The doubt is about bots. People have several devices, and all of them are told.
        let to = if self.world.is_bot(push.account) {
            self.world.settings().doubts.updates_to
        } else {
            UpdatesTo::AllLogins
        };
        for connection in self.hub.receivers(push.account, to) {
            if push.except_connection == Some(connection) {
                continue;
            }
            let Some(session) = self
                .hub
                .get(connection)
                .and_then(|one| one.subscribed.clone())
            else {
                continue;
            };
            match self.faults.fate_of_update(push.account, connection) {
                UpdateFate::LostTo(fault) => {
                    self.record(
                        WireEvent::UpdatesLost {
                            account: push.account,
                            connection,
                            fault,
                        },
                        now,
                    );
                }
                UpdateFate::Pass => {
                    let updates = push.updates.clone();
                    self.send(
                        connection,
                        Payload::Updates {
                            session,
                            account: push.account,
                            updates,
                        },
                    );
                }
            }
        }
    }

    fn finish(&mut self, id: PendingId, result: PressResult) {
        match self.waiting.remove(&id) {
            Some(Waiting::Call(call)) => self.answer_late(call, result),
            // The control client may have gone; nobody is left to tell.
            Some(Waiting::Control(sender)) => drop(sender.send(result)),
            None => {}
        }
    }
}
