//! How a pool stands, in one word and its reasons: what status shows and exit codes are made of.

use shared_core::{BoardState, BotId, OtherLogin, UnixMs};

use crate::policy::Policy;
use crate::snapshot::{RedisView, Snapshot, WorkerView};
use crate::verdict::{Health, Verdicts};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub state: BoardState,
    pub reasons: Vec<String>,
}

impl Standing {
    pub fn of(snapshot: &Snapshot, policy: &Policy, now: UnixMs) -> Self {
        let verdicts = Verdicts::of(snapshot, policy);
        let reasons = reasons(snapshot, &verdicts, policy, now);
        if snapshot.redis == RedisView::Down {
            return Self {
                state: BoardState::Down,
                reasons,
            };
        }
        if snapshot.running_saga().is_some() {
            return Self {
                state: BoardState::Switching,
                reasons,
            };
        }
        let state = match snapshot.holder() {
            None => BoardState::Down,
            Some(holder) => match verdicts.bot(holder.bot).map(|v| v.health) {
                Some(Health::Healthy) if reasons.is_empty() => BoardState::Ok,
                Some(Health::Healthy | Health::Degraded) => BoardState::Degraded,
                _ => BoardState::Down,
            },
        };
        Self { state, reasons }
    }
}

fn reasons(snapshot: &Snapshot, verdicts: &Verdicts, policy: &Policy, now: UnixMs) -> Vec<String> {
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
    reasons.extend(overrides(snapshot, now));
    let alone = snapshot
        .bots
        .iter()
        .filter_map(|bot| single_login(snapshot, bot.bot, policy, now));
    reasons.extend(alone);
    reasons
}

/// Somebody took this in hand and may have forgotten it: it is shown, and a pool under it is not simply well.
fn overrides(snapshot: &Snapshot, now: UnixMs) -> Vec<String> {
    let laid = &snapshot.overrides;
    let paused = laid.paused.as_ref().map(|laid| {
        let ago = ago(now.since(laid.at));
        format!("automation is paused ({ago} ago, by {})", laid.by)
    });
    let pinned = laid.pinned.as_ref().map(|(bot, laid)| {
        let (name, ago) = (snapshot.name(*bot), ago(now.since(laid.at)));
        format!("pinned to {name} ({ago} ago, by {})", laid.by)
    });
    // What is planned is no trouble: it is shown elsewhere.
    paused.into_iter().chain(pinned).collect()
}

fn ago(ms: u64) -> String {
    match ms / 1000 {
        s @ 0..=119 => format!("{s} s"),
        s @ 120..=7199 => format!("{} min", s / 60),
        s => format!("{} h", s / 3600),
    }
}

/// A bot that has only had one login for longer than making one takes: what would be a relogin or a takeover is a switch for it.
fn single_login(snapshot: &Snapshot, bot: BotId, policy: &Policy, now: UnixMs) -> Option<String> {
    let given = snapshot.assignment(bot)?;
    let up_for_ms = snapshot
        .worker(&given.worker)
        .and_then(WorkerView::up_for_ms)?;
    let said = snapshot.reported(given)?.other_login;
    let is_alone = matches!(said, OtherLogin::Missing | OtherLogin::Lost);
    let calm_ms = snapshot.since_last_move(now).unwrap_or(u64::MAX);
    (is_alone && up_for_ms.min(calm_ms) >= policy.resting_grace_ms)
        .then(|| format!("bot {} has no second login", snapshot.name(bot)))
}
