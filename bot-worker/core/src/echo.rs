//! Which of the replies that wait has been sent already: what a message of our own, found in a box, says of them.
//!
//! ```text
//! the message                                            what it means
//! was acknowledged, by its id                            known: its reply was taken out of the outbox with that word
//! one of its kind was acknowledged without an id         known, once for each such word, which is spent with that: kept on, it would be taken
//!                                                        for the next message that looks the same
//! its chat has a doubtful reply that looks the same      that reply was sent: the first such one, since a chat's order is kept
//! else                                                   a stranger: a hint, an answer to an admin, a smoke test
//! ```
//! Doubtful is a reply that may have been on its way without an answer: all that waited when a sender of the same bot began, and what failed
//! on the line. Everything else has certainly not been sent, however alike it looks.
//!
//! Why this is sound. In a chat one reply is on its way at a time, and the next only after the answer to the one before it. An answer's word is written
//! in the script that removes the reply. So of the messages that have no such word, and are later than the cursor, each belongs to a reply
//! that still waits, the first of its chat that looks like it, or was no reply at all. Two replies of equal words are told apart by this order.
//! A reply that was committed after the message was sent cannot be it ([`AHEAD_MS`] allows for clocks that differ).
//! What is left: a member who deletes such a message before the next login has read the box gets it again, and so does everybody where Telegram
//! does not give the box's updates out any more ("too long"); both are the promise "may be repeated once".
//!
//! Invariant: bounded memory; the oldest word is forgotten first. It decides nothing about when to wait.

use std::collections::{HashMap, HashSet, VecDeque};

use shared_core::{Echo, OutboxEntry, Print, SendTarget, Spent, TOLD_KEPT, Told};

/// How far the clock of whoever commits may be ahead of Telegram's, whose dates are whole seconds.
const AHEAD_MS: i64 = 5_000;

/// What is known of a bot's own messages.
#[derive(Debug, Default)]
pub struct Ledger {
    order: VecDeque<Told>,
    messages: HashSet<Told>,
    somehow: HashMap<(SendTarget, Print), u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    Known(Told),
    /// The same, of one that was acknowledged without an id: that word is spent, here and wherever it is kept.
    Spent(Spent),
    /// The reply at this place among those that were offered has been sent.
    Sent(usize),
    Stranger,
}

impl Ledger {
    pub fn new(told: impl IntoIterator<Item = Told>) -> Self {
        let mut ledger = Self::default();
        told.into_iter().for_each(|told| ledger.note(told));
        ledger
    }

    /// Telegram has acknowledged this message.
    pub fn note(&mut self, told: Told) {
        match told {
            Told::Message(..) if !self.messages.insert(told) => return,
            Told::Message(..) => {}
            Told::Somehow(chat, print) => *self.somehow.entry((chat, print)).or_default() += 1,
        }
        self.order.push_back(told);
        if self.order.len() > TOLD_KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.forget(&oldest);
        }
    }

    /// What a message of ours says of the doubtful replies of its chat, oldest first.
    pub fn explain<'a>(
        &mut self,
        echo: &Echo,
        doubtful: impl IntoIterator<Item = &'a OutboxEntry>,
    ) -> Meaning {
        let message = Told::Message(echo.chat, echo.message);
        if self.messages.contains(&message) {
            return Meaning::Known(message);
        }
        if self.somehow.contains_key(&(echo.chat, echo.print)) {
            let word = Told::Somehow(echo.chat, echo.print);
            self.forget(&word);
            if let Some(at) = self.order.iter().position(|told| *told == word) {
                self.order.remove(at);
            }
            self.note(message);
            return Meaning::Spent(Spent { word, message });
        }
        let is_it = |entry: &OutboxEntry| {
            entry.target == echo.chat
                && entry.print() == Some(echo.print)
                && entry.since.0 <= echo.date.0 + 999 + AHEAD_MS
        };
        match doubtful.into_iter().position(is_it) {
            Some(at) => {
                self.note(message);
                Meaning::Sent(at)
            }
            None => Meaning::Stranger,
        }
    }

    fn forget(&mut self, told: &Told) {
        match told {
            Told::Message(..) => drop(self.messages.remove(told)),
            Told::Somehow(chat, print) => {
                let key = (*chat, *print);
                if let Some(count) = self.somehow.get_mut(&key) {
                    *count -= 1;
                    if *count == 0 {
                        self.somehow.remove(&key);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared_core::{
        BoxId, ChannelId, ConversationKey, EntryId, MemberId, MessageId, OutboxKind, Priority,
        UnixMs,
    };

    const CHAT: SendTarget = SendTarget::Member(MemberId(5));

    fn entry(id: u8, text: &str, since: i64) -> OutboxEntry {
        OutboxEntry {
            id: EntryId([id; 16]),
            conversation: ConversationKey::private(MemberId(5)),
            target: CHAT,
            priority: Priority::Answer,
            since: UnixMs(since),
            by: None,
            kind: OutboxKind::Say {
                text: text.into(),
                keyboard: None,
                reply_to: None,
            },
        }
    }

    fn echo(message: i32, text: &str) -> Echo {
        Echo {
            chat: CHAT,
            message: MessageId(message),
            date: UnixMs(10_000),
            print: Print::of(text, None),
        }
    }

    #[test]
    fn a_message_nobody_acknowledged_is_the_first_reply_that_looks_like_it() {
        let mut ledger = Ledger::default();
        let waiting = [entry(1, "a", 0), entry(2, "b", 0), entry(3, "b", 0)];
        assert_eq!(ledger.explain(&echo(7, "b"), &waiting), Meaning::Sent(1));
        // Heard once more (a gap, a replay), it says nothing new.
        let again = ledger.explain(&echo(7, "b"), &waiting[2..]);
        assert_eq!(again, Meaning::Known(Told::Message(CHAT, MessageId(7))));
        assert_eq!(ledger.explain(&echo(8, "c"), &waiting), Meaning::Stranger);
    }

    #[test]
    fn of_two_equal_replies_the_acknowledged_one_does_not_settle_the_other() {
        let first = Told::Message(CHAT, MessageId(7));
        let mut ledger = Ledger::new([first]);
        let second = [entry(2, "same", 0)];
        assert_eq!(
            ledger.explain(&echo(7, "same"), &second),
            Meaning::Known(first)
        );
        // And where its id stayed unknown (`RANDOM_ID_DUPLICATE`), its print counts, once.
        let word = Told::Somehow(CHAT, Print::of("same", None));
        let mut ledger = Ledger::new([word]);
        assert_eq!(
            ledger.explain(&echo(7, "same"), &second),
            Meaning::Spent(Spent {
                word,
                message: first
            }),
        );
        assert_eq!(
            ledger.explain(&echo(8, "same"), &second),
            Meaning::Sent(0),
            "the next one is the second reply's"
        );
    }

    #[test]
    fn a_reply_of_another_chat_or_of_a_later_moment_is_not_meant() {
        let mut ledger = Ledger::default();
        let mut elsewhere = entry(1, "a", 0);
        elsewhere.target = SendTarget::Channel(ChannelId(5));
        let later = entry(2, "a", 10_999 + AHEAD_MS + 1);
        let mut copy = entry(3, "a", 0);
        copy.kind = OutboxKind::StoreFile {
            from: BoxId::Channel(ChannelId(1)),
            message: MessageId(1),
            to: ChannelId(2),
            file: 0,
        };
        let waiting = [elsewhere, later, copy];
        assert_eq!(ledger.explain(&echo(7, "a"), &waiting), Meaning::Stranger);
        let close = [entry(4, "a", 10_999 + AHEAD_MS)];
        assert_eq!(ledger.explain(&echo(7, "a"), &close), Meaning::Sent(0));
    }

    #[test]
    fn the_oldest_words_are_forgotten() {
        let words = (0..=TOLD_KEPT as i32).map(|id| Told::Message(CHAT, MessageId(id)));
        let mut ledger = Ledger::new(words);
        assert_eq!(ledger.order.len(), TOLD_KEPT);
        assert_eq!(ledger.explain(&echo(0, "a"), []), Meaning::Stranger);
        let known = Meaning::Known(Told::Message(CHAT, MessageId(1)));
        assert_eq!(ledger.explain(&echo(1, "a"), []), known);
    }
}
