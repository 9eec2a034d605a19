//! `[workers]`: how many worker processes the supervisor starts on this machine, and what they are called.

use serde::Deserialize;

use super::error::{Fault, in_range};
use super::value;

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkersConfig {
    /// 0 when workers are started elsewhere.
    #[serde(deserialize_with = "value::whole")]
    pub local: u32,
    /// What their names begin with, before the number; no other supervisor of the deployment may use the same. `None`: `w` with a private Redis, the
    /// host's name and `-w` with a shared one.
    pub name: Option<String>,
}

/// A worker's name has 32 characters, the number at most two.
const NAME_LIMIT: usize = 30;

impl Default for WorkersConfig {
    /// Two, so that the death of one leaves a standby's connection alive.
    fn default() -> Self {
        Self {
            local: 2,
            name: None,
        }
    }
}

impl WorkersConfig {
    pub(super) fn validate(&self) -> Result<(), Fault> {
        in_range("workers.local", u64::from(self.local), 0, 64)?;
        let fits = |name: &str| {
            let fits =
                |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
            (1..=NAME_LIMIT).contains(&name.len()) && name.bytes().all(fits)
        };
        match &self.name {
            Some(name) if !fits(name) => Err(Fault::inconsistent(
                "workers.name",
                "is not fit for a worker's name",
                format!("write 1 to {NAME_LIMIT} of a-z, 0-9, '-' and '_'"),
            )),
            Some(_) | None => Ok(()),
        }
    }
}
