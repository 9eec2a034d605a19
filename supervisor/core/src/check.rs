//! An independent audit of plans: rules of its own on the raw snapshot, not a second run of `decide`.
//!
//! Invariant: only what passed here is executed ([`Checked`] cannot be made elsewhere). The audit asks whether a plan is *safe*, never whether
//! it is wise: never two holders, never onto something known to be dead, never while another switch runs, never with a login that somebody else may
//! be connected with, never against an operator's word.

mod logins;

use shared_core::{BotId, Connection, Holder, LoginSlot, UnixMs, WorkerId};

use crate::plan::{Cause, Placement, Plan};
use crate::policy::Policy;
use crate::saga::SwitchKind;
use crate::snapshot::{Process, RedisView, Snapshot};

/// A plan that passed the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked(Plan);

impl Checked {
    pub fn plan(&self) -> &Plan {
        &self.0
    }
}

/// The rule that a plan breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    #[error("a plan that acts while Redis cannot be reached")]
    RedisDown,
    #[error("a plan that acts while another switch is running")]
    SagaRunning,
    #[error("{0} is not a bot of the pool")]
    UnknownBot(BotId),
    #[error("worker {0} is not known")]
    UnknownWorker(WorkerId),
    #[error("worker {0}'s process is dead")]
    DeadWorker(WorkerId),
    #[error("worker {0} is silent")]
    SilentWorker(WorkerId),
    #[error("{0} is not assigned to worker {1}")]
    AssignedElsewhere(BotId, WorkerId),
    #[error("{0}'s lease is held by worker {1}")]
    LeaseElsewhere(BotId, WorkerId),
    #[error("worker {1} does not hold {0}'s lease")]
    NoLease(BotId, WorkerId),
    #[error("{0} has failed")]
    FailedBot(BotId),
    #[error("{0} is not connected")]
    NotConnected(BotId),
    #[error("the plan leads to who holds the pool already")]
    SameHolder,
    #[error("the plan starts from somebody who does not hold the pool")]
    NotTheHolder,
    #[error("the pool has a holder already")]
    HolderExists,
    #[error("{0} is active and would be moved as a standby")]
    MovesActive(BotId),
    #[error("{0} is never to be active")]
    NeverPromoted(BotId),
    #[error("{0} is named twice")]
    NamedTwice(BotId),
    #[error("more moves within the hour than the policy allows")]
    TooManyMoves,
    #[error("automation is paused")]
    Paused,
    #[error("the pool is pinned, and the plan names {0}")]
    Pinned(BotId),
    #[error("{0} is connected with login {1} already")]
    SameLogin(BotId, LoginSlot),
    #[error("{0}'s login {1} is missing or lost")]
    NoLogin(BotId, LoginSlot),
    #[error("somebody may still be connected with {0}'s login {1}")]
    LoginInUse(BotId, LoginSlot),
    #[error("another login does not help {0}")]
    NotTheSession(BotId),
    #[error("a plan without content")]
    Empty,
}

/// Audits a plan against the snapshot it was made from.
pub fn check_plan(
    snapshot: &Snapshot,
    policy: &Policy,
    now: UnixMs,
    plan: &Plan,
) -> Result<Checked, Violation> {
    let audit = Audit {
        snapshot,
        policy,
        now,
    };
    audit.plan(plan)?;
    Ok(Checked(plan.clone()))
}

struct Audit<'a> {
    snapshot: &'a Snapshot,
    policy: &'a Policy,
    now: UnixMs,
}

impl Audit<'_> {
    fn plan(&self, plan: &Plan) -> Result<(), Violation> {
        if matches!(plan, Plan::Nothing | Plan::Wait { .. } | Plan::Hold { .. }) {
            return Ok(());
        }
        if self.snapshot.redis == RedisView::Down {
            return Err(Violation::RedisDown);
        }
        if self.snapshot.running_saga().is_some() {
            return Err(Violation::SagaRunning);
        }
        if plan.cause().is_some_and(|cause| !cause.is_ordered()) {
            self.overrides(plan)?;
        }
        match plan {
            Plan::Nothing | Plan::Wait { .. } | Plan::Hold { .. } => Ok(()),
            Plan::FirstActivation { to, .. } => self.activation(to),
            Plan::Takeover {
                bot,
                from,
                to,
                slot,
                cause,
                then,
            } => {
                let from = Holder {
                    bot: *bot,
                    worker: from.clone(),
                };
                self.takeover(&from, to, cause)?;
                self.login_elsewhere(&from, *slot, then.is_empty())?;
                self.queue(*bot, then)
            }
            Plan::Relogin {
                bot,
                worker,
                slot,
                cause,
                then,
            } => {
                let holder = Holder {
                    bot: *bot,
                    worker: worker.clone(),
                };
                self.relogin(&holder, *slot, cause)?;
                self.queue(*bot, then)
            }
            Plan::Renew {
                holder,
                cause,
                then,
            } => {
                self.renewal(holder, cause)?;
                self.queue(holder.bot, then)
            }
            Plan::Switch {
                from,
                to,
                cause,
                then,
            } => {
                self.switch(from, to, cause)?;
                // An order may go back to whom it found in place; automation has given up on him.
                match cause {
                    Cause::Ordered { .. } => then.iter().try_for_each(|h| self.promotable(h))?,
                    _ => self.queue(from.bot, then)?,
                }
                named_once(std::iter::once(to.bot).chain(then.iter().map(|h| h.bot)))
            }
            Plan::PlaceStandbys(placements) => self.placements(placements),
        }
    }

    /// What an operator has laid down binds everything but orders.
    fn overrides(&self, plan: &Plan) -> Result<(), Violation> {
        let laid = &self.snapshot.overrides;
        if laid.paused.is_some() {
            return Err(Violation::Paused);
        }
        let Some((pinned, _)) = &laid.pinned else {
            return Ok(());
        };
        // Whoever is active may stay so on another worker or login, pinned or not.
        let active = self.snapshot.holder().map(|holder| holder.bot);
        let mut others = plan.targets().into_iter();
        match others.find(|bot| bot != pinned && Some(*bot) != active) {
            Some(bot) => Err(Violation::Pinned(bot)),
            None => Ok(()),
        }
    }

    fn activation(&self, to: &Holder) -> Result<(), Violation> {
        if self.snapshot.holder().is_some() {
            return Err(Violation::HolderExists);
        }
        self.promotable(to)
    }

    fn takeover(&self, from: &Holder, to: &WorkerId, cause: &Cause) -> Result<(), Violation> {
        self.starts_from(from)?;
        if from.worker == *to {
            return Err(Violation::SameHolder);
        }
        self.bounded(SwitchKind::Takeover, self.policy.takeovers_per_hour, cause)?;
        self.worker(to)
    }

    fn relogin(&self, holder: &Holder, slot: LoginSlot, cause: &Cause) -> Result<(), Violation> {
        self.starts_from(holder)?;
        self.bounded(SwitchKind::Relogin, self.policy.relogins_per_hour, cause)?;
        self.worker(&holder.worker)?;
        self.login_here(holder, slot)
    }

    /// Whoever has the lease is the one process that can act for this worker: a predecessor of the same name has lost it.
    fn renewal(&self, holder: &Holder, cause: &Cause) -> Result<(), Violation> {
        self.starts_from(holder)?;
        self.bounded(SwitchKind::Takeover, self.policy.takeovers_per_hour, cause)?;
        self.standby(holder)?;
        let mut leases = self.snapshot.leases.iter();
        match leases.any(|lease| lease.bot == holder.bot && lease.worker == holder.worker) {
            true => Ok(()),
            false => Err(Violation::NoLease(holder.bot, holder.worker.clone())),
        }
    }

    fn switch(&self, from: &Holder, to: &Holder, cause: &Cause) -> Result<(), Violation> {
        self.starts_from(from)?;
        if from.bot == to.bot {
            return Err(Violation::SameHolder);
        }
        self.bounded(SwitchKind::Switch, self.policy.switches_per_hour, cause)?;
        self.promotable(to)
    }

    fn queue(&self, from: BotId, then: &[Holder]) -> Result<(), Violation> {
        if then.iter().any(|holder| holder.bot == from) {
            return Err(Violation::SameHolder);
        }
        named_once(then.iter().map(|holder| holder.bot))?;
        then.iter().try_for_each(|holder| self.promotable(holder))
    }

    /// A standby that may become active. Whoever is active already is not asked this: it is not ended by a line of the configuration.
    fn promotable(&self, to: &Holder) -> Result<(), Violation> {
        let mut bots = self.snapshot.bots.iter();
        if bots.any(|known| known.bot == to.bot && !known.promotable) {
            return Err(Violation::NeverPromoted(to.bot));
        }
        self.standby(to)
    }

    fn starts_from(&self, from: &Holder) -> Result<(), Violation> {
        if self.snapshot.holder() == Some(from) {
            Ok(())
        } else {
            Err(Violation::NotTheHolder)
        }
    }

    /// The same bound that `decide` honours, counted here from the dates themselves.
    fn bounded(&self, kind: SwitchKind, max: u32, cause: &Cause) -> Result<(), Violation> {
        if cause.is_ordered() {
            return Ok(());
        }
        let hour_ago = UnixMs(self.now.0.saturating_sub(3_600_000));
        let past = &self.snapshot.past;
        let done = past.iter().filter(|p| p.kind == kind && p.at > hour_ago);
        if done.count() < max as usize {
            Ok(())
        } else {
            Err(Violation::TooManyMoves)
        }
    }

    /// May this bot answer from this worker at once?
    fn standby(&self, to: &Holder) -> Result<(), Violation> {
        let Holder { bot, worker } = to;
        self.known(*bot)?;
        self.worker(worker)?;
        let mut assignments = self.snapshot.assignments.iter();
        if !assignments.any(|given| given.bot == *bot && given.worker == *worker) {
            return Err(Violation::AssignedElsewhere(*bot, worker.clone()));
        }
        if let Some(lease) = self.snapshot.leases.iter().find(|l| l.bot == *bot)
            && lease.worker != *worker
        {
            return Err(Violation::LeaseElsewhere(*bot, lease.worker.clone()));
        }
        // What was said of the other login is not about this one.
        let slot = self.given(*bot).map(|given| given.slot);
        let said = self.snapshot.health(*bot, worker);
        let said = said.filter(|health| Some(health.slot) == slot);
        match said.map(|health| health.connection) {
            Some(Connection::Ready) => Ok(()),
            Some(Connection::Failed) => Err(Violation::FailedBot(*bot)),
            _ => Err(Violation::NotConnected(*bot)),
        }
    }

    fn known(&self, bot: BotId) -> Result<(), Violation> {
        match self.snapshot.bots.iter().any(|known| known.bot == bot) {
            true => Ok(()),
            false => Err(Violation::UnknownBot(bot)),
        }
    }

    fn worker(&self, worker: &WorkerId) -> Result<(), Violation> {
        let view = self.snapshot.workers.iter().find(|v| v.worker == *worker);
        let Some(view) = view else {
            return Err(Violation::UnknownWorker(worker.clone()));
        };
        if view.process == Process::Dead {
            return Err(Violation::DeadWorker(worker.clone()));
        }
        match &view.beat {
            Some((_, age_ms)) if *age_ms < self.policy.worker_silent_ms => Ok(()),
            _ => Err(Violation::SilentWorker(worker.clone())),
        }
    }

    fn placements(&self, placements: &[Placement]) -> Result<(), Violation> {
        if placements.is_empty() {
            return Err(Violation::Empty);
        }
        named_once(placements.iter().map(|placement| placement.bot))?;
        for Placement { bot, worker, slot } in placements {
            self.known(*bot)?;
            self.worker(worker)?;
            if self.snapshot.holder().is_some_and(|h| h.bot == *bot) {
                return Err(Violation::MovesActive(*bot));
            }
            self.login_placed(*bot, worker, *slot)?;
        }
        Ok(())
    }
}

fn named_once(bots: impl Iterator<Item = BotId>) -> Result<(), Violation> {
    let mut seen = std::collections::BTreeSet::new();
    for bot in bots {
        if !seen.insert(bot) {
            return Err(Violation::NamedTwice(bot));
        }
    }
    Ok(())
}
