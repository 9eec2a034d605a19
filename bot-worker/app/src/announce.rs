//! Tells the groups which bot answers from here on, and takes away what is not true any more.
//!
//! ```text
//! the bot is active and owes it     one entry per group and change of bots, behind all answers
//! its turn to be sent               other bots' in that group are deleted, it is sent, this bot's older ones are deleted, its message is noted
//! the bot is active                 what other bots left standing is deleted, where it has the right
//! another bot is active             what this one left standing is deleted, or else says that it is over
//! ```
//! An entry's id follows from the change, so the same announcement is not shown twice by one bot, whatever was restarted in between. Invariants:
//! two that contradict each other stand together only while nobody who could take one away is connected, or until the next try;
//! nothing here is in a switch's way: what fails is tried again later, and a try that is late (its bot was replaced meanwhile) ends
//! with the lease that each call needs. A message whose id Telegram did not say stays.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use shared_core::{
    BotId, Button, ChannelId, ConversationKey, EpochStamp, ErrorClass, Keyboard, MemberId,
    MessageId, OutboxEntry, OutboxKind, Phase, Priority, SendTarget, StartPayload, UpdateId,
    deep_link, entry_id,
};
use shared_io::clock;
use shared_io::redis::{Announcement, StateError};
use shared_io::retry::{Backoff, RetryPolicy};
use shared_io::telegram::Calls;
use tokio::sync::watch;
use tracing::{debug, info, warn};

use crate::context::BotContext;
use crate::epoch_watch::View;
use crate::tenure::Tenure;

/// What could not be taken away is tried again so soon, and in the end so rarely.
const AGAIN: Duration = Duration::from_secs(2);
const AGAIN_AT_MOST: Duration = Duration::from_secs(600);

pub async fn run(tenure: &Tenure) {
    let entries: Vec<OutboxEntry> = tenure
        .context
        .config
        .groups()
        .map(|group| entry(tenure, group))
        .collect();
    if entries.is_empty() {
        return;
    }
    let mut backoff = Backoff::new(RetryPolicy::forever(AGAIN, AGAIN_AT_MOST));
    loop {
        // Put in twice, because an answer was lost, it is sent under one random id.
        match tenure.context.state.enqueue(tenure.stamp, &entries).await {
            Ok(_) => return tenure.outbox.notify_one(),
            Err(error) => warn!(%error, "the switch is not announced yet"),
        }
        tokio::time::sleep(backoff.next_delay().unwrap_or(AGAIN_AT_MOST)).await;
        if tenure.is_over() {
            return;
        }
    }
}

fn entry(tenure: &Tenure, group: ChannelId) -> OutboxEntry {
    let context = &tenure.context;
    let username = context.status.username();
    let link = context.link_to(&username);
    let texts = &context.shared.texts;
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
            text: texts.announcement(&username, tenure.previous_username.as_deref(), &link),
            keyboard: context.go_on_keyboard(&username),
            reply_to: None,
        },
    }
}

impl BotContext {
    /// What leads to the bot that answers: the pool's stable link where there is one, which stays true after the next switch.
    pub fn link_to(&self, username: &str) -> String {
        let stable = self.shared.config.http.stable_link(&self.pool);
        stable
            .or_else(|| deep_link(username, Some(StartPayload::GO_ON)))
            .unwrap_or_else(|| format!("@{username}"))
    }

    /// A button that opens the bot's chat, with a hint that its member follows a switch.
    pub fn go_on_keyboard(&self, username: &str) -> Option<Keyboard> {
        let url = deep_link(username, Some(StartPayload::GO_ON))?;
        let text = self.shared.texts.go_on_button(username);
        Some(Keyboard(vec![vec![Button::Link { text, url }]]))
    }
}

/// Is this entry a switch's announcement, as opposed to a post that a conversation made?
pub fn is_announcement(entry: &OutboxEntry) -> Option<ChannelId> {
    match entry.target {
        SendTarget::Channel(channel)
            if entry.by.is_some() && entry.priority == Priority::Announcement =>
        {
            Some(channel)
        }
        _ => None,
    }
}

/// Right before a new one is sent: other bots' of that group go, as far as this one may delete them. Its own older ones go once it is known
/// that this is not one of them: after a takeover the same announcement is sent again, and Telegram does not take it twice.
pub async fn clear_the_way(tenure: &Tenure, group: ChannelId) {
    let me = tenure.context.lease.bot;
    take_away_where(tenure, |it| it.channel == group && it.bot != me).await;
}

async fn take_away_where(tenure: &Tenure, goes: impl Fn(&Announcement) -> bool) {
    let context = &tenure.context;
    match context.state.announcements().await {
        Ok(standing) => {
            let going = standing.into_iter().filter(|it| goes(it));
            take_away(context, &tenure.calls, going.collect(), None).await;
        }
        Err(error) => debug!(%error, "older announcements are not known yet"),
    }
}

/// It was sent, as this message: what this bot had announced there before is out of date.
pub async fn note(tenure: &Tenure, channel: ChannelId, message: MessageId) {
    let me = tenure.context.lease.bot;
    let is_older =
        |it: &Announcement| it.channel == channel && it.bot == me && it.message != message;
    take_away_where(tenure, is_older).await;
    let announcement = Announcement {
        channel,
        message,
        bot: tenure.context.lease.bot,
        at: clock::unix_now(),
    };
    if let Err(error) = tenure.context.state.note_announcement(&announcement).await {
        warn!(%error, "an announcement is not noted; it will not be taken away");
    }
}

/// For as long as a session lasts: looks at what stands whenever the active bot has changed.
pub async fn tidy(context: Arc<BotContext>, calls: Calls, mut view: watch::Receiver<View>) {
    let mut tidied: Option<EpochStamp> = None;
    loop {
        let open = open_for(&view.borrow_and_update());
        if let Some((stamp, active)) = open.filter(|(stamp, _)| Some(*stamp) != tidied) {
            let done = tokio::select! {
                () = until_tidy(&context, &calls, active) => true,
                () = another_epoch(view.clone(), stamp) => false,
            };
            if done {
                tidied = Some(stamp);
            }
            continue;
        }
        if view.changed().await.is_err() {
            return;
        }
    }
}

/// Who answers, in which epoch.
fn open_for(view: &View) -> Option<(EpochStamp, BotId)> {
    let record = view.epoch.as_ref()?;
    let holder = record.holder.as_ref()?;
    (record.phase == Phase::Open).then_some((record.stamp, holder.bot))
}

async fn another_epoch(mut view: watch::Receiver<View>, stamp: EpochStamp) {
    // An error: the process ends, and so does this.
    let _ended = view
        .wait_for(|view| open_for(view).is_none_or(|(now, _)| now != stamp))
        .await;
}

async fn until_tidy(context: &BotContext, calls: &Calls, active: BotId) {
    let mut backoff = Backoff::new(RetryPolicy::forever(AGAIN, AGAIN_AT_MOST));
    loop {
        match untrue(context, active).await {
            Ok(standing) if standing.is_empty() => return,
            Ok(standing) => take_away(context, calls, standing, Some(active)).await,
            Err(error) => debug!(%error, "what stands announced is not known yet"),
        }
        tokio::time::sleep(backoff.next_delay().unwrap_or(AGAIN_AT_MOST)).await;
    }
}

/// What stands, is not true, and is this bot's to take away: everything for the one that answers, its own for the others.
async fn untrue(context: &BotContext, active: BotId) -> Result<Vec<Announcement>, StateError> {
    let me = context.lease.bot;
    let mut standing = context.state.announcements().await?;
    standing.retain(|it| it.bot != active && (me == active || it.bot == me));
    Ok(standing)
}

/// Deletes them; what this bot wrote itself and may not delete says from then on that it is over, when `active` tells who answers instead.
async fn take_away(
    context: &BotContext,
    calls: &Calls,
    standing: Vec<Announcement>,
    active: Option<BotId>,
) {
    let mut groups: BTreeMap<(ChannelId, bool), Vec<Announcement>> = BTreeMap::new();
    for announcement in standing {
        // Its own first and by themselves: another's that it may not delete would take them along.
        let is_others = announcement.bot != context.lease.bot;
        let place = (announcement.channel, is_others);
        groups.entry(place).or_default().push(announcement);
    }
    for ((channel, is_others), announcements) in groups {
        let ids: Vec<MessageId> = announcements.iter().map(|it| it.message).collect();
        let gone = match calls.delete(SendTarget::Channel(channel), &ids).await {
            Ok(()) => announcements,
            Err(error) if is_others || active.is_none() => {
                debug!(%channel, %error, "older announcements could not be deleted");
                continue;
            }
            Err(error) => {
                debug!(%channel, %error, "own announcements could not be deleted; they are edited");
                edit(context, calls, announcements, active).await
            }
        };
        info!(%channel, count = gone.len(), "took away what is not true any more");
        if let Err(error) = context.state.forget_announcements(&gone).await {
            debug!(%error, "taken away once more at the next change");
        }
    }
}

/// Gives those that are as they should be now.
async fn edit(
    context: &BotContext,
    calls: &Calls,
    announcements: Vec<Announcement>,
    active: Option<BotId>,
) -> Vec<Announcement> {
    let name = match active {
        Some(bot) => username(context, bot).await,
        None => None,
    };
    let text = context.shared.texts.announcement_over(name.as_deref());
    let mut edited = Vec::with_capacity(announcements.len());
    for announcement in announcements {
        let target = SendTarget::Channel(announcement.channel);
        match calls.edit(target, announcement.message, &text, None).await {
            Ok(()) => edited.push(announcement),
            Err(error)
                if matches!(
                    error.class,
                    ErrorClass::NotModified | ErrorClass::Unreachable
                ) =>
            {
                edited.push(announcement)
            }
            Err(error) => debug!(%error, "an announcement could not be edited yet"),
        }
    }
    edited
}

/// A bot's name, as far as SQL knows it.
pub async fn username(context: &BotContext, bot: BotId) -> Option<String> {
    let row = context.shared.store.bots().get(&context.pool, bot).await;
    row.ok().flatten().and_then(|row| row.username)
}
