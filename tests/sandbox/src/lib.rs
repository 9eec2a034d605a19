//! The sandbox: Understudy on a simulated Telegram, members in the middle of real conversations, a fault, and a check.
//!
//! One pass: [`scene`] makes bots, chats and members in the simulator; [`setup`] writes the configuration that production would have;
//! [`daemon`] starts `understudy run` as it is and [`keeper`] keeps it; [`driver`] lets the members talk, each a pure [`member`] with a
//! [`ledger`]; [`fault`] chooses the moments, [`doubts`] how Telegram behaves where nobody knows; [`check`] compares what the members saw, and the rows in SQL, with the reference model in
//! [`course`]; [`wire`] and [`journal`] look for work of somebody who was fenced; [`report`] and [`view`] tell it.
//!
//! Invariant: every figure about members comes from what they received on the simulator. The processes' own words are used
//! for the switch's timeline and for counts that no member can see, and are named as such in [`report`].

pub mod args;
pub mod check;
pub mod clock;
pub mod control;
pub mod course;
pub mod daemon;
pub mod doubts;
pub mod driver;
pub mod fault;
pub mod journal;
pub mod keeper;
pub mod launch;
pub mod ledger;
pub mod member;
pub mod processes;
pub mod report;
pub mod run;
pub mod scene;
pub mod setup;
pub mod status;
pub mod store;
pub mod texts;
pub mod view;
pub mod wire;
