//! Replies that are committed and not yet known to be sent, and what is to be recorded in SQL.
//!
//! An entry's id is `hash(pool, conversation, update identity, effect index)`: it follows from *what was answered*, so a replay
//! gives the same id, and a Redis that was rolled back cannot give one id to two replies. Telegram is shown
//! `random_id = hash(entry, bot, attempt)` and refuses the second copy (`docs/telegram.md`, Sending). Invariant: ids and random ids are
//! functions of their arguments alone and their inputs are framed, so that no two different inputs run together.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    BotId, BoxId, ChannelId, ConversationKey, EntryId, MemberId, MessageId, PoolId, UnixMs,
    UpdateId,
};

/// One button of an inline keyboard. `data` is at most 64 bytes (Telegram's limit).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Button {
    Press { text: String, data: String },
    Link { text: String, url: String },
}

/// Rows of buttons.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Keyboard(pub Vec<Vec<Button>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SendTarget {
    Member(MemberId),
    Channel(ChannelId),
}

/// Answers leave before prompts nobody asked for, and those before announcements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    Answer,
    Reprompt,
    Announcement,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum OutboxKind {
    Say {
        text: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keyboard: Option<Keyboard>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reply_to: Option<(BoxId, MessageId)>,
    },
    /// Changes a message of the bot that owns `box`; another bot cannot, and says it anew.
    Edit {
        r#box: BoxId,
        message: MessageId,
        text: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keyboard: Option<Keyboard>,
    },
    /// Copies the member's file into the storage channel; answered by an event with its message id there, or by one that it
    /// cannot be reached any more.
    StoreFile {
        from: BoxId,
        message: MessageId,
        to: ChannelId,
        /// The file's number within its conversation.
        file: u32,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxEntry {
    pub id: EntryId,
    pub conversation: ConversationKey,
    pub target: SendTarget,
    pub priority: Priority,
    /// When it was committed, by the committing worker's wall clock.
    pub since: UnixMs,
    /// Set where the words speak of the bot that composed them (a prompt after a switch, its announcement): another bot does not send them,
    /// it owes its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<BotId>,
    #[serde(flatten)]
    pub kind: OutboxKind,
}

/// What a conversation wants to be in SQL. Unique there by `id`, so it may be delivered twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    Course {
        id: EntryId,
        member: MemberId,
        conversation: ConversationKey,
        title: String,
        description: String,
        category: String,
        tags: Vec<String>,
        /// (name, bytes, message id in the storage channel)
        files: Vec<(String, u64, MessageId)>,
        submitted: UnixMs,
    },
    /// A conversation that nobody could read was moved aside; becomes an event for the operator.
    Quarantined {
        id: EntryId,
        conversation: ConversationKey,
        /// Never holds what is stored.
        why: String,
        at: UnixMs,
    },
}

impl Record {
    pub fn id(&self) -> EntryId {
        match self {
            Self::Course { id, .. } | Self::Quarantined { id, .. } => *id,
        }
    }
}

/// The id of the `index`-th effect of one update on one conversation.
pub fn entry_id(
    pool: &PoolId,
    conversation: &ConversationKey,
    update: &UpdateId,
    index: u32,
) -> EntryId {
    let digest = framed_hash(
        b"understudy/outbox/1",
        &[
            pool.as_str().as_bytes(),
            conversation.to_string().as_bytes(),
            update.to_string().as_bytes(),
            &index.to_be_bytes(),
        ],
    );
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    EntryId(id)
}

/// What Telegram is shown, never zero (it refuses zero). `attempt` grows only where a second copy does no harm.
pub fn random_id(entry: EntryId, bot: BotId, attempt: u32) -> i64 {
    let digest = framed_hash(
        b"understudy/random_id/1",
        &[&entry.0, &bot.0.to_be_bytes(), &attempt.to_be_bytes()],
    );
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest[..8]);
    match i64::from_be_bytes(bytes) {
        0 => 1,
        id => id,
    }
}

/// SHA-256 over a domain name and length-framed parts.
pub(crate) fn framed_hash(domain: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in std::iter::once(&domain).chain(parts.iter()) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::QueryId;

    #[test]
    fn an_entry_id_depends_on_each_of_its_inputs_and_on_nothing_else() {
        let pool = PoolId::new("main").unwrap();
        let key = ConversationKey::private(MemberId(5));
        let press = UpdateId::Press { query: QueryId(1) };
        let id = entry_id(&pool, &key, &press, 0);
        assert_eq!(id, entry_id(&pool, &key, &press, 0));
        let others = [
            entry_id(&PoolId::new("other").unwrap(), &key, &press, 0),
            entry_id(&pool, &ConversationKey::private(MemberId(6)), &press, 0),
            entry_id(&pool, &key, &UpdateId::Press { query: QueryId(2) }, 0),
            entry_id(&pool, &key, &press, 1),
        ];
        assert!(others.iter().all(|other| *other != id));
        assert_eq!(
            id.to_string(),
            entry_id(&pool, &key, &press, 0).to_string(),
            "stable across calls"
        );
    }

    #[test]
    fn a_random_id_belongs_to_one_bot_and_is_never_zero() {
        let entry = EntryId([9; 16]);
        assert_ne!(random_id(entry, BotId(1), 0), random_id(entry, BotId(2), 0));
        assert_ne!(random_id(entry, BotId(1), 0), random_id(entry, BotId(1), 1));
        assert_eq!(random_id(entry, BotId(1), 0), random_id(entry, BotId(1), 0));
        assert_ne!(random_id(entry, BotId(1), 0), 0);
    }

    #[test]
    fn an_entry_reads_back() {
        let entry = OutboxEntry {
            id: EntryId([1; 16]),
            conversation: ConversationKey::private(MemberId(5)),
            target: SendTarget::Member(MemberId(5)),
            priority: Priority::Answer,
            since: UnixMs(3),
            by: Some(BotId(2)),
            kind: OutboxKind::Say {
                text: "hello".into(),
                keyboard: Some(Keyboard(vec![vec![Button::Press {
                    text: "x".into(),
                    data: "y".into(),
                }]])),
                reply_to: None,
            },
        };
        let json = serde_json::to_string(&entry).unwrap();
        assert_eq!(serde_json::from_str::<OutboxEntry>(&json).unwrap(), entry);
    }
}
