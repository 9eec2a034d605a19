//! `/v1/faults`: set, list, clear.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::error::body;
use super::{Api, ApiError};
use crate::faults::{Fault, FaultSpec};
use crate::server::Shared;
use crate::server::core::FaultError;

pub async fn list(State(shared): State<Arc<Shared>>) -> Json<Vec<Fault>> {
    Json(shared.look(|core, _| core.faults.list().cloned().collect()))
}

pub async fn set(State(shared): State<Arc<Shared>>, bytes: Bytes) -> Api<Json<Value>> {
    let spec = FaultSpec::from_json(body(&bytes)?).map_err(ApiError::bad_request)?;
    let (outcome, now) = shared.step(|core, now| (core.set_fault(spec, now), now));
    match outcome {
        Ok(id) => Ok(Json(
            json!({"id": id, "at_ms": now.mono_ms, "unix_ms": now.unix_ms}),
        )),
        Err(FaultError::Refused(error)) => Err(error.into()),
        Err(error @ FaultError::TooMany(_)) => Err(ApiError::bad_request(error.to_string())),
    }
}

pub async fn clear(State(shared): State<Arc<Shared>>, Path(id): Path<u64>) -> Api<Json<Value>> {
    if shared.step(|core, now| core.clear_fault(id, now)) {
        Ok(Json(json!({})))
    } else {
        Err(ApiError::not_found(
            "FAULT_UNKNOWN",
            "no fault with this id, or it ended by itself",
        ))
    }
}
