//! `[database]`: the durable record. Without a `url` it is SQLite in the data folder.

use serde::Deserialize;
use shared_core::Secret;

use super::error::{Fault, Problem};
use super::reference::{Resolver, UrlRef};

#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// `None`: `understudy.db` in the data folder.
    pub url: Option<Secret>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Raw {
    url: Option<UrlRef>,
}

impl Raw {
    pub(super) fn resolve(self, resolver: &Resolver<'_>) -> Result<DatabaseConfig, Fault> {
        let key = "database.url";
        let url = self.url.map(|url| resolver.url(key, &url)).transpose()?;
        if let Some(url) = &url
            && !url.expose().starts_with("sqlite:")
        {
            let text = "is not an address of a database that this program has a driver for; it starts with sqlite:";
            return Err(Fault::at(key, Problem::Value(text.to_owned())));
        }
        Ok(DatabaseConfig { url })
    }
}
