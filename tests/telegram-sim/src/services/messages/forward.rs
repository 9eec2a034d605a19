//! `messages.forwardMessages`: copies of messages that the caller can see, with their origin or (`drop_author`) without. Keyboards do
//! not come along; items of one album stay one album.

use std::collections::HashMap;

use grammers_tl_types as tl;
use rand::Rng;
use tl::functions::messages;
use tl::{enums, types};

use super::content;
use super::send::check_unscheduled;
use crate::dispatch::Ctx;
use crate::services::build;
use crate::world::{Body, ChatRef, Draft, Load, MessageId, RpcError, UserId, World};

const FORWARD_MAX: usize = 100;

pub(crate) fn forward_messages(
    world: &mut World,
    ctx: Ctx,
    request: messages::ForwardMessages,
) -> Result<enums::Updates, RpcError> {
    check_unscheduled(world, ctx, request.schedule_date)?;
    let from = world.resolve_peer(ctx.me, &request.from_peer)?;
    let to = world.resolve_writable(ctx.me, &request.to_peer)?;
    if request.id.is_empty() {
        return Err(RpcError::bad_request("MESSAGE_IDS_EMPTY"));
    }
    if request.id.len() != request.random_id.len() || request.id.len() > FORWARD_MAX {
        return Err(RpcError::bad_request("RANDOM_ID_INVALID"));
    }
    let reply_to = content::reply_target(request.reply_to.as_ref())?;
    let mut albums = HashMap::new();
    let mut drafts = Vec::with_capacity(request.id.len());
    for (id, random_id) in request.id.iter().zip(&request.random_id) {
        let body = world.readable(ctx.me, from, MessageId(*id))?.clone();
        if body.noforwards {
            return Err(RpcError::bad_request("CHAT_FORWARDS_RESTRICTED"));
        }
        let forward = (!request.drop_author).then(|| world.origin(from, MessageId(*id), &body));
        let drop_caption =
            request.drop_media_captions && request.drop_author && body.media.is_some();
        let rng = &mut world.rng;
        let grouped_id = body.grouped_id.map(|album| {
            *albums
                .entry(album)
                .or_insert_with(|| rng.random_range(1..i64::MAX))
        });
        drafts.push(Draft {
            text: if drop_caption {
                String::new()
            } else {
                body.text
            },
            entities: if drop_caption { None } else { body.entities },
            media: body.media,
            grouped_id,
            forward,
            reply_to,
            random_id: Some(*random_id),
            silent: request.silent,
            noforwards: request.noforwards,
            ..Draft::default()
        });
    }
    world.check_random_ids(ctx, &request.random_id)?;
    let messages = u32::try_from(drafts.len()).unwrap_or(u32::MAX);
    world.take_send(
        Load {
            bot: ctx.me,
            chat: to,
            messages,
        },
        ctx.now,
    )?;
    let sent = world.send_all(ctx, to, drafts)?;
    Ok(world.sent_updates(ctx, to, &sent))
}

impl World {
    /// A message, not a service message, of a chat that the viewer is in.
    fn readable(&self, viewer: UserId, chat: ChatRef, id: MessageId) -> Result<&Body, RpcError> {
        let invalid = || RpcError::bad_request("MESSAGE_ID_INVALID");
        let body = match self.channel_box(chat) {
            Some(channel) => &self.channel(channel)?.message(id).ok_or_else(invalid)?.body,
            None => {
                &self
                    .copied(self.content_in(viewer, chat, id)?)
                    .ok_or_else(invalid)?
                    .body
            }
        };
        if body.action.is_some() {
            Err(invalid())
        } else {
            Ok(body)
        }
    }

    /// Forwarding a forward names the first origin.
    fn origin(&self, from: ChatRef, id: MessageId, body: &Body) -> types::MessageFwdHeader {
        if let Some(origin) = &body.forward {
            return origin.clone();
        }
        let channel = self.channel_box(from).and_then(|id| self.channel(id).ok());
        match channel.filter(|channel| channel.is_broadcast()) {
            Some(channel) => types::MessageFwdHeader {
                from_id: Some(build::peer(ChatRef::Channel(channel.id))),
                channel_post: Some(id.0),
                ..build::forward_header(body.date)
            },
            None => types::MessageFwdHeader {
                from_id: Some(build::peer_user(body.author)),
                ..build::forward_header(body.date)
            },
        }
    }
}
