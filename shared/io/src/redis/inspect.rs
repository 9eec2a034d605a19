//! The server as an operator has to know it: its version, what it promises, its copies, its clock.
//!
//! Invariant: nothing is claimed that was not read; what a server does not tell is `None`. Looking changes nothing; the only writes are the
//! three settings of [`RedisSetting`], and those are for a server of our own.
//! Source: <https://redis.io/docs/latest/commands/info/>, <https://redis.io/docs/latest/operate/oss_and_stack/management/config/>.

use std::collections::HashMap;
use std::str::FromStr;

use shared_core::UnixMs;

use super::RedisState;
use super::error::StateError;
use super::server::Durability;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    pub version: Option<String>,
    pub durability: Durability,
    /// The server's wall clock.
    pub time: UnixMs,
    /// Is it the copy of another server?
    pub is_replica: Option<bool>,
    pub is_cluster: Option<bool>,
    /// Connected copies.
    pub replicas: Option<u64>,
    /// How many copies a write needs; 0: none.
    pub min_replicas: Option<u64>,
    /// What it does when its memory is used up.
    pub maxmemory_policy: Option<String>,
    /// Bytes; 0: no limit of its own.
    pub maxmemory: Option<u64>,
    pub used_memory: Option<u64>,
    /// Did the last write to the append-only file come through?
    pub last_write_ok: Option<bool>,
    pub loading: Option<bool>,
}

/// What may be set right while the server runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedisSetting {
    AppendOnly,
    AppendFsyncAlways,
    AppendFsyncEverySec,
    NoEviction,
}

impl RedisSetting {
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::AppendOnly => ("appendonly", "yes"),
            Self::AppendFsyncAlways => ("appendfsync", "always"),
            Self::AppendFsyncEverySec => ("appendfsync", "everysec"),
            Self::NoEviction => ("maxmemory-policy", "noeviction"),
        }
    }
}

impl RedisState {
    pub async fn inspect(&self) -> Result<Inspection, StateError> {
        let durability = self.durability().await?;
        let (seconds, micros): (i64, i64) = self
            .link
            .query(self.op("read", &"Redis' clock"), &::redis::cmd("TIME"))
            .await?;
        let info = Info(self.info().await?);
        let min_replicas = self.setting("min-replicas-to-write").await?;
        let policy = match info.text("maxmemory_policy") {
            Some(policy) => Some(policy),
            None => self.setting("maxmemory-policy").await?,
        };
        Ok(Inspection {
            version: info.text("redis_version"),
            durability,
            time: UnixMs(seconds.saturating_mul(1000).saturating_add(micros / 1000)),
            is_replica: info.text("role").map(|role| role != "master"),
            is_cluster: info.number("cluster_enabled").map(|n: u64| n != 0),
            replicas: info.number("connected_slaves"),
            min_replicas: min_replicas.and_then(|text| text.parse().ok()),
            maxmemory_policy: policy,
            maxmemory: info.number("maxmemory"),
            used_memory: info.number("used_memory"),
            last_write_ok: info.text("aof_last_write_status").map(|word| word == "ok"),
            loading: info.number("loading").map(|n: u64| n != 0),
        })
    }

    /// Changes one setting of the running server.
    pub async fn set(&self, setting: RedisSetting) -> Result<(), StateError> {
        let (name, value) = setting.words();
        let mut command = ::redis::cmd("CONFIG");
        command.arg("SET").arg(name).arg(value);
        self.link
            .query(self.op("set Redis' setting", &name), &command)
            .await
    }

    async fn info(&self) -> Result<String, StateError> {
        let command = ::redis::cmd("INFO");
        match self.link.query(self.op("read", &"INFO"), &command).await {
            Ok(text) => Ok(text),
            Err(error) if error.is_connection() => Err(error),
            // Forbidden: then nothing is known.
            Err(_) => Ok(String::new()),
        }
    }

    async fn setting(&self, name: &'static str) -> Result<Option<String>, StateError> {
        let mut command = ::redis::cmd("CONFIG");
        command.arg("GET").arg(name);
        let op = self.op("read Redis' setting", &name);
        let found: Result<HashMap<String, String>, StateError> =
            self.link.query(op, &command).await;
        match found {
            Ok(mut found) => Ok(found.remove(name)),
            Err(error) if error.is_connection() => Err(error),
            Err(_) => Ok(None),
        }
    }
}

/// `name:value` lines.
struct Info(String);

impl Info {
    fn text(&self, name: &str) -> Option<String> {
        let lines = self.0.lines();
        let mut values = lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        values.next().map(|value| value.trim().to_owned())
    }

    fn number<T: FromStr>(&self, name: &str) -> Option<T> {
        self.text(name)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_not_taken_for_a_longer_one() {
        let info = Info("used_memory_peak:7\r\nused_memory:5\r\nrole:master\r\n".to_owned());
        assert_eq!(info.number::<u64>("used_memory"), Some(5));
        assert_eq!(info.text("role").as_deref(), Some("master"));
        assert_eq!(info.text("aof_last_write_status"), None);
    }
}
