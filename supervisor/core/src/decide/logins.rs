//! The same bot again: by its other login, or on another worker, and which of its two logins that takes.
//!
//! Invariant: no login is used that somebody else may still be connected with, unless nothing else is left; then the reasons say so.
//! An old worker has let go of a login if its process is known to be dead or is our own (it is ended first), or if it is heard: then it gives
//! the bot's lease back by itself, and nobody connects before that.

use shared_core::{Assignment, BotId, ErrorClass, Holder, LoginSlot, WorkerId};

use super::Look;
use crate::plan::{Cause, Hold, NoRelogin, Plan, Reason};
use crate::saga::SwitchKind;
use crate::snapshot::Process;
use crate::verdict::Finding;

/// A login for a bot that comes to another worker.
pub(super) enum Login {
    Free(LoginSlot),
    /// The live one, and its old worker may still be connected with it.
    InDoubt(LoginSlot),
}

impl Look<'_> {
    /// A relogin keeps the bot and is over soon when it does not help. A dead token or a deleted bot has no use for one.
    pub(super) fn relogin_else_switch(&mut self, holder: &Holder, cause: Cause) -> Plan {
        if let Some(waits) = self.held_back(&cause) {
            return waits;
        }
        if !is_of_the_session(&cause) {
            return self.switch(holder, cause);
        }
        let why = match self.relogin_slot(holder) {
            Ok(slot) => {
                let then = self.ranked(Some(holder.bot), &cause);
                if let Some(plan) = self.relogin(holder, slot, &cause, then) {
                    return plan;
                }
                return self.switch(holder, cause);
            }
            Err(why) => why,
        };
        self.reasons.push(Reason::NoRelogin(holder.bot, why));
        let switch = self.switch(holder, cause.clone());
        if switch.moves() {
            return switch;
        }
        // With nobody else to go to, a login that may not help is better than none.
        let slot = self.snapshot.resting(holder.bot, self.now);
        let relogin = slot
            .filter(|_| why.is_a_guess())
            .and_then(|slot| self.relogin(holder, slot, &cause, Vec::new()));
        relogin.unwrap_or(switch)
    }

    /// On its own worker, or, should that have failed as well, on another one.
    fn relogin(
        &self,
        holder: &Holder,
        slot: LoginSlot,
        cause: &Cause,
        then: Vec<Holder>,
    ) -> Option<Plan> {
        let (bot, cause) = (holder.bot, cause.clone());
        if self.verdicts.worker_fit(&holder.worker) {
            return Some(Plan::Relogin {
                bot,
                worker: holder.worker.clone(),
                slot,
                cause,
                then,
            });
        }
        let bound = self.used_up(SwitchKind::Takeover, self.policy.takeovers_per_hour);
        let to = self.takeover_worker(holder).filter(|_| bound.is_none())?;
        Some(Plan::Takeover {
            bot,
            from: holder.worker.clone(),
            to,
            slot,
            cause,
            then,
        })
    }

    fn relogin_slot(&self, holder: &Holder) -> Result<LoginSlot, NoRelogin> {
        let given = self.snapshot.assignment(holder.bot);
        let slot = self.snapshot.resting(holder.bot, self.now);
        let (Some(given), Some(slot)) = (given, slot) else {
            return Err(NoRelogin::NotAtRest);
        };
        if given.worker != holder.worker {
            return Err(NoRelogin::NotAtRest);
        }
        if let Some(left_ms) = self.rests_for(holder) {
            return Err(NoRelogin::FailedRecently { left_ms });
        }
        // First what is final: whatever comes after it may still be tried where nobody else is left.
        let done = self.snapshot.moves_last_hour(SwitchKind::Relogin, self.now);
        let max = self.policy.relogins_per_hour;
        if self.freedom.bounds && done >= max {
            return Err(NoRelogin::Bound { done, max });
        }
        let worker = self.verdicts.worker(&holder.worker);
        if worker.is_some_and(|v| v.finding == Some(Finding::WorkerWithoutSql)) {
            return Err(NoRelogin::WithoutDatabase);
        }
        let since = self.snapshot.since_last(SwitchKind::Relogin, self.now);
        let again = self.policy.relogin_again_ms;
        match since.and_then(|since| again.checked_sub(since)) {
            Some(left_ms) if self.freedom.bounds && left_ms > 0 => {
                Err(NoRelogin::JustDone { left_ms })
            }
            _ => Ok(slot),
        }
    }

    pub(super) fn takeover(&mut self, holder: &Holder, cause: Cause) -> Plan {
        if let Some(waits) = self.held_back(&cause) {
            return waits;
        }
        if let Some(bound) = self.used_up(SwitchKind::Takeover, self.policy.takeovers_per_hour) {
            return bound;
        }
        let Some(to) = self.takeover_worker(holder) else {
            return Plan::Hold {
                why: Hold::NoWorker,
            };
        };
        let slot = match self.login_for(holder.bot, &holder.worker) {
            Login::Free(slot) => slot,
            Login::InDoubt(slot) => {
                self.reasons.push(Reason::LoginInDoubt(holder.bot, slot));
                let switch = self.switch(holder, cause.clone());
                if switch.moves() {
                    return switch;
                }
                self.reasons.push(Reason::LoginAllTheSame(holder.bot, slot));
                return Plan::Takeover {
                    bot: holder.bot,
                    from: holder.worker.clone(),
                    to,
                    slot,
                    cause,
                    then: Vec::new(),
                };
            }
        };
        let then = self.ranked(Some(holder.bot), &cause);
        Plan::Takeover {
            bot: holder.bot,
            from: holder.worker.clone(),
            to,
            slot,
            cause,
            then,
        }
    }

    /// The bot has come to another worker than its epoch: the epoch follows it there, where that worker may use its login.
    pub(super) fn follow(&mut self, holder: &Holder, given: &Assignment) -> Plan {
        let cause = Cause::AssignedElsewhere {
            worker: given.worker.clone(),
        };
        let silent_ms = self.policy.worker_silent_ms;
        let lets_go = self.snapshot.lets_go(&holder.worker, silent_ms);
        if !lets_go || !self.verdicts.worker_fit(&given.worker) {
            return self.takeover(holder, cause);
        }
        if let Some(bound) = self.used_up(SwitchKind::Takeover, self.policy.takeovers_per_hour) {
            return bound;
        }
        Plan::Takeover {
            bot: holder.bot,
            from: holder.worker.clone(),
            to: given.worker.clone(),
            slot: given.slot,
            then: self.ranked(Some(holder.bot), &cause),
            cause,
        }
    }

    /// A takeover keeps members' private chats, so it is tried first, unless it was just tried; where there is no other worker, the other
    /// login may still help.
    pub(super) fn takeover_else_switch(&mut self, holder: &Holder, cause: Cause) -> Plan {
        match self.takeover(holder, cause.clone()) {
            Plan::Hold {
                why: Hold::NoWorker,
            } if self.verdicts.worker_fit(&holder.worker) => {
                self.relogin_else_switch(holder, cause)
            }
            Plan::Hold {
                why: Hold::NoWorker | Hold::SwitchBound { .. },
            } => self.switch(holder, cause),
            plan => plan,
        }
    }

    /// With which login the bot goes on elsewhere.
    pub(super) fn login_for(&self, bot: BotId, from: &WorkerId) -> Login {
        if let Some(slot) = self.snapshot.resting(bot, self.now) {
            return Login::Free(slot);
        }
        let live = self.snapshot.assignment(bot).map(|given| given.slot);
        let live = live.unwrap_or(LoginSlot::A);
        match self.snapshot.worker(from).map(|view| view.process) {
            Some(Process::Dead | Process::Running { .. }) => Login::Free(live),
            Some(Process::Elsewhere) if self.verdicts.worker_fit(from) => Login::Free(live),
            Some(Process::Elsewhere) | None => Login::InDoubt(live),
        }
    }
}

/// May another session of the same bot be what helps?
fn is_of_the_session(cause: &Cause) -> bool {
    match cause {
        Cause::BotFatal { class, .. } => matches!(class, ErrorClass::SessionDead(_)),
        Cause::LineSilent { .. } => true,
        Cause::NobodyActive
        | Cause::NotServed { .. }
        | Cause::NotWorking { .. }
        | Cause::WorkerDead
        | Cause::WorkerSilent { .. }
        | Cause::WorkerGone
        | Cause::AssignedElsewhere { .. }
        | Cause::BotRemoved
        | Cause::Ordered { .. } => false,
    }
}
