//! `[policy]`: when the supervisor acts. What each number means for a decision is `supervisor-core`'s business.

use std::time::Duration;

use serde::Deserialize;

use super::TimingConfig;
use super::error::{Fault, in_range};
use super::value::{in_millis, millis, whole};

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyConfig {
    /// A worker whose heartbeat is older than this has failed.
    #[serde(rename = "worker_silent_ms", deserialize_with = "millis")]
    pub worker_silent: Duration,
    /// A bot whose line has been silent for longer has failed.
    #[serde(rename = "line_silent_ms", deserialize_with = "millis")]
    pub line_silent: Duration,
    /// How long a named holder has for its smoke test.
    #[serde(rename = "smoke_timeout_ms", deserialize_with = "millis")]
    pub smoke_timeout: Duration,
    /// Within this time there are at most three moves for what may turn out to be nothing, a silent line.
    #[serde(rename = "cooldown_ms", deserialize_with = "millis")]
    pub cooldown: Duration,
    #[serde(deserialize_with = "whole")]
    pub switches_per_hour: u32,
    /// A worker that dies is followed by another at most so often.
    #[serde(deserialize_with = "whole")]
    pub takeovers_per_hour: u32,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self {
            worker_silent: Duration::from_millis(1500),
            line_silent: Duration::from_millis(3500),
            smoke_timeout: Duration::from_secs(2),
            cooldown: Duration::from_secs(60),
            switches_per_hour: 12,
            takeovers_per_hour: 60,
        }
    }
}

impl PolicyConfig {
    pub(super) fn validate(&self, timing: &TimingConfig) -> Result<(), Fault> {
        let ranges = [
            ("worker_silent_ms", self.worker_silent, 100, 600_000),
            ("line_silent_ms", self.line_silent, 500, 600_000),
            ("smoke_timeout_ms", self.smoke_timeout, 100, 60_000),
            ("cooldown_ms", self.cooldown, 0, 86_400_000),
        ];
        for (key, value, low, high) in ranges {
            in_range(&format!("policy.{key}"), in_millis(value), low, high)?;
        }
        let bounds = [
            ("switches_per_hour", self.switches_per_hour),
            ("takeovers_per_hour", self.takeovers_per_hour),
        ];
        for (key, value) in bounds {
            in_range(&format!("policy.{key}"), u64::from(value), 1, 3600)?;
        }
        if self.worker_silent < timing.heartbeat * 3 {
            return Err(Fault::inconsistent(
                "policy.worker_silent_ms",
                "is so short that a late heartbeat would look like a dead worker",
                "make it at least three timing.heartbeat_ms",
            ));
        }
        // A standby that is probed too seldom would look silent for most of the time, just when it is needed.
        let probes = [
            (timing.probe, "make it at least two timing.probe_ms"),
            (
                timing.standby_probe,
                "make it at least two timing.standby_probe_ms",
            ),
        ];
        for (probe, remedy) in probes {
            if self.line_silent < probe * 2 {
                return Err(Fault::inconsistent(
                    "policy.line_silent_ms",
                    "is so short that one late probe would look like a silent line",
                    remedy,
                ));
            }
        }
        Ok(())
    }
}
