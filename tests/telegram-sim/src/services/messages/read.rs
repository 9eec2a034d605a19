//! Reading one's own box, basic groups, and what a bot is seen to do (typing, reading), which has no effect here.

use grammers_tl_types as tl;
use tl::functions::messages;
use tl::{enums, types};

use crate::dispatch::Ctx;
use crate::services::build;
use crate::updates::render::Seen;
use crate::world::{ChannelId, MessageId, RpcError, Standing, World};

/// Numbers that are not there come back as `messageEmpty`.
pub(crate) fn get_messages(
    world: &mut World,
    ctx: Ctx,
    request: messages::GetMessages,
) -> Result<enums::messages::Messages, RpcError> {
    let mut seen = Seen::default();
    let found = request
        .id
        .iter()
        .map(|input| {
            let id = world.own_message(ctx, input);
            id.and_then(|id| world.tl_copied(ctx.me, id, &mut seen))
                .unwrap_or_else(|| empty(input))
        })
        .collect();
    let (users, chats) = world.introduce(ctx.me, seen);
    Ok(types::messages::Messages {
        messages: found,
        topics: Vec::new(),
        chats,
        users,
    }
    .into())
}

pub(crate) fn set_typing(
    world: &mut World,
    ctx: Ctx,
    request: messages::SetTyping,
) -> Result<bool, RpcError> {
    world.resolve_writable(ctx.me, &request.peer)?;
    Ok(true)
}

pub(crate) fn read_history(
    world: &mut World,
    ctx: Ctx,
    request: messages::ReadHistory,
) -> Result<enums::messages::AffectedMessages, RpcError> {
    world.resolve_peer(ctx.me, &request.peer)?;
    let pts = world.account(ctx.me)?.log.pts();
    Ok(types::messages::AffectedMessages { pts, pts_count: 0 }.into())
}

pub(crate) fn get_chats(
    world: &mut World,
    ctx: Ctx,
    request: messages::GetChats,
) -> Result<enums::messages::Chats, RpcError> {
    let groups = request
        .id
        .iter()
        .map(|id| world.resolve_group(ctx.me, *id))
        .collect::<Result<Vec<ChannelId>, _>>()?;
    let chats = groups
        .into_iter()
        .map(|id| world.tl_chat(ctx.me, id))
        .collect();
    Ok(types::messages::Chats { chats }.into())
}

pub(crate) fn get_full_chat(
    world: &mut World,
    ctx: Ctx,
    request: messages::GetFullChat,
) -> Result<enums::messages::ChatFull, RpcError> {
    let id = world.resolve_group(ctx.me, request.chat_id)?;
    let group = world.channel(id)?;
    let inviter_id = group.creator.0;
    let participants = group
        .members
        .iter()
        .map(|(user, date)| {
            let (user_id, date, rank) = (user.0, *date, None);
            match group.standing(*user) {
                Standing::Creator => types::ChatParticipantCreator { user_id, rank }.into(),
                Standing::Admin(_) => types::ChatParticipantAdmin {
                    user_id,
                    inviter_id,
                    date,
                    rank,
                }
                .into(),
                Standing::Member { .. } | Standing::Banned | Standing::Left => {
                    types::ChatParticipant {
                        user_id,
                        inviter_id,
                        date,
                        rank,
                    }
                    .into()
                }
            }
        })
        .collect();
    let seen = Seen {
        users: group.members.keys().copied().collect(),
        channels: [id].into(),
    };
    let participants = types::ChatParticipants {
        chat_id: id.0,
        participants,
        version: 1,
    };
    let full_chat = build::group_full(id, participants.into()).into();
    let (users, chats) = world.introduce(ctx.me, seen);
    Ok(types::messages::ChatFull {
        full_chat,
        chats,
        users,
    }
    .into())
}

/// What an input message stands for when nothing is there.
pub(crate) fn empty(input: &enums::InputMessage) -> enums::Message {
    let id = match input {
        enums::InputMessage::Id(message) => message.id,
        enums::InputMessage::ReplyTo(message) => message.id,
        enums::InputMessage::CallbackQuery(message) => message.id,
        enums::InputMessage::Pinned => 0,
    };
    types::MessageEmpty { id, peer_id: None }.into()
}

impl World {
    fn own_message(&self, ctx: Ctx, input: &enums::InputMessage) -> Option<MessageId> {
        match input {
            enums::InputMessage::Id(message) => Some(MessageId(message.id)),
            enums::InputMessage::CallbackQuery(message) => Some(MessageId(message.id)),
            enums::InputMessage::ReplyTo(message) => {
                let content = self.account(ctx.me).ok()?.content(MessageId(message.id))?;
                self.copied(self.copied(content)?.reply_to?)?
                    .number_for(ctx.me)
            }
            enums::InputMessage::Pinned => None,
        }
    }
}
