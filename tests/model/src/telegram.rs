//! Telegram as the protocol sees it: a numbered box that can be read again from any cursor, and sends that are known by their id.

use std::collections::{HashMap, HashSet};

use shared_core::{BotId, ConversationKey, MemberId, MessageId};

/// One message of a member, in the box's order. `pts` equals the message's place.
#[derive(Debug, Clone, Copy)]
pub struct Written {
    pub member: MemberId,
    pub message: MessageId,
    pub pts: usize,
}

#[derive(Debug, Default)]
pub struct Telegram {
    pub written: Vec<Written>,
    known_random_ids: HashSet<(BotId, i64)>,
    /// How often the answer to a message was shown.
    pub shown: HashMap<MessageId, u32>,
}

impl Telegram {
    pub fn write(&mut self, member: MemberId) {
        let pts = self.written.len() + 1;
        let message = MessageId(i32::try_from(pts).unwrap_or(i32::MAX));
        self.written.push(Written {
            member,
            message,
            pts,
        });
    }

    /// What came after the cursor, at most `limit` messages.
    pub fn after(&self, pts: usize, limit: usize) -> &[Written] {
        let end = (pts + limit).min(self.written.len());
        &self.written[pts.min(end)..end]
    }

    /// A send; a known `random_id` is refused and shows nothing again.
    pub fn send(&mut self, bot: BotId, random_id: i64, answers: MessageId) {
        if self.known_random_ids.insert((bot, random_id)) {
            *self.shown.entry(answers).or_default() += 1;
        }
    }

    pub fn conversation(written: &Written) -> ConversationKey {
        ConversationKey::private(written.member)
    }
}
