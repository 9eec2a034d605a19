//! Opening: a connection as each database wants it, and the schema, made or brought up to date by one process at a time.

mod postgres;
mod sqlite;

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use shared_core::Secret;
use sqlx::any::AnyConnectOptions;
use sqlx::migrate::MigrateError;

use super::StoreError;
use super::db::Db;

/// Longer than any migration of ours should take.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(60);

pub(super) async fn open(url: &Secret, data_dir: &Path) -> Result<Db, StoreError> {
    let options = options(url)?;
    if is_postgres(url) {
        postgres::open(options).await
    } else {
        sqlite::open(url, options, data_dir).await
    }
}

/// Connections that are made when they are wanted, and no look at the schema.
pub(super) fn later(url: &Secret, data_dir: &Path) -> Result<Db, StoreError> {
    let options = options(url)?;
    if is_postgres(url) {
        Ok(Db::new(postgres::connections().connect_lazy_with(options)))
    } else {
        sqlite::prepare(url, data_dir)?;
        Ok(Db::new(sqlite::connections().connect_lazy_with(options)))
    }
}

fn options(url: &Secret) -> Result<AnyConnectOptions, StoreError> {
    sqlx::any::install_default_drivers();
    AnyConnectOptions::from_str(url.expose()).map_err(failed(url, "its address cannot be read"))
}

/// Why no connection came about, and what to do about it.
pub(super) fn failed(url: &Secret, what: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    let is_postgres = is_postgres(url);
    move |error| {
        if is_postgres {
            postgres::refused(error)
        } else {
            sqlite::failed(what)(error)
        }
    }
}

fn is_postgres(url: &Secret) -> bool {
    let url = url.expose();
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

fn migration_error(error: MigrateError) -> StoreError {
    let known = schema::newest();
    match error {
        MigrateError::VersionMissing(found) if found > known => StoreError::TooNew { found, known },
        MigrateError::VersionMissing(version) | MigrateError::VersionMismatch(version) => {
            StoreError::Foreign { version }
        }
        source => StoreError::Migration { known, source },
    }
}
