//! The member's side of a conversation with a bot: pressing its buttons and pressing Start.

use grammers_tl_types as tl;
use tl::enums;
use tl::functions::messages;

use super::content;
use crate::dispatch::Ctx;
use crate::world::{Button, ChatRef, Draft, MessageId, PendingId, RpcError, World, start_text};

/// Answered when the bot answers, or with `BOT_RESPONSE_TIMEOUT`.
pub(crate) fn get_bot_callback_answer(
    world: &mut World,
    ctx: Ctx,
    request: messages::GetBotCallbackAnswer,
) -> Result<PendingId, RpcError> {
    if request.game || request.password.is_some() {
        return Err(RpcError::bad_request("DATA_INVALID"));
    }
    let chat = world.resolve_peer(ctx.me, &request.peer)?;
    let data = request
        .data
        .ok_or_else(|| RpcError::bad_request("DATA_INVALID"))?;
    let button = Button::Data(data);
    world.member_press(ctx.me, chat, MessageId(request.msg_id), button, ctx.now)
}

/// Start with a payload. Clients send a plain `/start` when there is none, and unblock the bot first when they have blocked it.
pub(crate) fn start_bot(
    world: &mut World,
    ctx: Ctx,
    request: messages::StartBot,
) -> Result<enums::Updates, RpcError> {
    let bot = world.resolve_user(ctx.me, &request.bot)?;
    world.bot(bot)?;
    let chat = world.resolve_writable(ctx.me, &request.peer)?;
    if chat != ChatRef::User(bot) {
        // Adding a bot to a group by a link is not simulated.
        return Err(RpcError::bad_request("PEER_ID_INVALID"));
    }
    if request.start_param.is_empty() {
        return Err(RpcError::bad_request("START_PARAM_EMPTY"));
    }
    let text = start_text(&request.start_param)?;
    world.check_random_ids(ctx, &[request.random_id])?;
    let draft = Draft {
        entities: content::entities(world, ctx, &text, None),
        text,
        random_id: Some(request.random_id),
        ..Draft::default()
    };
    let sent = world.send_all(ctx, chat, vec![draft])?;
    Ok(world.sent_updates(ctx, chat, &sent))
}
