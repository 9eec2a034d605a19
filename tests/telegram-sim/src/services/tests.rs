//! The world as its callers see it: requests in, answers, updates and views out.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod boxes;
mod files;
mod identity;
mod logins;
mod members;
mod presses;
mod reading;
mod rights;
mod sending;
