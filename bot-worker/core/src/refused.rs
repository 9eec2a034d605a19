//! What Telegram refuses for good: when a chat is given up, and what the conversation hears of it.
//!
//! ```text
//! a reply, meant for its own conversation's chat     Unsaid      shown where it stands, unless it was a prompt that is refused itself
//! a file that the storage channel does not take      FileLost    asked for it again; until then it would wait for it for ever
//! anything else (news, posts, another bot's words)   -           nobody waits for it
//! ```
//! The word goes into the pool's inbox with the step that moves the entry aside, so it is not lost whatever dies then; its id follows from the
//! entry, so it is heard once, also when somebody sends the entry again and it is refused again.
//! Not here: what Telegram's answer means for an entry (`bot-worker/app`, `sender/deliver.rs`).

use std::collections::HashMap;
use std::time::Duration;

use shared_core::{
    BootMs, EventId, Letter, OutboxEntry, OutboxKind, PlaceKey, Priority, SendTarget, Telling,
    UnixMs,
};

/// A chat that has taken nothing for so long is not waited for.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Chats that refuse what is sent to them.
///
/// The time is the chat's, not an entry's: whoever waits behind the first one that was given up is told after one attempt of his own, instead
/// of a minute later than the one before him. A chat that takes something, or that nobody has tried for as long as that, is waited for anew.
#[derive(Debug, Default)]
pub struct Shut {
    chats: HashMap<SendTarget, Refusals>,
}

#[derive(Debug, Clone, Copy)]
struct Refusals {
    first: BootMs,
    last: BootMs,
}

impl Shut {
    /// The chat has refused an entry. Is the entry to be given up?
    pub fn refuses(&mut self, chat: SendTarget, now: BootMs) -> bool {
        self.chats
            .retain(|_, refusals| now.since(refusals.last) < PATIENCE);
        let refusals = self.chats.entry(chat).or_insert(Refusals {
            first: now,
            last: now,
        });
        refusals.last = now;
        now.since(refusals.first) >= PATIENCE
    }

    pub fn takes(&mut self, chat: SendTarget) {
        self.chats.remove(&chat);
    }
}

/// What the entry's conversation hears when it is moved aside.
pub fn word_of(entry: &OutboxEntry, now: UnixMs) -> Option<Letter> {
    let (what, kind) = match entry.kind {
        OutboxKind::StoreFile { file, .. } => (Telling::FileLost { file }, 0),
        OutboxKind::Say { .. } | OutboxKind::Edit { .. } => {
            is_awaited(entry).then_some((Telling::Unsaid, 2))?
        }
    };
    Some(Letter {
        id: outcome_id(entry, kind),
        to: entry.conversation,
        from: entry.conversation,
        since: now,
        what,
    })
}

/// Its own chat was to get an answer.
fn is_awaited(entry: &OutboxEntry) -> bool {
    let here = match (entry.conversation.place, entry.target) {
        (PlaceKey::Private, SendTarget::Member(member)) => member == entry.conversation.member,
        (PlaceKey::Group(group), SendTarget::Channel(channel)) => group == channel,
        _ => false,
    };
    here && entry.priority == Priority::Answer && entry.by.is_none()
}

/// The event that tells a conversation what became of its entry: one per entry and kind of outcome.
pub fn outcome_id(entry: &OutboxEntry, kind: u8) -> EventId {
    let mut id = entry.id.0;
    id[15] ^= kind;
    EventId(id)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use shared_core::{BotId, BoxId, ChannelId, ConversationKey, EntryId, MemberId, MessageId};

    use super::*;

    const STORAGE: SendTarget = SendTarget::Channel(ChannelId(9));
    const GROUP: SendTarget = SendTarget::Channel(ChannelId(8));

    fn at(seconds: u64) -> BootMs {
        BootMs(seconds * 1000)
    }

    #[test]
    fn a_chat_is_waited_for_a_minute_and_who_is_behind_is_not_kept_waiting() {
        let mut shut = Shut::default();
        for seconds in (0..60).step_by(5) {
            assert!(!shut.refuses(STORAGE, at(seconds)), "after {seconds} s");
        }
        assert!(shut.refuses(STORAGE, at(60)));
        for seconds in 61..70 {
            assert!(shut.refuses(STORAGE, at(seconds)), "the next: one attempt");
        }
        assert!(!shut.refuses(GROUP, at(70)), "each chat for itself");
        shut.takes(STORAGE);
        assert!(!shut.refuses(STORAGE, at(71)), "it took one meanwhile");
    }

    #[test]
    fn one_refusal_long_after_the_last_trouble_is_waited_out_again() {
        let mut shut = Shut::default();
        assert!(!shut.refuses(STORAGE, at(0)));
        assert!(!shut.refuses(STORAGE, at(600)));
        assert!(!shut.refuses(STORAGE, at(655)));
        assert!(shut.refuses(STORAGE, at(660)));
        assert!(!shut.refuses(GROUP, at(3_600)));
        assert_eq!(shut.chats.len(), 1, "nothing is kept of what is long over");
    }

    fn entry(target: SendTarget, kind: OutboxKind) -> OutboxEntry {
        OutboxEntry {
            id: EntryId([7; 16]),
            conversation: ConversationKey::private(MemberId(5)),
            since: UnixMs(1),
            target,
            kind,
            priority: Priority::Answer,
            by: None,
        }
    }

    fn said() -> OutboxKind {
        OutboxKind::Say {
            text: "words".into(),
            keyboard: None,
            reply_to: None,
        }
    }

    #[test]
    fn a_file_that_is_given_up_is_told_to_who_waits_for_it() {
        let file = OutboxKind::StoreFile {
            from: BoxId::Private(BotId(1)),
            message: MessageId(3),
            to: ChannelId(9),
            file: 4,
        };
        let entry = entry(STORAGE, file);
        let word = word_of(&entry, UnixMs(9)).unwrap();
        assert_eq!(word.what, Telling::FileLost { file: 4 });
        assert_eq!((word.to, word.since), (entry.conversation, UnixMs(9)));
        assert_eq!(word_of(&entry, UnixMs(10)).unwrap().id, word.id);
    }

    #[test]
    fn an_answer_that_is_refused_is_told_and_nothing_else_is() {
        let mine = SendTarget::Member(MemberId(5));
        let answer = entry(mine, said());
        let word = word_of(&answer, UnixMs(9)).unwrap();
        assert_eq!(word.what, Telling::Unsaid);
        assert_ne!(word.id, outcome_id(&answer, 0), "another kind of outcome");
        let elsewhere = [GROUP, SendTarget::Member(MemberId(6))];
        for target in elsewhere {
            assert_eq!(word_of(&entry(target, said()), UnixMs(9)), None);
        }
        let reprompt = OutboxEntry {
            priority: Priority::Reprompt,
            ..answer.clone()
        };
        let anothers = OutboxEntry {
            by: Some(BotId(1)),
            ..answer
        };
        for entry in [reprompt, anothers] {
            assert_eq!(word_of(&entry, UnixMs(9)), None);
        }
    }
}
