//! `channels.*`: what a bot can read of channels that it is in, with its own rights; participants and rights are in `participants`.
//! A bot cannot find, join or create channels: those methods are refused in dispatch.

pub(crate) mod participants;

use grammers_tl_types as tl;
use tl::functions::channels;
use tl::{enums, types};

use super::build;
use super::messages::read::empty;
use super::peer::message_ids;
use crate::dispatch::Ctx;
use crate::updates::render::Seen;
use crate::world::{At, ChatRef, MessageId, Posted, RpcError, World};

/// One that the caller cannot name fails them all; one that it was removed from is forbidden, but there.
pub(crate) fn get_channels(
    world: &mut World,
    ctx: Ctx,
    request: channels::GetChannels,
) -> Result<enums::messages::Chats, RpcError> {
    if request.id.len() > world.settings.doubts.get_channels_max as usize {
        return Err(RpcError::bad_request("LIMIT_INVALID"));
    }
    let ids = request
        .id
        .iter()
        .map(|input| world.resolve_known_channel(ctx.me, input))
        .collect::<Result<Vec<_>, _>>()?;
    let chats = ids
        .into_iter()
        .map(|id| world.tl_chat(ctx.me, id))
        .collect();
    Ok(types::messages::Chats { chats }.into())
}

pub(crate) fn get_full_channel(
    world: &mut World,
    ctx: Ctx,
    request: channels::GetFullChannel,
) -> Result<enums::messages::ChatFull, RpcError> {
    let id = world.resolve_channel(ctx.me, &request.channel)?;
    let channel = world.channel(id)?;
    let count = |number: usize| Some(i32::try_from(number).unwrap_or(i32::MAX));
    let full = types::ChannelFull {
        can_view_participants: !channel.is_broadcast() || channel.is_admin(ctx.me),
        participants_count: count(channel.members.len()),
        admins_count: count(channel.admins.len() + 1),
        ..build::channel_full(id, channel.log.pts())
    };
    let (users, chats) = world.introduce(
        ctx.me,
        Seen {
            channels: [id].into(),
            ..Seen::default()
        },
    );
    Ok(types::messages::ChatFull {
        full_chat: full.into(),
        chats,
        users,
    }
    .into())
}

pub(crate) fn get_messages(
    world: &mut World,
    ctx: Ctx,
    request: channels::GetMessages,
) -> Result<enums::messages::Messages, RpcError> {
    let id = world.resolve_channel(ctx.me, &request.channel)?;
    let mut seen = Seen {
        channels: [id].into(),
        ..Seen::default()
    };
    let channel = world.channel(id)?;
    let number = |input: &enums::InputMessage| match input {
        enums::InputMessage::Id(message) => Some(MessageId(message.id)),
        enums::InputMessage::CallbackQuery(message) => Some(MessageId(message.id)),
        enums::InputMessage::ReplyTo(message) => channel.message(MessageId(message.id))?.reply_to,
        enums::InputMessage::Pinned => None,
    };
    let messages: Vec<enums::Message> = request
        .id
        .iter()
        .map(|input| {
            number(input)
                .and_then(|message| world.tl_channel_message(ctx.me, id, message, &mut seen))
                .unwrap_or_else(|| empty(input))
        })
        .collect();
    let pts = channel.log.pts();
    let count = i32::try_from(messages.len()).unwrap_or(i32::MAX);
    let (users, chats) = world.introduce(ctx.me, seen);
    Ok(types::messages::ChannelMessages {
        inexact: false,
        pts,
        count,
        offset_id_offset: None,
        messages,
        topics: Vec::new(),
        chats,
        users,
    }
    .into())
}

pub(crate) fn delete_messages(
    world: &mut World,
    ctx: Ctx,
    request: channels::DeleteMessages,
) -> Result<enums::messages::AffectedMessages, RpcError> {
    let id = world.resolve_channel(ctx.me, &request.channel)?;
    world.take_other(ctx.me, ctx.now)?;
    let at = world.delete_in_channel(ctx.me, id, &message_ids(&request.id), ctx.now)?;
    Ok(types::messages::AffectedMessages {
        pts: at.pts,
        pts_count: at.count,
    }
    .into())
}

/// By people, into what is public.
pub(crate) fn join_channel(
    world: &mut World,
    ctx: Ctx,
    request: channels::JoinChannel,
) -> Result<enums::messages::ChatInviteJoinResult, RpcError> {
    let id = world.resolve_known_channel(ctx.me, &request.channel)?;
    world.member_join(ctx.me, id, ctx.now)?;
    let mut seen = Seen {
        channels: [id].into(),
        ..Seen::default()
    };
    let mut updates = vec![types::UpdateChannel { channel_id: id.0 }.into()];
    if !world.channel(id)?.is_broadcast() {
        let (joined, pts) = (
            world.channel(id)?.last_message_id(),
            world.channel(id)?.log.pts(),
        );
        let at = At { pts, count: 1 };
        updates.extend(world.tl_own_message(
            ctx,
            ChatRef::Channel(id),
            Posted { id: joined, at },
            &mut seen,
        ));
    }
    let updates = world.container(ctx.me, updates, seen, 0, ctx.now);
    Ok(types::messages::ChatInviteJoinResultOk { updates }.into())
}

pub(crate) fn leave_channel(
    world: &mut World,
    ctx: Ctx,
    request: channels::LeaveChannel,
) -> Result<enums::Updates, RpcError> {
    let id = world.resolve_channel(ctx.me, &request.channel)?;
    if !world.channel(id)?.has(ctx.me) {
        return Err(RpcError::bad_request("USER_NOT_PARTICIPANT"));
    }
    world.leave(id, ctx.me, ctx.me, ctx.now)?;
    let seen = Seen {
        channels: [id].into(),
        ..Seen::default()
    };
    let update = types::UpdateChannel { channel_id: id.0 }.into();
    Ok(world.container(ctx.me, vec![update], seen, 0, ctx.now))
}

pub(crate) fn export_message_link(
    world: &mut World,
    ctx: Ctx,
    request: channels::ExportMessageLink,
) -> Result<enums::ExportedMessageLink, RpcError> {
    let id = world.resolve_channel(ctx.me, &request.channel)?;
    let channel = world.channel(id)?;
    if channel.message(MessageId(request.id)).is_none() {
        return Err(RpcError::bad_request("MESSAGE_ID_INVALID"));
    }
    let place = match &channel.username {
        Some(username) => username.clone(),
        None => format!("c/{}", id.0),
    };
    let link = format!("https://t.me/{place}/{}", request.id);
    Ok(types::ExportedMessageLink {
        link,
        html: String::new(),
    }
    .into())
}

pub(crate) fn read_history(
    world: &mut World,
    ctx: Ctx,
    request: channels::ReadHistory,
) -> Result<bool, RpcError> {
    world.resolve_channel(ctx.me, &request.channel)?;
    Ok(true)
}
