//! Updates: what a change looks like to those whom it concerns, as a push (this file) or in a difference. A push goes to accounts that are logged in;
//! a box has the change anyway. Channel pushes carry the account's own view of the channel (rights, access hash).
//!
//! Invariant: nothing is pushed that a difference would not give too, but for presses and `updateChannel`, which have no pts.

pub(crate) mod channel_difference;
pub(crate) mod difference;
pub(crate) mod participants;
pub(crate) mod render;

use grammers_tl_types as tl;
use tl::{Serializable, enums, types};

use self::participants::note_participant;
use self::render::Seen;
use crate::services::build;
use crate::world::{
    At, ChannelId, ChatRef, MessageId, Posted, Pressed, Push, QtsChange, QtsEntry, UserId,
};
use crate::world::{Now, World};

impl World {
    /// A message in the account's own box.
    pub(crate) fn push_new_copy(&mut self, to: UserId, posted: Posted, now: Now) {
        self.push_with(to, now, |world, seen| {
            let message = world.tl_copied(to, posted.id, seen)?;
            let At {
                pts,
                count: pts_count,
            } = posted.at;
            Some(
                types::UpdateNewMessage {
                    message,
                    pts,
                    pts_count,
                }
                .into(),
            )
        });
    }

    pub(crate) fn push_edited_copy(&mut self, to: UserId, posted: Posted, now: Now) {
        self.push_with(to, now, |world, seen| {
            let message = world.tl_copied(to, posted.id, seen)?;
            let At {
                pts,
                count: pts_count,
            } = posted.at;
            Some(
                types::UpdateEditMessage {
                    message,
                    pts,
                    pts_count,
                }
                .into(),
            )
        });
    }

    pub(crate) fn push_new_in_channel(
        &mut self,
        to: UserId,
        channel: ChannelId,
        posted: Posted,
        now: Now,
    ) {
        self.push_with(to, now, |world, seen| {
            let message = world.tl_channel_message(to, channel, posted.id, seen)?;
            let At {
                pts,
                count: pts_count,
            } = posted.at;
            Some(
                types::UpdateNewChannelMessage {
                    message,
                    pts,
                    pts_count,
                }
                .into(),
            )
        });
    }

    pub(crate) fn push_edited_in_channel(
        &mut self,
        to: UserId,
        channel: ChannelId,
        posted: Posted,
        now: Now,
    ) {
        self.push_with(to, now, |world, seen| {
            let message = world.tl_channel_message(to, channel, posted.id, seen)?;
            let At {
                pts,
                count: pts_count,
            } = posted.at;
            Some(
                types::UpdateEditChannelMessage {
                    message,
                    pts,
                    pts_count,
                }
                .into(),
            )
        });
    }

    pub(crate) fn push_deleted(
        &mut self,
        to: UserId,
        channel: Option<ChannelId>,
        ids: &[MessageId],
        at: At,
        now: Now,
    ) {
        self.push_with(to, now, |_, seen| {
            seen.channels.extend(channel);
            Some(deleted(channel, ids, at))
        });
    }

    /// A change in the secondary sequence; `own` is the channel in which the bot's own standing changed.
    pub(crate) fn push_qts(
        &mut self,
        bot: UserId,
        entry: &QtsEntry,
        own: Option<ChannelId>,
        now: Now,
    ) {
        if let Some(channel) = own {
            self.push_channel(bot, channel, now);
        }
        self.push_with(bot, now, |world, seen| Some(world.tl_qts(bot, entry, seen)));
    }

    pub(crate) fn push_press(&mut self, pressed: &Pressed, now: Now) {
        let bot = pressed.bot;
        if !self.has_listener(bot) {
            return;
        }
        let mut seen = Seen::default();
        let update = self.tl_press(pressed, &mut seen);
        let numbered = self.settings.doubts.seq_on_presses;
        let seq = match self.account_mut(bot) {
            Ok(account) if numbered => {
                account.seq += 1;
                account.seq
            }
            Ok(_) | Err(_) => 0,
        };
        self.push(bot, vec![update], seen, seq, now);
    }

    /// The account's own standing in a channel changed.
    pub(crate) fn push_channel(&mut self, to: UserId, channel: ChannelId, now: Now) {
        self.push_with(to, now, |_, seen| {
            seen.channels.insert(channel);
            let channel_id = channel.0;
            Some(types::UpdateChannel { channel_id }.into())
        });
    }

    /// One update to an account that is listening; `make` sees the world and notes whom it shows.
    fn push_with(
        &mut self,
        to: UserId,
        now: Now,
        make: impl FnOnce(&Self, &mut Seen) -> Option<enums::Update>,
    ) {
        if !self.has_listener(to) {
            return;
        }
        let mut seen = Seen::default();
        if let Some(update) = make(self, &mut seen) {
            self.push(to, vec![update], seen, 0, now);
        }
    }

    fn push(&mut self, to: UserId, updates: Vec<enums::Update>, seen: Seen, seq: i32, now: Now) {
        let updates = self.container(to, updates, seen, seq, now).to_bytes();
        self.push_raw(Push {
            account: to,
            except_connection: self.acting_connection(to),
            updates,
        });
    }

    /// `updates` with the users and chats that occur in it.
    pub(crate) fn container(
        &mut self,
        viewer: UserId,
        updates: Vec<enums::Update>,
        seen: Seen,
        seq: i32,
        now: Now,
    ) -> enums::Updates {
        let (users, chats) = self.introduce(viewer, seen);
        types::Updates {
            updates,
            users,
            chats,
            date: now.date(),
            seq,
        }
        .into()
    }

    pub(crate) fn tl_press(&self, pressed: &Pressed, seen: &mut Seen) -> enums::Update {
        seen.users.insert(pressed.member);
        let (peer, number) = match pressed.chat {
            ChatRef::User(user) => (build::peer_user(user), user.0),
            ChatRef::Channel(id) => {
                seen.channels.insert(id);
                (self.tl_peer(pressed.chat), id.0)
            }
        };
        types::UpdateBotCallbackQuery {
            query_id: pressed.query_id,
            user_id: pressed.member.0,
            peer,
            msg_id: pressed.message_id.0,
            chat_instance: self.hashes.chat_instance(pressed.bot, number),
            data: Some(pressed.data.clone()),
            game_short_name: None,
        }
        .into()
    }

    pub(crate) fn tl_qts(
        &self,
        viewer: UserId,
        entry: &QtsEntry,
        seen: &mut Seen,
    ) -> enums::Update {
        match &entry.change {
            QtsChange::Stopped { member, stopped } => {
                seen.users.insert(*member);
                let stopped = *stopped;
                types::UpdateBotStopped {
                    user_id: member.0,
                    date: entry.date,
                    stopped,
                    qts: entry.qts,
                }
                .into()
            }
            QtsChange::Participant {
                channel,
                actor,
                user,
                before,
                after,
            } => {
                seen.users.extend([*actor, *user]);
                seen.channels.insert(*channel);
                let mut participant = |standing| {
                    let one = self.tl_participant(viewer, *channel, *user, standing)?;
                    note_participant(&one, seen);
                    Some(one)
                };
                types::UpdateChannelParticipant {
                    via_chatlist: false,
                    channel_id: channel.0,
                    date: entry.date,
                    actor_id: actor.0,
                    user_id: user.0,
                    prev_participant: participant(before),
                    new_participant: participant(after),
                    invite: None,
                    qts: entry.qts,
                }
                .into()
            }
        }
    }
}

/// A deletion in the account's own box, or in a channel.
pub(crate) fn deleted(channel: Option<ChannelId>, ids: &[MessageId], at: At) -> enums::Update {
    let messages = ids.iter().map(|id| id.0).collect();
    let At {
        pts,
        count: pts_count,
    } = at;
    match channel {
        None => types::UpdateDeleteMessages {
            messages,
            pts,
            pts_count,
        }
        .into(),
        Some(channel) => {
            let channel_id = channel.0;
            types::UpdateDeleteChannelMessages {
                channel_id,
                messages,
                pts,
                pts_count,
            }
            .into()
        }
    }
}
