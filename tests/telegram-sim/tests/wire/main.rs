//! The simulator under a stock `grammers-client`: real sockets, real encryption, members driven over HTTP.
//!
//! What a test asserts is what a client of Telegram may rely on; the client's code is not patched and its session
//! differs from a production one by two values, the data centre's address and its auth key.

mod faults;
mod files;
mod load;
mod login;
mod members;
mod messages;
mod protocol;
mod support;
mod updates;
