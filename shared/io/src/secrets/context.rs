//! What a sealed secret is for: which row and column it stands in, in one text.

use std::fmt;

use shared_core::{BotId, LoginSlot, PoolId};

/// Built from ids only, so its length is bounded and two things never have the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealContext(String);

impl SealContext {
    /// A bot's token: `token/main/b7`.
    pub fn token(pool: &PoolId, bot: BotId) -> Self {
        Self(format!("token/{pool}/{bot}"))
    }

    /// A login's auth key: `login/main/b7/a`.
    pub fn login(pool: &PoolId, bot: BotId, slot: LoginSlot) -> Self {
        Self(format!("login/{pool}/{bot}/{slot}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A pool's name has at most 32 bytes, a bot's id 21: a context is always shorter than 256.
    pub(super) fn length(&self) -> u8 {
        u8::try_from(self.0.len()).unwrap_or(u8::MAX)
    }
}

impl fmt::Display for SealContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
