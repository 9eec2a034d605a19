//! Real Redis servers for tests: single ones, and a primary with copies under real Sentinels, each on a free port of loopback.
//!
//! Invariants: a server ends with its [`Server`], and with the thread that started it, however that ends, also by SIGKILL (PR_SET_PDEATHSIG,
//! set by setpriv(1)), and also while it is stopped. Each has a folder of its own and a configuration file in it, because Sentinels write down
//! what they decide; a server that is started again finds it there.
//! Source: <https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/>.

#![forbid(unsafe_code)]

mod server;
mod watched;

pub use server::{Server, is_alive};
pub use watched::{MASTER, PASSWORD, Settings, Watched};
