//! What admins read, as whole screens.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod asking;
mod screens;
mod stage;
