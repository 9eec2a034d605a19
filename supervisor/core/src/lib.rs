//! The supervisor's judgement, without the world: what is seen, what it means, what to do about it, and how a switch goes on.
//!
//! One pass: the app takes a [`Snapshot`] of a pool, [`Verdicts`] say how each bot and worker is, [`decide`] makes a [`Decision`] that leaves
//! no meaningful choice to whoever executes it, [`check_plan`] audits the plan by rules of its own, and a plan that moves the pool starts a
//! [`Saga`], which [`Saga::advance`] takes from step to step. What a person asks for comes in through [`ordered`] and is [`preview`]ed first; it
//! makes the same plans under the same audit. The app executes the actions that come back and reports what happened.
//!
//! Races that are tolerated: a snapshot is old when it is decided on. A plan that has been overtaken is refused by the scripts that execute it
//! (leader, epoch), and the next look decides anew.
//!
//! Invariant of the crate: no runtime, no I/O, no clock, no randomness. Equal snapshots lead to equal decisions.

#![forbid(unsafe_code)]

mod arrivals;
mod check;
mod decide;
mod history;
mod order;
mod plan;
mod policy;
mod preview;
mod saga;
mod schedule;
mod snapshot;
mod standing;
mod verdict;

pub use arrivals::Arrivals;
pub use check::{Checked, Violation, check_plan};
pub use decide::{candidates, decide};
pub use history::{Beginning, Checkpoint, Course, Histories, Lost, Undecided};
pub use order::{Ordered, Refusal, ordered};
pub use plan::{Cause, Decision, Hold, NoRelogin, Placement, Plan, Reason, Unfit};
pub use policy::Policy;
pub use preview::{plan_id, preview};
pub use saga::{
    Action, Advanced, GaveUp, Observation, Origin, Outcome, Saga, SagaSeed, SagaState, SwitchKind,
    SwitchRecord, Timeline, Tried,
};
pub use schedule::{Due, due};
pub use shared_core::BoardState as PoolState;
pub use snapshot::{FailedAttempt, PastMove, PoolBot, Process, RedisView, Snapshot, WorkerView};
pub use standing::Standing;
pub use verdict::{Finding, Health, Verdict, Verdicts};
