//! Sending. The order of refusals: who and where, what, sent already (`RANDOM_ID_DUPLICATE`), too fast (420), and then it is sent.
//! A `random_id` is remembered only once its message stands, so a refused send may be tried again with the same one.

use grammers_tl_types as tl;
use rand::Rng;
use tl::functions::messages;
use tl::{enums, types};

use super::content::{self, Uploads};
use crate::dispatch::Ctx;
use crate::updates::render::Seen;
use crate::world::{
    At, ChatRef, Draft, Event, Load, MessageId, Posted, RandomIdScope, RpcError, World,
};

const ALBUM_MAX: usize = 10;

pub(crate) fn send_message(
    world: &mut World,
    ctx: Ctx,
    request: messages::SendMessage,
) -> Result<enums::Updates, RpcError> {
    check_unscheduled(world, ctx, request.schedule_date)?;
    let chat = world.resolve_writable(ctx.me, &request.peer)?;
    content::check_text(&request.message)?;
    let markup = content::check_markup(world, ctx, chat, request.reply_markup)?;
    let reply_to = content::reply_target(request.reply_to.as_ref())?;
    world.check_random_ids(ctx, &[request.random_id])?;
    world.take_send(
        Load {
            bot: ctx.me,
            chat,
            messages: 1,
        },
        ctx.now,
    )?;
    let is_plain = markup.is_none() && matches!(chat, ChatRef::User(_));
    let entities = content::entities(world, ctx, &request.message, request.entities);
    let draft = Draft {
        text: request.message,
        entities: entities.clone(),
        markup,
        reply_to,
        random_id: Some(request.random_id),
        silent: request.silent,
        noforwards: request.noforwards,
        ..Draft::default()
    };
    let sent = world.send_all(ctx, chat, vec![draft])?;
    match sent.as_slice() {
        [(_, posted)] if is_plain => Ok(short(*posted, entities, ctx)),
        _ => Ok(world.sent_updates(ctx, chat, &sent)),
    }
}

pub(crate) fn send_media(
    world: &mut World,
    ctx: Ctx,
    request: messages::SendMedia,
) -> Result<enums::Updates, RpcError> {
    check_unscheduled(world, ctx, request.schedule_date)?;
    let chat = world.resolve_writable(ctx.me, &request.peer)?;
    content::check_caption(&request.message)?;
    let markup = content::check_markup(world, ctx, chat, request.reply_markup)?;
    let reply_to = content::reply_target(request.reply_to.as_ref())?;
    world.check_random_ids(ctx, &[request.random_id])?;
    world.take_send(
        Load {
            bot: ctx.me,
            chat,
            messages: 1,
        },
        ctx.now,
    )?;
    let media = content::take_media(world, ctx, request.media, Uploads::Taken)?;
    let entities = content::entities(world, ctx, &request.message, request.entities);
    let draft = Draft {
        text: request.message,
        entities,
        markup,
        media: Some(media),
        reply_to,
        random_id: Some(request.random_id),
        silent: request.silent,
        noforwards: request.noforwards,
        ..Draft::default()
    };
    let sent = world.send_all(ctx, chat, vec![draft])?;
    Ok(world.sent_updates(ctx, chat, &sent))
}

/// An album: separate messages with one `grouped_id`, and no mark at its end.
pub(crate) fn send_multi_media(
    world: &mut World,
    ctx: Ctx,
    request: messages::SendMultiMedia,
) -> Result<enums::Updates, RpcError> {
    check_unscheduled(world, ctx, request.schedule_date)?;
    let chat = world.resolve_writable(ctx.me, &request.peer)?;
    let reply_to = content::reply_target(request.reply_to.as_ref())?;
    let items: Vec<types::InputSingleMedia> = request
        .multi_media
        .into_iter()
        .map(|enums::InputSingleMedia::Media(item)| item)
        .collect();
    if items.is_empty() {
        return Err(RpcError::bad_request("MEDIA_EMPTY"));
    }
    if items.len() > ALBUM_MAX {
        return Err(RpcError::bad_request("MULTI_MEDIA_TOO_LONG"));
    }
    let random_ids: Vec<i64> = items.iter().map(|item| item.random_id).collect();
    world.check_random_ids(ctx, &random_ids)?;
    let mut drafts = Vec::with_capacity(items.len());
    let grouped_id = (items.len() > 1).then(|| world.rng.random_range(1..i64::MAX));
    for item in items {
        content::check_caption(&item.message)?;
        let media = content::take_media(world, ctx, item.media, Uploads::Refused)?;
        let entities = content::entities(world, ctx, &item.message, item.entities);
        drafts.push(Draft {
            text: item.message,
            entities,
            media: Some(media),
            grouped_id,
            reply_to,
            random_id: Some(item.random_id),
            silent: request.silent,
            noforwards: request.noforwards,
            ..Draft::default()
        });
    }
    let messages = u32::try_from(drafts.len()).unwrap_or(u32::MAX);
    world.take_send(
        Load {
            bot: ctx.me,
            chat,
            messages,
        },
        ctx.now,
    )?;
    let sent = world.send_all(ctx, chat, drafts)?;
    Ok(world.sent_updates(ctx, chat, &sent))
}

/// Makes a file of an upload, to be used in an album.
pub(crate) fn upload_media(
    world: &mut World,
    ctx: Ctx,
    request: messages::UploadMedia,
) -> Result<enums::MessageMedia, RpcError> {
    world.resolve_peer(ctx.me, &request.peer)?;
    let media = content::take_media(world, ctx, request.media, Uploads::Taken)?;
    world
        .tl_media(ctx.me, &media)
        .ok_or_else(|| RpcError::bad_request("MEDIA_EMPTY"))
}

/// Bots cannot schedule; for people it is not simulated.
pub(super) fn check_unscheduled(
    world: &World,
    ctx: Ctx,
    schedule_date: Option<i32>,
) -> Result<(), RpcError> {
    match schedule_date {
        Some(_) if !world.is_bot(ctx.me) => Err(RpcError::bad_request("SCHEDULE_DATE_INVALID")),
        Some(_) => Err(RpcError::bad_request("SCHEDULE_BOT_NOT_ALLOWED")),
        None => Ok(()),
    }
}

/// What Telegram answers to a plain text in a private chat.
fn short(posted: Posted, entities: Option<Vec<enums::MessageEntity>>, ctx: Ctx) -> enums::Updates {
    let At {
        pts,
        count: pts_count,
    } = posted.at;
    types::UpdateShortSentMessage {
        out: true,
        id: posted.id.0,
        pts,
        pts_count,
        date: ctx.now.date(),
        media: None,
        entities,
        ttl_period: None,
    }
    .into()
}

impl World {
    pub(crate) fn check_random_ids(&mut self, ctx: Ctx, ids: &[i64]) -> Result<(), RpcError> {
        if ids.contains(&0) {
            return Err(RpcError::bad_request("RANDOM_ID_EMPTY"));
        }
        let scope = self.random_id_scope(ctx);
        let memory_ms = self
            .settings
            .doubts
            .random_id_memory_s
            .saturating_mul(1_000);
        for (at, id) in ids.iter().enumerate() {
            let repeated = ids[..at].contains(id);
            if repeated
                || self
                    .random_ids
                    .is_known(scope, *id, memory_ms, ctx.now.mono_ms)
            {
                self.record(Event::RandomIdDuplicate {
                    account: ctx.me,
                    random_id: *id,
                });
                return Err(RpcError::server("RANDOM_ID_DUPLICATE"));
            }
        }
        Ok(())
    }

    /// Posts the drafts in order, each with the `random_id` that is then remembered.
    pub(crate) fn send_all(
        &mut self,
        ctx: Ctx,
        chat: ChatRef,
        drafts: Vec<Draft>,
    ) -> Result<Vec<(i64, Posted)>, RpcError> {
        let scope = self.random_id_scope(ctx);
        let mut sent = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let random_id = draft.random_id.unwrap_or_default();
            let posted = self.post(ctx.me, chat, draft, ctx.now)?;
            self.random_ids.remember(scope, random_id, ctx.now.mono_ms);
            sent.push((random_id, posted));
        }
        Ok(sent)
    }

    /// `updateMessageID` and the new message, for each message that was sent.
    pub(crate) fn sent_updates(
        &mut self,
        ctx: Ctx,
        chat: ChatRef,
        sent: &[(i64, Posted)],
    ) -> enums::Updates {
        let mut seen = Seen::default();
        let mut updates = Vec::with_capacity(sent.len() * 2);
        for (random_id, posted) in sent {
            updates.push(
                types::UpdateMessageId {
                    id: posted.id.0,
                    random_id: *random_id,
                }
                .into(),
            );
        }
        for (_, posted) in sent {
            updates.extend(self.tl_own_message(ctx, chat, *posted, &mut seen));
        }
        self.container(ctx.me, updates, seen, 0, ctx.now)
    }

    /// The caller's own message as an update, in the box where it is.
    pub(crate) fn tl_own_message(
        &self,
        ctx: Ctx,
        chat: ChatRef,
        posted: Posted,
        seen: &mut Seen,
    ) -> Option<enums::Update> {
        let At {
            pts,
            count: pts_count,
        } = posted.at;
        match self.channel_box(chat) {
            Some(id) => {
                let message = self.tl_channel_message(ctx.me, id, posted.id, seen)?;
                Some(
                    types::UpdateNewChannelMessage {
                        message,
                        pts,
                        pts_count,
                    }
                    .into(),
                )
            }
            None => {
                let message = self.tl_copied(ctx.me, posted.id, seen)?;
                Some(
                    types::UpdateNewMessage {
                        message,
                        pts,
                        pts_count,
                    }
                    .into(),
                )
            }
        }
    }

    /// The edited message as an update, in the box where it is.
    pub(crate) fn tl_own_edit(
        &self,
        ctx: Ctx,
        chat: ChatRef,
        id: MessageId,
        at: At,
        seen: &mut Seen,
    ) -> Option<enums::Update> {
        let At {
            pts,
            count: pts_count,
        } = at;
        match self.channel_box(chat) {
            Some(channel) => {
                let message = self.tl_channel_message(ctx.me, channel, id, seen)?;
                Some(
                    types::UpdateEditChannelMessage {
                        message,
                        pts,
                        pts_count,
                    }
                    .into(),
                )
            }
            None => {
                let message = self.tl_copied(ctx.me, id, seen)?;
                Some(
                    types::UpdateEditMessage {
                        message,
                        pts,
                        pts_count,
                    }
                    .into(),
                )
            }
        }
    }

    /// The channel whose box a chat's messages are in; `None` for the account's own box.
    pub(crate) fn channel_box(&self, chat: ChatRef) -> Option<crate::world::ChannelId> {
        match chat {
            ChatRef::Channel(id) if self.channel(id).is_ok_and(|channel| !channel.is_basic()) => {
                Some(id)
            }
            ChatRef::User(_) | ChatRef::Channel(_) => None,
        }
    }

    fn random_id_scope(&self, ctx: Ctx) -> i64 {
        match self.settings.doubts.random_id_scope {
            RandomIdScope::Account => ctx.me.0,
            RandomIdScope::Login => ctx.auth_key_id,
        }
    }
}
