//! Who lost a bot says nothing more, and who merely lost sight of Redis waits quietly.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "fencing/redis_away.rs"]
mod redis_away;
#[path = "fencing/waking.rs"]
mod waking;
