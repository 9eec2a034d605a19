//! The members: whom they have started, what they see, what they write next.
//!
//! A member goes on with whichever bot wrote to him last, writes a numbered text, presses a button that he sees, sends a file, or begins anew. Invariant: what
//! he writes follows from what he sees and a number; he never looks into Redis.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use shared_core::{
    BotId, BoxId, ConversationKey, Document, Incoming, IncomingKind, MemberId, MessageId, PlaceKey,
    UnixMs,
};

use super::{Telegram, Update, What};
use crate::fixed::{BOTS, GROUP, MEMBERS, bot_index, member};
use crate::sim::rng::Rng;

/// Where a member writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Private,
    Group,
}

/// What comes of a member's doing.
#[derive(Debug)]
pub enum Act {
    Wrote(Vec<Update>),
    Pressed(BotId, Rc<Incoming>),
}

/// The last keyboard that a member sees in a chat.
#[derive(Debug, Clone)]
pub struct Seen {
    pub key: ConversationKey,
    pub bot: BotId,
    r#box: BoxId,
    pub message: MessageId,
    pub data: Vec<String>,
}

#[derive(Debug)]
pub struct People {
    started: BTreeSet<(BotId, MemberId)>,
    /// Every keyboard of a conversation; the last one is the one that he uses.
    seen: Vec<Seen>,
    /// Who last said something in a conversation.
    last_said: BTreeMap<ConversationKey, BotId>,
    spoke: BTreeSet<(ConversationKey, BotId)>,
    /// The bot that each member talks to.
    talks_to: [BotId; MEMBERS],
    said: u64,
}

impl People {
    pub fn new(rng: &mut Rng) -> Self {
        let mut started = BTreeSet::new();
        for number in 0..MEMBERS {
            started.insert((BOTS[0], member(number)));
            for bot in &BOTS[1..] {
                if rng.chance(60) {
                    started.insert((*bot, member(number)));
                }
            }
        }
        Self {
            started,
            seen: Vec::new(),
            last_said: BTreeMap::new(),
            spoke: BTreeSet::new(),
            talks_to: [BOTS[0]; MEMBERS],
            said: 0,
        }
    }

    pub fn has_started(&self, bot: BotId, member: MemberId) -> bool {
        self.started.contains(&(bot, member))
    }

    pub fn started_by(&self, bot: BotId) -> impl Iterator<Item = MemberId> {
        let started = self.started.iter();
        started
            .filter(move |(known, _)| *known == bot)
            .map(|(_, member)| *member)
    }

    /// Something is said in a conversation, with these buttons under it.
    pub fn sees(
        &mut self,
        key: ConversationKey,
        bot: BotId,
        r#box: BoxId,
        message: MessageId,
        data: Vec<String>,
    ) {
        self.last_said.insert(key, bot);
        self.spoke.insert((key, bot));
        if key.place == PlaceKey::Private
            && let Some(at) = usize::try_from(key.member.0 - 1)
                .ok()
                .filter(|at| *at < MEMBERS)
        {
            self.talks_to[at] = bot;
        }
        if data.is_empty() {
            return;
        }
        self.seen.push(Seen {
            key,
            bot,
            r#box,
            message,
            data,
        });
    }

    /// False: it is not one of the bot's messages.
    pub fn edits(
        &mut self,
        key: ConversationKey,
        bot: BotId,
        message: MessageId,
        data: Vec<String>,
    ) -> bool {
        let mut seen = self.seen.iter_mut().rev();
        let found = seen.find(|it| it.bot == bot && it.message == message && it.key == key);
        match found {
            Some(it) => {
                it.data = data;
                true
            }
            None => false,
        }
    }

    /// The keyboard under his last prompt.
    pub fn last_seen(&self, key: &ConversationKey) -> Option<&Seen> {
        self.seen.iter().rev().find(|it| it.key == *key)
    }

    /// Has this bot ever said something in this conversation?
    pub fn was_shown(&self, key: &ConversationKey, bot: BotId) -> bool {
        self.spoke.contains(&(*key, bot))
    }

    /// Has this bot put the prompt before him whose buttons begin with this word? One without buttons counts when the bot said something last.
    pub fn is_served(&self, key: &ConversationKey, bot: BotId, word: &str) -> bool {
        let of_prompt =
            |it: &&Seen| it.key == *key && it.data.iter().any(|data| data.starts_with(word));
        let mut shown = self.seen.iter().rev().filter(of_prompt).peekable();
        match shown.peek() {
            Some(_) => shown.any(|it| it.bot == bot),
            None => self.last_said.get(key) == Some(&bot),
        }
    }
}

impl Telegram {
    /// A member does something; `pick` chooses what among what he can do.
    pub fn does(&mut self, who: usize, place: Place, pick: u64, now: UnixMs) -> Act {
        let from = member(who % MEMBERS);
        let key = match place {
            Place::Private => ConversationKey::private(from),
            Place::Group => ConversationKey::group(GROUP, from),
        };
        let seen = self.people.last_seen(&key).cloned();
        let mut rng = Rng::new(pick);
        if let Some(seen) = seen.filter(|seen| !seen.data.is_empty())
            && rng.chance(45)
        {
            let data = seen.data[rng.pick(seen.data.len())].clone();
            return self.press(&seen, data, now);
        }
        let bot = match rng.below(10) {
            0 => BOTS[rng.pick(BOTS.len())],
            _ => self.people.talks_to[who % MEMBERS],
        };
        let mut updates = Vec::new();
        if place == Place::Private && self.people.started.insert((bot, from)) {
            updates.push(self.write(bot, from, place, "/start".to_owned(), None, now));
        }
        let open = self.people.last_seen(&key).is_some();
        self.people.said += 1;
        let said = self.people.said;
        let (text, file) = match (open, rng.below(12)) {
            (false, 0..=9) | (true, 0) => ("/upload".to_owned(), false),
            (_, 1) => ("/cancel".to_owned(), false),
            (_, 2) => ("/help".to_owned(), false),
            (true, 3..=5) => (String::new(), true),
            _ => (format!("t{said}"), false),
        };
        let document = file.then(|| Document {
            name: format!("f{said}"),
            mime: String::new(),
            bytes: 1,
        });
        updates.push(self.write(bot, from, place, text, document, now));
        Act::Wrote(updates)
    }

    fn write(
        &mut self,
        bot: BotId,
        from: MemberId,
        place: Place,
        text: String,
        document: Option<Document>,
        now: UnixMs,
    ) -> Update {
        let (r#box, place) = match place {
            Place::Private => (BoxId::Private(bot), shared_core::Place::Private),
            Place::Group => (BoxId::Channel(GROUP), shared_core::Place::Group(GROUP)),
        };
        if place == shared_core::Place::Private {
            self.people.talks_to[usize::try_from(from.0 - 1).unwrap_or(0)] = bot;
        }
        let message = self.next_message(r#box);
        let incoming = Incoming {
            r#box,
            place,
            member: from,
            // No two have the same: what is said to one does not look like what is said to another.
            name: format!("n{}", from.0),
            date: UnixMs(now.0 / 1000 * 1000),
            what: IncomingKind::Message {
                message,
                text,
                document,
                album: None,
                reply_to: None,
                addressed: true,
            },
        };
        self.append(r#box, What::Heard(Rc::new(incoming)))
    }

    fn press(&mut self, seen: &Seen, data: String, now: UnixMs) -> Act {
        let query = self.next_query();
        let place = match seen.key.place {
            PlaceKey::Private => shared_core::Place::Private,
            PlaceKey::Group(channel) => shared_core::Place::Group(channel),
        };
        let incoming = Incoming {
            r#box: seen.r#box,
            place,
            member: seen.key.member,
            name: format!("n{}", seen.key.member.0),
            date: now,
            what: IncomingKind::Press {
                query,
                message: seen.message,
                data,
            },
        };
        Act::Pressed(seen.bot, Rc::new(incoming))
    }

    /// He presses Start with a bot that he has not started.
    pub fn starts(&mut self, who: usize, pick: u64, now: UnixMs) -> Vec<Update> {
        let (bot, from) = (
            BOTS[usize::try_from(pick).unwrap_or(0) % BOTS.len()],
            member(who % MEMBERS),
        );
        match self.people.started.insert((bot, from)) {
            true => vec![self.write(bot, from, Place::Private, "/start".to_owned(), None, now)],
            false => Vec::new(),
        }
    }

    pub fn log_len(&self, bot: BotId) -> usize {
        self.logs[bot_index(bot)].updates.len()
    }
}
