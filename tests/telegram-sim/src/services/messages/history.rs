//! A chat's messages, newest first, whole or those that match, and getting rid of them: for people, bots may not ask.

use grammers_tl_types as tl;
use tl::functions::messages;
use tl::{enums, types};

use crate::dispatch::Ctx;
use crate::updates::render::Seen;
use crate::world::{Body, ChatRef, Media, Page, RpcError, Wanted, World};

pub(crate) fn get_history(
    world: &mut World,
    ctx: Ctx,
    request: messages::GetHistory,
) -> Result<enums::messages::Messages, RpcError> {
    let chat = world.resolve_peer(ctx.me, &request.peer)?;
    let wanted = Wanted {
        offset_id: request.offset_id,
        offset_date: request.offset_date,
        add_offset: request.add_offset,
        limit: request.limit,
        max_id: request.max_id,
        min_id: request.min_id,
    };
    let page = world.page(ctx.me, chat, wanted, |_| true)?;
    world.tl_page(ctx, chat, &page)
}

/// By text, author, time and kind of media. Other filters are refused rather than ignored.
pub(crate) fn search(
    world: &mut World,
    ctx: Ctx,
    request: messages::Search,
) -> Result<enums::messages::Messages, RpcError> {
    let is_narrowed = request.saved_peer_id.is_some()
        || request.saved_reaction.is_some()
        || request.top_msg_id.is_some();
    if is_narrowed {
        return Err(RpcError::bad_request("FILTER_NOT_SUPPORTED"));
    }
    let kind = Kind::of(&request.filter)?;
    let chat = world.resolve_peer(ctx.me, &request.peer)?;
    let author = match &request.from_id {
        None => None,
        Some(peer) => match world.resolve_peer(ctx.me, peer)? {
            ChatRef::User(user) => Some(user),
            ChatRef::Channel(_) => return Err(RpcError::bad_request("FROM_PEER_INVALID")),
        },
    };
    let text = request.q.to_lowercase();
    let (from, to) = (request.min_date, request.max_date);
    let fits = |body: &Body| {
        body.action.is_none()
            && kind.fits(body)
            && author.is_none_or(|author| body.author == author)
            && (from == 0 || body.date > from)
            && (to == 0 || body.date < to)
            && body.text.to_lowercase().contains(&text)
    };
    let wanted = Wanted {
        offset_id: request.offset_id,
        offset_date: 0,
        add_offset: request.add_offset,
        limit: request.limit,
        max_id: request.max_id,
        min_id: request.min_id,
    };
    let page = world.page(ctx.me, chat, wanted, fits)?;
    world.tl_page(ctx, chat, &page)
}

/// Up to a hundred messages, newest first; `offset` says how many are left for the next call. Channels have a method of their own.
pub(crate) fn delete_history(
    world: &mut World,
    ctx: Ctx,
    request: messages::DeleteHistory,
) -> Result<enums::messages::AffectedHistory, RpcError> {
    let chat = world.resolve_peer(ctx.me, &request.peer)?;
    if world.channel_box(chat).is_some() {
        return Err(RpcError::bad_request("PEER_ID_INVALID"));
    }
    let (from, to) = (request.min_date, request.max_date);
    let fits = |body: &Body| {
        from.is_none_or(|from| body.date >= from) && to.is_none_or(|to| body.date <= to)
    };
    let wanted = Wanted {
        offset_id: match request.max_id {
            0 => 0,
            max_id => max_id.saturating_add(1),
        },
        limit: i32::MAX,
        ..Wanted::default()
    };
    let page = world.page(ctx.me, chat, wanted, fits)?;
    let at = world.delete_copies(ctx.me, &page.ids, request.revoke, ctx.now)?;
    let wanted_left = Wanted { limit: 1, ..wanted };
    let left = world.page(ctx.me, chat, wanted_left, fits)?;
    Ok(types::messages::AffectedHistory {
        pts: at.pts,
        pts_count: at.count,
        offset: if left.ids.is_empty() {
            0
        } else {
            i32::try_from(left.count).unwrap_or(i32::MAX)
        },
    }
    .into())
}

/// What a search is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Any,
    Photo,
    Document,
    Contact,
}

impl Kind {
    fn of(filter: &enums::MessagesFilter) -> Result<Self, RpcError> {
        match filter {
            enums::MessagesFilter::InputMessagesFilterEmpty => Ok(Self::Any),
            enums::MessagesFilter::InputMessagesFilterPhotos => Ok(Self::Photo),
            enums::MessagesFilter::InputMessagesFilterDocument => Ok(Self::Document),
            enums::MessagesFilter::InputMessagesFilterContacts => Ok(Self::Contact),
            _ => Err(RpcError::bad_request("FILTER_NOT_SUPPORTED")),
        }
    }

    fn fits(self, body: &Body) -> bool {
        match (self, &body.media) {
            (Self::Any, _)
            | (Self::Photo, Some(Media::Photo(_)))
            | (Self::Document, Some(Media::Document(_)))
            | (Self::Contact, Some(Media::Contact(_))) => true,
            (Self::Photo | Self::Document | Self::Contact, _) => false,
        }
    }
}

impl World {
    fn tl_page(
        &mut self,
        ctx: Ctx,
        chat: ChatRef,
        page: &Page,
    ) -> Result<enums::messages::Messages, RpcError> {
        let mut seen = Seen::default();
        match chat {
            ChatRef::User(user) => seen.users.insert(user),
            ChatRef::Channel(id) => seen.channels.insert(id),
        };
        let channel = self.channel_box(chat);
        let count = i32::try_from(page.count).unwrap_or(i32::MAX);
        let ids = page.ids.iter();
        let messages: Vec<enums::Message> = match channel {
            Some(id) => ids
                .filter_map(|one| self.tl_channel_message(ctx.me, id, *one, &mut seen))
                .collect(),
            None => ids
                .filter_map(|one| self.tl_copied(ctx.me, *one, &mut seen))
                .collect(),
        };
        let (users, chats) = self.introduce(ctx.me, seen);
        let topics = Vec::new();
        if let Some(id) = channel {
            return Ok(types::messages::ChannelMessages {
                inexact: false,
                pts: self.channel(id)?.log.pts(),
                count,
                offset_id_offset: None,
                messages,
                topics,
                chats,
                users,
            }
            .into());
        }
        if messages.len() == page.count {
            return Ok(types::messages::Messages {
                messages,
                topics,
                chats,
                users,
            }
            .into());
        }
        Ok(types::messages::MessagesSlice {
            inexact: false,
            count,
            next_rate: None,
            offset_id_offset: None,
            search_flood: None,
            messages,
            topics,
            chats,
            users,
        }
        .into())
    }
}
