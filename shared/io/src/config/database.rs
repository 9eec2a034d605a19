//! `[database]`: the durable record. Without a `url` it is SQLite in the data folder.
//!
//! Source of the parameters: sqlx-postgres 0.9 `options/parse.rs`, which ignores the others, and writes them to the log.

use serde::Deserialize;
use shared_core::Secret;

use super::error::{Fault, Problem};
use super::reference::{Resolver, UrlRef};

const KEY: &str = "database.url";
const WAITING_KEY: &str = "database.max_waiting_records";
/// About 30 MB of Redis: a course takes some 400 bytes, and a hundred more for each of its files.
const MAX_WAITING_RECORDS: u64 = 50_000;

/// What may stand behind the `?` of a PostgreSQL address.
const PARAMETERS: [&str; 12] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// `None`: `understudy.db` in the data folder.
    pub url: Option<Secret>,
    /// So many submitted courses wait in Redis at most while the database is away; further ones are not taken.
    pub max_waiting_records: u64,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Raw {
    url: Option<UrlRef>,
    max_waiting_records: u64,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            url: None,
            max_waiting_records: MAX_WAITING_RECORDS,
        }
    }
}

impl Raw {
    pub(super) fn resolve(self, resolver: &Resolver<'_>) -> Result<DatabaseConfig, Fault> {
        let url = self.url.map(|url| resolver.url(KEY, &url)).transpose()?;
        if let Some(url) = &url {
            check(url.expose()).map_err(|text| Fault::at(KEY, Problem::Value(text)))?;
        }
        let at_most = self.max_waiting_records;
        if !(1..=10_000_000).contains(&at_most) {
            let text = format!("must be between 1 and 10000000, not {at_most}");
            return Err(Fault::at(WAITING_KEY, Problem::Value(text)));
        }
        Ok(DatabaseConfig {
            url,
            max_waiting_records: at_most,
        })
    }
}

/// The error names nothing that stands in the address: a part of a password may be anywhere in one that is malformed.
fn check(url: &str) -> Result<(), String> {
    if url.starts_with("sqlite:") {
        return Ok(());
    }
    let schemes = ["postgres://", "postgresql://"];
    let Some(rest) = schemes.iter().find_map(|scheme| url.strip_prefix(scheme)) else {
        return Err("is not an address of a database that this program has a driver for; it starts with sqlite:, postgres:// or postgresql://".to_owned());
    };
    let parameters = rest
        .split_once('?')
        .map_or("", |(_, parameters)| parameters);
    let names = parameters
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| parameter.split('=').next().unwrap_or_default());
    let is_known = |name: &str| {
        PARAMETERS.contains(&name) || (name.starts_with("options[") && name.ends_with(']'))
    };
    for name in names {
        if !is_known(name) {
            let known = PARAMETERS.join(", ");
            return Err(format!(
                "has a parameter that is not known; known are {known}"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_a_driver_understands_are_taken_and_no_others() {
        for url in [
            "sqlite:///srv/u.db?mode=rwc",
            "postgres://u:p@db.example/understudy",
            "postgresql:///understudy?host=/run/postgresql&user=understudy",
            "postgres://u@db/understudy?sslmode=verify-full&sslrootcert=/etc/ca.pem&options[search_path]=us",
        ] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
        for url in [
            "postgres:understudy",
            "mysql://u:p@db/understudy",
            "postgres://u:p@db/understudy?connect_timeout=10",
            "postgres://u:p@db/understudy?passwd=S3CRET",
        ] {
            let error = check(url).err().unwrap_or_default();
            assert!(
                error.starts_with("is not") || error.starts_with("has a"),
                "{url}: {error}"
            );
            assert!(!error.contains("S3CRET"), "{error}");
        }
    }
}
