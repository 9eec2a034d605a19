//! The ordered log of everything that happened: a bounded ring that control clients poll.
//!
//! Invariant: sequence numbers start at 1, have no holes, and an event is logged under the lock that made it true.
//! Entries are kept as values and only become JSON when somebody reads them.

use std::collections::VecDeque;

use serde::Serialize;
use tokio::sync::watch;

use super::kinds::kind_of;
use crate::world::{Event, Now, UserId};

/// Older entries fall out.
const CAPACITY: usize = 1_000_000;

/// Entries looked at in one read: a rare kind is found in several reads, not in one long one under the lock.
const SCAN: usize = 200_000;

/// What the wire side adds to the world's events.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum WireEvent {
    ConnectionOpened {
        connection: u64,
    },
    ConnectionClosed {
        connection: u64,
        account: Option<UserId>,
        reason: String,
    },
    KeyRefused {
        connection: u64,
        auth_key_id: i64,
    },
    BadMessage {
        connection: u64,
        code: i32,
        msg_id: i64,
    },
    Rpc {
        account: Option<UserId>,
        connection: u64,
        method: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        took_us: u64,
    },
    /// Written to the socket: the client's kernel has them, or will.
    UpdatesDelivered {
        account: UserId,
        connection: u64,
        count: usize,
    },
    /// Dropped by a fault. (Not logged when nobody is connected: that is no loss, the box has them.)
    UpdatesLost {
        account: UserId,
        connection: u64,
        fault: u64,
    },
    AuthKeyDuplicated {
        auth_key_id: i64,
        account: Option<UserId>,
        connections: [u64; 2],
    },
    FaultSet {
        fault: u64,
        fault_kind: &'static str,
        bot: Option<UserId>,
        armed: bool,
    },
    FaultFired {
        fault: u64,
        fault_kind: &'static str,
        bot: Option<UserId>,
        /// An armed fault that could not be carried out when its time came.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    FaultCleared {
        fault: u64,
        fault_kind: &'static str,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Logged {
    World(Event),
    Wire(WireEvent),
}

#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    pub seq: u64,
    pub at_ms: u64,
    pub unix_ms: i64,
    #[serde(flatten)]
    pub event: Logged,
}

/// A page of the log.
#[derive(Debug, Serialize)]
pub struct Page {
    pub events: Vec<Entry>,
    /// Ask for what is after this one.
    pub next: u64,
    /// Entries between `after` and the first one that is still kept.
    pub missed: u64,
}

#[derive(Debug)]
pub struct EventLog {
    ring: VecDeque<Entry>,
    next_seq: u64,
    news: watch::Sender<u64>,
}

impl Default for EventLog {
    fn default() -> Self {
        Self {
            ring: VecDeque::new(),
            next_seq: 1,
            news: watch::Sender::new(0),
        }
    }
}

impl EventLog {
    pub fn push(&mut self, event: Logged, now: Now) {
        if self.ring.len() == CAPACITY {
            self.ring.pop_front();
        }
        self.ring.push_back(Entry {
            seq: self.next_seq,
            at_ms: now.mono_ms,
            unix_ms: now.unix_ms,
            event,
        });
        self.next_seq += 1;
    }

    /// Wakes those who wait for entries; called once per step, not per entry.
    pub fn announce(&self) {
        let last = self.next_seq - 1;
        self.news
            .send_if_modified(|seen| std::mem::replace(seen, last) != last);
    }

    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    pub fn last_seq(&self) -> u64 {
        self.next_seq - 1
    }

    pub fn read(&self, after: u64, limit: usize, kinds: &[String]) -> Page {
        let first = self.next_seq - self.ring.len() as u64;
        let missed = first.saturating_sub(after + 1);
        let skip = (after + 1).saturating_sub(first) as usize;
        let mut page = Page {
            events: Vec::new(),
            next: after + missed,
            missed,
        };
        for entry in self.ring.iter().skip(skip).take(SCAN) {
            if page.events.len() >= limit {
                break;
            }
            page.next = entry.seq;
            let kind = kind_of(&entry.event);
            if kinds.is_empty() || kinds.iter().any(|wanted| wanted == kind) {
                page.events.push(entry.clone());
            }
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(connection: u64) -> Logged {
        Logged::Wire(WireEvent::ConnectionOpened { connection })
    }

    #[test]
    fn pages_follow_each_other_without_holes() {
        let mut log = EventLog::default();
        for connection in 0..5 {
            log.push(
                opened(connection),
                Now {
                    unix_ms: 1,
                    mono_ms: connection,
                },
            );
        }
        let first = log.read(0, 2, &[]);
        assert_eq!((first.events.len(), first.next, first.missed), (2, 2, 0));
        assert_eq!(first.events[1].event, opened(1));
        let second = log.read(first.next, 100, &[]);
        assert_eq!((second.events.len(), second.next), (3, 5));
        let none = log.read(second.next, 100, &[]);
        assert_eq!((none.events.len(), none.next), (0, 5));
    }

    #[test]
    fn a_filter_moves_on_over_what_it_hides() {
        let mut log = EventLog::default();
        log.push(
            opened(1),
            Now {
                unix_ms: 1,
                mono_ms: 1,
            },
        );
        let page = log.read(0, 10, &["rpc".to_owned()]);
        assert_eq!((page.events.len(), page.next), (0, 1));
    }
}
