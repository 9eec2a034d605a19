//! How plans and their reasons read, for people and for scenario files.

use std::fmt;

use shared_core::Holder;

use super::{Cause, Hold, NoRelogin, Placement, Plan, Reason, Unfit};

/// `b2@w1`: how a holder reads in reasons and reports.
pub(crate) struct Shown<'a>(pub &'a Holder);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.0.bot, self.0.worker)
    }
}

fn list(f: &mut fmt::Formatter<'_>, then: &[Holder]) -> fmt::Result {
    for (at, holder) in then.iter().enumerate() {
        write!(
            f,
            "{} {}",
            if at == 0 { ", else" } else { "," },
            Shown(holder)
        )?;
    }
    Ok(())
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => write!(f, "nothing"),
            Self::Wait { for_ms } => write!(f, "wait {for_ms} ms"),
            Self::FirstActivation { to, cause } => write!(f, "activate {} ({cause})", Shown(to)),
            Self::Takeover {
                bot,
                from,
                to,
                slot,
                cause,
                then,
            } => {
                write!(f, "takeover {bot} {from} -> {to} slot {slot} ({cause})")?;
                list(f, then)
            }
            Self::Relogin {
                bot,
                worker,
                slot,
                cause,
                then,
            } => {
                write!(f, "relogin {bot}@{worker} slot {slot} ({cause})")?;
                list(f, then)
            }
            Self::Renew {
                holder,
                cause,
                then,
            } => {
                write!(f, "renew {} ({cause})", Shown(holder))?;
                list(f, then)
            }
            Self::Switch {
                from,
                to,
                cause,
                then,
            } => {
                write!(f, "switch {} -> {} ({cause})", Shown(from), Shown(to))?;
                list(f, then)
            }
            Self::PlaceStandbys(placements) => {
                write!(f, "place")?;
                for (at, Placement { bot, worker, slot }) in placements.iter().enumerate() {
                    let comma = if at == 0 { "" } else { "," };
                    write!(f, "{comma} {bot}@{worker} slot {slot}")?;
                }
                Ok(())
            }
            Self::Hold { why } => write!(f, "hold: {why}"),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NobodyActive => write!(f, "nobody is active"),
            Self::BotFatal { error, .. } => write!(f, "{error}"),
            Self::LineSilent { silent_ms } => write!(f, "line silent for {silent_ms} ms"),
            Self::NotServed { for_ms } => write!(f, "not served for {for_ms} ms"),
            Self::NotWorking { for_ms } => {
                write!(f, "connected for {for_ms} ms and not at work")
            }
            Self::WorkerDead => write!(f, "worker process dead"),
            Self::WorkerSilent { age_ms } => write!(f, "worker silent for {age_ms} ms"),
            Self::WorkerGone => write!(f, "worker not heard of any more"),
            Self::AssignedElsewhere { worker } => write!(f, "assigned to {worker}"),
            Self::BotRemoved => write!(f, "not a bot of the pool any more"),
            Self::Ordered { word, by } => write!(f, "{word} ordered by {by}"),
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RedisDown => write!(f, "Redis cannot be reached"),
            Self::LineDown => write!(f, "no bot is answered: Telegram or our line is down"),
            Self::OurFault { error } => write!(f, "Telegram refuses our own request: {error}"),
            Self::NobodyReady => write!(f, "no standby is ready"),
            Self::NoWorker => write!(f, "no other worker is well"),
            Self::SwitchBound { done, max } => {
                write!(f, "{done} moves in the last hour, {max} are allowed")
            }
            Self::Paused { by } => write!(f, "automation is paused by {by}"),
            Self::Pinned { bot } => {
                write!(f, "pinned to {bot}, and no login or worker helps it")
            }
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verdict(health, None) => write!(f, "{health}"),
            Self::Verdict(health, Some(finding)) => write!(f, "{health}, {finding}"),
            Self::Worker(worker) => write!(f, "worker {worker} is not well"),
            Self::NotReady => write!(f, "not connected"),
            Self::NoLease => write!(f, "its lease is not held"),
            Self::NoWitness { last_ok_ms: None } => write!(f, "never answered"),
            Self::NoWitness {
                last_ok_ms: Some(ago),
            } => write!(f, "last answered {ago} ms ago"),
            Self::FailedRecently { left_ms } => {
                write!(f, "failed its smoke test, rests for {left_ms} ms")
            }
            Self::PinnedTo(bot) => write!(f, "the pool is pinned to {bot}"),
            Self::NeverPromoted => write!(f, "is never to be active"),
        }
    }
}

impl fmt::Display for NoRelogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAtRest => write!(f, "no other login is at rest"),
            Self::FailedRecently { left_ms } => {
                write!(f, "it failed a moment ago, rests for {left_ms} ms")
            }
            Self::JustDone { left_ms } => {
                write!(f, "the last one is too fresh, {left_ms} ms left")
            }
            Self::Bound { done, max } => {
                write!(f, "{done} in the last hour, {max} are allowed")
            }
            Self::WithoutDatabase => write!(f, "its worker cannot reach the database"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bot(bot, health, finding) => write!(f, "bot {bot} {health}: {finding}"),
            Self::Worker(worker, health, finding) => {
                write!(f, "worker {worker} {health}: {finding}")
            }
            Self::NotChosen(bot, unfit) => write!(f, "{bot} not chosen: {unfit}"),
            Self::Chosen { bot, worker, reach } => {
                write!(f, "{bot}@{worker} chosen: ready, reach {reach}")
            }
            Self::CoolDown { left_ms } => write!(f, "cool-down, {left_ms} ms left"),
            Self::WaitsForWorker(worker) => write!(f, "worker {worker} is starting"),
            Self::WaitsForBot(bot) => write!(f, "{bot} is preferred and still connecting"),
            Self::SagaRunning => write!(f, "a switch is in progress"),
            Self::SharesActiveWorker(bot) => write!(f, "{bot} shares the active bot's worker"),
            Self::NoRelogin(bot, why) => write!(f, "no relogin of {bot}: {why}"),
            Self::OtherLogin(bot, slot) => {
                write!(f, "{bot}'s session is dead, its other login {slot} is used")
            }
            Self::LoginInDoubt(bot, slot) => {
                write!(f, "{bot}'s login {slot} may still be connected elsewhere")
            }
            Self::LoginAllTheSame(bot, slot) => {
                write!(f, "nothing but {bot}'s login {slot} is left")
            }
            Self::WouldBe(plan) => write!(f, "would be done: {plan}"),
            Self::PinSetAside(bot) => write!(f, "the pin to {bot} is set aside"),
        }
    }
}
