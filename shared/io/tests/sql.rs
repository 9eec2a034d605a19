//! The store over a real SQLite file, opened by several at once as supervisor and workers do.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "sql/fleet.rs"]
mod fleet;
#[path = "sql/open.rs"]
mod open;
#[path = "sql/orders.rs"]
mod orders;
#[path = "sql/records.rs"]
mod records;
#[path = "sql/support.rs"]
mod support;
