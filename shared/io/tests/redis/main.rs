//! The Redis state against a real redis-server: every refusal, every atomicity, every crash that it promises to survive.
//!
//! Each test has a server of its own (`server.rs`), so tests run side by side. Nothing is mocked; where a test looks behind the API it uses the
//! `redis` crate directly.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod board;
mod build;
mod commits;
mod crash;
mod cursors;
mod leases;
mod notes;
mod orders;
mod outbox;
mod post;
mod quarantine;
mod reach;
mod reminded;
mod reminders;
mod reports;
mod sending;
mod sentinel;
mod server;
mod supervisors;
mod switching;
