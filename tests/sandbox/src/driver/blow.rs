//! One blow: whom it strikes, and the deed. Runs beside the driver.
//!
//! The second blow strikes whoever is active then: `understudy status` tells, and while it cannot (Redis is dead, say) it is who was
//! active last. Where the blow would change nothing (a token that is revoked already, a process that has ended) it waits until it would.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;

use super::Done;
use crate::clock::unix_ms;
use crate::control::{Control, Event};
use crate::daemon::StatusReader;
use crate::fault::{Blow, BlowPlan, Details, FaultKind, Moment};
use crate::keeper::Orders;
use crate::processes::{Held, redis_of};
use crate::status::Status;

/// For a delivery to the active bot; members talk all the time.
const DELIVERY_MS: i64 = 9_000;
/// A system that has nobody to strike for so long is down.
const FINDS_WITHIN: Duration = Duration::from_secs(20);
/// Where the clump is answered before the blow's own moment, and all that is left to do are presses, nobody comes to wait: not to let every upload end
/// meanwhile, it strikes all the same. Who writes right after it counts then.
const WAITS_WITHIN: Duration = Duration::from_millis(500);
const LOOK_AGAIN: Duration = Duration::from_millis(25);
const STATUS_PATIENCE: Duration = Duration::from_millis(1_500);

/// Who is active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    pub bot: i64,
    pub pid: i32,
}

impl Target {
    pub fn of(status: &Status) -> Option<Self> {
        Some(Self {
            bot: status.active()?.id()?,
            pid: status.active_pid()?,
        })
    }
}

/// All that a blow needs.
#[derive(Debug, Clone)]
pub struct Hands {
    pub control: Control,
    pub status: StatusReader,
    pub orders: Orders,
    /// The run's folder.
    pub root: PathBuf,
}

impl Hands {
    /// A fault of the simulator's that fires at the next delivery to the bot.
    pub(super) async fn arm(&self, plan: &BlowPlan, bot: i64) -> Result<()> {
        let mut fault = fault_json(plan, bot);
        fault["after"] = json!({"event": {"kind": "updates_delivered", "account": bot}});
        self.control.fault(fault).await?;
        Ok(())
    }

    /// A fault of the simulator's, now. The log tells when it landed.
    pub(super) async fn fault(&self, plan: &BlowPlan, bot: i64) -> Done {
        match self.control.fault(fault_json(plan, bot)).await {
            Ok(_) => Done::Nothing,
            Err(error) => Done::Failed {
                error: error.into(),
            },
        }
    }

    /// A signal at the plan's moment.
    pub(super) async fn in_time(
        &self,
        plan: BlowPlan,
        target: Target,
        after: u64,
        waits: watch::Receiver<bool>,
    ) -> Done {
        let struck = async {
            let delay_us = match plan.moment {
                Moment::BetweenReceiveAndCommit => {
                    self.delivery(target.bot, after).await?;
                    plan.delay_us
                }
                Moment::AnyTime | Moment::After { .. } => 10 * plan.delay_us,
            };
            let victim = self.victim(plan.kind, target);
            tokio::time::sleep(Duration::from_micros(delay_us)).await;
            somebody(waits).await;
            let Some(victim) = victim else {
                bail!("there is no process to strike");
            };
            self.deed(plan, target.bot, victim).await
        };
        struck.await.into()
    }

    /// The second blow, from its waiting to its deed.
    pub(super) async fn second(&self, plan: BlowPlan, last: Target, first: Blow) -> Done {
        if let Moment::After { ms } = plan.moment {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        let Ok((target, victim)) = timeout(FINDS_WITHIN, self.aim(plan.kind, last, first)).await
        else {
            return Done::Missed { kind: plan.kind };
        };
        match victim {
            Some(victim) => self.deed(plan, target.bot, victim).await.into(),
            None => self.fault(&plan, target.bot).await,
        }
    }

    async fn aim(&self, kind: FaultKind, last: Target, first: Blow) -> (Target, Option<Victim>) {
        loop {
            let target = match kind {
                FaultKind::KillSupervisor | FaultKind::KillRedis => last,
                _ => self.active().await.unwrap_or(last),
            };
            match kind {
                FaultKind::Revoke | FaultKind::Silent => {
                    if self.would_change(kind, target, first).await {
                        return (target, None);
                    }
                }
                _ => {
                    if let Some(victim) = self.victim(kind, target) {
                        return (target, Some(victim));
                    }
                }
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn active(&self) -> Option<Target> {
        let status = timeout(STATUS_PATIENCE, self.status.read()).await.ok()?;
        Target::of(&status.ok()?)
    }

    async fn would_change(&self, kind: FaultKind, target: Target, first: Blow) -> bool {
        if first.kind != kind || first.bot != target.bot {
            return true;
        }
        match first.details {
            Details::Silence {
                live_only: true, ..
            } => self.is_answered(first).await,
            Details::Silence {
                clears_after_ms: Some(ms),
                ..
            } => unix_ms() > first.at_ms + i64::try_from(ms).unwrap_or(i64::MAX),
            _ => false,
        }
    }

    /// Whether the bot called over a connection that is well, after the open ones fell silent.
    async fn is_answered(&self, first: Blow) -> bool {
        let after = first.seq.unwrap_or(0);
        let calls = self.control.events(after, 0, "rpc").await;
        let of_bot = |event: &Event| event.number("account") == Some(first.bot);
        calls.is_ok_and(|page| page.events.iter().any(of_bot))
    }

    fn victim(&self, kind: FaultKind, target: Target) -> Option<Victim> {
        match kind {
            FaultKind::KillSupervisor => Some(Victim::Supervisor),
            FaultKind::KillRedis => redis_of(&self.root).map(Victim::Process),
            FaultKind::HangWorker if is_stopped(target.pid) => None,
            _ => Held::open(target.pid, &self.root).map(Victim::Process),
        }
    }

    async fn deed(&self, plan: BlowPlan, bot: i64, victim: Victim) -> Result<Done> {
        let at_ms = match victim {
            Victim::Supervisor => {
                let (down, late) = (
                    Duration::from_millis(plan.down_ms),
                    Duration::from_millis(plan.late_ms),
                );
                self.orders.kill(down, late).await?
            }
            Victim::Process(process) if plan.kind == FaultKind::HangWorker => {
                let at_ms = unix_ms();
                process.signal(Signal::STOP)?;
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(plan.hang_ms)).await;
                    // The supervisor may have ended it.
                    let _ = process.signal(Signal::CONT);
                });
                at_ms
            }
            Victim::Process(process) => {
                let at_ms = unix_ms();
                process.signal(Signal::KILL)?;
                at_ms
            }
        };
        Ok(Done::Struck { plan, bot, at_ms })
    }

    async fn delivery(&self, bot: i64, mut after: u64) -> Result<()> {
        let deadline = unix_ms() + DELIVERY_MS;
        loop {
            let page = self
                .control
                .events(after, 1_000, "updates_delivered")
                .await?;
            after = page.next;
            let of_bot = |event: &Event| event.number("account") == Some(bot);
            if page.events.iter().any(of_bot) {
                return Ok(());
            }
            if unix_ms() > deadline {
                bail!(
                    "nothing was delivered to the active bot for {} s",
                    DELIVERY_MS / 1_000
                );
            }
        }
    }
}

/// Until a member waits for an answer in private: else the blow would show nothing about first replies. The judge sees where nobody ever did.
pub(super) async fn somebody(mut waits: watch::Receiver<bool>) {
    let _ = timeout(WAITS_WITHIN, waits.wait_for(|waits| *waits)).await;
}

#[derive(Debug)]
enum Victim {
    Supervisor,
    Process(Held),
}

fn fault_json(plan: &BlowPlan, bot: i64) -> Value {
    match plan.details() {
        Details::Silence {
            live_only,
            clears_after_ms,
        } => {
            let mut fault = json!({"kind": "silent", "bot": bot, "live_only": live_only});
            if let Some(ms) = clears_after_ms {
                fault["for_ms"] = ms.into();
            }
            fault
        }
        Details::LivesOn => json!({"kind": "revoke", "bot": bot, "live_sessions": "live_on"}),
        _ => json!({"kind": "revoke", "bot": bot, "live_sessions": "killed"}),
    }
}

/// Stopped by a signal.
fn is_stopped(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(") ")
        .map(|(_, rest)| rest.starts_with('T'));
    state.unwrap_or(false)
}
