//! Auth keys, bots, members, channels and who is in them.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Api;
use super::error::body;
use crate::server::Shared;
use crate::world::{
    ChannelId, ChannelView, CreatedBot, CreatedMember, NewBot, NewChannel, Rights, UserId,
};

#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum NewMembers {
    Many {
        count: usize,
        #[serde(default)]
        seed: Option<u64>,
    },
    One {
        first_name: String,
        #[serde(default)]
        username: Option<String>,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RightsBody {
    rights: Rights,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ids {
    ids: Vec<UserId>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Join {
    channel: ChannelId,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

pub async fn create_key(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let key = shared.create_key();
    Json(json!({"auth_key": key.to_hex(), "auth_key_id": key.id()}))
}

pub async fn create_bot(State(shared): State<Arc<Shared>>, bytes: Bytes) -> Api<Json<CreatedBot>> {
    let bot: NewBot = body(&bytes)?;
    Ok(Json(shared.step(|core, _| core.world.add_bot(bot))?))
}

/// What the owner reads at @BotFather: after a revocation, the token that replaced the expired one.
pub async fn token(State(shared): State<Arc<Shared>>, Path(bot): Path<i64>) -> Api<Json<Value>> {
    let token = shared.step(|core, _| core.world.token_of(UserId(bot)))?;
    Ok(Json(json!({"token": token})))
}

pub async fn create_members(
    State(shared): State<Arc<Shared>>,
    bytes: Bytes,
) -> Api<Json<Vec<CreatedMember>>> {
    let created = match body(&bytes)? {
        NewMembers::Many { count, seed } => {
            shared.step(|core, _| core.world.add_members(count, seed))?
        }
        NewMembers::One {
            first_name,
            username,
        } => {
            vec![shared.step(|core, _| core.world.add_member(&first_name, username.as_deref()))?]
        }
    };
    Ok(Json(created))
}

/// A key that speaks for the member, as if the person had logged in on one more device.
pub async fn log_in(
    State(shared): State<Arc<Shared>>,
    Path(member): Path<i64>,
    bytes: Bytes,
) -> Api<Json<Value>> {
    let Nothing {} = body(&bytes)?;
    // No key is made for somebody who does not exist.
    shared.look(|core, _| core.world.check_person(UserId(member)))?;
    let key = shared.create_key();
    shared.step(|core, _| core.world.log_in_member(key.id(), UserId(member)))?;
    Ok(Json(
        json!({"auth_key": key.to_hex(), "auth_key_id": key.id()}),
    ))
}

/// A member joins a public supergroup or channel.
pub async fn join(
    State(shared): State<Arc<Shared>>,
    Path(member): Path<i64>,
    bytes: Bytes,
) -> Api<Json<Value>> {
    let Join { channel } = body(&bytes)?;
    shared.step(|core, now| core.world.member_join(UserId(member), channel, now))?;
    Ok(Json(json!({})))
}

pub async fn create_channel(State(shared): State<Arc<Shared>>, bytes: Bytes) -> Api<Json<Value>> {
    let channel: NewChannel = body(&bytes)?;
    let id = shared.step(|core, now| core.world.add_channel(channel, now))?;
    Ok(Json(json!({"id": id})))
}

pub async fn channel(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<i64>,
) -> Api<Json<ChannelView>> {
    Ok(Json(
        shared.look(|core, _| core.world.channel_view(ChannelId(id)))?,
    ))
}

pub async fn set_admin(
    State(shared): State<Arc<Shared>>,
    Path((channel, user)): Path<(i64, i64)>,
    bytes: Bytes,
) -> Api<Json<Value>> {
    let RightsBody { rights } = body(&bytes)?;
    shared.step(|core, now| {
        core.world
            .set_admin(ChannelId(channel), UserId(user), Some(rights), now)
    })?;
    Ok(Json(json!({})))
}

pub async fn remove_admin(
    State(shared): State<Arc<Shared>>,
    Path((channel, user)): Path<(i64, i64)>,
) -> Api<Json<Value>> {
    shared.step(|core, now| {
        core.world
            .set_admin(ChannelId(channel), UserId(user), None, now)
    })?;
    Ok(Json(json!({})))
}

pub async fn add_to_channel(
    State(shared): State<Arc<Shared>>,
    Path(channel): Path<i64>,
    bytes: Bytes,
) -> Api<Json<Value>> {
    let Ids { ids } = body(&bytes)?;
    shared.step(|core, now| {
        ids.iter().try_for_each(|user| {
            core.world
                .set_membership(ChannelId(channel), *user, true, now)
        })
    })?;
    Ok(Json(json!({})))
}

pub async fn remove_from_channel(
    State(shared): State<Arc<Shared>>,
    Path((channel, user)): Path<(i64, i64)>,
) -> Api<Json<Value>> {
    shared.step(|core, now| {
        core.world
            .set_membership(ChannelId(channel), UserId(user), false, now)
    })?;
    Ok(Json(json!({})))
}
