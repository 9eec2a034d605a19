//! What a look at the pool says about a saga's target: is it worth waiting for, or another connection?

use shared_core::{Holder, LoginSlot, UnixMs};

use super::{Saga, SagaState};
use crate::policy::Policy;
use crate::snapshot::Snapshot;
use crate::verdict::{Finding, Health, Verdicts};

/// A line over which a test runs, and that was answered within this time, is not a silent one: what holds the test up is something else.
const SILENT_MS: u64 = 500;

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
        if let Some(why) = self.login_in_use(to, snapshot, policy) {
            return Some(why);
        }
        // Before it is assigned, what is known of the bot is the old worker's.
        let assigned = self.assign.is_none() && !matches!(self.state, SagaState::Decided { .. });
        let finding = verdicts.bot(to.bot)?.finding.as_ref()?;
        match finding {
            Finding::Fatal { name, .. } if assigned => Some(format!("{}: {name}", to.bot)),
            _ => None,
        }
    }

    /// A saga that another leader began may count on ending whoever is connected with the login; this one cannot end everybody. Where nobody else is
    /// left, that was decided in full knowledge.
    fn login_in_use(&self, to: &Holder, snapshot: &Snapshot, policy: &Policy) -> Option<String> {
        let slot = self.assign.filter(|_| !self.then.is_empty())?;
        let given = snapshot.assignment(to.bot)?;
        let taken_over = given.slot == slot && given.worker != to.worker;
        let in_use =
            taken_over && !snapshot.lets_go(to.bot, &given.worker, policy.worker_silent_ms);
        in_use.then(|| {
            format!(
                "login {slot} of {} may still be in use by {}",
                to.bot, given.worker
            )
        })
    }

    /// With which login a target that has not passed within `waited_ms` is worth another connection: it was answered since it was named, so it
    /// was its line that fell silent meanwhile. Members wrote to this bot, and what they wrote is in its box; a standby cannot read it. Where that
    /// does not count, only if nobody else is left.
    ///
    /// The other login where it rests; else the same one, whose connection the same worker has closed by then.
    pub fn again(&self, snapshot: &Snapshot, waited_ms: u64, now: UnixMs) -> Option<LoginSlot> {
        let SagaState::Activated { to, .. } = &self.state else {
            return None;
        };
        if self.previous_bot != Some(to.bot) && !self.then.is_empty() {
            return None;
        }
        let given = snapshot.assignment(to.bot)?;
        let given = (given.worker == to.worker).then_some(given)?;
        let (_, age_ms) = snapshot.worker(&to.worker)?.beat.as_ref()?;
        let ok_ago_ms = snapshot.reported(given)?.last_ok_ago_ms?;
        let silent_ms = ok_ago_ms.saturating_add(*age_ms);
        let answered = silent_ms < waited_ms;
        let silent = silent_ms >= SILENT_MS;
        let slot = snapshot.resting(to.bot, now).unwrap_or(given.slot);
        (answered && silent).then_some(slot)
    }
}
