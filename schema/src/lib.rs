//! The SQL schema: migrations as files, embedded, in order. `schema/README.md` has the rules for changing it.
//!
//! Invariants: a migration that has been released is never edited (its checksum is in every database that ran it); version numbers
//! grow by one; the SQL is what SQLite and PostgreSQL both understand.
//! This crate opens no connection.

#![forbid(unsafe_code)]

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// (version, name, SQL), oldest first. The file's name is `<version, four digits>_<name>.sql`.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (
        1,
        "first_tables",
        include_str!("../migrations/0001_first_tables.sql"),
    ),
    (
        2,
        "orders_and_logins",
        include_str!("../migrations/0002_orders_and_logins.sql"),
    ),
    (
        3,
        "scheduled",
        include_str!("../migrations/0003_scheduled.sql"),
    ),
    (4, "leaders", include_str!("../migrations/0004_leaders.sql")),
    (
        5,
        "checkpoints",
        include_str!("../migrations/0005_checkpoints.sql"),
    ),
];

/// The version that this program brings a database to.
pub fn newest() -> i64 {
    MIGRATIONS
        .iter()
        .map(|(version, ..)| *version)
        .max()
        .unwrap_or(0)
}

pub fn migrator() -> Migrator {
    let migrations = MIGRATIONS.iter().map(|(version, name, sql)| {
        let (kind, in_transaction) = (MigrationType::Simple, true);
        Migration::new(
            *version,
            (*name).into(),
            kind,
            sql.into_sql_str(),
            !in_transaction,
        )
    });
    Migrator::with_migrations(migrations.collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_file_is_embedded_in_order_and_nothing_else_is() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let embedded: Vec<String> = MIGRATIONS
            .iter()
            .map(|(version, name, _)| format!("{version:04}_{name}.sql"))
            .collect();
        assert_eq!(files, embedded);
        for (at, (version, ..)) in MIGRATIONS.iter().enumerate() {
            assert_eq!(*version, at as i64 + 1, "versions grow by one");
        }
        assert_eq!(newest(), MIGRATIONS.len() as i64);
    }

    /// What one of the two databases does not have, or has with another meaning.
    #[test]
    fn the_sql_is_portable() {
        let refused = [
            "AUTOINCREMENT",
            "SERIAL",
            "DATETIME",
            "TIMESTAMP",
            "JSONB",
            "BOOLEAN",
            "UUID",
            "BLOB",
            "BYTEA",
            "WITHOUT ROWID",
            "INSERT OR",
            "STRICT",
            "PRAGMA",
            "INTEGER",
        ];
        for (version, name, sql) in MIGRATIONS {
            let code: String = sql
                .lines()
                .map(|line| line.split("--").next().unwrap_or_default().to_uppercase() + "\n")
                .collect();
            for word in refused {
                assert!(!code.contains(word), "{version} {name} uses {word}");
            }
        }
    }
}
