//! How a bot stands in the configured channels: what is missing, in words that say how to mend it.
//!
//! Looked at beside every session, off the hot path, and in the smoke test; both use the same words. A bot that is denied its rights and stays in a
//! group still counts its updates there, without what members write: so its own update of that, or Telegram's refusal to let it read, has it look at
//! once. The minute is for what neither tells. Deliberately absent: mending.

use std::sync::Arc;
use std::time::Duration;

use shared_core::{ChannelId, ChannelTrouble};
use shared_io::config::ChannelConfig;
use shared_io::telegram::{BasicGroup, CallError, Calls, ChannelKind, OwnRights};
use tracing::{debug, warn};

use crate::context::BotContext;

/// A session that has just begun has something better to do.
const FIRST: Duration = Duration::from_millis(500);
const EVERY: Duration = Duration::from_secs(60);
/// While something is wrong somebody is about to mend it.
const WHILE_WRONG: Duration = Duration::from_secs(10);

/// Keeps the heartbeat's word on the channels true.
pub async fn watch(context: Arc<BotContext>, calls: Calls) {
    tokio::time::sleep(FIRST).await;
    let mut barred = context.barred.subscribe();
    loop {
        let pause = match troubles(&context, &calls).await {
            Ok(found) => {
                for trouble in &found {
                    warn!(bot = %context.lease.bot, channel = %trouble.channel, "{}", trouble.what);
                }
                let wrong = !found.is_empty();
                context.status.channels(found);
                if wrong { WHILE_WRONG } else { EVERY }
            }
            Err(error) => {
                debug!(bot = %context.lease.bot, %error, "the rights could not be read");
                let wait = error.wait_s.map(|s| Duration::from_secs(s.into()));
                wait.map_or(WHILE_WRONG, |wait| wait.max(WHILE_WRONG))
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            // Barred, or told of other rights. The sender is in the context: it does not go away.
            Ok(()) = barred.changed() => {}
        }
    }
}

/// What is wrong, channel by channel; an error when it could not be found out.
pub async fn troubles(
    context: &BotContext,
    calls: &Calls,
) -> Result<Vec<ChannelTrouble>, CallError> {
    let channels = &context.config.channels;
    let ids: Vec<ChannelId> = channels.iter().map(|channel| channel.id).collect();
    let username = context.status.username();
    let mut found = Vec::new();
    for (id, rights) in calls.rights(&ids).await? {
        let Some(channel) = channels.iter().find(|channel| channel.id == id) else {
            continue;
        };
        let basic = match &rights {
            Err(_) => calls.basic_group(id).await?,
            Ok(_) => None,
        };
        if let Some(what) = trouble(channel, &username, &rights, basic.as_ref()) {
            found.push(ChannelTrouble { channel: id, what });
        }
    }
    Ok(found)
}

fn trouble(
    channel: &ChannelConfig,
    username: &str,
    rights: &Result<OwnRights, CallError>,
    basic: Option<&BasicGroup>,
) -> Option<String> {
    let id = channel.id.0;
    if let Some(group) = basic {
        return Some(basic_group(id, &group.title, group.became));
    }
    match rights {
        Ok(own) if own.kind == ChannelKind::BasicGroup => Some(basic_group(id, &own.title, None)),
        Ok(own) if own.member || own.creator || own.admin.is_some() => {
            missing(channel, username, own)
        }
        Ok(_) | Err(_) => Some(format!(
            "@{username} is not in channel {id}: make it an administrator there"
        )),
    }
}

fn basic_group(id: i64, title: &str, became: Option<ChannelId>) -> String {
    match became {
        Some(new) => format!(
            "{id} ({title}) is a basic group that was turned into the supergroup {0}: write {0} as the channel's id",
            new.0
        ),
        None => format!(
            "{id} ({title}) is a basic group: turn it into a supergroup (group settings, chat history for new members: visible) and write its new id"
        ),
    }
}

fn missing(channel: &ChannelConfig, username: &str, own: &OwnRights) -> Option<String> {
    let wanted = channel.rights.iter().filter(|right| !own.has(**right));
    let missing: Vec<&str> = wanted.map(|right| right.as_str()).collect();
    (!missing.is_empty()).then(|| {
        format!(
            "@{username} lacks rights in channel {}: {}; give them in the channel's administrators",
            channel.id.0,
            missing.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use shared_io::config::{ChannelRole, Right};
    use shared_io::telegram::AdminRights;

    use super::*;

    fn channel() -> ChannelConfig {
        ChannelConfig {
            id: ChannelId(123),
            role: ChannelRole::Storage,
            rights: vec![Right::PostMessages, Right::DeleteMessages],
        }
    }

    fn own(admin: Option<AdminRights>, member: bool) -> OwnRights {
        OwnRights {
            kind: ChannelKind::Broadcast,
            title: "Files".into(),
            username: None,
            member,
            creator: false,
            admin,
        }
    }

    fn said(rights: Result<OwnRights, CallError>, basic: Option<BasicGroup>) -> Option<String> {
        trouble(&channel(), "alpha_bot", &rights, basic.as_ref())
    }

    #[test]
    fn each_trouble_says_how_to_mend_it() {
        let some = AdminRights {
            post_messages: true,
            ..AdminRights::default()
        };
        let all = AdminRights {
            delete_messages: true,
            ..some
        };
        assert_eq!(said(Ok(own(Some(all), true)), None), None);
        let lacks = said(Ok(own(Some(some), true)), None).unwrap_or_default();
        assert_eq!(
            lacks,
            "@alpha_bot lacks rights in channel 123: delete_messages; give them in the channel's administrators"
        );
        let outside = "@alpha_bot is not in channel 123: make it an administrator there";
        let left = said(Ok(own(None, false)), None).unwrap_or_default();
        assert_eq!(left, outside);
        let unknown = CallError::not_made("channels.getChannels", "CHANNEL_INVALID");
        assert_eq!(
            said(Err(unknown.clone()), None).unwrap_or_default(),
            outside
        );
        let group = |became| BasicGroup {
            title: "Old".into(),
            became,
        };
        let basic = said(Err(unknown.clone()), Some(group(None))).unwrap_or_default();
        assert!(
            basic.starts_with("123 (Old) is a basic group: turn it"),
            "{basic}"
        );
        let moved = said(Err(unknown), Some(group(Some(ChannelId(9))))).unwrap_or_default();
        assert!(moved.contains("write 9 as"), "{moved}");
    }
}
