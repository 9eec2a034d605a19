//! `[redis]`: the live state. Without a `url` a private redis-server is started on a socket in the data folder.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use shared_core::Secret;

use super::error::{Fault, Problem, in_range};
use super::reference::{Resolver, UrlRef};
use super::value::{in_millis, millis, words};
use crate::redis::{SENTINEL_SCHEME, check_sentinels};

/// A socket's path has 108 bytes with its final zero: unix(7).
const SOCKET_PATH_LIMIT: usize = 107;

words!(
    /// When the private server's append-only file is forced to disk; the guarantees name the mode.
    AppendFsync { Always = "always", Everysec = "everysec" }
);

#[derive(Debug, Clone)]
pub struct RedisConfig {
    /// `None`: a private server of our own.
    pub url: Option<Secret>,
    /// Before every key.
    pub prefix: String,
    /// For the private server only.
    pub appendfsync: AppendFsync,
    /// After how long without any answer the private server is taken for hung, killed and started again on its file.
    pub hung: Duration,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Raw {
    url: Option<UrlRef>,
    prefix: String,
    appendfsync: AppendFsync,
    #[serde(rename = "hung_ms", deserialize_with = "millis")]
    hung: Duration,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            url: None,
            prefix: "us".to_owned(),
            appendfsync: AppendFsync::Always,
            hung: Duration::from_secs(5),
        }
    }
}

impl Raw {
    pub(super) fn validate(&self, data_dir: &Path) -> Result<(), Fault> {
        let fits = (1..=16).contains(&self.prefix.len())
            && self
                .prefix
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !fits {
            return Err(Fault::inconsistent(
                "redis.prefix",
                "is not fit for a key",
                "write 1 to 16 of a-z, 0-9 and '-'",
            ));
        }
        in_range("redis.hung_ms", in_millis(self.hung), 1_000, 600_000)?;
        let socket = data_dir.join("redis/redis.sock");
        let length = socket.as_os_str().as_bytes().len();
        if self.url.is_none() && length > SOCKET_PATH_LIMIT {
            return Err(Fault::inconsistent(
                "data_dir",
                format!(
                    "is so long that the private Redis' socket in it has {length} bytes, the system's limit is {SOCKET_PATH_LIMIT}"
                ),
                "choose a folder with a shorter path, or set redis.url",
            ));
        }
        Ok(())
    }

    pub(super) fn resolve(self, resolver: &Resolver<'_>) -> Result<RedisConfig, Fault> {
        let key = "redis.url";
        let url = self.url.map(|url| resolver.url(key, &url)).transpose()?;
        if let Some(url) = &url {
            let known = ["redis://", "redis+unix://", "unix://", SENTINEL_SCHEME];
            if !known.iter().any(|scheme| url.expose().starts_with(scheme)) {
                let text = format!(
                    "is not an address of a Redis; it starts with one of {}",
                    known.join(", ")
                );
                return Err(Fault::at(key, Problem::Value(text)));
            }
            if url.expose().starts_with(SENTINEL_SCHEME) {
                check_sentinels(url.expose())
                    .map_err(|text| Fault::at(key, Problem::Value(text.to_owned())))?;
            }
        }
        Ok(RedisConfig {
            url,
            prefix: self.prefix,
            appendfsync: self.appendfsync,
            hung: self.hung,
        })
    }
}
