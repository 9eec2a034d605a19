//! The faults: a clump of members sends at one instant, and the first one lands among them as the plan has drawn it; the second one lands
//! a moment later, whatever stands by then.

use std::time::Duration;

use anyhow::{Result, bail};
use rand::Rng;

use super::blow::{Hands, Target, somebody};
use super::{Done, Driver};
use crate::clock::unix_ms;
use crate::control::Event;
use crate::fault::{Blow, BlowPlan, Blows, Details, FaultKind, FaultPlan, Moment};
use crate::member::Member;
use crate::view::View;

/// From arming to landing; a delivery takes a few milliseconds.
const LANDS_WITHIN_MS: i64 = 30_000;
const ROUGHLY_MS: i64 = 10_000;
/// At least so many write to the bot at the instant of the fault, if there are as many.
const WRITERS: usize = 4;
/// A stopped process has handed to the kernel what it sent, and that arrives.
const IN_SOCKET_MS: i64 = 30;

impl Driver {
    /// Members go on from where they stand, then the faults. Returns when they have landed; a second one that found nobody to strike
    /// is noted in `missed`.
    pub async fn strike(
        &mut self,
        plan: &FaultPlan,
        hands: &Hands,
        target: Target,
        view: &mut View,
    ) -> Result<()> {
        let now = unix_ms();
        for at in 0..self.members.len() {
            self.members[at].hold = None;
            self.members[at].stays_open = true;
            self.not_before[at] = now;
        }
        let lead = now + i64::try_from(plan.lead_ms).unwrap_or(0);
        while unix_ms() < lead {
            self.turn(view).await?;
        }
        self.members
            .iter_mut()
            .for_each(|member| member.stays_open = false);
        let deadline = unix_ms() + LANDS_WITHIN_MS;
        while !self.somebody_can_write() {
            if unix_ms() > deadline {
                bail!("nobody in private has anything to write when the fault is to land");
            }
            self.turn(view).await?;
        }
        let clump = self.clump(plan.clump);
        self.first(&plan.first, hands, target, &clump).await?;
        let deadline = unix_ms() + LANDS_WITHIN_MS;
        while self.blows.is_none() {
            if unix_ms() > deadline {
                bail!(
                    "the fault was armed and did not land within {} s",
                    LANDS_WITHIN_MS / 1_000
                );
            }
            self.turn(view).await?;
        }
        if let (Some(then), Some(blows)) = (plan.then, self.blows) {
            self.pending = Some(then);
            let hands = hands.clone();
            self.tasks
                .spawn(async move { hands.second(then, target, blows.first).await });
            while self.pending.is_some() {
                self.turn(view).await?;
            }
        }
        Ok(())
    }

    async fn first(
        &mut self,
        plan: &BlowPlan,
        hands: &Hands,
        target: Target,
        clump: &[usize],
    ) -> Result<()> {
        self.pending = Some(*plan);
        let (plan, hands) = (*plan, hands.clone());
        match (plan.kind, plan.moment) {
            (FaultKind::Revoke | FaultKind::Silent, Moment::BetweenReceiveAndCommit) => {
                hands.arm(&plan, target.bot).await?;
            }
            (FaultKind::Revoke | FaultKind::Silent, _) => {
                let waits = self.somebody_waits.subscribe();
                self.tasks.spawn(async move {
                    tokio::time::sleep(Duration::from_micros(10 * plan.delay_us)).await;
                    somebody(waits).await;
                    hands.fault(&plan, target.bot).await
                });
            }
            _ => {
                let after = hands.control.last_event().await?;
                let waits = self.somebody_waits.subscribe();
                self.tasks
                    .spawn(async move { hands.in_time(plan, target, after, waits).await });
            }
        }
        self.act_at_once(clump, unix_ms());
        Ok(())
    }

    /// The simulator carried a fault out.
    pub(super) fn fired(&mut self, event: &Event, view: &mut View) {
        let named = |plan: &BlowPlan| event.text("fault_kind") == Some(plan.kind.name());
        let (Some(plan), Some(bot)) = (self.pending.filter(named), event.number("bot")) else {
            return;
        };
        self.struck(&plan, bot, event.unix_ms, Some(event.seq), view);
    }

    /// It landed.
    pub(super) fn struck(
        &mut self,
        plan: &BlowPlan,
        bot: i64,
        at_ms: i64,
        seq: Option<u64>,
        view: &mut View,
    ) {
        self.pending = None;
        self.last_progress_ms = unix_ms();
        let settles = match plan.kind {
            FaultKind::HangWorker => IN_SOCKET_MS,
            _ => 0,
        };
        let blow = Blow {
            kind: plan.kind,
            moment: plan.moment,
            details: plan.details(),
            bot,
            at_ms,
            seq,
            quiet_ms: at_ms + settles,
        };
        self.blows = Some(match self.blows {
            None => Blows {
                first: blow,
                then: None,
            },
            Some(Blows { first, .. }) => Blows {
                first,
                then: Some(blow),
            },
        });
        view.fault(at_ms, &format!("⚡ {}", self.words(&blow)));
    }

    fn words(&self, blow: &Blow) -> String {
        let name = self
            .bots
            .iter()
            .find(|(id, _)| *id == blow.bot)
            .map_or("the bot", |(_, name)| name.as_str());
        let what = match blow.kind {
            FaultKind::Revoke => format!("the token of {name} is revoked"),
            FaultKind::KillWorker => format!("the worker of {name} gets SIGKILL"),
            FaultKind::HangWorker => format!("the worker of {name} gets SIGSTOP"),
            FaultKind::Silent => format!("the line of {name} falls silent"),
            FaultKind::KillSupervisor => "the supervisor gets SIGKILL".into(),
            FaultKind::KillRedis => "the private Redis gets SIGKILL".into(),
        };
        match blow.details {
            Details::None => format!("{what}, {}", blow.moment.words()),
            details => format!("{what} ({}), {}", details.words(), blow.moment.words()),
        }
    }

    /// Makes sure that a few in private write when it lands: where too few would, others ask where they stand.
    fn somebody_can_write(&mut self) -> bool {
        let writes = |member: &Member| {
            let next = member.next_input();
            let next = next.filter(|next| !next.is_press() && !next.goes_through_a_channel());
            member.is_private() && next.is_some()
        };
        let many = self.members.iter().filter(|one| writes(one)).count();
        let able = |one: &&mut Member| {
            one.is_private() && one.next_input().is_some_and(|next| next.is_press())
        };
        let more = self.members.iter_mut().filter(able);
        more.take(WRITERS.saturating_sub(many))
            .for_each(Member::asks_for_prompt);
        self.members.iter().any(writes)
    }

    /// Members who would act now: at most two in the group, in private so many who write and a third as many who press. Whoever
    /// talks at a given moment was most likely talking shortly before it, so the latest active come first, roughly.
    fn clump(&mut self, size: usize) -> Vec<usize> {
        let next = |at: usize| {
            let member = &self.members[at];
            let input = member.next_input()?;
            member.act(&input)?;
            Some((at, member.is_private(), input.is_press()))
        };
        let mut all: Vec<_> = (0..self.members.len()).filter_map(next).collect();
        let last = |at: usize| self.members[at].received.last().map_or(0, |(_, at)| *at);
        let rng = &mut self.rng;
        all.sort_by_cached_key(|one| rng.random_range(0..ROUGHLY_MS) - last(one.0));
        let of = |private: bool, press: bool, most: usize| {
            let matching = all
                .iter()
                .filter(move |one| (one.1, one.2) == (private, press));
            matching.map(|one| one.0).take(most).collect::<Vec<_>>()
        };
        [
            of(true, false, size),
            of(false, false, 1),
            of(false, true, 1),
            of(true, true, size / 3),
        ]
        .concat()
    }

    /// Its task says that nobody was there to strike.
    pub(super) fn missed(&mut self, kind: FaultKind) {
        self.pending = None;
        self.missed = Some(kind);
    }
}

impl From<Result<Done>> for Done {
    fn from(result: Result<Done>) -> Self {
        result.unwrap_or_else(|error| Self::Failed { error })
    }
}
