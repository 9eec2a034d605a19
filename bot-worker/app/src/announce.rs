//! Tells the groups which bot answers from here on.
//!
//! One entry per group and change of bots, behind all answers. Its id follows from the change, so the same announcement is not shown twice
//! by one bot, whatever was restarted in between.

use shared_core::{
    ConversationKey, MemberId, OutboxEntry, OutboxKind, Priority, SendTarget, UpdateId, entry_id,
};
use shared_io::clock;
use tracing::warn;

use crate::tenure::Tenure;

pub async fn run(tenure: &Tenure) {
    let context = &tenure.context;
    let username = context.status.username();
    let text = context
        .shared
        .texts
        .announcement(&username, tenure.previous_username.as_deref());
    let entries: Vec<OutboxEntry> = context
        .config
        .groups()
        .map(|group| {
            // No member's dialogue: the bot's own id stands where a member's would.
            let conversation = ConversationKey::group(group, MemberId(context.lease.bot.0));
            let update = UpdateId::Internal {
                event: tenure.resumption(1),
            };
            OutboxEntry {
                id: entry_id(&context.pool, &conversation, &update, 0),
                conversation,
                target: SendTarget::Channel(group),
                priority: Priority::Announcement,
                since: clock::unix_now(),
                by: Some(context.lease.bot),
                kind: OutboxKind::Say {
                    text: text.clone(),
                    keyboard: None,
                    reply_to: None,
                },
            }
        })
        .collect();
    if entries.is_empty() {
        return;
    }
    match context.state.enqueue(tenure.stamp, &entries).await {
        Ok(_) => tenure.outbox.notify_one(),
        Err(error) => warn!(%error, "the switch was not announced"),
    }
}
