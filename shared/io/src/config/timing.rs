//! `[timing]`: leases, heartbeats, probes and time-outs.
//!
//! The defaults are for a Redis on the same machine; a Redis across a network wants a longer lease.

use std::time::Duration;

use serde::Deserialize;
use shared_core::LeaseTiming;

use super::error::{Fault, in_range};
use super::value::{in_millis, millis};

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimingConfig {
    #[serde(rename = "lease_ttl_ms", deserialize_with = "millis")]
    pub lease_ttl: Duration,
    #[serde(rename = "lease_renew_ms", deserialize_with = "millis")]
    pub lease_renew: Duration,
    /// How much earlier than Redis the holder stops believing in its lease.
    #[serde(rename = "lease_margin_ms", deserialize_with = "millis")]
    pub lease_margin: Duration,
    #[serde(rename = "heartbeat_ms", deserialize_with = "millis")]
    pub heartbeat: Duration,
    /// How often the active bot's connection is probed.
    #[serde(rename = "probe_ms", deserialize_with = "millis")]
    pub probe: Duration,
    /// How often a standby's is.
    #[serde(rename = "standby_probe_ms", deserialize_with = "millis")]
    pub standby_probe: Duration,
    /// A call to Telegram, from its sending to its answer.
    #[serde(rename = "call_timeout_ms", deserialize_with = "millis")]
    pub call_timeout: Duration,
    #[serde(rename = "connect_timeout_ms", deserialize_with = "millis")]
    pub connect_timeout: Duration,
    /// A command to Redis.
    #[serde(rename = "redis_timeout_ms", deserialize_with = "millis")]
    pub redis_timeout: Duration,
}

impl Default for TimingConfig {
    fn default() -> Self {
        let lease = LeaseTiming::default();
        Self {
            lease_ttl: lease.ttl,
            lease_renew: lease.renew_every,
            lease_margin: lease.margin,
            heartbeat: Duration::from_millis(250),
            probe: Duration::from_secs(1),
            standby_probe: Duration::from_secs(1),
            call_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            redis_timeout: Duration::from_secs(1),
        }
    }
}

impl TimingConfig {
    pub fn lease(&self) -> LeaseTiming {
        LeaseTiming {
            ttl: self.lease_ttl,
            renew_every: self.lease_renew,
            margin: self.lease_margin,
        }
    }

    pub(super) fn validate(&self) -> Result<(), Fault> {
        let ranges = [
            ("lease_ttl_ms", self.lease_ttl, 200, 60_000),
            ("lease_renew_ms", self.lease_renew, 20, 20_000),
            ("lease_margin_ms", self.lease_margin, 10, 20_000),
            ("heartbeat_ms", self.heartbeat, 20, 10_000),
            ("probe_ms", self.probe, 100, 60_000),
            ("standby_probe_ms", self.standby_probe, 100, 600_000),
            ("call_timeout_ms", self.call_timeout, 100, 120_000),
            ("connect_timeout_ms", self.connect_timeout, 100, 120_000),
            ("redis_timeout_ms", self.redis_timeout, 50, 60_000),
        ];
        for (key, value, low, high) in ranges {
            in_range(&format!("timing.{key}"), in_millis(value), low, high)?;
        }
        if self.lease_renew * 2 + self.lease_margin >= self.lease_ttl {
            return Err(Fault::inconsistent(
                "timing.lease_ttl_ms",
                "is too short: one lost renewal would lose the lease",
                "make it more than two lease_renew_ms and one lease_margin_ms",
            ));
        }
        Ok(())
    }
}
