//! How much of the outbox is kept in memory: of a chat only so much that a chat which is held (or floods) leaves room for all others.
//!
//! ```text
//! an entry is read                          what follows
//! its chat has few in memory                it is taken in
//! its chat has [`PER_CHAT`] in memory       it is passed over, and so are all behind it in this chat: where the first one stood is remembered
//! a chat that was passed over runs dry      it is read again from there, beside what has not been read at all
//! ```
//! Invariants: a chat's entries are taken in in their order, each once; what is passed over is remembered by one position a chat. It reads nothing
//! itself.

use std::collections::HashMap;

use shared_core::SendTarget;

/// At a message a second a chat runs dry, and a part of the outbox is read again, every half a minute.
pub const PER_CHAT: usize = 32;

/// A position is where an entry stands; `None` is before the first.
#[derive(Debug)]
pub struct Backlog<P> {
    /// What the chat's first entry that was passed over stands behind.
    passed: HashMap<SendTarget, Option<P>>,
}

impl<P> Default for Backlog<P> {
    fn default() -> Self {
        Self {
            passed: HashMap::new(),
        }
    }
}

/// Chats to be read again.
#[derive(Debug, PartialEq, Eq)]
pub struct Dry<P> {
    chats: HashMap<SendTarget, Option<P>>,
    /// Read what stands behind this.
    pub from: Option<P>,
}

impl<P: Copy + Ord> Backlog<P> {
    /// Is the chat's next entry to be taken in? `waiting`: what it has in memory; `before`: the position that the entry stands behind.
    pub fn takes(&mut self, chat: SendTarget, waiting: usize, before: Option<P>) -> bool {
        if self.passed.contains_key(&chat) {
            return false;
        }
        if waiting >= PER_CHAT {
            self.passed.insert(chat, before);
            return false;
        }
        true
    }

    /// Takes out the chats that have nothing in memory any more.
    pub fn dry(&mut self, waiting: impl Fn(SendTarget) -> usize) -> Option<Dry<P>> {
        let chats: HashMap<SendTarget, Option<P>> = self
            .passed
            .iter()
            .filter(|(chat, _)| waiting(**chat) == 0)
            .map(|(chat, from)| (*chat, *from))
            .collect();
        let from = chats.values().copied().min()?;
        self.passed.retain(|chat, _| !chats.contains_key(chat));
        Some(Dry { chats, from })
    }

    /// The reading did not come through: later, from the same places.
    pub fn put_back(&mut self, dry: Dry<P>) {
        self.passed.extend(dry.chats);
    }
}

impl<P: Copy + Ord> Dry<P> {
    /// Is this one of the entries that were passed over?
    pub fn wants(&self, chat: SendTarget, position: P) -> bool {
        self.chats
            .get(&chat)
            .is_some_and(|from| Some(position) > *from)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use shared_core::MemberId;
    use std::collections::VecDeque;

    fn chat(id: i64) -> SendTarget {
        SendTarget::Member(MemberId(id))
    }

    /// Reads an outbox the way the sender does.
    struct Reader {
        outbox: Vec<(u32, SendTarget)>,
        memory: HashMap<SendTarget, VecDeque<u32>>,
        backlog: Backlog<u32>,
        after: Option<u32>,
    }

    impl Reader {
        fn waiting(&self, chat: SendTarget) -> usize {
            self.memory.get(&chat).map_or(0, VecDeque::len)
        }

        fn offer(&mut self, position: u32, chat: SendTarget, before: Option<u32>) {
            let waiting = self.waiting(chat);
            if self.backlog.takes(chat, waiting, before) {
                self.memory.entry(chat).or_default().push_back(position);
            }
        }

        fn load(&mut self) {
            let memory = &self.memory;
            let waiting = |chat: SendTarget| memory.get(&chat).map_or(0, VecDeque::len);
            if let Some(dry) = self.backlog.dry(waiting) {
                let mut before = dry.from;
                for (position, chat) in self.outbox.clone() {
                    if Some(position) > dry.from && Some(position) <= self.after {
                        if dry.wants(chat, position) {
                            self.offer(position, chat, before);
                        }
                        before = Some(position);
                    }
                }
            }
            for (position, chat) in self.outbox.clone() {
                if Some(position) > self.after {
                    self.offer(position, chat, self.after);
                    self.after = Some(position);
                }
            }
        }
    }

    #[test]
    fn five_thousand_entries_of_one_held_chat_leave_room_for_the_others() {
        let held = (1..=5_000).map(|position| (position, chat(1)));
        let others = (5_001..=5_040).map(|position| (position, chat(i64::from(position))));
        let mut reader = Reader {
            outbox: held.chain(others).collect(),
            memory: HashMap::new(),
            backlog: Backlog::default(),
            after: None,
        };
        reader.load();
        assert_eq!(reader.waiting(chat(1)), PER_CHAT);
        assert_eq!(reader.memory.len(), 41);
    }

    #[test]
    fn whatever_is_passed_over_is_taken_in_later_in_its_order_and_once() {
        let outbox: Vec<(u32, SendTarget)> = (1..=400)
            .map(|position| (position, chat(i64::from(position % 3))))
            .collect();
        let mut reader = Reader {
            outbox: outbox[..300].to_vec(),
            memory: HashMap::new(),
            backlog: Backlog::default(),
            after: None,
        };
        let mut sent: HashMap<SendTarget, Vec<u32>> = HashMap::new();
        for round in 0..2_000 {
            if round == 40 {
                // New ones come while old ones are passed over.
                reader.outbox = outbox
                    .iter()
                    .filter(|(position, _)| !sent.values().flatten().any(|gone| gone == position))
                    .copied()
                    .collect();
            }
            reader.load();
            // One chat is slower than the others.
            let turn = chat(if round % 5 == 0 { 0 } else { 1 + round % 2 });
            if let Some(position) = reader.memory.get_mut(&turn).and_then(VecDeque::pop_front) {
                sent.entry(turn).or_default().push(position);
                reader.outbox.retain(|(known, _)| *known != position);
            }
        }
        assert!(reader.outbox.is_empty(), "{:?}", reader.outbox.len());
        for (chat, positions) in sent {
            assert!(positions.is_sorted(), "{chat}: {positions:?}");
        }
    }
}
