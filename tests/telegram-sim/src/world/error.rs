//! Errors in Telegram's own words: a code and a name. The constructors fix the code, so that one name cannot be
//! answered with two codes. Source of the names: core.telegram.org/api/errors and the methods' own pages.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What `rpc_error` carries.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RpcError {
    pub code: i32,
    pub message: String,
}

impl RpcError {
    pub fn new(code: i32, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(401, message)
    }

    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(403, message)
    }

    pub fn not_acceptable(message: impl Into<String>) -> Self {
        Self::new(406, message)
    }

    pub fn server(message: impl Into<String>) -> Self {
        Self::new(500, message)
    }

    /// 420 `FLOOD_WAIT_X`; a wait is at least a second.
    pub fn flood_wait(wait_ms: u64) -> Self {
        Self::new(
            420,
            format!("FLOOD_WAIT_{}", wait_ms.div_ceil(1_000).max(1)),
        )
    }
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.message)
    }
}

impl std::error::Error for RpcError {}
