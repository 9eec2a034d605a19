//! `[workers]`: how many worker processes the supervisor starts on this machine.

use serde::Deserialize;

use super::error::{Fault, in_range};
use super::value;

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkersConfig {
    /// Named `w1`, `w2`, ...; 0 when workers are started elsewhere.
    #[serde(deserialize_with = "value::whole")]
    pub local: u32,
}

impl Default for WorkersConfig {
    /// Two, so that the death of one leaves a standby's connection alive.
    fn default() -> Self {
        Self { local: 2 }
    }
}

impl WorkersConfig {
    pub(super) fn validate(&self) -> Result<(), Fault> {
        in_range("workers.local", u64::from(self.local), 0, 64)
    }
}
