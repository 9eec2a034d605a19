//! `updates.getChannelDifference`: what a channel's box holds beyond a pts. All members share that pts, so another bot can
//! continue where one stopped. A bot that does not see a message (privacy, other bots) gets the pts without it.

use grammers_tl_types as tl;
use tl::{enums, types};

use super::deleted;
use super::render::Seen;
use crate::services::build;
use crate::world::cut_to_weight;
use crate::world::{
    At, BoxRef, Change, ChannelId, ChatRef, Entry, Event, MessageId, Now, RpcError, UserId, World,
};

/// Seconds after which a client without other news should ask again.
const ASK_AGAIN_S: i32 = 30;
/// Messages that come with "too long".
const TOO_LONG_MESSAGES: i32 = 10;

impl World {
    pub(crate) fn channel_difference(
        &mut self,
        viewer: UserId,
        id: ChannelId,
        pts: i32,
        limit: i32,
        now: Now,
    ) -> Result<enums::updates::ChannelDifference, RpcError> {
        let bounds = self.settings.bounds;
        let channel = self.channel_mut(id)?;
        channel
            .log
            .expire(now.mono_ms.saturating_sub(bounds.updates_kept_ms));
        let present = channel.log.pts();
        if pts <= 0 {
            return Err(RpcError::bad_request("PERSISTENT_TIMESTAMP_EMPTY"));
        }
        if pts > present {
            return Err(RpcError::bad_request("PERSISTENT_TIMESTAMP_INVALID"));
        }
        let timeout = Some(ASK_AGAIN_S);
        if pts == present {
            return Ok(types::updates::ChannelDifferenceEmpty {
                r#final: true,
                pts,
                timeout,
            }
            .into());
        }
        if pts < channel.log.floor() || present - pts > bounds.channel_too_long {
            self.record_channel_difference(viewer, id, pts, present, false, true);
            return self.channel_too_long(viewer, id, present);
        }
        let slice = usize::try_from(limit)
            .unwrap_or(0)
            .clamp(1, bounds.channel_slice);
        let mut entries: Vec<Entry> = channel.log.after(pts).take(slice + 1).cloned().collect();
        let there = entries.len();
        entries.truncate(slice);
        cut_to_weight(&mut entries, bounds.slice_bytes, |entry| {
            match entry.change {
                Change::New(id) | Change::Edit(id) => channel
                    .message(id)
                    .map_or(64, |message| message.body.weight()),
                Change::Delete(_) => 64,
            }
        });
        let is_final = there == entries.len();
        let to_pts = entries.last().map_or(present, |last| last.pts);
        let mut seen = Seen::default();
        let (new_messages, other_updates) = self.tl_missed_in(viewer, id, &entries, &mut seen);
        self.record_channel_difference(viewer, id, pts, to_pts, !is_final, false);
        if new_messages.is_empty() && other_updates.is_empty() {
            return Ok(types::updates::ChannelDifferenceEmpty {
                r#final: is_final,
                pts: to_pts,
                timeout,
            }
            .into());
        }
        let (users, chats) = self.introduce(viewer, seen);
        Ok(types::updates::ChannelDifference {
            r#final: is_final,
            pts: to_pts,
            timeout,
            new_messages,
            other_updates,
            chats,
            users,
        }
        .into())
    }

    fn tl_missed_in(
        &self,
        viewer: UserId,
        id: ChannelId,
        entries: &[Entry],
        seen: &mut Seen,
    ) -> (Vec<enums::Message>, Vec<enums::Update>) {
        let mut new_messages = Vec::new();
        let mut updates = Vec::new();
        let visible = |message: &MessageId| self.sees_message(viewer, id, *message);
        for entry in entries {
            let at = At {
                pts: entry.pts,
                count: entry.count,
            };
            match &entry.change {
                Change::New(message) if visible(message) => {
                    new_messages.extend(self.tl_channel_message(viewer, id, *message, seen));
                }
                Change::Edit(message) if visible(message) => {
                    let At {
                        pts,
                        count: pts_count,
                    } = at;
                    let edited =
                        self.tl_channel_message(viewer, id, *message, seen)
                            .map(|message| {
                                types::UpdateEditChannelMessage {
                                    message,
                                    pts,
                                    pts_count,
                                }
                                .into()
                            });
                    updates.extend(edited);
                }
                Change::New(_) | Change::Edit(_) => {}
                Change::Delete(ids) => {
                    seen.channels.insert(id);
                    updates.push(deleted(Some(id), ids, at));
                }
            }
        }
        (new_messages, updates)
    }

    fn sees_message(&self, viewer: UserId, id: ChannelId, message: MessageId) -> bool {
        let Ok(channel) = self.channel(id) else {
            return false;
        };
        channel.message(message).is_some_and(|stored| {
            self.sees(
                viewer,
                channel,
                &stored.body,
                Self::reply_author(channel, stored),
            )
        })
    }

    /// The present pts and the last messages; what lay between is lost to this client.
    fn channel_too_long(
        &mut self,
        viewer: UserId,
        id: ChannelId,
        present: i32,
    ) -> Result<enums::updates::ChannelDifference, RpcError> {
        let mut seen = Seen::default();
        let last = self.channel(id)?.last_message_id().0;
        let messages = (last.saturating_sub(TOO_LONG_MESSAGES - 1).max(1)..=last)
            .rev()
            .map(MessageId)
            .filter(|message| self.sees_message(viewer, id, *message))
            .filter_map(|message| self.tl_channel_message(viewer, id, message, &mut seen))
            .collect();
        seen.channels.insert(id);
        let (users, chats) = self.introduce(viewer, seen);
        let dialog = build::dialog(build::peer(ChatRef::Channel(id)), last, present);
        Ok(types::updates::ChannelDifferenceTooLong {
            r#final: true,
            timeout: Some(ASK_AGAIN_S),
            dialog: dialog.into(),
            messages,
            chats,
            users,
        }
        .into())
    }

    fn record_channel_difference(
        &mut self,
        account: UserId,
        id: ChannelId,
        from_pts: i32,
        to_pts: i32,
        slice: bool,
        too_long: bool,
    ) {
        let of = BoxRef::Channel(id);
        self.record(Event::Difference {
            account,
            of,
            from_pts,
            to_pts,
            slice,
            too_long,
        });
    }
}
