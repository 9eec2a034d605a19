//! What a supervisor says of itself, so that people see all of them: who leads, who follows, on which machine.
//!
//! Nobody decides by it: who leads is the lead's key alone. Its age is told by whoever reads it.

use serde::{Deserialize, Serialize};

use crate::{UnixMs, WorkerId};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupervisorBeat {
    /// As it stands in the lead's key when it leads.
    pub id: String,
    pub host: String,
    pub pid: u32,
    pub version: String,
    pub started: UnixMs,
    pub leads: bool,
    /// Since when it leads or follows, by its own wall clock.
    pub since: UnixMs,
    /// The workers that it starts.
    pub workers: Vec<WorkerId>,
    /// Is its record a file of its machine, which supervisors elsewhere cannot share?
    pub database_is_local: bool,
}
