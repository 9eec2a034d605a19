//! `account.*`: what people's clients say and ask about themselves. Presence has no effect here, nothing is muted.

use grammers_tl_types as tl;
use tl::enums;
use tl::functions::account;

use super::build;
use crate::dispatch::Ctx;
use crate::world::{RpcError, World};

pub(crate) fn update_status(
    _: &mut World,
    _: Ctx,
    _: account::UpdateStatus,
) -> Result<bool, RpcError> {
    Ok(true)
}

pub(crate) fn get_notify_settings(
    world: &mut World,
    ctx: Ctx,
    request: account::GetNotifySettings,
) -> Result<enums::PeerNotifySettings, RpcError> {
    if let enums::InputNotifyPeer::Peer(peer) = &request.peer {
        world.resolve_peer(ctx.me, &peer.peer)?;
    }
    Ok(build::notify_settings())
}
