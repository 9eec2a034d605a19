//! What the server promises about what it acknowledged. Every figure that is reported names it.

use std::collections::HashMap;

use super::RedisState;
use super::error::StateError;

/// Invariant: nothing is claimed that was not read; a server that does not say is `Unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Durability {
    /// Append-only file, on disk before the answer.
    Always,
    /// Append-only file, on disk within a second.
    EverySec,
    /// Append-only file, on disk when the system likes.
    WhenFlushed,
    /// No append-only file.
    Off,
    /// The server does not let us read its settings.
    Unknown,
}

impl Durability {
    /// In the words of `appendfsync`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::EverySec => "everysec",
            Self::WhenFlushed => "no",
            Self::Off => "off",
            Self::Unknown => "unknown",
        }
    }
}

impl RedisState {
    pub async fn durability(&self) -> Result<Durability, StateError> {
        match self.configured().await {
            Ok(durability) => Ok(durability),
            Err(error) if error.is_connection() => Err(error),
            // CONFIG is forbidden or renamed; INFO still tells whether there is a file at all.
            Err(_) => self.durability_by_info().await,
        }
    }

    async fn configured(&self) -> Result<Durability, StateError> {
        let mut pipeline = ::redis::pipe();
        for setting in ["appendonly", "appendfsync"] {
            pipeline.cmd("CONFIG").arg("GET").arg(setting);
        }
        let (file, fsync): (HashMap<String, String>, HashMap<String, String>) = self
            .link
            .pipeline(self.op("read", &"the durability settings"), &pipeline)
            .await?;
        let setting = |from: &HashMap<String, String>, name: &str| from.get(name).cloned();
        let fsync = setting(&fsync, "appendfsync");
        Ok(match setting(&file, "appendonly").as_deref() {
            Some("no") => Durability::Off,
            Some("yes") => match fsync.as_deref() {
                Some("always") => Durability::Always,
                Some("everysec") => Durability::EverySec,
                Some("no") => Durability::WhenFlushed,
                _ => Durability::Unknown,
            },
            _ => Durability::Unknown,
        })
    }

    async fn durability_by_info(&self) -> Result<Durability, StateError> {
        let op = self.op("read", &"the durability");
        let mut command = ::redis::cmd("INFO");
        command.arg("persistence");
        match self.link.query::<String>(op, &command).await {
            Ok(info) if info.lines().any(|line| line.trim() == "aof_enabled:0") => {
                Ok(Durability::Off)
            }
            Err(error) if error.is_connection() => Err(error),
            Ok(_) | Err(_) => Ok(Durability::Unknown),
        }
    }
}
