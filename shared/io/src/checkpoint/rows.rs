//! From what Redis holds to rows of SQL. What nobody can read is left out: the checkpoint keeps the last that could be read.

use shared_core::{UnixMs, stored_version};

use super::Checkpointer;
use crate::redis::Portion;
use crate::sql::{CheckpointChange, ConversationRow, EntryRow, ReachRow};

impl Checkpointer {
    pub(super) fn change(&self, portion: Portion) -> CheckpointChange {
        let mut change = CheckpointChange::default();
        for (key, stored, open) in portion.conversations {
            let conversation = key.to_string();
            let Some(stored) = stored else {
                change.removed.push(conversation);
                continue;
            };
            // What nobody can read does not take the place of the last that could be read.
            match row(conversation, stored, open) {
                Some(row) => change.conversations.push(row),
                None => {
                    tracing::warn!(pool = %self.pool, conversation = %key, "a damaged conversation is not copied: the checkpoint keeps the last readable one");
                }
            }
        }
        for (member, bodies) in portion.parked {
            let queue = format!("parked:{member}");
            let bodies = bodies.into_iter().filter_map(text);
            change
                .added
                .extend((0..).zip(bodies).map(|(seq, body)| EntryRow {
                    queue: queue.clone(),
                    ms: 0,
                    seq,
                    body,
                }));
            change.replaced.push(queue);
        }
        change.reach = portion
            .reach
            .into_iter()
            .map(|(bot, member, reached)| {
                let row = ReachRow {
                    bot: bot.to_string(),
                    member: member.0,
                };
                (row, reached)
            })
            .collect();
        change
    }
}

/// A conversation as a row, if it can be read that far.
fn row(conversation: String, stored: Vec<u8>, open: Option<UnixMs>) -> Option<ConversationRow> {
    let stored = text(stored)?;
    let version = stored_version(stored.split_once('\n')?.0)?;
    Some(ConversationRow {
        conversation,
        version,
        stored,
        open,
    })
}

/// Text that both databases take: PostgreSQL has no place for U+0000, which JSON writes otherwise.
pub(super) fn text(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes)
        .ok()
        .filter(|text| !text.is_empty() && !text.contains('\0'))
}
