//! The cursors of the pool's channels: how far each is committed, whichever bot brought it.
//!
//! Invariant: a cursor only moves forward, and only under the open epoch.

use std::collections::HashMap;

use shared_core::{ChannelId, EpochStamp};

use super::commit::counted;
use super::epoch::{fenced, stamp_arguments};
use super::error::StateError;
use super::reply::Reply;
use super::scripts;
use super::{EpochAnswer, PoolState};

/// Whether a channel that has a cursor may be moved.
#[derive(Clone, Copy)]
enum Mode {
    Forward,
    Seed,
}

impl PoolState {
    /// All cursors, by channel.
    pub async fn channels(&self) -> Result<Vec<(ChannelId, i32)>, StateError> {
        let op = self.op("read", &"the channel cursors");
        let found: HashMap<String, i32> = self
            .link
            .query(op, ::redis::cmd("HGETALL").arg(&self.keys.channels))
            .await?;
        let mut channels = found
            .into_iter()
            .map(|(channel, pts)| {
                let channel = channel
                    .parse()
                    .map_err(|_| StateError::unreadable(op, "a field is no channel's id"))?;
                Ok((channel, pts))
            })
            .collect::<Result<Vec<_>, StateError>>()?;
        channels.sort();
        Ok(channels)
    }

    /// Moves cursors forward; one that is further already stays.
    pub async fn move_channels(
        &self,
        stamp: EpochStamp,
        cursors: &[(ChannelId, i32)],
    ) -> Result<EpochAnswer<()>, StateError> {
        self.write_channels(stamp, cursors, Mode::Forward).await
    }

    /// Gives a channel its first cursor; one that has a cursor keeps it.
    pub async fn seed_channel(
        &self,
        stamp: EpochStamp,
        channel: ChannelId,
        pts: i32,
    ) -> Result<EpochAnswer<()>, StateError> {
        self.write_channels(stamp, &[(channel, pts)], Mode::Seed)
            .await
    }

    async fn write_channels(
        &self,
        stamp: EpochStamp,
        cursors: &[(ChannelId, i32)],
        mode: Mode,
    ) -> Result<EpochAnswer<()>, StateError> {
        let mut script = scripts::MOVE_CHANNELS.prepare_invoke();
        script
            .key(&self.keys.epoch)
            .key(&self.keys.channels)
            .arg(&stamp_arguments(stamp))
            .arg(match mode {
                Mode::Forward => "forward",
                Mode::Seed => "seed",
            });
        let fields = cursors
            .iter()
            .flat_map(|(channel, pts)| [channel.to_string(), pts.to_string()])
            .collect();
        counted(&mut script, fields);
        let op = self.op("move", &"the channel cursors");
        let reply: Reply = self.link.script(op, &script).await?;
        match reply.word.as_str() {
            "done" => Ok(EpochAnswer::Done(())),
            _ => fenced(op, reply),
        }
    }
}
