//! Which of the replies that wait has been sent already: what a message of our own, found in a box, says of them.
//!
//! ```text
//! the message                                            what it means
//! was acknowledged, by its id                            known: its reply was taken out of the outbox with that word
//! one of its kind was acknowledged without an id         known, once for each such word, which is spent with that: kept on, it would be taken
//!                                                        for the next message that looks the same
//! a doubtful edit is to draw it anew                     its reply was sent before that: of the doubtful ones before the edit, the first that looks the
//!                                                        same, or else, since it has been drawn anew, the one whose buttons were pressed
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
//! A box gives a message out as it looks now: a reply may have been pressed and drawn anew before Redis could hear that it was sent at all. Then its
//! edit, which names the message, was committed behind it and waits there too. Only the latest prompt's buttons count, so that is what was pressed: the
//! latest before the edit's own commit, which may put the next prompt in front of it.
//! What is left: a member who deletes such a message before the next login has read the box gets it again, and so does everybody where Telegram
//! does not give the box's updates out any more ("too long"); both are the promise "may be repeated once".
//!
//! Invariant: bounded memory; the oldest word is forgotten first. It decides nothing about when to wait.

use std::collections::{HashMap, HashSet, VecDeque};

use shared_core::{
    BotId, BoxId, Echo, OutboxEntry, OutboxKind, Print, SendTarget, Spent, TOLD_KEPT, Told,
};

use crate::in_doubt::prompt_of;

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

    /// What a message of this bot (`me`) says of the doubtful replies of its chat, oldest first; with what draws the message anew ([`draws`]), doubtful or not.
    pub fn explain(&mut self, me: BotId, echo: &Echo, doubtful: &[&OutboxEntry]) -> Meaning {
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
        match reply_of(me, echo, doubtful) {
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

/// Which of these was sent as this message.
fn reply_of(me: BotId, echo: &Echo, doubtful: &[&OutboxEntry]) -> Option<usize> {
    let may_be = |entry: &OutboxEntry| {
        entry.target == echo.chat && entry.since.0 <= echo.date.0 + 999 + AHEAD_MS
    };
    let looks_like_it = |entry: &OutboxEntry| entry.print() == Some(echo.print) && may_be(entry);
    let draws_it = |entry: &OutboxEntry| draws(me, echo, entry);
    let Some(at) = doubtful.iter().position(|entry| draws_it(entry)) else {
        return doubtful.iter().position(|entry| looks_like_it(entry));
    };
    let (said, rest) = doubtful.split_at(at);
    let edit = rest.first()?;
    let says_it = |entry: &OutboxEntry| is_say(entry) && looks_like_it(entry);
    let prompts = said.iter().enumerate().filter_map(|(at, entry)| {
        // All of a commit has one time.
        let is_earlier = entry.conversation == edit.conversation && entry.since != edit.since;
        let is_pressed = is_earlier && is_say(entry) && may_be(entry);
        let prompt = prompt_of(entry).filter(|_| is_pressed)?;
        Some((at, prompt))
    });
    let latest = prompts.clone().next_back().map(|(_, prompt)| prompt);
    let pressed = || prompts.clone().find(|(_, prompt)| Some(*prompt) == latest);
    // Its own reply is settled, and forgotten.
    let drawn = || {
        let is_drawn = |entry: &&OutboxEntry| draws_it(entry) && looks_like_it(entry);
        rest.iter().position(is_drawn).map(|behind| at + behind)
    };
    let same = said.iter().position(|entry| says_it(entry));
    same.or_else(|| pressed().map(|(at, _)| at)).or_else(drawn)
}

/// Is this to draw that message of this bot anew? Then the message was there before it, whether or not the edit itself may have been made.
pub fn draws(me: BotId, echo: &Echo, entry: &OutboxEntry) -> bool {
    match &entry.kind {
        OutboxKind::Edit { r#box, message, .. } => {
            let is_ours = matches!(r#box, BoxId::Channel(_)) || *r#box == BoxId::Private(me);
            is_ours && *message == echo.message && entry.target == echo.chat
        }
        OutboxKind::Say { .. } | OutboxKind::StoreFile { .. } => false,
    }
}

fn is_say(entry: &OutboxEntry) -> bool {
    matches!(entry.kind, OutboxKind::Say { .. })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use shared_core::{
        Button, ChannelId, ConversationKey, EntryId, Keyboard, MemberId, MessageId, Priority,
        UnixMs,
    };

    const ME: BotId = BotId(77);

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

    fn explain(ledger: &mut Ledger, echo: &Echo, waiting: &[OutboxEntry]) -> Meaning {
        let waiting: Vec<_> = waiting.iter().collect();
        ledger.explain(ME, echo, &waiting)
    }

    fn prompt(id: u8, text: &str, nonce: u32) -> OutboxEntry {
        let mut entry = entry(id, text, 0);
        let button = Button::Press {
            text: "Crafts".into(),
            data: format!("c:{nonce:x}:5:a"),
        };
        entry.kind = OutboxKind::Say {
            text: text.into(),
            keyboard: Some(Keyboard(vec![vec![button]])),
            reply_to: None,
        };
        entry
    }

    fn edit(id: u8, of: BotId, message: i32, text: &str) -> OutboxEntry {
        let mut entry = entry(id, text, 1_000);
        entry.kind = OutboxKind::Edit {
            r#box: BoxId::Private(of),
            message: MessageId(message),
            text: text.into(),
            keyboard: None,
        };
        entry
    }

    #[test]
    fn a_reply_that_was_pressed_and_drawn_anew_is_known_by_its_edit() {
        let mut waiting = [
            prompt(1, "Category?", 4),
            entry(2, "Saved.", 0),
            prompt(3, "Category?", 5),
            prompt(4, "Category, once more?", 5),
            prompt(5, "Tags?", 6),
            edit(6, ME, 7, "Chosen: Crafts"),
        ];
        // As a step puts them: the next prompt, and behind it what it makes of the one before.
        waiting[4].since = waiting[5].since;
        let heard = |message, text| explain(&mut Ledger::default(), &echo(message, text), &waiting);
        // What was pressed is the latest prompt; said twice, the first of both is the older message.
        assert_eq!(heard(7, "Chosen: Crafts"), Meaning::Sent(2));
        // As it looked when another edit of it was drawn, which is not in doubt any more.
        assert_eq!(heard(7, "Chosen: Music"), Meaning::Sent(2));
        // Live, it comes as it was sent.
        assert_eq!(heard(7, "Saved."), Meaning::Sent(1));
        // A message that the edit does not name may be what was said in place of it.
        assert_eq!(heard(8, "Chosen: Crafts"), Meaning::Sent(5));
        let tags = Echo {
            print: waiting[4].print().unwrap(),
            ..echo(8, "")
        };
        let next = explain(&mut Ledger::default(), &tags, &waiting);
        assert_eq!(next, Meaning::Sent(4));
        assert_eq!(heard(8, "Chosen: Music"), Meaning::Stranger);
        // The reply itself was settled long ago: what came with the edit, or behind it, is not it.
        let settled = |text| explain(&mut Ledger::default(), &echo(7, text), &waiting[4..]);
        assert_eq!(settled("Chosen: Crafts"), Meaning::Sent(1));
        assert_eq!(settled("Chosen: Music"), Meaning::Stranger);
        waiting.swap(4, 5);
        let behind = Echo {
            message: MessageId(7),
            ..tags
        };
        let settled = explain(&mut Ledger::default(), &behind, &waiting[4..]);
        assert_eq!(settled, Meaning::Stranger);
    }

    #[test]
    fn another_bots_message_of_the_same_number_is_another_message() {
        let waiting = [
            prompt(1, "Category?", 4),
            edit(2, BotId(78), 7, "Chosen: Crafts"),
        ];
        let heard = explain(&mut Ledger::default(), &echo(7, "Welcome"), &waiting);
        assert_eq!(heard, Meaning::Stranger);
        let mut others = waiting;
        others[1] = edit(2, ME, 7, "Chosen: Crafts");
        others[0].conversation = ConversationKey::private(MemberId(6));
        let heard = explain(&mut Ledger::default(), &echo(7, "Welcome"), &others);
        assert_eq!(heard, Meaning::Stranger, "another conversation's prompt");
    }

    #[test]
    fn a_message_nobody_acknowledged_is_the_first_reply_that_looks_like_it() {
        let mut ledger = Ledger::default();
        let waiting = [entry(1, "a", 0), entry(2, "b", 0), entry(3, "b", 0)];
        assert_eq!(
            explain(&mut ledger, &echo(7, "b"), &waiting),
            Meaning::Sent(1)
        );
        // Heard once more (a gap, a replay), it says nothing new.
        let again = explain(&mut ledger, &echo(7, "b"), &waiting[2..]);
        assert_eq!(again, Meaning::Known(Told::Message(CHAT, MessageId(7))));
        assert_eq!(
            explain(&mut ledger, &echo(8, "c"), &waiting),
            Meaning::Stranger
        );
    }

    #[test]
    fn of_two_equal_replies_the_acknowledged_one_does_not_settle_the_other() {
        let first = Told::Message(CHAT, MessageId(7));
        let mut ledger = Ledger::new([first]);
        let second = [entry(2, "same", 0)];
        assert_eq!(
            explain(&mut ledger, &echo(7, "same"), &second),
            Meaning::Known(first)
        );
        // And where its id stayed unknown (`RANDOM_ID_DUPLICATE`), its print counts, once.
        let word = Told::Somehow(CHAT, Print::of("same", None));
        let mut ledger = Ledger::new([word]);
        assert_eq!(
            explain(&mut ledger, &echo(7, "same"), &second),
            Meaning::Spent(Spent {
                word,
                message: first
            }),
        );
        assert_eq!(
            explain(&mut ledger, &echo(8, "same"), &second),
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
        assert_eq!(
            explain(&mut ledger, &echo(7, "a"), &waiting),
            Meaning::Stranger
        );
        let close = [entry(4, "a", 10_999 + AHEAD_MS)];
        assert_eq!(
            explain(&mut ledger, &echo(7, "a"), &close),
            Meaning::Sent(0)
        );
    }

    #[test]
    fn the_oldest_words_are_forgotten() {
        let words = (0..=TOLD_KEPT as i32).map(|id| Told::Message(CHAT, MessageId(id)));
        let mut ledger = Ledger::new(words);
        assert_eq!(ledger.order.len(), TOLD_KEPT);
        assert_eq!(explain(&mut ledger, &echo(0, "a"), &[]), Meaning::Stranger);
        let known = Meaning::Known(Told::Message(CHAT, MessageId(1)));
        assert_eq!(explain(&mut ledger, &echo(1, "a"), &[]), known);
    }
}
