//! `contacts.*`: usernames, of which a bot may look up 200 a day.

use grammers_tl_types as tl;
use tl::functions::contacts;
use tl::{enums, types};

use crate::dispatch::Ctx;
use crate::updates::render::Seen;
use crate::world::{ChatRef, RpcError, World};

const LOOKUPS_PER_DAY: usize = 200;
const DAY_MS: u64 = 86_400_000;

pub(crate) fn resolve_username(
    world: &mut World,
    ctx: Ctx,
    request: contacts::ResolveUsername,
) -> Result<enums::contacts::ResolvedPeer, RpcError> {
    let now_ms = ctx.now.mono_ms;
    let lookups = &mut world.bot_mut(ctx.me)?.username_lookups;
    while lookups.front().is_some_and(|at| at + DAY_MS <= now_ms) {
        lookups.pop_front();
    }
    if let Some(first) = lookups.front().filter(|_| lookups.len() >= LOOKUPS_PER_DAY) {
        return Err(RpcError::flood_wait(first + DAY_MS - now_ms));
    }
    lookups.push_back(now_ms);
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
