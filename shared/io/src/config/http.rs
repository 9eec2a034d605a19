//! `[http]`: the supervisor's small listener, and under which address the world knows it. Off when absent.

use std::net::SocketAddr;

use serde::Deserialize;
use shared_core::PoolId;

use super::error::Fault;

/// It stands in messages.
const LONGEST_URL: usize = 200;

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// Where the supervisor listens; `None`: nowhere.
    #[serde(deserialize_with = "address")]
    pub listen: Option<SocketAddr>,
    /// What leads there from outside, without a slash at its end.
    #[serde(deserialize_with = "public_url")]
    pub public_url: Option<String>,
}

impl HttpConfig {
    pub(super) fn validate(&self) -> Result<(), Fault> {
        let Some(url) = &self.public_url else {
            return Ok(());
        };
        let rest = url
            .strip_prefix("https://")
            .or_else(|| url.strip_prefix("http://"));
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/:[]".contains(&b);
        let fits = rest.is_some_and(|rest| {
            !rest.starts_with('/') && !rest.is_empty() && rest.bytes().all(is_plain)
        });
        if fits && url.len() <= LONGEST_URL {
            return Ok(());
        }
        Err(Fault::inconsistent(
            "http.public_url",
            "is not an address that can stand in a message",
            "write https://HOST or https://HOST/PATH, without `?`, `#` or a name before the host",
        ))
    }

    /// The link that always leads to the pool's active bot.
    pub fn stable_link(&self, pool: &PoolId) -> Option<String> {
        Some(format!("{}/go/{pool}", self.public_url.as_ref()?))
    }
}

fn address<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(from)?;
    let wanted = "is not an address to listen on; write one like 127.0.0.1:8080 or [::1]:8080";
    text.parse()
        .map(Some)
        .map_err(|_| serde::de::Error::custom(wanted))
}

fn public_url<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(from)?;
    Ok(Some(text.trim_end_matches('/').to_owned()))
}
