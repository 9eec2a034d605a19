//! What the epoch record and people's requests ask of a session: to be tested, to become active, to step down.

use std::sync::Arc;
use std::time::Duration;

use shared_core::{BotRole, Epoch, EpochRecord, Phase};
use tracing::{info, warn};

use super::{Session, feed_start};
use crate::active::Active;
use crate::presses;
use crate::smoke;
use crate::standby::Standing;

impl Session {
    pub(super) fn probe_every(&self) -> Duration {
        let timing = &self.context.shared.config.timing;
        if self.active.is_some() {
            timing.probe
        } else {
            timing.standby_probe
        }
    }

    fn record(&self) -> Option<EpochRecord> {
        let record = self.view.borrow().record().cloned()?;
        let mine = record.is_held_by(self.context.lease.bot, &self.context.shared.worker);
        (mine && Some(record.stamp) != self.context.inherited).then_some(record)
    }

    pub(super) fn is_demoted(&self) -> bool {
        let stamp = self.record().map(|record| record.stamp);
        self.active
            .as_ref()
            .is_some_and(|active| Some(active.stamp()) != stamp)
    }

    /// The epoch is another's: from the committed cursor on this bot listens like any standby, on the line that it has, so that no press falls
    /// between two connections. False where something of the tenure may still be on its way, or the cursor cannot be read: only closing the
    /// socket stops that.
    pub(super) async fn step_down(&mut self) -> bool {
        let Some(active) = self.active.take() else {
            return true;
        };
        if !active.close().await {
            return false;
        }
        let start = match feed_start(&self.context).await {
            Ok(start) => start,
            Err(error) => {
                warn!(bot = %self.context.lease.bot, %error, "the cursor could not be read");
                return false;
            }
        };
        self.feed.begin_again(start);
        self.context.status.role(BotRole::Standby);
        info!(bot = %self.context.lease.bot, "no longer active");
        true
    }

    /// Another bot answers: who wrote to this one or pressed one of its buttons is not left without a word.
    pub(super) async fn tell_who_answers(&mut self) {
        let context = &self.context;
        if self.active.is_some() {
            return;
        }
        let me = context.lease.bot;
        let standing = Standing::of(self.view.borrow().epoch.as_ref(), me);
        let Some(stamp) = standing.elsewhere else {
            return;
        };
        self.standby.tell(&standing);
        if context.presses.is_empty() {
            return;
        }
        presses::decide(context, stamp).await;
        tokio::spawn(presses::answer(Arc::clone(context), self.calls.clone()));
    }

    /// Does what the epoch record asks of this bot.
    pub(super) async fn take_role(&mut self) {
        self.answer_smoke_request();
        let Some(record) = self.record() else { return };
        match record.phase {
            Phase::Fenced => {}
            Phase::Smoking if self.smoked != Some(record.stamp) => {
                self.smoked = Some(record.stamp);
                let test = smoke::run(Arc::clone(&self.context), self.calls.clone(), record.stamp);
                self.smoke_tests.spawn(test);
            }
            Phase::Smoking => {}
            Phase::Open if self.active.is_none() => self.become_active(record).await,
            Phase::Open => {}
        }
    }

    /// Somebody wants to know how this bot is; the pool is not touched.
    fn answer_smoke_request(&mut self) {
        while self.smoke_tests.try_join_next().is_some() {}
        let (asked, epoch) = {
            let view = self.view.borrow();
            let asked = view.smoke_asked.get(&self.context.lease.bot).copied();
            let epoch = view.epoch.as_ref().map(|record| record.stamp.epoch);
            (asked, epoch.unwrap_or(Epoch(0)))
        };
        if asked == self.smoke_asked {
            return;
        }
        self.smoke_asked = asked;
        if let Some(nonce) = asked {
            let (context, calls) = (Arc::clone(&self.context), self.calls.clone());
            self.smoke_tests
                .spawn(smoke::run_asked(context, calls, epoch, nonce));
        }
    }

    async fn become_active(&mut self, record: EpochRecord) {
        let started = Active::start(
            &self.context,
            &self.calls,
            self.tenancy,
            &self.view,
            &record,
            &mut self.feed,
        );
        match started.await {
            Ok(active) => {
                info!(bot = %self.context.lease.bot, epoch = %record.stamp, "active");
                self.context.status.role(BotRole::Active);
                self.active = Some(active);
                self.standby.ends();
                self.tell_caught_up();
            }
            // The view is looked at again four times a second; the supervisor judges how long it waits.
            Err(error) => {
                warn!(bot = %self.context.lease.bot, error, "could not become active yet");
                self.view.mark_changed();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    pub(super) fn catches_up(&self) -> bool {
        self.active
            .as_ref()
            .is_some_and(|active| !active.is_caught_up())
    }

    pub(super) fn tell_caught_up(&mut self) {
        if self.feed.caught_up()
            && let Some(active) = &mut self.active
        {
            active.caught_up(self.feed.puts_off());
        }
    }
}
