//! Channels and supergroups: what this bot may do there, and how far they are.
//!
//! `channels.getChannels` answers for the caller's own rights. How many ids it takes is not documented: at most 50 are asked for, and
//! a list that is refused is halved until the one id that spoils it stands alone.

use std::collections::HashMap;

use grammers_client::tl;
use shared_core::{ChannelId, ErrorClass};

use super::Calls;
use crate::config::Right;
use crate::telegram::error::CallError;

const MAX_CHANNELS_AT_ONCE: usize = 50;
const GET_CHANNELS: &str = "channels.getChannels";

/// A group of the old kind, which no other bot can continue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasicGroup {
    pub title: String,
    /// The supergroup that it was turned into.
    pub became: Option<ChannelId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelKind {
    Supergroup,
    Broadcast,
    /// Each account numbers its messages differently: another bot cannot continue there.
    BasicGroup,
}

/// An administrator's rights, in Telegram's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AdminRights {
    pub change_info: bool,
    pub post_messages: bool,
    pub edit_messages: bool,
    pub delete_messages: bool,
    pub ban_users: bool,
    pub invite_users: bool,
    pub pin_messages: bool,
    pub add_admins: bool,
    pub manage_topics: bool,
    pub anonymous: bool,
    pub manage_call: bool,
    pub other: bool,
    pub post_stories: bool,
    pub edit_stories: bool,
    pub delete_stories: bool,
    pub manage_direct_messages: bool,
}

impl OwnRights {
    /// May the bot do this here? A creator may do everything.
    pub fn has(&self, right: Right) -> bool {
        self.creator || self.admin.is_some_and(|admin| admin.has(right))
    }
}

impl AdminRights {
    pub fn has(&self, right: Right) -> bool {
        match right {
            Right::ChangeInfo => self.change_info,
            Right::PostMessages => self.post_messages,
            Right::EditMessages => self.edit_messages,
            Right::DeleteMessages => self.delete_messages,
            Right::BanUsers => self.ban_users,
            Right::InviteUsers => self.invite_users,
            Right::PinMessages => self.pin_messages,
            Right::AddAdmins => self.add_admins,
            Right::ManageTopics => self.manage_topics,
            Right::Anonymous => self.anonymous,
            Right::ManageCall => self.manage_call,
            Right::Other => self.other,
            Right::PostStories => self.post_stories,
            Right::EditStories => self.edit_stories,
            Right::DeleteStories => self.delete_stories,
            Right::ManageDirectMessages => self.manage_direct_messages,
        }
    }
}

/// What a bot is and may do in one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnRights {
    pub kind: ChannelKind,
    pub title: String,
    pub username: Option<String>,
    /// Is it in there at all?
    pub member: bool,
    pub creator: bool,
    /// `None`: not an administrator.
    pub admin: Option<AdminRights>,
}

impl Calls {
    /// This bot's rights in each of the channels. A channel that cannot be seen has an error of its own; what concerns the line or
    /// the bot fails the whole call.
    pub async fn rights(
        &self,
        channels: &[ChannelId],
    ) -> Result<Vec<(ChannelId, Result<OwnRights, CallError>)>, CallError> {
        let mut found = HashMap::new();
        let mut todo: Vec<&[ChannelId]> = channels.chunks(MAX_CHANNELS_AT_ONCE).rev().collect();
        while let Some(chunk) = todo.pop() {
            match self.get_channels(chunk).await {
                Ok(chats) => {
                    for (id, rights) in chats.iter().filter_map(own_rights) {
                        found.insert(id, rights);
                    }
                }
                Err(error) if !is_about_a_channel(&error) => return Err(error),
                Err(error) => match chunk {
                    [channel] => {
                        found.insert(*channel, Err(error));
                    }
                    _ => {
                        let (front, back) = chunk.split_at(chunk.len() / 2);
                        todo.extend([back, front]);
                    }
                },
            }
        }
        let absent = || CallError::new(GET_CHANNELS, ErrorClass::Recipient, "CHANNEL_INVALID", 400);
        Ok(channels
            .iter()
            .map(|channel| {
                let rights = found.get(channel).cloned();
                (*channel, rights.unwrap_or_else(|| Err(absent())))
            })
            .collect())
    }

    /// The basic group that has this id, if there is one and the bot is in it: its ids are not told apart from channels' by their looks.
    pub async fn basic_group(&self, id: ChannelId) -> Result<Option<BasicGroup>, CallError> {
        let request = tl::functions::messages::GetChats { id: vec![id.0] };
        let chats = match self.call("messages.getChats", &request).await {
            Ok(tl::enums::messages::Chats::Chats(it)) => it.chats,
            Ok(tl::enums::messages::Chats::Slice(it)) => it.chats,
            Err(error) if is_about_a_channel(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(chats.iter().find_map(|chat| match chat {
            tl::enums::Chat::Chat(it) if it.id == id.0 => Some(BasicGroup {
                title: it.title.clone(),
                became: it.migrated_to.as_ref().and_then(channel_id),
            }),
            _ => None,
        }))
    }

    /// The channel's current `pts`: where a cursor begins that has no past.
    pub async fn channel_pts(&self, channel: ChannelId) -> Result<i32, CallError> {
        const METHOD: &str = "channels.getFullChannel";
        let request = tl::functions::channels::GetFullChannel {
            channel: self.peers().input_channel(channel),
        };
        let tl::enums::messages::ChatFull::Full(answer) = self.call(METHOD, &request).await?;
        self.peers().learn(&answer.users, &answer.chats);
        match answer.full_chat {
            tl::enums::ChatFull::ChannelFull(full) => Ok(full.pts),
            _ => Err(CallError::malformed(METHOD)),
        }
    }

    async fn get_channels(&self, ids: &[ChannelId]) -> Result<Vec<tl::enums::Chat>, CallError> {
        let request = {
            let peers = self.peers();
            tl::functions::channels::GetChannels {
                id: ids.iter().map(|id| peers.input_channel(*id)).collect(),
            }
        };
        let chats = match self.call(GET_CHANNELS, &request).await? {
            tl::enums::messages::Chats::Chats(it) => it.chats,
            tl::enums::messages::Chats::Slice(it) => it.chats,
        };
        self.peers().learn(&[], &chats);
        Ok(chats)
    }
}

/// May the error be one id's fault, so that halving finds it? Then it says nothing about the line or the bot.
fn is_about_a_channel(error: &CallError) -> bool {
    matches!(error.class, ErrorClass::Recipient | ErrorClass::Other) && error.code > 0
}

fn channel_id(input: &tl::enums::InputChannel) -> Option<ChannelId> {
    match input {
        tl::enums::InputChannel::Channel(it) => Some(ChannelId(it.channel_id)),
        tl::enums::InputChannel::FromMessage(it) => Some(ChannelId(it.channel_id)),
        tl::enums::InputChannel::Empty => None,
    }
}

fn own_rights(chat: &tl::enums::Chat) -> Option<(ChannelId, Result<OwnRights, CallError>)> {
    Some(match chat {
        tl::enums::Chat::Channel(it) => {
            let kind = match it.broadcast {
                true => ChannelKind::Broadcast,
                false => ChannelKind::Supergroup,
            };
            let rights = OwnRights {
                kind,
                title: it.title.clone(),
                username: it.username.clone(),
                member: !it.left,
                creator: it.creator,
                admin: it.admin_rights.as_ref().map(admin_rights),
            };
            (ChannelId(it.id), Ok(rights))
        }
        tl::enums::Chat::Chat(it) => {
            let rights = OwnRights {
                kind: ChannelKind::BasicGroup,
                title: it.title.clone(),
                username: None,
                member: !it.left,
                creator: it.creator,
                admin: it.admin_rights.as_ref().map(admin_rights),
            };
            (ChannelId(it.id), Ok(rights))
        }
        tl::enums::Chat::ChannelForbidden(it) => {
            let error = CallError::new(GET_CHANNELS, ErrorClass::Recipient, "CHANNEL_PRIVATE", 406);
            (ChannelId(it.id), Err(error))
        }
        _ => return None,
    })
}

fn admin_rights(rights: &tl::enums::ChatAdminRights) -> AdminRights {
    let tl::enums::ChatAdminRights::Rights(it) = rights;
    AdminRights {
        change_info: it.change_info,
        post_messages: it.post_messages,
        edit_messages: it.edit_messages,
        delete_messages: it.delete_messages,
        ban_users: it.ban_users,
        invite_users: it.invite_users,
        pin_messages: it.pin_messages,
        add_admins: it.add_admins,
        manage_topics: it.manage_topics,
        anonymous: it.anonymous,
        manage_call: it.manage_call,
        other: it.other,
        post_stories: it.post_stories,
        edit_stories: it.edit_stories,
        delete_stories: it.delete_stories,
        manage_direct_messages: it.manage_direct_messages,
    }
}
