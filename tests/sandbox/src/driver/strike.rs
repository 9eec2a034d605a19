//! The fault: a clump of members sends at one instant, and the blow lands among them as the plan has drawn it.

use std::time::Duration;

use anyhow::{Result, bail};
use rand::Rng;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::{Done, Driver};
use crate::clock::unix_ms;
use crate::control::{Control, Event};
use crate::fault::{FaultFacts, FaultKind, FaultPlan, Moment};
use crate::view::View;

/// From arming to landing; a delivery takes a few milliseconds.
const LANDS_WITHIN_MS: i64 = 10_000;

const ROUGHLY_MS: i64 = 10_000;

/// Whom it hits.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    pub bot: i64,
    pub pid: i32,
}

impl Driver {
    /// Members go on from where they stand, then the fault. Returns when it has landed.
    pub async fn strike(
        &mut self,
        kind: FaultKind,
        plan: &FaultPlan,
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
        self.fault_pending = Some((kind, target.bot, plan.moment));
        let clump = self.clump(plan.clump);
        match kind {
            FaultKind::Revoke => self.revoke(plan, target, &clump).await?,
            FaultKind::KillWorker => self.kill(plan, target, &clump).await?,
        }
        let deadline = unix_ms() + LANDS_WITHIN_MS;
        while self.fault.is_none() {
            if unix_ms() > deadline {
                bail!(
                    "the fault was armed and did not land within {} s",
                    LANDS_WITHIN_MS / 1_000
                );
            }
            self.turn(view).await?;
        }
        Ok(())
    }

    /// It landed.
    pub(super) fn struck(&mut self, at_ms: i64, seq: Option<u64>, view: &mut View) {
        let Some((kind, bot, moment)) = self.fault_pending.take() else {
            return;
        };
        self.fault = Some(FaultFacts {
            kind,
            bot,
            at_ms,
            seq,
            quiet_ms: at_ms,
        });
        self.last_progress_ms = unix_ms();
        let name = self
            .bots
            .iter()
            .find(|(id, _)| *id == bot)
            .map_or("the bot", |(_, name)| name.as_str());
        let what = match kind {
            FaultKind::Revoke => format!("the token of {name} is revoked"),
            FaultKind::KillWorker => format!("the worker of {name} gets SIGKILL"),
        };
        view.fault(at_ms, &format!("⚡ {what}, {}", moment.words()));
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
            of(false, false, 1),
            of(false, true, 1),
            of(true, false, size),
            of(true, true, size / 3),
        ]
        .concat()
    }

    async fn revoke(&mut self, plan: &FaultPlan, target: Target, clump: &[usize]) -> Result<()> {
        let mut fault = json!({"kind": "revoke", "bot": target.bot, "live_sessions": "killed"});
        match plan.moment {
            Moment::BetweenReceiveAndCommit => {
                fault["after"] =
                    json!({"event": {"kind": "updates_delivered", "account": target.bot}});
                self.control.fault(fault).await?;
                self.act_at_once(clump, unix_ms());
            }
            Moment::AnyTime => {
                self.act_at_once(clump, unix_ms());
                let (control, delay) = (
                    self.control.clone(),
                    Duration::from_micros(10 * plan.kill_delay_us),
                );
                self.tasks.spawn(async move {
                    tokio::time::sleep(delay).await;
                    match control.fault(fault).await {
                        Ok(()) => Done::Nothing,
                        Err(error) => Done::Failed {
                            error: error.into(),
                        },
                    }
                });
            }
        }
        Ok(())
    }

    async fn kill(&mut self, plan: &FaultPlan, target: Target, clump: &[usize]) -> Result<()> {
        let after = self.control.last_event().await?;
        let (control, plan) = (self.control.clone(), *plan);
        self.tasks.spawn(async move {
            match kill_in_time(&control, after, &plan, target).await {
                Ok(at_ms) => Done::Killed { at_ms },
                Err(error) => Done::Failed { error },
            }
        });
        self.act_at_once(clump, unix_ms());
        Ok(())
    }
}

async fn kill_in_time(
    control: &Control,
    mut after: u64,
    plan: &FaultPlan,
    target: Target,
) -> Result<i64> {
    let Some(pid) = Pid::from_raw(target.pid) else {
        bail!("the active worker's pid is {}", target.pid)
    };
    let deadline = unix_ms() + LANDS_WITHIN_MS;
    let mut delivered = plan.moment == Moment::AnyTime;
    while !delivered {
        let page = control.events(after, 1_000, "updates_delivered").await?;
        after = page.next;
        let of_target = |event: &Event| event.number("account") == Some(target.bot);
        delivered = page.events.iter().any(of_target);
        if !delivered && unix_ms() > deadline {
            bail!(
                "nothing was delivered to the active bot for {} s",
                LANDS_WITHIN_MS / 1_000
            );
        }
    }
    let delay = match plan.moment {
        Moment::BetweenReceiveAndCommit => plan.kill_delay_us,
        Moment::AnyTime => 10 * plan.kill_delay_us,
    };
    tokio::time::sleep(Duration::from_micros(delay)).await;
    let at_ms = unix_ms();
    kill_process(pid, Signal::KILL)?;
    Ok(at_ms)
}
