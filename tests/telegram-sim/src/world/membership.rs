//! Who is in a channel and with which rights, and whom a change is told: the account itself (`updateChannel`, and `qts` for bots) and the
//! bots that administer the channel (`qts`). Additions to a supergroup leave a service message, as in Telegram.

use super::account::QtsChange;
use super::api::{ChannelKind, ChannelView, Rights};
use super::channel::{Admin, Standing};
use super::error::RpcError;
use super::event::Event;
use super::ids::{ChannelId, ChatRef, UserId};
use super::message::Draft;
use super::{Now, World};
use grammers_tl_types::{enums, types};

const BOTS_PER_CHANNEL: usize = 20;
pub(crate) const ADMINS_PER_CHANNEL: usize = 50;

impl World {
    /// By the creator. `None` takes the rights away; the account stays a member (a bot leaves a broadcast channel). Who is
    /// not in the channel is added.
    pub fn set_admin(
        &mut self,
        channel: ChannelId,
        user: UserId,
        rights: Option<Rights>,
        now: Now,
    ) -> Result<(), RpcError> {
        let actor = self.channel(channel)?.creator;
        self.change_admin(channel, actor, user, rights, None, now)
    }

    pub fn set_membership(
        &mut self,
        channel: ChannelId,
        user: UserId,
        member: bool,
        now: Now,
    ) -> Result<(), RpcError> {
        let place = self.channel(channel)?;
        let (actor, is_supergroup) = (place.creator, place.kind == ChannelKind::Supergroup);
        if place.has(user) == member {
            return Ok(());
        }
        if !member {
            return self.remove(channel, actor, user, now);
        }
        if place.is_broadcast() && self.is_bot(user) {
            return Err(RpcError::bad_request("USER_BOT"));
        }
        self.join(channel, actor, user, now)?;
        if is_supergroup {
            self.note_added(channel, actor, user, now)?;
        }
        Ok(())
    }

    /// A member joins a public supergroup or channel by itself.
    pub fn member_join(
        &mut self,
        member: UserId,
        channel: ChannelId,
        now: Now,
    ) -> Result<(), RpcError> {
        self.check_person(member)?;
        let place = self.channel(channel)?;
        if place.has(member) {
            return Err(RpcError::bad_request("USER_ALREADY_PARTICIPANT"));
        }
        if place.username.is_none() || place.banned.contains(&member) {
            return Err(RpcError::bad_request("CHANNEL_PRIVATE"));
        }
        let is_supergroup = place.kind == ChannelKind::Supergroup;
        self.join(channel, member, member, now)?;
        if is_supergroup {
            self.note_added(channel, member, member, now)?;
        }
        Ok(())
    }

    /// The service message "... joined" or "... added ...".
    fn note_added(
        &mut self,
        channel: ChannelId,
        actor: UserId,
        user: UserId,
        now: Now,
    ) -> Result<(), RpcError> {
        let users = vec![user.0];
        let action = enums::MessageAction::ChatAddUser(types::MessageActionChatAddUser { users });
        let draft = Draft {
            action: Some(action),
            ..Draft::default()
        };
        self.post(actor, ChatRef::Channel(channel), draft, now)
            .map(|_| ())
    }

    pub fn channel_view(&self, channel: ChannelId) -> Result<ChannelView, RpcError> {
        let place = self.channel(channel)?;
        Ok(ChannelView {
            id: channel,
            title: place.title.clone(),
            kind: place.kind,
            pts: place.log.pts(),
            members: place.members.len(),
            admins: place
                .admins
                .iter()
                .map(|(user, admin)| (*user, admin.rights.clone()))
                .collect(),
        })
    }

    pub(crate) fn change_admin(
        &mut self,
        channel: ChannelId,
        actor: UserId,
        user: UserId,
        rights: Option<Rights>,
        rank: Option<String>,
        now: Now,
    ) -> Result<(), RpcError> {
        self.account(user)?;
        let before = self.channel(channel)?.standing(user);
        if before == Standing::Creator {
            return Err(RpcError::bad_request("USER_CREATOR"));
        }
        let is_bot = self.is_bot(user);
        let rights = rights.filter(|rights| !rights.is_empty());
        let admin = rights.is_some();
        match rights {
            Some(rights) => {
                self.add_to_channel(channel, user, now)?;
                let place = self.channel_mut(channel)?;
                if !place.admins.contains_key(&user) && place.admins.len() >= ADMINS_PER_CHANNEL {
                    return Err(RpcError::bad_request("ADMINS_TOO_MUCH"));
                }
                place.admins.insert(
                    user,
                    Admin {
                        rights,
                        promoted_by: actor,
                        rank,
                        date: now.date(),
                    },
                );
            }
            None => {
                let place = self.channel_mut(channel)?;
                place.admins.remove(&user);
                if is_bot && place.is_broadcast() {
                    return self.leave(channel, actor, user, now);
                }
            }
        }
        self.record(Event::AdminChanged {
            channel,
            by: Some(actor),
            user,
            admin,
        });
        self.tell_standing(channel, actor, user, before, now)
    }

    /// Without a service message and without updates: part of making a channel.
    pub(crate) fn join_silently(
        &mut self,
        channel: ChannelId,
        user: UserId,
        now: Now,
    ) -> Result<(), RpcError> {
        if self.channel(channel)?.is_broadcast()
            && self.is_bot(user)
            && !self.channel(channel)?.is_admin(user)
        {
            return Err(RpcError::bad_request("USER_BOT"));
        }
        self.add_to_channel(channel, user, now)
    }

    pub(crate) fn leave(
        &mut self,
        channel: ChannelId,
        actor: UserId,
        user: UserId,
        now: Now,
    ) -> Result<(), RpcError> {
        let place = self.channel_mut(channel)?;
        let before = place.standing(user);
        if before == Standing::Creator {
            return Err(RpcError::bad_request("USER_CREATOR"));
        }
        place.members.remove(&user);
        place.bots.remove(&user);
        place.admins.remove(&user);
        self.account_mut(user)?.channels.remove(&channel);
        self.record(Event::MembershipChanged {
            channel,
            user,
            member: false,
        });
        self.tell_standing(channel, actor, user, before, now)
    }

    /// Thrown out: it cannot be promoted again before somebody adds it.
    fn remove(
        &mut self,
        channel: ChannelId,
        actor: UserId,
        user: UserId,
        now: Now,
    ) -> Result<(), RpcError> {
        let place = self.channel_mut(channel)?;
        if place.creator != user {
            place.banned.insert(user);
        }
        self.leave(channel, actor, user, now)
    }

    pub(crate) fn note_joined(&mut self, channel: ChannelId, user: UserId) -> Result<(), RpcError> {
        let account = self.account_mut(user)?;
        account.channels.insert(channel);
        account.known_channels.insert(channel);
        Ok(())
    }

    fn join(
        &mut self,
        channel: ChannelId,
        actor: UserId,
        user: UserId,
        now: Now,
    ) -> Result<(), RpcError> {
        let before = self.channel(channel)?.standing(user);
        self.add_to_channel(channel, user, now)?;
        self.record(Event::MembershipChanged {
            channel,
            user,
            member: true,
        });
        self.tell_standing(channel, actor, user, before, now)
    }

    fn add_to_channel(
        &mut self,
        channel: ChannelId,
        user: UserId,
        now: Now,
    ) -> Result<(), RpcError> {
        let is_bot = self.account(user)?.is_bot();
        let place = self.channel_mut(channel)?;
        if place.has(user) {
            return Ok(());
        }
        if is_bot && !place.is_broadcast() && place.bots.len() >= BOTS_PER_CHANNEL {
            return Err(RpcError::bad_request("BOTS_TOO_MUCH"));
        }
        place.members.insert(user, now.date());
        place.banned.remove(&user);
        if is_bot {
            place.bots.insert(user);
        }
        self.note_joined(channel, user)
    }

    fn tell_standing(
        &mut self,
        channel: ChannelId,
        actor: UserId,
        user: UserId,
        before: Standing,
        now: Now,
    ) -> Result<(), RpcError> {
        let place = self.channel(channel)?;
        let after = place.standing(user);
        if before == after || place.is_basic() {
            return Ok(());
        }
        let mut told: Vec<UserId> = place
            .bots
            .iter()
            .copied()
            .filter(|bot| place.is_admin(*bot))
            .collect();
        if !self.is_bot(user) {
            self.push_channel(user, channel, now);
        } else if !told.contains(&user) {
            told.push(user);
        }
        for bot in told {
            let change = QtsChange::Participant {
                channel,
                actor,
                user,
                before: before.clone(),
                after: after.clone(),
            };
            self.tell_qts(bot, change, bot == user, now)?;
        }
        Ok(())
    }

    fn tell_qts(
        &mut self,
        bot: UserId,
        change: QtsChange,
        own: bool,
        now: Now,
    ) -> Result<(), RpcError> {
        let channel = match &change {
            QtsChange::Participant { channel, .. } if own => Some(*channel),
            QtsChange::Participant { .. } | QtsChange::Stopped { .. } => None,
        };
        let entry = self
            .bot_mut(bot)?
            .qts
            .append(change, now.date(), now.mono_ms);
        self.push_qts(bot, &entry, channel, now);
        Ok(())
    }

    pub(crate) fn tell_stopped(
        &mut self,
        bot: UserId,
        member: UserId,
        stopped: bool,
        now: Now,
    ) -> Result<(), RpcError> {
        self.tell_qts(bot, QtsChange::Stopped { member, stopped }, false, now)
    }
}
