//! What touches the world on behalf of every program here: configuration, Redis, SQL, Telegram, secrets, retries, clocks, logs.
//!
//! The rules of the protocols are in `shared-core`; this crate carries them out. Invariants: one module names each foreign
//! crate (`telegram` grammers, `redis` the redis crate, `sql` sqlx, `retry` backoff, `config` the config crate, `secrets` age);
//! everything that waits has a time-out; no error and no log line holds a secret.

#![forbid(unsafe_code)]

pub mod checkpoint;
pub mod clock;
pub mod config;
pub mod notes;
pub mod redis;
pub mod retry;
pub mod secrets;
pub mod sql;
pub mod telegram;
pub mod telemetry;
