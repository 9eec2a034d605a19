//! Who is in a channel, and promoting administrators. A bot may promote with `add_admins` only, give no right that it lacks, and touch
//! only administrators of its own promotion chain.

use grammers_tl_types as tl;
use tl::functions::channels;
use tl::{enums, types};

use crate::dispatch::Ctx;
use crate::services::build;
use crate::updates::participants::note_participant;
use crate::updates::render::Seen;
use crate::world::{Channel, ChatRef, Right, RpcError, Standing, UserId, World};

const PARTICIPANTS_MAX: usize = 200;

pub(crate) fn get_participant(
    world: &mut World,
    ctx: Ctx,
    request: channels::GetParticipant,
) -> Result<enums::channels::ChannelParticipant, RpcError> {
    let id = world.resolve_channel(ctx.me, &request.channel)?;
    let ChatRef::User(user) = world.resolve_peer(ctx.me, &request.participant)? else {
        return Err(RpcError::bad_request("PARTICIPANT_ID_INVALID"));
    };
    let channel = world.channel(id)?;
    if user != ctx.me && channel.is_broadcast() && !channel.is_admin(ctx.me) {
        return Err(RpcError::bad_request("CHAT_ADMIN_REQUIRED"));
    }
    let participant = world
        .tl_participant(ctx.me, id, user, &channel.standing(user))
        .ok_or_else(|| RpcError::bad_request("USER_NOT_PARTICIPANT"))?;
    let mut seen = Seen {
        users: [user].into(),
        channels: [id].into(),
    };
    note_participant(&participant, &mut seen);
    let (users, chats) = world.introduce(ctx.me, seen);
    Ok(types::channels::ChannelParticipant {
        participant,
        chats,
        users,
    }
    .into())
}

pub(crate) fn get_participants(
    world: &mut World,
    ctx: Ctx,
    request: channels::GetParticipants,
) -> Result<enums::channels::ChannelParticipants, RpcError> {
    let id = world.resolve_channel(ctx.me, &request.channel)?;
    let channel = world.channel(id)?;
    if channel.is_broadcast() && !channel.is_admin(ctx.me) {
        return Err(RpcError::bad_request("CHAT_ADMIN_REQUIRED"));
    }
    let all = filtered(world, channel, &request.filter)?;
    let offset =
        usize::try_from(request.offset).map_err(|_| RpcError::bad_request("OFFSET_INVALID"))?;
    let limit = usize::try_from(request.limit)
        .unwrap_or(0)
        .min(PARTICIPANTS_MAX);
    let page: Vec<UserId> = all.iter().copied().skip(offset).take(limit).collect();
    let participants: Vec<enums::ChannelParticipant> = page
        .iter()
        .filter_map(|user| world.tl_participant(ctx.me, id, *user, &channel.standing(*user)))
        .collect();
    let count = i32::try_from(all.len()).unwrap_or(i32::MAX);
    let mut seen = Seen {
        users: page.into_iter().collect(),
        channels: [id].into(),
    };
    for one in &participants {
        note_participant(one, &mut seen);
    }
    let (users, chats) = world.introduce(ctx.me, seen);
    Ok(types::channels::ChannelParticipants {
        count,
        participants,
        chats,
        users,
    }
    .into())
}

pub(crate) fn edit_admin(
    world: &mut World,
    ctx: Ctx,
    request: channels::EditAdmin,
) -> Result<enums::Updates, RpcError> {
    let id = world.resolve_channel(ctx.me, &request.channel)?;
    let user = world.resolve_user(ctx.me, &request.user_id)?;
    let enums::ChatAdminRights::Rights(wanted) = &request.admin_rights;
    let wanted = build::rights_of(wanted);
    let may_promote_absent = world.settings.doubts.promote_absent;
    let channel = world.channel(id)?;
    if !channel.allows(ctx.me, Right::AddAdmins) {
        return Err(RpcError::bad_request("CHAT_ADMIN_REQUIRED"));
    }
    match channel.standing(user) {
        Standing::Creator => return Err(RpcError::bad_request("USER_CREATOR")),
        Standing::Admin(_)
            if channel.creator != ctx.me && !channel.in_promotion_chain(ctx.me, user) =>
        {
            return Err(RpcError::bad_request("CHAT_ADMIN_REQUIRED"));
        }
        Standing::Banned => return Err(RpcError::bad_request("USER_KICKED")),
        Standing::Left if !may_promote_absent => {
            return Err(RpcError::bad_request("USER_NOT_PARTICIPANT"));
        }
        Standing::Admin(_) | Standing::Member { .. } | Standing::Left => {}
    }
    if wanted.iter().any(|right| !channel.allows(ctx.me, *right)) {
        return Err(RpcError::forbidden("RIGHT_FORBIDDEN"));
    }
    let rights = (!wanted.is_empty()).then_some(wanted);
    world.change_admin(id, ctx.me, user, rights, request.rank, ctx.now)?;
    let update = types::UpdateChannel { channel_id: id.0 }.into();
    let seen = Seen {
        users: [user].into(),
        channels: [id].into(),
    };
    Ok(world.container(ctx.me, vec![update], seen, 0, ctx.now))
}

/// In order of their ids.
fn filtered(
    world: &World,
    channel: &Channel,
    filter: &enums::ChannelParticipantsFilter,
) -> Result<Vec<UserId>, RpcError> {
    match filter {
        enums::ChannelParticipantsFilter::ChannelParticipantsAdmins => {
            let admins = channel.admins.keys().copied();
            Ok([channel.creator].into_iter().chain(admins).collect())
        }
        enums::ChannelParticipantsFilter::ChannelParticipantsBots => {
            Ok(channel.bots.iter().copied().collect())
        }
        enums::ChannelParticipantsFilter::ChannelParticipantsRecent => {
            Ok(channel.members.keys().copied().collect())
        }
        enums::ChannelParticipantsFilter::ChannelParticipantsSearch(search) => {
            let found = |user: &UserId| world.is_named(*user, &search.q);
            Ok(channel.members.keys().copied().filter(found).collect())
        }
        _ => Err(RpcError::bad_request("FILTER_NOT_SUPPORTED")),
    }
}
