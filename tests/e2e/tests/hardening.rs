//! Defects that a hostile reading of the worker found, each pinned as a member or an operator would meet it: debts of a switch that a takeover
//! inherits, sends that were acknowledged, dead logins, refused copies and quotes. Each test is one running system.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "hardening/broken.rs"]
mod broken;
#[path = "hardening/replies.rs"]
mod replies;
#[path = "hardening/resuming.rs"]
mod resuming;
