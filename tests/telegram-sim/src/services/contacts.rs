//! `contacts.*`: usernames, of which a bot may look up 200 a day; whom a member blocks. Nobody has contacts here.

use grammers_tl_types as tl;
use tl::functions::contacts;
use tl::{enums, types};

use crate::dispatch::Ctx;
use crate::services::build;
use crate::updates::render::Seen;
use crate::world::{ChatRef, RpcError, UserId, World};

const LOOKUPS_PER_DAY: usize = 200;
const DAY_MS: u64 = 86_400_000;

pub(crate) fn resolve_username(
    world: &mut World,
    ctx: Ctx,
    request: contacts::ResolveUsername,
) -> Result<enums::contacts::ResolvedPeer, RpcError> {
    if world.is_bot(ctx.me) {
        take_lookup(world, ctx)?;
    }
    let found = world
        .by_username(&request.username)
        .ok_or_else(|| RpcError::bad_request("USERNAME_NOT_OCCUPIED"))?;
    let seen = match found {
        ChatRef::User(user) => Seen {
            users: [user].into(),
            ..Seen::default()
        },
        ChatRef::Channel(channel) => Seen {
            channels: [channel].into(),
            ..Seen::default()
        },
    };
    let peer = world.tl_peer(found);
    let (users, chats) = world.introduce(ctx.me, seen);
    Ok(types::contacts::ResolvedPeer { peer, chats, users }.into())
}

pub(crate) fn get_contacts(
    _: &mut World,
    _: Ctx,
    _: contacts::GetContacts,
) -> Result<enums::contacts::Contacts, RpcError> {
    Ok(types::contacts::Contacts {
        contacts: Vec::new(),
        saved_count: 0,
        users: Vec::new(),
    }
    .into())
}

pub(crate) fn get_statuses(
    _: &mut World,
    _: Ctx,
    _: contacts::GetStatuses,
) -> Result<Vec<enums::ContactStatus>, RpcError> {
    Ok(Vec::new())
}

pub(crate) fn block(
    world: &mut World,
    ctx: Ctx,
    request: contacts::Block,
) -> Result<bool, RpcError> {
    let bot = bot_named(world, ctx, request.my_stories_from, &request.id)?;
    world
        .member_block(ctx.me, bot, true, ctx.now)
        .map(|()| true)
}

pub(crate) fn unblock(
    world: &mut World,
    ctx: Ctx,
    request: contacts::Unblock,
) -> Result<bool, RpcError> {
    let bot = bot_named(world, ctx, request.my_stories_from, &request.id)?;
    world
        .member_block(ctx.me, bot, false, ctx.now)
        .map(|()| true)
}

pub(crate) fn get_blocked(
    world: &mut World,
    ctx: Ctx,
    request: contacts::GetBlocked,
) -> Result<enums::contacts::Blocked, RpcError> {
    let all = world.blocked_by(ctx.me);
    let count = i32::try_from(all.len()).unwrap_or(i32::MAX);
    let offset =
        usize::try_from(request.offset).map_err(|_| RpcError::bad_request("OFFSET_INVALID"))?;
    let limit = usize::try_from(request.limit).unwrap_or(0);
    let page: Vec<UserId> = all.into_iter().skip(offset).take(limit).collect();
    let blocked = page
        .iter()
        .map(|bot| {
            types::PeerBlocked {
                peer_id: build::peer_user(*bot),
                date: ctx.now.date(),
            }
            .into()
        })
        .collect();
    let seen = Seen {
        users: page.into_iter().collect(),
        ..Seen::default()
    };
    let (users, chats) = world.introduce(ctx.me, seen);
    Ok(types::contacts::BlockedSlice {
        count,
        blocked,
        chats,
        users,
    }
    .into())
}

/// Blocking people, and hiding stories, is not simulated.
fn bot_named(
    world: &World,
    ctx: Ctx,
    stories: bool,
    peer: &enums::InputPeer,
) -> Result<UserId, RpcError> {
    match world.resolve_peer(ctx.me, peer)? {
        ChatRef::User(user) if !stories && world.is_bot(user) => Ok(user),
        ChatRef::User(_) | ChatRef::Channel(_) => Err(RpcError::bad_request("CONTACT_ID_INVALID")),
    }
}

fn take_lookup(world: &mut World, ctx: Ctx) -> Result<(), RpcError> {
    let now_ms = ctx.now.mono_ms;
    let lookups = &mut world.bot_mut(ctx.me)?.username_lookups;
    while lookups.front().is_some_and(|at| at + DAY_MS <= now_ms) {
        lookups.pop_front();
    }
    if let Some(first) = lookups.front().filter(|_| lookups.len() >= LOOKUPS_PER_DAY) {
        return Err(RpcError::flood_wait(first + DAY_MS - now_ms));
    }
    lookups.push_back(now_ms);
    Ok(())
}
