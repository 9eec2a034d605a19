//! `[telegram]`: who we are to Telegram, and where it is when it is not the public one.

use std::net::SocketAddrV4;

use serde::Deserialize;
use shared_core::Secret;

use super::error::{Fault, Problem};
use super::reference::{Resolver, SecretRef};
use super::value;

#[derive(Debug, Clone)]
pub struct TelegramConfig {
    pub api_id: i32,
    pub api_hash: Secret,
    /// `None` is Telegram's own; set for the sandbox and for Telegram's test servers only.
    pub dc: Option<DataCentre>,
}

/// One data centre's address, written `2@127.0.0.1:4430`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct DataCentre {
    pub id: i32,
    pub addr: SocketAddrV4,
}

impl TryFrom<String> for DataCentre {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let read = || {
            let (id, addr) = text.split_once('@')?;
            let id = id.parse().ok().filter(|id| (1..=5).contains(id))?;
            Some(Self {
                id,
                addr: addr.parse().ok()?,
            })
        };
        read().ok_or("is not a data centre; write it as \"2@127.0.0.1:4430\" (number 1 to 5, IPv4 address, port)")
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    #[serde(deserialize_with = "value::whole")]
    api_id: i64,
    api_hash: SecretRef,
    dc: Option<DataCentre>,
}

impl Raw {
    pub(super) fn validate(&self) -> Result<(), Fault> {
        if i32::try_from(self.api_id).is_ok_and(|id| id > 0) {
            return Ok(());
        }
        Err(Fault::inconsistent(
            "telegram.api_id",
            "is not an api_id",
            "copy the number from https://my.telegram.org/apps",
        ))
    }

    pub(super) fn resolve(self, resolver: &Resolver<'_>) -> Result<TelegramConfig, Fault> {
        let key = "telegram.api_hash";
        let api_hash = resolver.secret(key, &self.api_hash)?;
        let is_hash = api_hash.expose().len() == 32
            && api_hash.expose().bytes().all(|b| b.is_ascii_hexdigit());
        if !is_hash {
            let text = "what it refers to is not an api_hash; it has 32 hex digits, copy it from https://my.telegram.org/apps";
            return Err(Fault::at(key, Problem::Value(text.to_owned())));
        }
        Ok(TelegramConfig {
            // `validate` has been here.
            api_id: i32::try_from(self.api_id).unwrap_or(0),
            api_hash,
            dc: self.dc,
        })
    }
}
