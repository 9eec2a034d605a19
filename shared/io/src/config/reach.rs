//! `[reach]`: how members are brought to start the backups ahead of time.

use std::time::Duration;

use serde::Deserialize;

use super::error::Fault;
use super::value::span;

const DAY: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReachConfig {
    /// So long after an invitation a member may get the next one; zero: nobody is invited.
    #[serde(deserialize_with = "span")]
    pub invite_again: Duration,
}

impl Default for ReachConfig {
    fn default() -> Self {
        Self {
            invite_again: 7 * DAY,
        }
    }
}

impl ReachConfig {
    pub(super) fn validate(&self) -> Result<(), Fault> {
        if self.invite_again <= 366 * DAY {
            return Ok(());
        }
        Err(Fault::inconsistent(
            "reach.invite_again",
            "is longer than a year",
            "write a time like \"7d\" or \"12h\", or 0 so that nobody is invited",
        ))
    }
}
