//! Admins in Telegram, in whole systems: the three commands from every live bot, before, during and after a switch, with the supervisor and
//! with Redis gone; who may not, what came too late, what is made up.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "admin/asking.rs"]
mod asking;
#[path = "admin/confirming.rs"]
mod confirming;
#[path = "admin/outages.rs"]
mod outages;
#[path = "admin/refusing.rs"]
mod refusing;
#[path = "admin/switching.rs"]
mod switching;
