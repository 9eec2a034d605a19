//! How a pool stands, in one word and its reasons: what status shows and exit codes are made of.

use serde::{Deserialize, Serialize};

use crate::policy::Policy;
use crate::snapshot::{RedisView, Snapshot};
use crate::verdict::{Health, Verdicts};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PoolState {
    /// Members are served and somebody could take over.
    Ok,
    /// Members are served, and something is not as it should be.
    Degraded,
    Switching,
    /// Nobody serves the members, or nobody can tell.
    Down,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub state: PoolState,
    pub reasons: Vec<String>,
}

impl Standing {
    pub fn of(snapshot: &Snapshot, policy: &Policy) -> Self {
        let verdicts = Verdicts::of(snapshot, policy);
        let reasons = reasons(snapshot, &verdicts);
        if snapshot.redis == RedisView::Down {
            return Self {
                state: PoolState::Down,
                reasons,
            };
        }
        if snapshot.running_saga().is_some() {
            return Self {
                state: PoolState::Switching,
                reasons,
            };
        }
        let state = match snapshot.holder() {
            None => PoolState::Down,
            Some(holder) => match verdicts.bot(holder.bot).map(|v| v.health) {
                Some(Health::Healthy) if reasons.is_empty() => PoolState::Ok,
                Some(Health::Healthy | Health::Degraded) => PoolState::Degraded,
                _ => PoolState::Down,
            },
        };
        Self { state, reasons }
    }
}

fn reasons(snapshot: &Snapshot, verdicts: &Verdicts) -> Vec<String> {
    if snapshot.redis == RedisView::Down {
        return vec!["Redis cannot be reached".to_owned()];
    }
    let mut reasons = Vec::new();
    if let Some(saga) = snapshot.running_saga() {
        reasons.push(format!("{} in progress: {}", saga.kind, saga.cause));
    } else if snapshot.holder().is_none() {
        reasons.push("no bot is active".to_owned());
    }
    if !snapshot.database_ok {
        reasons.push("the database cannot be reached".to_owned());
    }
    for (worker, verdict) in &verdicts.workers {
        if let Some(finding) = &verdict.finding {
            reasons.push(format!("worker {worker} {}: {finding}", verdict.health));
        }
    }
    for (bot, verdict) in &verdicts.bots {
        if let (Some(finding), Some(bot)) = (&verdict.finding, snapshot.bot(*bot)) {
            reasons.push(format!("bot {} {}: {finding}", bot.name, verdict.health));
        }
    }
    reasons
}
