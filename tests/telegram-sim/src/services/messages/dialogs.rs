//! Lists of chats, for people: bots may not ask. Nothing is pinned, archived or sorted into folders, and everything counts as read.

use std::collections::BTreeSet;

use grammers_tl_types as tl;
use tl::functions::messages;
use tl::{enums, types};

use crate::dispatch::Ctx;
use crate::services::build;
use crate::updates::render::Seen;
use crate::world::{ChatRef, ChatTop, RpcError, World};

const DIALOGS_MAX: i32 = 100;
/// The archive is folder 1.
const MAIN_FOLDER: i32 = 0;

pub(crate) fn get_dialogs(
    world: &mut World,
    ctx: Ctx,
    request: messages::GetDialogs,
) -> Result<enums::messages::Dialogs, RpcError> {
    let all = match request.folder_id {
        None | Some(MAIN_FOLDER) => world.chats_of(ctx.me)?,
        Some(_) => Vec::new(),
    };
    let first = first_after(world, ctx, &all, &request);
    let limit = match request.limit {
        0 => DIALOGS_MAX,
        limit => limit.clamp(1, DIALOGS_MAX),
    };
    let page: Vec<ChatTop> = all
        .iter()
        .copied()
        .skip(first)
        .take(limit.unsigned_abs() as usize)
        .collect();
    let is_all = page.len() == all.len();
    let (dialogs, messages, seen) = world.tl_dialogs(ctx, &page);
    let (users, chats) = world.introduce(ctx.me, seen);
    if is_all {
        return Ok(types::messages::Dialogs {
            dialogs,
            messages,
            chats,
            users,
        }
        .into());
    }
    Ok(types::messages::DialogsSlice {
        count: i32::try_from(all.len()).unwrap_or(i32::MAX),
        dialogs,
        messages,
        chats,
        users,
    }
    .into())
}

/// Chats that are named and have no message are left out.
pub(crate) fn get_peer_dialogs(
    world: &mut World,
    ctx: Ctx,
    request: messages::GetPeerDialogs,
) -> Result<enums::messages::PeerDialogs, RpcError> {
    let mut tops = Vec::new();
    for peer in &request.peers {
        match peer {
            enums::InputDialogPeer::Peer(peer) => {
                let chat = world.resolve_peer(ctx.me, &peer.peer)?;
                tops.extend(world.top_of(ctx.me, chat)?);
            }
            enums::InputDialogPeer::Folder(_) | enums::InputDialogPeer::Community(_) => {
                return Err(RpcError::bad_request("PEER_ID_INVALID"));
            }
        }
    }
    peer_dialogs(world, ctx, &tops)
}

pub(crate) fn get_pinned_dialogs(
    world: &mut World,
    ctx: Ctx,
    _: messages::GetPinnedDialogs,
) -> Result<enums::messages::PeerDialogs, RpcError> {
    peer_dialogs(world, ctx, &[])
}

pub(crate) fn get_dialog_filters(
    _: &mut World,
    _: Ctx,
    _: messages::GetDialogFilters,
) -> Result<enums::messages::DialogFilters, RpcError> {
    Ok(types::messages::DialogFilters {
        tags_enabled: false,
        filters: Vec::new(),
    }
    .into())
}

/// What somebody has begun to type is not kept.
pub(crate) fn get_all_drafts(
    world: &mut World,
    ctx: Ctx,
    _: messages::GetAllDrafts,
) -> Result<enums::Updates, RpcError> {
    Ok(world.container(ctx.me, Vec::new(), Seen::default(), 0, ctx.now))
}

fn peer_dialogs(
    world: &mut World,
    ctx: Ctx,
    tops: &[ChatTop],
) -> Result<enums::messages::PeerDialogs, RpcError> {
    let state = world.state(ctx.me, ctx.now)?.into();
    let (dialogs, messages, seen) = world.tl_dialogs(ctx, tops);
    let (users, chats) = world.introduce(ctx.me, seen);
    Ok(types::messages::PeerDialogs {
        dialogs,
        messages,
        chats,
        users,
        state,
    }
    .into())
}

/// Where the page begins: behind the chat that the client names, if it still stands where the client saw it, else by its date.
fn first_after(world: &World, ctx: Ctx, all: &[ChatTop], request: &messages::GetDialogs) -> usize {
    if request.offset_date == 0 && request.offset_id == 0 {
        return 0;
    }
    let named = world.resolve_peer(ctx.me, &request.offset_peer).ok();
    let same = |one: &ChatTop| Some(one.chat) == named && one.top.0 == request.offset_id;
    if let Some(at) = all.iter().position(same) {
        return at + 1;
    }
    let older = |one: &ChatTop| one.date < request.offset_date;
    all.iter().position(older).unwrap_or(all.len())
}

impl World {
    fn tl_dialogs(
        &self,
        ctx: Ctx,
        tops: &[ChatTop],
    ) -> (Vec<enums::Dialog>, Vec<enums::Message>, Seen) {
        let mut seen = Seen::default();
        let mut dialogs = Vec::with_capacity(tops.len());
        let mut messages = Vec::with_capacity(tops.len());
        let mut done = BTreeSet::new();
        for one in tops.iter().filter(|one| done.insert(one.chat)) {
            let channel = self.channel_box(one.chat);
            let message = match channel {
                Some(id) => self.tl_channel_message(ctx.me, id, one.top, &mut seen),
                None => self.tl_copied(ctx.me, one.top, &mut seen),
            };
            messages.extend(message);
            match one.chat {
                ChatRef::User(user) => seen.users.insert(user),
                ChatRef::Channel(id) => seen.channels.insert(id),
            };
            let box_pts = channel
                .and_then(|id| self.channel(id).ok())
                .map(|one| one.log.pts());
            let dialog = types::Dialog {
                read_inbox_max_id: one.top.0,
                read_outbox_max_id: one.top.0,
                pts: box_pts,
                ..build::dialog(self.tl_peer(one.chat), one.top.0, 0)
            };
            dialogs.push(dialog.into());
        }
        (dialogs, messages, seen)
    }
}
