//! Errors of the control API: `{"error": "NAME", "detail": "..."}`, with Telegram's names where Telegram has one.

use axum::Json;
use axum::extract::Query;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use crate::world::RpcError;

#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    error: String,
    detail: String,
}

impl ApiError {
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            error: "REQUEST_INVALID".to_owned(),
            detail: detail.into(),
        }
    }

    pub fn not_found(error: &str, detail: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            error: error.to_owned(),
            detail: detail.to_owned(),
        }
    }

    pub fn unavailable(detail: &str) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            error: "STOPPING".to_owned(),
            detail: detail.to_owned(),
        }
    }
}

impl From<RpcError> for ApiError {
    fn from(error: RpcError) -> Self {
        let detail = format!("Telegram's code is {}", error.code);
        Self {
            status: StatusCode::BAD_REQUEST,
            error: error.message,
            detail,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (
            self.status,
            Json(json!({"error": self.error, "detail": self.detail})),
        )
            .into_response()
    }
}

/// Reads a JSON body whatever its content type; an empty one counts as `{}`.
pub fn body<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, ApiError> {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    serde_json::from_slice(bytes).map_err(|error| ApiError::bad_request(error.to_string()))
}

pub fn query<T: for<'de> Deserialize<'de>>(uri: &Uri) -> Result<T, ApiError> {
    Query::try_from_uri(uri)
        .map(|Query(value)| value)
        .map_err(|error| ApiError::bad_request(error.to_string()))
}
