//! Looks up which of the next standbys a member has not started, after a step that was a good moment to invite him.
//!
//! Beside the lanes: nobody waits for it, and it is left out when many are under way. What it finds becomes an event of the member's conversation with
//! an id that follows from the step's, so a step that is replayed invites nobody twice; `bot-worker-core` decides once more when the event comes.

use std::sync::Arc;

use bot_worker_core::{Event, INVITED_AT_ONCE};
use shared_core::{BotId, BotRole, ConversationKey, EventId, UpdateId, entry_id};
use tracing::debug;

use crate::tenure::Tenure;

/// Look-ups at once; a member who is passed over is invited at his next good moment.
pub const AT_ONCE: usize = 64;

/// Tells this event's id from those of the step's replies.
const INDEX: u32 = u32::MAX - 1;

/// An invitation on its way into a conversation.
pub struct Invitation {
    pub conversation: ConversationKey,
    pub event: Event,
    pub id: EventId,
}

/// `None` when he has started all that would be next, or it cannot be known at the moment.
pub async fn look_up(
    tenure: Arc<Tenure>,
    conversation: ConversationKey,
    cause: UpdateId,
) -> Option<Invitation> {
    let mut bots = Vec::new();
    for (bot, username) in standbys(&tenure) {
        let reached = tenure
            .context
            .state
            .reaches(bot, &[conversation.member])
            .await;
        match reached.as_deref() {
            Ok([false]) => bots.push(username),
            Ok(_) => {}
            Err(error) => {
                debug!(%bot, %error, "whether a member has started a standby is not known");
                return None;
            }
        }
        if bots.len() == INVITED_AT_ONCE {
            break;
        }
    }
    let id = entry_id(&tenure.context.pool, &conversation, &cause, INDEX);
    if bots.is_empty() {
        return None;
    }
    Some(Invitation {
        conversation,
        event: Event::Invited { bots },
        id: EventId(id.0),
    })
}

/// Those that could answer at once, in the configuration's order: the leader's board says so, and for an invitation it may be old.
fn standbys(tenure: &Tenure) -> Vec<(BotId, String)> {
    let view = tenure.view.borrow();
    let Some(seen) = &view.board else {
        return Vec::new();
    };
    let bots = seen.board.bots.iter();
    let standby = bots.filter(|bot| {
        let named = !bot.username.is_empty();
        bot.role == BotRole::Standby && bot.ready && named && bot.bot != tenure.context.lease.bot
    });
    standby.map(|bot| (bot.bot, bot.username.clone())).collect()
}
