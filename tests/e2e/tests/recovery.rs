//! Stores that are lost, put back or away: members go on where they stood.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "recovery/database_away.rs"]
mod database_away;
#[path = "recovery/deciding.rs"]
mod deciding;
#[path = "recovery/redis_lost.rs"]
mod redis_lost;
#[path = "recovery/refused.rs"]
mod refused;
#[path = "recovery/waiting.rs"]
mod waiting;
#[path = "recovery/workers_restart.rs"]
mod workers_restart;
