//! What supervisors say of themselves, for people: `status` and `doctor` show all of them.
//!
//! Invariant: nothing is decided by it. Ages are differences of two readings of Redis' own clock, as those of workers.

use shared_core::SupervisorBeat;

use super::commit::json;
use super::error::{StateError, json_fault};
use super::{RedisState, scripts};

/// A supervisor that has been silent this long is not shown any more (milliseconds).
const KEPT_MS: u64 = 10_000;
/// One that has been silent this long is forgotten (milliseconds).
const LISTED_MS: u64 = 60 * 60 * 1000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenSupervisor {
    pub beat: SupervisorBeat,
    pub age_ms: u64,
}

impl RedisState {
    pub async fn show_supervisor(&self, beat: &SupervisorBeat) -> Result<(), StateError> {
        let op = self.op("show supervisor", &beat.id);
        let mut script = scripts::SHOW_SUPERVISOR.prepare_invoke();
        script
            .key(self.root.supervisor(&beat.id))
            .key(&self.root.supervisors)
            .arg(&beat.id)
            .arg(json(op, beat)?)
            .arg(KEPT_MS);
        self.link.script(op, &script).await
    }

    /// For one that ends in order.
    pub async fn hide_supervisor(&self, id: &str) -> Result<(), StateError> {
        let op = self.op("hide supervisor", &id);
        let mut pipeline = ::redis::pipe();
        pipeline.del(self.root.supervisor(id)).ignore();
        pipeline.zrem(&self.root.supervisors, id).ignore();
        self.link.pipeline(op, &pipeline).await
    }

    /// All that said something lately: the leader first, then by host and id. One that cannot be read (of another version) is left out.
    pub async fn supervisors(&self) -> Result<Vec<SeenSupervisor>, StateError> {
        let op = self.op("read", &"the supervisors");
        let mut script = scripts::HEARTBEATS.prepare_invoke();
        script
            .key(&self.root.supervisors)
            .arg(self.root.supervisor_prefix())
            .arg(LISTED_MS);
        let found: Vec<(u64, Vec<u8>)> = self.link.script(op, &script).await?;
        let read = |(age_ms, text): (u64, Vec<u8>)| match serde_json::from_slice(&text) {
            Ok(beat) => Some(SeenSupervisor { beat, age_ms }),
            Err(error) => {
                let why = json_fault("a supervisor's word", &error);
                tracing::warn!(why, "left out a supervisor");
                None
            }
        };
        let mut seen: Vec<SeenSupervisor> = found.into_iter().filter_map(read).collect();
        seen.sort_by(|a, b| {
            let order = |seen: &SeenSupervisor| (!seen.beat.leads, seen.beat.host.clone());
            (order(a), &a.beat.id).cmp(&(order(b), &b.beat.id))
        });
        Ok(seen)
    }
}
