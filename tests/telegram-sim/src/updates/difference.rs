//! `updates.getDifference`: what an account's own box holds beyond a client's (pts, qts). Sliced; too long ago or too much is
//! `differenceTooLong`. Messages come as they are at this moment; deleted ones are left out, edits and deletions
//! come as updates with their own pts.
//!
//! Channels have boxes of their own: those that changed since the client's date are only named (`updateChannelTooLong`).

use grammers_tl_types as tl;
use tl::{enums, types};

use super::deleted;
use super::render::Seen;
use crate::world::cut_to_weight;
use crate::world::{
    Account, At, BoxRef, Change, ChannelId, Entry, Event, Now, QtsEntry, RpcError, UserId, World,
};

/// Where a client stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    pub pts: i32,
    pub qts: i32,
    pub date: i32,
    /// Client's own bounds.
    pub slice: Option<i32>,
    pub too_long: Option<i32>,
}

/// What lies between a cursor and the present, or the first part of it.
struct Missed {
    entries: Vec<Entry>,
    secondary: Vec<QtsEntry>,
    complete: bool,
}

impl World {
    pub(crate) fn state(
        &self,
        account: UserId,
        now: Now,
    ) -> Result<types::updates::State, RpcError> {
        let account = self.account(account)?;
        let qts = account.bot.as_ref().map_or(0, |bot| bot.qts.qts);
        Ok(types::updates::State {
            pts: account.log.pts(),
            qts,
            date: now.date(),
            seq: account.seq,
            unread_count: 0,
        })
    }

    pub(crate) fn difference(
        &mut self,
        viewer: UserId,
        cursor: Cursor,
        now: Now,
    ) -> Result<enums::updates::Difference, RpcError> {
        if cursor.pts <= 0 {
            return Err(RpcError::bad_request("PERSISTENT_TIMESTAMP_EMPTY"));
        }
        if cursor.date <= 0 {
            return Err(RpcError::bad_request("DATE_EMPTY"));
        }
        self.expire_box(viewer, now)?;
        let state = self.state(viewer, now)?;
        let account = self.account(viewer)?;
        let bound = cursor
            .too_long
            .unwrap_or(i32::MAX)
            .min(self.settings.bounds.difference_too_long);
        if cursor.pts < account.log.floor() || state.pts - cursor.pts > bound {
            self.record_difference(viewer, cursor.pts, state.pts, false, true);
            return Ok(types::updates::DifferenceTooLong { pts: state.pts }.into());
        }
        let slice = usize::try_from(cursor.slice.unwrap_or(i32::MAX))
            .unwrap_or(1)
            .max(1);
        let missed = self.missed(account, cursor, slice);
        let to_pts = missed.entries.last().map_or(cursor.pts, |last| last.pts);
        let to_qts = missed.secondary.last().map_or(cursor.qts, |last| last.qts);
        let mut seen = Seen::default();
        let (new_messages, mut other_updates) = self.tl_missed(viewer, &missed, &mut seen);
        if missed.complete {
            other_updates.extend(self.waiting_presses(viewer, &mut seen));
            other_updates.extend(self.changed_channels(viewer, cursor.date, now, &mut seen));
        }
        if missed.complete
            && new_messages.is_empty()
            && other_updates.is_empty()
            && to_pts == cursor.pts
        {
            return Ok(types::updates::DifferenceEmpty {
                date: now.date(),
                seq: state.seq,
            }
            .into());
        }
        self.record_difference(viewer, cursor.pts, to_pts, !missed.complete, false);
        let (users, chats) = self.introduce(viewer, seen);
        let new_encrypted_messages = Vec::new();
        if missed.complete {
            let state = state.into();
            return Ok(types::updates::Difference {
                new_messages,
                new_encrypted_messages,
                other_updates,
                chats,
                users,
                state,
            }
            .into());
        }
        let intermediate_state = types::updates::State {
            pts: to_pts,
            qts: to_qts,
            ..state
        }
        .into();
        Ok(types::updates::DifferenceSlice {
            new_messages,
            new_encrypted_messages,
            other_updates,
            chats,
            users,
            intermediate_state,
        }
        .into())
    }

    fn missed(&self, account: &Account, cursor: Cursor, slice: usize) -> Missed {
        let slice = slice.min(self.settings.bounds.difference_slice);
        let ahead = account.log.after(cursor.pts).take(slice + 1);
        let mut entries: Vec<Entry> = ahead.cloned().collect();
        let bot = account.bot.as_ref();
        let ahead = bot.map(|bot| bot.qts.after(cursor.qts).take(slice + 1));
        let mut secondary: Vec<QtsEntry> = ahead.into_iter().flatten().cloned().collect();
        let there = (entries.len(), secondary.len());
        entries.truncate(slice);
        secondary.truncate(slice);
        cut_to_weight(&mut entries, self.settings.bounds.slice_bytes, |entry| {
            let message = match entry.change {
                Change::New(id) | Change::Edit(id) => account.content(id),
                Change::Delete(_) => None,
            };
            message
                .and_then(|id| self.copied(id))
                .map_or(64, |message| message.body.weight())
        });
        let complete = there == (entries.len(), secondary.len());
        Missed {
            entries,
            secondary,
            complete,
        }
    }

    fn expire_box(&mut self, viewer: UserId, now: Now) -> Result<(), RpcError> {
        let before = now
            .mono_ms
            .saturating_sub(self.settings.bounds.updates_kept_ms);
        let account = self.account_mut(viewer)?;
        account.log.expire(before);
        if let Some(bot) = account.bot.as_deref_mut() {
            bot.qts.expire(before);
        }
        Ok(())
    }

    fn tl_missed(
        &self,
        viewer: UserId,
        missed: &Missed,
        seen: &mut Seen,
    ) -> (Vec<enums::Message>, Vec<enums::Update>) {
        let mut new_messages = Vec::new();
        let mut updates = Vec::new();
        for entry in &missed.entries {
            let at = At {
                pts: entry.pts,
                count: entry.count,
            };
            match &entry.change {
                Change::New(id) => new_messages.extend(self.tl_copied(viewer, *id, seen)),
                Change::Edit(id) => {
                    let At {
                        pts,
                        count: pts_count,
                    } = at;
                    let edited = self.tl_copied(viewer, *id, seen).map(|message| {
                        types::UpdateEditMessage {
                            message,
                            pts,
                            pts_count,
                        }
                        .into()
                    });
                    updates.extend(edited);
                }
                Change::Delete(ids) => updates.push(deleted(None, ids, at)),
            }
        }
        for entry in &missed.secondary {
            updates.push(self.tl_qts(viewer, entry, seen));
        }
        (new_messages, updates)
    }

    /// Only where the doubt says that presses are replayed.
    fn waiting_presses(&self, viewer: UserId, seen: &mut Seen) -> Vec<enums::Update> {
        if !self.settings.doubts.difference_replays_presses {
            return Vec::new();
        }
        let waiting = self.unanswered_presses(viewer);
        waiting
            .iter()
            .map(|pressed| self.tl_press(pressed, seen))
            .collect()
    }

    fn changed_channels(
        &self,
        viewer: UserId,
        since: i32,
        now: Now,
        seen: &mut Seen,
    ) -> Vec<enums::Update> {
        let Ok(account) = self.account(viewer) else {
            return Vec::new();
        };
        let changed: Vec<ChannelId> = account
            .channels
            .iter()
            .copied()
            .filter(|id| self.channel(*id).is_ok_and(|channel| !channel.is_basic()))
            .filter(|id| {
                self.changed_at(*id, now)
                    .is_some_and(|date| date >= i64::from(since))
            })
            .collect();
        seen.channels.extend(changed.iter().copied());
        changed
            .into_iter()
            .map(|id| {
                types::UpdateChannelTooLong {
                    channel_id: id.0,
                    pts: None,
                }
                .into()
            })
            .collect()
    }

    /// Unix seconds of a channel's last change.
    fn changed_at(&self, id: ChannelId, now: Now) -> Option<i64> {
        let changed_ms = self.channel(id).ok()?.log.changed_at()?;
        let ago_ms = now.mono_ms.saturating_sub(changed_ms);
        Some((now.unix_ms - i64::try_from(ago_ms).ok()?) / 1_000)
    }

    fn record_difference(
        &mut self,
        account: UserId,
        from_pts: i32,
        to_pts: i32,
        slice: bool,
        too_long: bool,
    ) {
        self.record(Event::Difference {
            account,
            of: BoxRef::Private,
            from_pts,
            to_pts,
            slice,
            too_long,
        });
    }
}
