//! The Telegram adapter against the simulator: real MTProto over loopback, an unpatched grammers.

mod calls;
mod catch_up;
mod feed;
mod files;
mod line;
mod support;
