//! Orders: taken one at a time, checked again, carried out as any other plan, followed to their end.
//!
//! Invariants: an order is written as *running*, with the id of its switch, before that switch begins, so whoever leads next finds it and says
//! how it ended, and nobody carries it out a second time; one that has waited for longer than it lives is refused, whatever it asks for; what
//! is shown and confirmed is compared with what would be done; an order through a bot counts only if whoever gave it is an admin by the leader's own
//! configuration, whatever the worker's says. Deliberately absent: judgement, which is `supervisor-core`'s.

use shared_core::{
    ORDER_LIVES_MS, Order, OrderId, Overrides, Progress, Request, Requester, SmokeReport,
};
use shared_io::clock;
use shared_io::redis::{LeadAnswer, SeenRequest};
use supervisor_core::{
    Checked, Decision, Ordered, Origin, Outcome, Snapshot, SwitchRecord, check_plan, ordered,
    plan_id,
};

use super::{Pool, Stopped};
use crate::chronicle::{Note, action_row, overrides_row};
use crate::cli::when;

/// Orders that are over are kept for an hour, and no more than this many.
const KEPT: usize = 100;
const KEPT_MS: u64 = 3_600_000;
const SWEEP_EVERY_MS: u128 = 60_000;

/// What an order leads to.
pub(super) struct Taken {
    pub plan: Checked,
    pub origin: Origin,
}

impl Pool {
    /// Says what has become of the orders whose switch this leader, or one before it, began.
    pub(super) async fn follow_orders(&mut self, orders: &[SeenRequest]) -> Result<(), Stopped> {
        for seen in orders {
            let Progress::Running { switch, step } = &seen.request.progress else {
                continue;
            };
            if matches!(seen.request.order, Order::Restore { .. }) {
                self.restored_before(seen).await?;
                continue;
            }
            let saga = self.saga().filter(|saga| saga.id == *switch);
            let progress = match saga.map(|saga| (saga.is_running(), saga.record())) {
                Some((true, _)) => {
                    self.saga()
                        .map(|saga| saga.state.to_string())
                        .and_then(|state| {
                            (state != *step).then_some(Progress::Running {
                                switch: *switch,
                                step: state,
                            })
                        })
                }
                Some((false, Some(record))) => Some(self.ending(seen, &record).await?),
                Some((false, None)) | None => self.ending_by_sql(seen).await,
            };
            if let Some(progress) = progress {
                self.advance(&seen.request, progress).await?;
            }
        }
        Ok(())
    }

    /// Takes what waits, the oldest first, up to the first that moves the pool. `busy`: a switch is under way, so moves wait on.
    pub(super) async fn take_orders(
        &mut self,
        snapshot: &mut Snapshot,
        orders: &[SeenRequest],
        busy: bool,
    ) -> Result<Option<Taken>, Stopped> {
        let waiting = orders
            .iter()
            .filter(|seen| seen.request.progress == Progress::Waiting);
        for seen in waiting {
            let request = &seen.request;
            if seen.age_ms > ORDER_LIVES_MS {
                let why = match busy {
                    true => "another switch has been under way for 30 s; order it again",
                    false => "nobody carried it out within 30 s; order it again",
                };
                self.refuse(request, why.to_owned()).await?;
                continue;
            }
            if let Some(why) = self.not_his_to_give(request) {
                self.refuse(request, why).await?;
                continue;
            }
            if let Order::Restore { take } = request.order {
                if busy {
                    return Ok(None);
                }
                self.take_restore(request, take).await?;
                return Err(Stopped::Restoring);
            }
            // Where a pin belongs is known when the switch is over.
            let waits = request.order.moves() || matches!(request.order, Order::Pin { .. });
            if busy && waits {
                return Ok(None);
            }
            let by = request.by.to_string();
            let now = clock::unix_now();
            match ordered(snapshot, &self.policy, now, &request.order, &by) {
                Err(refusal) => self.refuse(request, refusal.to_string()).await?,
                Ok(Ordered::Lay(overrides)) => {
                    self.lay(seen, &overrides).await?;
                    snapshot.overrides = overrides;
                }
                Ok(Ordered::Move(decision)) => {
                    if let Some(taken) = self.take(snapshot, request, decision).await? {
                        return Ok(Some(taken));
                    }
                }
            }
        }
        Ok(None)
    }

    /// A worker may have been started with an older configuration, or somebody may have written into Redis in an admin's name.
    fn not_his_to_give(&self, request: &Request) -> Option<String> {
        match &request.by {
            Requester::Admin { member, .. } if !self.admins.contains(member) => Some(format!(
                "{member} is not an admin of pool {} in the supervisor's configuration: add {} to its admins and restart the supervisor, or order it with `understudy`",
                self.name, member.0
            )),
            Requester::Admin { .. } | Requester::Cli { .. } | Requester::Schedule { .. } => None,
        }
    }

    /// The supervisor that took it has ended. What it began is settled before a pool is led; whether it began at all nobody knows.
    async fn restored_before(&mut self, seen: &SeenRequest) -> Result<(), Stopped> {
        let why = "the supervisor that took it ended before it could tell how it went: `understudy events` says what was restored; if that is nothing, order it again";
        let failed = Progress::Failed {
            why: why.to_owned(),
        };
        self.advance(&seen.request, failed).await
    }

    /// The order becomes a switch, unless it is not what was shown or not safe.
    async fn take(
        &mut self,
        snapshot: &Snapshot,
        request: &Request,
        decision: Decision,
    ) -> Result<Option<Taken>, Stopped> {
        let now = clock::unix_now();
        let is_another = |shown| shown != plan_id(snapshot, &decision.plan);
        if request.plan.is_some_and(is_another) {
            let why = "the plan has changed since it was shown: ask again";
            self.refuse(request, why.to_owned()).await?;
            return Ok(None);
        }
        let plan = match check_plan(snapshot, &self.policy, now, &decision.plan) {
            Ok(plan) if plan.plan().moves() => plan,
            Ok(plan) => {
                let why = format!("nobody would be moved: {}", plan.plan());
                self.refuse(request, why).await?;
                return Ok(None);
            }
            Err(violation) => {
                self.refuse(request, format!("it is not safe now: {violation}"))
                    .await?;
                return Ok(None);
            }
        };
        self.say(&decision);
        let origin = Origin {
            id: clock::switch_id(),
            reasons: decision.reasons.iter().map(ToString::to_string).collect(),
            detected_at: now,
        };
        let running = Progress::Running {
            switch: origin.id,
            step: decision.plan.to_string(),
        };
        self.advance(request, running).await?;
        Ok(Some(Taken { plan, origin }))
    }

    /// Redis first, from where it counts at once; SQL gets it as soon as it can.
    async fn lay(&mut self, seen: &SeenRequest, overrides: &Overrides) -> Result<(), Stopped> {
        self.write_overrides(overrides).await?;
        let row = overrides_row(&self.name, overrides);
        self.shared.chronicle.note(Note::Overrides(row));
        let outcome = match &seen.request.order {
            Order::Pause => "automation is paused".to_owned(),
            Order::Resume => "automation acts again".to_owned(),
            Order::Pin { bot } => format!("pinned to {}", self.called(*bot)),
            Order::Schedule { to, due, .. } => {
                let what = to.map_or_else(
                    || "a rotation".to_owned(),
                    |to| format!("a switch to {}", self.called(to)),
                );
                format!("{what} is scheduled for {}", when::utc(*due))
            }
            Order::Unschedule => "nothing is scheduled any more".to_owned(),
            _ => "any bot may be active".to_owned(),
        };
        let done = Progress::Done {
            outcome,
            took_ms: seen.age_ms,
            smoke: Vec::new(),
        };
        self.advance(&seen.request, done).await
    }

    async fn refuse(&mut self, request: &Request, why: String) -> Result<(), Stopped> {
        self.advance(request, Progress::Refused { why }).await
    }

    /// Writes the progress; an end is recorded as well.
    pub(super) async fn advance(
        &mut self,
        request: &Request,
        progress: Progress,
    ) -> Result<(), Stopped> {
        let request = Request {
            progress,
            ..request.clone()
        };
        let leader = &self.shared.leader;
        match self.state.advance_order(leader, &request).await? {
            LeadAnswer::NotLeading => return Err(Stopped::NotLeading),
            LeadAnswer::Done => {}
        }
        if request.progress.is_over() {
            let (id, by) = (request.id, &request.by);
            tracing::info!(pool = %self.name, %id, %by, order = %request.order, "order: {}", shown(&request.progress));
            let (name, chronicle) = (&self.name, &self.shared.chronicle);
            chronicle.note(Note::Admin(action_row(name, &request)));
            chronicle.ordered(name, &request);
        }
        Ok(())
    }

    /// How an order whose switch has ended has ended.
    async fn ending(&self, seen: &SeenRequest, record: &SwitchRecord) -> Result<Progress, Stopped> {
        let (Outcome::Opened, Some(to)) = (record.outcome, &record.to) else {
            let why = format!("nobody passed, the pool is held{}", in_vain(record));
            return Ok(Progress::Failed { why });
        };
        let epoch = record.epoch.map(|epoch| format!(", {epoch}"));
        let outcome = format!(
            "{} answers on {}{}{}",
            self.called(to.bot),
            to.worker,
            epoch.unwrap_or_default(),
            in_vain(record)
        );
        if let Order::Switch { to: wanted } = seen.request.order
            && wanted != to.bot
        {
            return Ok(Progress::Failed { why: outcome });
        }
        // Shown only: a report that cannot be read is in nobody's way.
        let report = match self.state.smoke(to.bot).await {
            Err(error) if error.is_connection() => return Err(error.into()),
            report => report.ok().flatten(),
        };
        let ours = report.filter(|report| Some(report.epoch) == record.epoch);
        Ok(Progress::Done {
            outcome,
            took_ms: self.age_now(seen).await,
            smoke: ours.as_ref().map(SmokeReport::lines).unwrap_or_default(),
        })
    }

    /// The orders were read before the step that ended the switch.
    async fn age_now(&self, seen: &SeenRequest) -> u64 {
        let again = self.state.order(seen.request.id).await.ok().flatten();
        again.map_or(seen.age_ms, |again| again.age_ms)
    }

    /// Its switch is not under way any more, and nobody said how it ended: SQL knows, or it never began.
    async fn ending_by_sql(&self, seen: &SeenRequest) -> Option<Progress> {
        let Progress::Running { switch, .. } = &seen.request.progress else {
            return None;
        };
        if !self.shared.chronicle.database_ok() {
            return None;
        }
        let failed = |why: &str| {
            Some(Progress::Failed {
                why: why.to_owned(),
            })
        };
        match self.shared.store.switches().get(*switch).await {
            Err(_) => None,
            Ok(None) => failed("the supervisor that took it ended before it began"),
            Ok(Some(row)) => match row.to_bot.filter(|_| row.finished.is_some()) {
                Some(bot) => Some(Progress::Done {
                    outcome: format!("{} answers", self.called(bot)),
                    took_ms: seen.age_ms,
                    smoke: Vec::new(),
                }),
                None => failed("nobody passed, the pool is held"),
            },
        }
    }

    /// Forgets what is over and old, now and then.
    pub(super) async fn sweep_orders(&mut self) -> Result<(), Stopped> {
        let now = clock::boot_now();
        let Some(held) = &mut self.held else {
            return Ok(());
        };
        if now.since(held.swept).as_millis() < SWEEP_EVERY_MS {
            return Ok(());
        }
        held.swept = now;
        let all = self.state.orders().await?;
        let over: Vec<&SeenRequest> = all
            .iter()
            .filter(|seen| seen.request.progress.is_over())
            .collect();
        let surplus = over.len().saturating_sub(KEPT);
        let old = over.iter().enumerate();
        let ids: Vec<OrderId> = old
            .filter(|(at, seen)| *at < surplus || seen.age_ms > KEPT_MS)
            .map(|(_, seen)| seen.request.id)
            .collect();
        if ids.is_empty() {
            return Ok(());
        }
        match self.state.forget_orders(&self.shared.leader, &ids).await? {
            LeadAnswer::Done => Ok(()),
            LeadAnswer::NotLeading => Err(Stopped::NotLeading),
        }
    }

    /// As people know it: `second (b7000002)`.
    fn called(&self, bot: shared_core::BotId) -> String {
        let known = self.bots.iter().find(|known| known.bot == bot);
        known.map_or_else(
            || bot.to_string(),
            |known| format!("{} ({bot})", known.name),
        )
    }
}

fn in_vain(record: &SwitchRecord) -> String {
    let tried = record.tried.iter();
    tried
        .map(|tried| {
            format!(
                "; {}@{}: {}",
                tried.holder.bot, tried.holder.worker, tried.why
            )
        })
        .collect()
}

fn shown(progress: &Progress) -> String {
    match progress {
        Progress::Waiting => "waiting".to_owned(),
        Progress::Running { step, .. } => format!("running, {step}"),
        Progress::Refused { why } => format!("refused: {why}"),
        Progress::Failed { why } => format!("failed: {why}"),
        Progress::Done {
            outcome, took_ms, ..
        } => format!("done in {took_ms} ms: {outcome}"),
    }
}
