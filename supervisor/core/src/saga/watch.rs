//! What a look at the pool says about a saga's target: is it worth waiting for?

use super::{Saga, SagaState};
use crate::policy::Policy;
use crate::snapshot::Snapshot;
use crate::verdict::{Finding, Health, Verdicts};

impl Saga {
    /// Why the target cannot become the holder any more, if that is certain. A slow one is left to the time-out.
    pub fn lost(&self, snapshot: &Snapshot, policy: &Policy) -> Option<String> {
        if !self.is_running() {
            return None;
        }
        let to = self.target()?;
        let verdicts = Verdicts::of(snapshot, policy);
        if let Some(verdict) = verdicts.worker(&to.worker)
            && verdict.health == Health::Failed
            && let Some(finding) = &verdict.finding
        {
            return Some(format!("worker {}: {finding}", to.worker));
        }
        // Before it is assigned, what is known of the bot is the old worker's.
        let assigned = self.assign.is_none() && !matches!(self.state, SagaState::Decided { .. });
        let finding = verdicts.bot(to.bot)?.finding.as_ref()?;
        match finding {
            Finding::Fatal { name, .. } if assigned => Some(format!("{}: {name}", to.bot)),
            _ => None,
        }
    }
}
