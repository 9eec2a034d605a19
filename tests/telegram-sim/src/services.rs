//! The API's areas, one file each, as thin as can be: parse Telegram's arguments, check who may, ask the world, build Telegram's answer.
//! State lives in the world only. A handler takes the world, the caller and the request, and returns the method's own result type.

pub(crate) mod account;
pub(crate) mod auth;
pub(crate) mod bots;
pub(crate) mod build;
pub(crate) mod channels;
pub(crate) mod contacts;
pub(crate) mod help;
pub(crate) mod langpack;
pub(crate) mod messages;
pub(crate) mod peer;
pub(crate) mod photos;
pub(crate) mod updates;
pub(crate) mod upload;
pub(crate) mod users;

#[cfg(test)]
mod tests;
