//! Editing, deleting and answering presses: not counted with the sends, but with a generous limit of their own.

use grammers_tl_types as tl;
use tl::functions::messages;
use tl::{enums, types};

use super::content::{self, Uploads};
use super::send::check_unscheduled;
use crate::dispatch::Ctx;
use crate::services::peer::message_ids;
use crate::updates::render::Seen;
use crate::world::{MessageId, PressAnswer, Revision, RpcError, World};

/// Without a keyboard in the request the message loses the one it had.
pub(crate) fn edit_message(
    world: &mut World,
    ctx: Ctx,
    request: messages::EditMessage,
) -> Result<enums::Updates, RpcError> {
    check_unscheduled(world, ctx, request.schedule_date)?;
    let chat = if world.is_bot(ctx.me) {
        world.resolve_peer(ctx.me, &request.peer)?
    } else {
        world.resolve_writable(ctx.me, &request.peer)?
    };
    let markup = content::check_markup(world, ctx, chat, request.reply_markup)?;
    if request.message.is_none()
        && request.media.is_none()
        && markup.is_none()
        && request.entities.is_some()
    {
        return Err(RpcError::bad_request("MESSAGE_EMPTY"));
    }
    match (&request.message, &request.media) {
        (Some(text), None) => content::check_text(text)?,
        (Some(caption), Some(_)) => content::check_caption(caption)?,
        (None, _) => {}
    }
    world.take_other(ctx.me, ctx.now)?;
    let media = match request.media {
        Some(media) => Some(content::take_media(world, ctx, media, Uploads::Taken)?),
        None => None,
    };
    let given = request.entities;
    let text = request.message.map(|text| {
        let entities = content::entities(world, ctx, &text, given);
        (text, entities)
    });
    let id = MessageId(request.id);
    let posted = world.edit(
        ctx.me,
        chat,
        id,
        Revision {
            text,
            media,
            markup,
        },
        ctx.now,
    )?;
    let mut seen = Seen::default();
    let update = world.tl_own_edit(ctx, chat, id, posted.at, &mut seen);
    Ok(world.container(ctx.me, update.into_iter().collect(), seen, 0, ctx.now))
}

pub(crate) fn delete_messages(
    world: &mut World,
    ctx: Ctx,
    request: messages::DeleteMessages,
) -> Result<enums::messages::AffectedMessages, RpcError> {
    world.take_other(ctx.me, ctx.now)?;
    let at = world.delete_copies(ctx.me, &message_ids(&request.id), request.revoke, ctx.now)?;
    Ok(types::messages::AffectedMessages {
        pts: at.pts,
        pts_count: at.count,
    }
    .into())
}

pub(crate) fn set_bot_callback_answer(
    world: &mut World,
    ctx: Ctx,
    request: messages::SetBotCallbackAnswer,
) -> Result<bool, RpcError> {
    content::check_press_answer(request.message.as_deref())?;
    world.take_other(ctx.me, ctx.now)?;
    let answer = PressAnswer {
        alert: request.alert,
        message: request.message,
        url: request.url,
        cache_s: request.cache_time,
    };
    world.answer_press(ctx.me, request.query_id, answer, ctx.now)?;
    Ok(true)
}
