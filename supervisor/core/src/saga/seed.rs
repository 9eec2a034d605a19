//! From an audited plan to what a saga starts from.

use shared_core::{BotId, Holder, LoginSlot, SwitchId, UnixMs};

use crate::check::Checked;
use crate::plan::{Cause, Plan};
use crate::policy::Policy;
use crate::snapshot::Snapshot;

/// What a saga starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SagaSeed {
    pub id: SwitchId,
    /// Who held the pool, as far as it is known.
    pub from: Option<Holder>,
    /// The bot to continue from, also when nobody holds the pool.
    pub previous_bot: Option<BotId>,
    pub to: Holder,
    pub then: Vec<Holder>,
    pub cause: Cause,
    pub reasons: Vec<String>,
    /// With which login the target is to connect, when it has to be assigned first.
    pub assign: Option<LoginSlot>,
    pub smoke_timeout_ms: u64,
    pub detected_at: UnixMs,
}

/// What only the app can give: a random id, and when and why it was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub id: SwitchId,
    pub reasons: Vec<String>,
    pub detected_at: UnixMs,
}

impl SagaSeed {
    /// `None` for plans that do not move the pool.
    pub fn of(
        plan: &Checked,
        snapshot: &Snapshot,
        policy: &Policy,
        origin: Origin,
    ) -> Option<Self> {
        let holder = snapshot.holder().cloned();
        let previous_bot = match &holder {
            Some(holder) => Some(holder.bot),
            None => snapshot.epoch.as_ref().and_then(|epoch| epoch.previous_bot),
        };
        let (to, then, cause, assign) = match plan.plan() {
            Plan::FirstActivation { to, cause } => (to.clone(), Vec::new(), cause, None),
            Plan::Switch {
                to, cause, then, ..
            } => (to.clone(), then.clone(), cause, None),
            Plan::Renew {
                holder,
                cause,
                then,
            } => (holder.clone(), then.clone(), cause, None),
            Plan::Takeover {
                bot,
                to: worker,
                slot,
                cause,
                then,
                ..
            }
            | Plan::Relogin {
                bot,
                worker,
                slot,
                cause,
                then,
            } => {
                let to = Holder {
                    bot: *bot,
                    worker: worker.clone(),
                };
                (to, then.clone(), cause, Some(*slot))
            }
            Plan::Nothing | Plan::Wait { .. } | Plan::Hold { .. } | Plan::PlaceStandbys(_) => {
                return None;
            }
        };
        let smoke_timeout_ms = smoke_timeout_ms(plan.plan(), snapshot, policy);
        Some(Self {
            id: origin.id,
            from: holder,
            previous_bot,
            to,
            then,
            cause: cause.clone(),
            reasons: origin.reasons,
            assign,
            smoke_timeout_ms,
            detected_at: origin.detected_at,
        })
    }
}

/// How long the smoke test may take: less where somebody else is the way out, more where there is nobody.
fn smoke_timeout_ms(plan: &Plan, snapshot: &Snapshot, policy: &Policy) -> u64 {
    match plan {
        Plan::Takeover {
            cause: Cause::LineSilent { .. },
            ..
        } => policy.takeover_smoke_ms,
        // A revoked token takes both logins with it: a standby is the way out, and soon.
        Plan::Relogin { then, .. } if !then.is_empty() => policy.takeover_smoke_ms,
        // Giving up on the only bot would but fence the pool.
        Plan::Relogin { .. } if snapshot.bots.len() == 1 => {
            policy.smoke_timeout_ms.saturating_mul(3)
        }
        _ => policy.smoke_timeout_ms,
    }
}
