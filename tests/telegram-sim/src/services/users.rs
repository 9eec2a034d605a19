//! `users.*`: oneself and whom one has met.

use grammers_tl_types as tl;
use tl::functions::{messages, users};
use tl::{enums, types};

use super::build;
use crate::dispatch::Ctx;
use crate::updates::render::Seen;
use crate::world::{ChatRef, RpcError, UserId, World};

/// Whom the caller cannot name is left empty.
pub(crate) fn get_users(
    world: &mut World,
    ctx: Ctx,
    request: users::GetUsers,
) -> Result<Vec<enums::User>, RpcError> {
    let found = request
        .id
        .iter()
        .map(|input| match world.resolve_user(ctx.me, input) {
            Ok(user) => world.tl_user(ctx.me, user),
            Err(_) => types::UserEmpty { id: named(input) }.into(),
        });
    Ok(found.collect())
}

pub(crate) fn get_full_user(
    world: &mut World,
    ctx: Ctx,
    request: users::GetFullUser,
) -> Result<enums::users::UserFull, RpcError> {
    let user = world.resolve_user(ctx.me, &request.id)?;
    let bot_info = world.bot(user).ok().map(|bot| {
        types::BotInfo {
            description: Some(bot.description.clone()),
            ..build::bot_info(user)
        }
        .into()
    });
    let about = world.bot(user).ok().map(|bot| bot.about.clone());
    let full = types::UserFull {
        blocked: world.is_blocked(user, ctx.me),
        about,
        bot_info,
        ..build::user_full(user)
    };
    let (users, chats) = world.introduce(
        ctx.me,
        Seen {
            users: [user].into(),
            ..Seen::default()
        },
    );
    Ok(types::users::UserFull {
        full_user: full.into(),
        chats,
        users,
    }
    .into())
}

/// No report bars, no pay walls: nothing to set.
pub(crate) fn get_peer_settings(
    world: &mut World,
    ctx: Ctx,
    request: messages::GetPeerSettings,
) -> Result<enums::messages::PeerSettings, RpcError> {
    let seen = match world.resolve_peer(ctx.me, &request.peer)? {
        ChatRef::User(user) => Seen {
            users: [user].into(),
            ..Seen::default()
        },
        ChatRef::Channel(channel) => Seen {
            channels: [channel].into(),
            ..Seen::default()
        },
    };
    let (users, chats) = world.introduce(ctx.me, seen);
    Ok(types::messages::PeerSettings {
        settings: build::peer_settings(),
        chats,
        users,
    }
    .into())
}

fn named(input: &enums::InputUser) -> i64 {
    let UserId(id) = match input {
        enums::InputUser::User(user) => UserId(user.user_id),
        enums::InputUser::FromMessage(user) => UserId(user.user_id),
        enums::InputUser::UserSelf | enums::InputUser::Empty => UserId(0),
    };
    id
}
