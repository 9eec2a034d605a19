//! Two logins per bot: one is live, the other rests unconnected, and whatever happens to either, members are served on.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "logins/keys.rs"]
mod keys;
#[path = "logins/losing.rs"]
mod losing;
#[path = "logins/making.rs"]
mod making;
#[path = "logins/silence.rs"]
mod silence;
