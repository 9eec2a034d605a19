//! The data centre's address, counts, limits, doubts, stop.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::error::body;
use super::{Api, ApiError};
use crate::server::Shared;
use crate::world::{Doubts, Limits};

pub async fn dc(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(shared.look(|core, _| {
        let dc = &core.world.settings().dc;
        json!({"id": dc.id, "ip": dc.ip, "port": dc.port})
    }))
}

pub async fn state(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(shared.look(|core, now| {
        json!({
            "world": core.world.counts(),
            "connections": core.hub.len(),
            "faults": core.faults.list().count(),
            "last_event": core.log.last_seq(),
            "at_ms": now.mono_ms,
            "unix_ms": now.unix_ms,
        })
    }))
}

pub async fn limits(State(shared): State<Arc<Shared>>) -> Json<Limits> {
    Json(shared.look(|core, _| core.world.settings().limits.clone()))
}

pub async fn set_limits(State(shared): State<Arc<Shared>>, bytes: Bytes) -> Api<Json<Limits>> {
    let changes: Map<String, Value> = body(&bytes)?;
    shared.step(|core, _| {
        let limits = merged(&core.world.settings().limits, changes)?;
        core.world.set_limits(limits);
        Ok(Json(core.world.settings().limits.clone()))
    })
}

pub async fn doubts(State(shared): State<Arc<Shared>>) -> Json<Doubts> {
    Json(shared.look(|core, _| core.world.settings().doubts.clone()))
}

pub async fn set_doubts(State(shared): State<Arc<Shared>>, bytes: Bytes) -> Api<Json<Doubts>> {
    let changes: Map<String, Value> = body(&bytes)?;
    shared.step(|core, _| {
        let doubts = merged(&core.world.settings().doubts, changes)?;
        core.world.set_doubts(doubts);
        Ok(Json(core.world.settings().doubts.clone()))
    })
}

pub async fn shutdown(State(shared): State<Arc<Shared>>) -> Json<Value> {
    shared.shutdown().cancel();
    Json(json!({}))
}

/// Only the named fields change; an unknown one is an error.
fn merged<T: Serialize + DeserializeOwned>(current: &T, changes: Map<String, Value>) -> Api<T> {
    let invalid = |error: serde_json::Error| ApiError::bad_request(error.to_string());
    let mut value = serde_json::to_value(current).map_err(invalid)?;
    if let Value::Object(fields) = &mut value {
        fields.extend(changes);
    }
    serde_json::from_value(value).map_err(invalid)
}
