//! Which outbox entry leaves next: in order within a chat; between chats answers first, then prompts nobody asked for, then
//! announcements, but none is overtaken for ever: an entry may be passed by a bounded number of later ones.
//!
//! Doubtful entries ([`SendQueue::doubt`]: they may have been sent by whoever sent before) keep their places and hold up their chats until the
//! doubt ends or they are taken out as sent.
//!
//! Of several edits of one message that wait the last one leaves: after a takeover the earlier ones may have been made, and would take their reader back.
//!
//! Invariants: at most one entry per chat is in flight, so a chat's order is the order of its commits; an entry that was taken is
//! either finished or put back at the front, never dropped. `P` is the entry's position in the outbox. The queue does not send,
//! does not know Telegram, and asks [`Pacer`] when a chat may be written to.

use std::collections::{HashMap, HashSet, VecDeque};

use shared_core::{BootMs, OutboxEntry, OutboxKind, Priority, SendTarget};

use crate::pacing::Pacer;

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next<P> {
    Send(P, Box<OutboxEntry>),
    /// Nothing may leave before this moment.
    WaitUntil(BootMs),
    /// Nothing is waiting that is not already in flight.
    Idle,
}

#[derive(Debug)]
struct Waiting<P> {
    position: P,
    entry: OutboxEntry,
    arrival: u64,
}

/// How many later arrivals of the first class may go before an entry of this one. At the bulk rate of about 28 a second a prompt waits
/// a second longer than an answer would, an announcement ten.
fn head_start(priority: Priority) -> u64 {
    match priority {
        Priority::Answer => 0,
        Priority::Reprompt => 28,
        Priority::Announcement => 280,
    }
}

/// A chat's turn is its most urgent entry's: what waits before that one in the same chat must not hold it up.
fn urgency<P>(chat: &VecDeque<Waiting<P>>) -> u64 {
    let ranks = chat
        .iter()
        .map(|waiting| waiting.arrival + head_start(waiting.entry.priority));
    ranks.min().unwrap_or(u64::MAX)
}

#[derive(Debug)]
pub struct SendQueue<P> {
    chats: HashMap<SendTarget, VecDeque<Waiting<P>>>,
    in_flight: HashSet<SendTarget>,
    taken: HashMap<SendTarget, u64>,
    /// Entries up to here are doubtful.
    doubtful: Option<P>,
    arrivals: u64,
    len: usize,
}

impl<P> Default for SendQueue<P> {
    fn default() -> Self {
        Self {
            chats: HashMap::new(),
            in_flight: HashSet::new(),
            taken: HashMap::new(),
            doubtful: None,
            arrivals: 0,
            len: 0,
        }
    }
}

impl<P: Clone + Ord> SendQueue<P> {
    /// Adds an entry behind those of its chat.
    pub fn push(&mut self, position: P, entry: OutboxEntry) {
        let arrival = self.arrivals;
        self.arrivals += 1;
        self.len += 1;
        let chat = self.chats.entry(entry.target).or_default();
        chat.push_back(Waiting {
            position,
            entry,
            arrival,
        });
    }

    /// Takes the entry that should leave now; it counts as sent for the pacer.
    pub fn next(&mut self, pacer: &mut Pacer, now: BootMs) -> Next<P> {
        let mut best: Option<(u64, u64, SendTarget)> = None;
        let mut wait: Option<BootMs> = None;
        for (target, chat) in &self.chats {
            let Some(head) = chat.front().filter(|_| !self.in_flight.contains(target)) else {
                continue;
            };
            if self.is_doubtful(&head.position, &head.entry) {
                continue;
            }
            let earliest = pacer.earliest(*target);
            if earliest > now {
                wait = Some(wait.map_or(earliest, |known| known.min(earliest)));
                continue;
            }
            let rank = (urgency(chat), head.arrival, *target);
            if best.is_none_or(|known| (rank.0, rank.1) < (known.0, known.1)) {
                best = Some(rank);
            }
        }
        match best.and_then(|(_, _, target)| self.take(target)) {
            Some(taken) => {
                pacer.sent(taken.entry.target, now);
                Next::Send(taken.position, Box::new(taken.entry))
            }
            None => wait.map_or(Next::Idle, Next::WaitUntil),
        }
    }

    /// What stands up to this position may have been sent already, and waits until [`Self::end_doubt`].
    pub fn doubt(&mut self, up_to: P) {
        self.doubtful = Some(up_to);
    }

    /// From here on everything may leave. Says how many entries were doubtful to the end.
    pub fn end_doubt(&mut self) -> usize {
        let waiting = self.chats.values().flatten();
        let is_doubtful = |one: &&Waiting<P>| self.is_doubtful(&one.position, &one.entry);
        let left = waiting.filter(is_doubtful).count();
        self.doubtful = None;
        left
    }

    /// A copy into the storage channel is never doubtful: a second one does no harm.
    pub fn is_doubtful(&self, position: &P, entry: &OutboxEntry) -> bool {
        let stood = self
            .doubtful
            .as_ref()
            .is_some_and(|up_to| position <= up_to);
        stood && !matches!(entry.kind, OutboxKind::StoreFile { .. })
    }

    /// What waits for this chat, in order.
    pub fn chat(&self, target: SendTarget) -> impl Iterator<Item = (&P, &OutboxEntry)> {
        let chat = self.chats.get(&target).into_iter().flatten();
        chat.map(|waiting| (&waiting.position, &waiting.entry))
    }

    /// Everything that waits.
    pub fn entries(&self) -> impl Iterator<Item = (&P, &OutboxEntry)> {
        let waiting = self.chats.values().flatten();
        waiting.map(|waiting| (&waiting.position, &waiting.entry))
    }

    /// How many wait for this chat.
    pub fn waiting(&self, target: SendTarget) -> usize {
        self.chats.get(&target).map_or(0, VecDeque::len)
    }

    /// Takes an entry out of its chat, wherever it stands: it need not be sent.
    pub fn remove(&mut self, target: SendTarget, position: &P) -> Option<OutboxEntry> {
        let chat = self.chats.get_mut(&target)?;
        let at = chat.iter().position(|one| one.position == *position)?;
        let removed = chat.remove(at)?;
        if chat.is_empty() {
            self.chats.remove(&target);
        }
        self.len -= 1;
        Some(removed.entry)
    }

    /// Takes out what waits to be made of the same message: only the last of it counts. What is in flight is not touched.
    pub fn supersede(&mut self, by: &OutboxEntry) -> Vec<(P, OutboxEntry)> {
        let OutboxKind::Edit { r#box, message, .. } = &by.kind else {
            return Vec::new();
        };
        let (of_box, of) = (*r#box, *message);
        let edits = |entry: &OutboxEntry| matches!(&entry.kind, OutboxKind::Edit { r#box, message, .. } if (*r#box, *message) == (of_box, of));
        let Some(chat) = self.chats.get_mut(&by.target) else {
            return Vec::new();
        };
        let waiting = std::mem::take(chat).into_iter();
        let (gone, left): (Vec<_>, Vec<_>) = waiting.partition(|one| edits(&one.entry));
        *chat = left.into();
        if chat.is_empty() {
            self.chats.remove(&by.target);
        }
        self.len -= gone.len();
        let gone = gone.into_iter();
        gone.map(|one| (one.position, one.entry)).collect()
    }

    pub fn is_in_flight(&self, target: SendTarget) -> bool {
        self.in_flight.contains(&target)
    }

    /// Chats that something waits for.
    pub fn chats(&self) -> usize {
        self.chats.len()
    }

    fn take(&mut self, target: SendTarget) -> Option<Waiting<P>> {
        let chat = self.chats.get_mut(&target)?;
        let head = chat.pop_front()?;
        if chat.is_empty() {
            self.chats.remove(&target);
        }
        self.in_flight.insert(target);
        self.taken.insert(target, head.arrival);
        self.len -= 1;
        Some(head)
    }

    /// The chat's entry in flight is done with, one way or another.
    pub fn finish(&mut self, target: SendTarget) {
        self.in_flight.remove(&target);
        self.taken.remove(&target);
    }

    /// The chat's entry in flight did not leave: it is first in its chat again.
    pub fn put_back(&mut self, position: P, entry: OutboxEntry) {
        let target = entry.target;
        self.in_flight.remove(&target);
        let arrival = self.taken.remove(&target).unwrap_or(0);
        self.len += 1;
        let chat = self.chats.entry(target).or_default();
        chat.push_front(Waiting {
            position,
            entry,
            arrival,
        });
    }

    /// Entries waiting, those in flight not counted.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }
}

#[cfg(test)]
mod tests;
