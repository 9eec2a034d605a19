//! The announcements that stand in groups: which message, by which bot. What is not true any more is found here and taken away.
//!
//! Not fenced: that a message was sent, or is gone, stays true in whatever epoch, and who knows it says it. Invariants: at most
//! [`STANDING_MAX`] are kept, the latest ones; nobody decides anything by them but which messages to delete or edit. A message whose id Telegram did not
//! give out (its acknowledgement was lost, and the second copy refused) is not among them.

use serde::{Deserialize, Serialize};
use shared_core::{BotId, ChannelId, MessageId, UnixMs};

use super::PoolState;
use super::commit::json;
use super::error::{StateError, json_fault};
use super::scripts;

/// A pool has a handful of groups, and each has one that is true.
pub const STANDING_MAX: usize = 64;

/// One that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    pub channel: ChannelId,
    pub message: MessageId,
    /// Who wrote it and says in it that it answers.
    pub bot: BotId,
    pub at: UnixMs,
}

impl Announcement {
    fn field(&self) -> String {
        format!("{}:{}", self.channel, self.message.0)
    }
}

impl PoolState {
    /// It stands from now on.
    pub async fn note_announcement(&self, announcement: &Announcement) -> Result<(), StateError> {
        let op = self.op("note the announcement in", &announcement.channel);
        let mut script = scripts::ANNOUNCED.prepare_invoke();
        script
            .key(&self.keys.announced)
            .arg(announcement.field())
            .arg(json(op, announcement)?)
            .arg(STANDING_MAX);
        self.link.script(op, &script).await
    }

    /// Those that stand, as far as is known, the earliest first. One that cannot be read is left out.
    pub async fn announcements(&self) -> Result<Vec<Announcement>, StateError> {
        let op = self.op("list", &"the announcements");
        let found: Vec<Vec<u8>> = self
            .link
            .query(op, ::redis::cmd("HVALS").arg(&self.keys.announced))
            .await?;
        let read = |text: &Vec<u8>| {
            serde_json::from_slice(text)
                .inspect_err(|error| {
                    tracing::warn!(why = json_fault("an announcement", error), "left out");
                })
                .ok()
        };
        let mut standing: Vec<Announcement> = found.iter().filter_map(read).collect();
        standing.sort_by_key(|it| (it.at, it.channel, it.message));
        Ok(standing)
    }

    /// They do not stand any more.
    pub async fn forget_announcements(&self, gone: &[Announcement]) -> Result<(), StateError> {
        if gone.is_empty() {
            return Ok(());
        }
        let op = self.op("forget", &"announcements that are gone");
        let mut command = ::redis::cmd("HDEL");
        command.arg(&self.keys.announced);
        for announcement in gone {
            command.arg(announcement.field());
        }
        self.link.query(op, &command).await
    }
}
