//! Basic groups, and groups that two people share.

use grammers_tl_types as tl;
use tl::functions::messages;
use tl::{enums, types};

use crate::dispatch::Ctx;
use crate::updates::render::Seen;
use crate::world::{ChannelId, RpcError, World};

const COMMON_MAX: i32 = 100;

/// Leaving a group; throwing others out is not simulated.
pub(crate) fn delete_chat_user(
    world: &mut World,
    ctx: Ctx,
    request: messages::DeleteChatUser,
) -> Result<enums::Updates, RpcError> {
    let id = world.resolve_group(ctx.me, request.chat_id)?;
    if world.resolve_user(ctx.me, &request.user_id)? != ctx.me {
        return Err(RpcError::bad_request("CHAT_ADMIN_REQUIRED"));
    }
    world.leave(id, ctx.me, ctx.me, ctx.now)?;
    let seen = Seen {
        channels: [id].into(),
        ..Seen::default()
    };
    let update = types::UpdateChat { chat_id: id.0 }.into();
    Ok(world.container(ctx.me, vec![update], seen, 0, ctx.now))
}

/// By id, upwards; broadcast channels do not count.
pub(crate) fn get_common_chats(
    world: &mut World,
    ctx: Ctx,
    request: messages::GetCommonChats,
) -> Result<enums::messages::Chats, RpcError> {
    let user = world.resolve_user(ctx.me, &request.user_id)?;
    if user == ctx.me {
        return Err(RpcError::bad_request("USER_ID_INVALID"));
    }
    let is_common = |id: &ChannelId| {
        id.0 > request.max_id
            && world
                .channel(*id)
                .is_ok_and(|group| group.has(user) && !group.is_broadcast())
    };
    let limit = request.limit.clamp(0, COMMON_MAX).unsigned_abs() as usize;
    let mine = world.account(ctx.me)?.channels.iter().copied();
    let chats = mine
        .filter(is_common)
        .take(limit)
        .map(|id| world.tl_chat(ctx.me, id))
        .collect();
    Ok(types::messages::Chats { chats }.into())
}
