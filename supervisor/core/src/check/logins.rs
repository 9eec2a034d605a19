//! The audit's rules on logins, read from assignments and heartbeats themselves.

use shared_core::{
    Assignment, BotId, Connection, ErrorClass, Holder, LoginSlot, OtherLogin, WorkerId,
};

use super::{Audit, Violation};
use crate::snapshot::Process;

impl Audit<'_> {
    /// The other login of a bot that stays on its worker.
    pub(super) fn login_here(&self, holder: &Holder, slot: LoginSlot) -> Result<(), Violation> {
        let given = self.given(holder.bot);
        let Some(given) = given.filter(|given| given.worker == holder.worker) else {
            return Err(Violation::AssignedElsewhere(
                holder.bot,
                holder.worker.clone(),
            ));
        };
        if given.slot == slot {
            return Err(Violation::SameLogin(holder.bot, slot));
        }
        self.session_only(given)?;
        self.at_rest(given)
    }

    /// A login for a bot whose worker changes. The live one only when its worker lets go of it, or when nobody else is left.
    pub(super) fn login_elsewhere(
        &self,
        from: &Holder,
        slot: LoginSlot,
        nobody_else: bool,
    ) -> Result<(), Violation> {
        match self.given(from.bot) {
            Some(given) if given.slot != slot => self.at_rest(given),
            _ if nobody_else || self.lets_go(from) => Ok(()),
            _ => Err(Violation::LoginInUse(from.bot, slot)),
        }
    }

    pub(super) fn login_placed(
        &self,
        bot: BotId,
        worker: &WorkerId,
        slot: LoginSlot,
    ) -> Result<(), Violation> {
        match self.given(bot) {
            Some(given) if given.slot != slot => self.at_rest(given),
            Some(given) if given.worker == *worker => Err(Violation::SameLogin(bot, slot)),
            // Its worker's process may be another one than the one that has it.
            Some(_) if self.snapshot.orphaned.contains(&bot) => {
                Err(Violation::LoginInUse(bot, slot))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn given(&self, bot: BotId) -> Option<&Assignment> {
        self.snapshot
            .assignments
            .iter()
            .find(|given| given.bot == bot)
    }

    /// Is the login that is not assigned there, and is nobody connected with it?
    fn at_rest(&self, given: &Assignment) -> Result<(), Violation> {
        let (bot, slot) = (given.bot, given.slot.other());
        if given
            .other_rests_until
            .is_some_and(|until| until > self.now)
        {
            return Err(Violation::LoginInUse(bot, slot));
        }
        let said = self.snapshot.health(bot, &given.worker);
        let said = said.filter(|health| health.slot == given.slot);
        let in_sql = self
            .snapshot
            .bots
            .iter()
            .any(|known| known.bot == bot && known.resting_known);
        match said.map_or(OtherLogin::Unknown, |health| health.other_login) {
            OtherLogin::Resting => Ok(()),
            OtherLogin::Unknown if in_sql => Ok(()),
            _ => Err(Violation::NoLogin(bot, slot)),
        }
    }

    /// Both logins die with a token.
    fn session_only(&self, given: &Assignment) -> Result<(), Violation> {
        let said = self.snapshot.health(given.bot, &given.worker);
        let failed = said.filter(|health| health.connection == Connection::Failed);
        let class = failed.and_then(|health| health.last_error.as_ref().map(|e| e.class));
        match class {
            Some(ErrorClass::TokenDead | ErrorClass::BotDead | ErrorClass::Ours) => {
                Err(Violation::NotTheSession(given.bot))
            }
            _ => Ok(()),
        }
    }

    /// Its process is dead or ours to end, or it is heard and gives a lease back by itself.
    fn lets_go(&self, from: &Holder) -> bool {
        if self.snapshot.orphaned.contains(&from.bot) {
            return false;
        }
        let view = self
            .snapshot
            .workers
            .iter()
            .find(|v| v.worker == from.worker);
        view.is_some_and(|view| match (view.process, &view.beat) {
            (Process::Dead | Process::Running { .. }, _) => true,
            (Process::Elsewhere, Some((_, age_ms))) => *age_ms < self.policy.worker_silent_ms,
            (Process::Elsewhere, None) => false,
        })
    }
}
