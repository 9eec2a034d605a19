//! `updates.*`: where an account stands, and what it missed. The work is in `crate::updates`.

use grammers_tl_types as tl;
use tl::enums;
use tl::functions::updates;

use crate::dispatch::Ctx;
use crate::updates::difference::Cursor;
use crate::world::{RpcError, World};

pub(crate) fn get_state(
    world: &mut World,
    ctx: Ctx,
    _: updates::GetState,
) -> Result<enums::updates::State, RpcError> {
    world.state(ctx.me, ctx.now).map(Into::into)
}

pub(crate) fn get_difference(
    world: &mut World,
    ctx: Ctx,
    request: updates::GetDifference,
) -> Result<enums::updates::Difference, RpcError> {
    let cursor = Cursor {
        pts: request.pts,
        qts: request.qts,
        date: request.date,
        slice: request.pts_limit,
        too_long: request.pts_total_limit,
    };
    world.difference(ctx.me, cursor, ctx.now)
}

pub(crate) fn get_channel_difference(
    world: &mut World,
    ctx: Ctx,
    request: updates::GetChannelDifference,
) -> Result<enums::updates::ChannelDifference, RpcError> {
    let channel = world.resolve_channel(ctx.me, &request.channel)?;
    world.channel_difference(ctx.me, channel, request.pts, request.limit, ctx.now)
}
