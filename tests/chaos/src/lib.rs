//! Chaos: Understudy as it is, members who talk without end, faults that overlap, and a judge who counts each input.
//!
//! A run is some *segments*, each with a seed of its own. One pass of a segment: [`stage`] sets up a simulated Telegram, stores and `understudy
//! run`; [`crowd`] lets the members talk, each a [`person`]; [`storm`] throws the faults that [`fault`] draws, [`hands`] carries them out
//! with what [`keeper`], [`cli`], [`proxy`] and [`stores`] offer; when the storm is over everything is mended, the members finish, and
//! [`judge`] compares what they saw with what they sent. [`trail`] keeps Redis's own files and the simulator's log for work of somebody who was fenced.
//!
//! Invariant: lost, answered twice and stale are judged; how long something took is reported, never judged. What the sandbox has already (members, their
//! model of an upload, the control API's client, the reading of Redis's file and of the wire) is used from there.

pub mod args;
pub mod cli;
pub mod crowd;
pub mod dossier;
pub mod doubts;
pub mod fault;
pub mod hands;
pub mod judge;
pub mod keeper;
pub mod person;
pub mod proxy;
pub mod recovery;
pub mod report;
pub mod run;
pub mod segment;
pub mod stage;
pub mod stores;
pub mod storm;
pub mod strike;
pub mod trail;
