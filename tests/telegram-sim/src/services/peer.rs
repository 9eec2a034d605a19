//! From an input peer to whom it means. An access hash is checked against the caller's own; hash 0 works for bots only: for users whom
//! they have met and channels that they have been in. Wrong ones are `PEER_ID_INVALID` and `CHANNEL_INVALID`; a channel that it is not in
//! (any more) is `CHANNEL_PRIVATE`, but people may read what is public.

use grammers_tl_types::enums;

use crate::world::{ChannelId, ChatRef, MessageId, Right, RpcError, UserId, World};

impl World {
    /// A user or a channel that the caller is in.
    pub(crate) fn resolve_peer(
        &self,
        me: UserId,
        peer: &enums::InputPeer,
    ) -> Result<ChatRef, RpcError> {
        match peer {
            enums::InputPeer::PeerSelf => Ok(ChatRef::User(me)),
            enums::InputPeer::User(user) => self
                .known_user(me, UserId(user.user_id), user.access_hash)
                .map(ChatRef::User),
            enums::InputPeer::UserFromMessage(user) => self
                .known_user(me, UserId(user.user_id), 0)
                .map(ChatRef::User),
            enums::InputPeer::Channel(channel) => {
                let id =
                    self.known_channel(me, ChannelId(channel.channel_id), channel.access_hash)?;
                self.check_is_in(me, id)?;
                Ok(ChatRef::Channel(id))
            }
            enums::InputPeer::ChannelFromMessage(channel) => {
                let id = self.known_channel(me, ChannelId(channel.channel_id), 0)?;
                self.check_is_in(me, id)?;
                Ok(ChatRef::Channel(id))
            }
            enums::InputPeer::Chat(chat) => {
                self.resolve_group(me, chat.chat_id).map(ChatRef::Channel)
            }
            enums::InputPeer::Empty => Err(invalid_peer()),
        }
    }

    pub(crate) fn resolve_user(
        &self,
        me: UserId,
        user: &enums::InputUser,
    ) -> Result<UserId, RpcError> {
        let found = match user {
            enums::InputUser::UserSelf => return Ok(me),
            enums::InputUser::User(user) => {
                self.known_user(me, UserId(user.user_id), user.access_hash)
            }
            enums::InputUser::FromMessage(user) => self.known_user(me, UserId(user.user_id), 0),
            enums::InputUser::Empty => Err(invalid_peer()),
        };
        found.map_err(|_| RpcError::bad_request("USER_ID_INVALID"))
    }

    /// A channel that the caller is in.
    pub(crate) fn resolve_channel(
        &self,
        me: UserId,
        channel: &enums::InputChannel,
    ) -> Result<ChannelId, RpcError> {
        let id = self.resolve_known_channel(me, channel)?;
        self.check_is_in(me, id)?;
        Ok(id)
    }

    /// A channel that the caller can name, whether it is in it or not.
    pub(crate) fn resolve_known_channel(
        &self,
        me: UserId,
        channel: &enums::InputChannel,
    ) -> Result<ChannelId, RpcError> {
        match channel {
            enums::InputChannel::Channel(channel) => {
                self.known_channel(me, ChannelId(channel.channel_id), channel.access_hash)
            }
            enums::InputChannel::FromMessage(channel) => {
                self.known_channel(me, ChannelId(channel.channel_id), 0)
            }
            enums::InputChannel::Empty => Err(RpcError::bad_request("CHANNEL_INVALID")),
        }
    }

    /// A basic group that the caller is in.
    pub(crate) fn resolve_group(&self, me: UserId, id: i64) -> Result<ChannelId, RpcError> {
        let id = ChannelId(id);
        let is_in = self
            .channel(id)
            .is_ok_and(|group| group.is_basic() && group.has(me));
        if is_in {
            Ok(id)
        } else {
            Err(RpcError::bad_request("CHAT_ID_INVALID"))
        }
    }

    /// Where the caller may write: started private chats, groups, channels with the right to post.
    pub(crate) fn resolve_writable(
        &self,
        me: UserId,
        peer: &enums::InputPeer,
    ) -> Result<ChatRef, RpcError> {
        let chat = self.resolve_peer(me, peer)?;
        if !self.is_bot(me) {
            return self.check_member_can_write(me, chat).map(|()| chat);
        }
        match chat {
            ChatRef::User(user) if user == me => Err(RpcError::bad_request("USER_IS_BOT")),
            ChatRef::User(user) if self.is_bot(user) => {
                Err(RpcError::bad_request("USER_BOT_TO_BOT_DISABLED"))
            }
            ChatRef::User(user) if self.is_blocked(me, user) => {
                Err(RpcError::bad_request("USER_IS_BLOCKED"))
            }
            ChatRef::User(user) if !self.has_opened(me, user) => Err(invalid_peer()),
            ChatRef::Channel(id) if self.channel(id)?.is_broadcast() => {
                let may_post = self.channel(id)?.allows(me, Right::PostMessages);
                if may_post {
                    Ok(chat)
                } else {
                    Err(RpcError::bad_request("CHAT_ADMIN_REQUIRED"))
                }
            }
            ChatRef::User(_) | ChatRef::Channel(_) => Ok(chat),
        }
    }

    fn has_opened(&self, bot: UserId, member: UserId) -> bool {
        self.account(bot)
            .ok()
            .and_then(|account| account.dialog(ChatRef::User(member)))
            .is_some_and(|dialog| dialog.opened)
    }

    fn known_user(&self, me: UserId, user: UserId, hash: i64) -> Result<UserId, RpcError> {
        self.account(user)?;
        let has_met = || {
            self.account(me)
                .is_ok_and(|account| account.is_bot() && account.met.contains(&user))
                || self.has_opened(me, user)
        };
        let known = hash == self.hashes.user(me, user) || (hash == 0 && (user == me || has_met()));
        if known { Ok(user) } else { Err(invalid_peer()) }
    }

    fn known_channel(&self, me: UserId, id: ChannelId, hash: i64) -> Result<ChannelId, RpcError> {
        let invalid = || RpcError::bad_request("CHANNEL_INVALID");
        if self.channel(id)?.is_basic() {
            return Err(invalid());
        }
        let has_been_in = || {
            self.account(me)
                .is_ok_and(|account| account.is_bot() && account.known_channels.contains(&id))
        };
        let known = hash == self.hashes.channel(me, id) || (hash == 0 && has_been_in());
        if known { Ok(id) } else { Err(invalid()) }
    }

    fn check_is_in(&self, me: UserId, id: ChannelId) -> Result<(), RpcError> {
        let channel = self.channel(id)?;
        let is_open =
            || !self.is_bot(me) && channel.username.is_some() && !channel.banned.contains(&me);
        if channel.has(me) || is_open() {
            Ok(())
        } else {
            Err(RpcError::bad_request("CHANNEL_PRIVATE"))
        }
    }
}

pub(crate) fn message_ids(ids: &[i32]) -> Vec<MessageId> {
    ids.iter().copied().map(MessageId).collect()
}

fn invalid_peer() -> RpcError {
    RpcError::bad_request("PEER_ID_INVALID")
}
