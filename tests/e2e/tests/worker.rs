//! What members see of the workers, in whole systems: uploads, replays, switches, groups. Each test is one running system and a few seconds.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "worker/blind.rs"]
mod blind;
#[path = "worker/forged.rs"]
mod forged;
#[path = "worker/group.rs"]
mod group;
#[path = "worker/one_bot.rs"]
mod one_bot;
#[path = "worker/reach.rs"]
mod reach;
#[path = "worker/standby.rs"]
mod standby;
#[path = "worker/switching.rs"]
mod switching;
#[path = "worker/upload.rs"]
mod upload;
