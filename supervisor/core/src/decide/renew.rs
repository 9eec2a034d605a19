//! A holder that is connected and does not do its epoch's work: the same one under another epoch.
//!
//! A process that was started again within the time in which its predecessor counts as silent does not touch an epoch that already named
//! that predecessor, who may be hung and wake up. It takes another epoch at once; the predecessor has lost the lease and cannot.
//!
//! Invariant: a renewal names only who holds the bot's lease. One that did not help gives way to a standby that is ready.

use shared_core::Holder;

use super::Look;
use crate::plan::{Cause, Plan};
use crate::saga::SwitchKind;

/// The next look may see the lease.
const LEASE_WAIT_MS: u64 = 250;

impl Look<'_> {
    pub(super) fn renew(&mut self, holder: &Holder, cause: Cause) -> Plan {
        let lease = self.snapshot.lease(holder.bot);
        if lease.is_none_or(|lease| lease.worker != holder.worker) {
            return Plan::Wait {
                for_ms: LEASE_WAIT_MS,
            };
        }
        let bound = self.used_up(SwitchKind::Takeover, self.policy.takeovers_per_hour);
        let since = self.snapshot.since_last(SwitchKind::Takeover, self.now);
        let just_done = since.is_some_and(|since| since < self.policy.renew_again_ms);
        if just_done || bound.is_some() {
            let reasons = self.reasons.len();
            let switch = self.switch(holder, cause.clone());
            if switch.moves() {
                return switch;
            }
            self.reasons.truncate(reasons);
        }
        if let Some(bound) = bound {
            return bound;
        }
        Plan::Renew {
            holder: holder.clone(),
            then: self.ranked(Some(holder.bot), &cause),
            cause,
        }
    }
}
