//! What a person can do about a bot that cannot take over.

use shared_core::ErrorClass;

use crate::plan::Unfit;
use crate::verdict::Finding;

pub(super) fn of(unfit: &Unfit) -> &'static str {
    match unfit {
        Unfit::Verdict(_, Some(finding)) => of_finding(finding),
        Unfit::Verdict(_, None) | Unfit::NotReady | Unfit::NoWitness { .. } => {
            "wait until it is connected"
        }
        Unfit::Worker(_) => "start its worker again, or wait until it has another one",
        Unfit::NoLease => "wait for its lease",
        Unfit::FailedRecently { .. } => "order it again after that",
        Unfit::PinnedTo(_) => "unpin first",
        Unfit::NeverPromoted => {
            "take `promote = false` out of its configuration and restart the supervisor"
        }
    }
}

fn of_finding(finding: &Finding) -> &'static str {
    match finding {
        Finding::Fatal { class, .. } => match class {
            ErrorClass::TokenDead => "give it a valid token from @BotFather",
            ErrorClass::BotDead => "appeal to Telegram, or put another bot in its place",
            _ => "wait until its worker has logged it in again",
        },
        Finding::Ours { .. } => "check api_id and api_hash",
        Finding::RedisDown | Finding::WorkerWithoutSql => "bring the storage back",
        Finding::ProcessDead
        | Finding::WorkerSilent { .. }
        | Finding::WorkerFailed
        | Finding::NotServed { .. } => "start its worker again, or wait until it has another one",
        Finding::Shaky { .. } | Finding::LineSilent { .. } => "check its worker's way to Telegram",
        Finding::NotWorking { .. } => "wait until it has begun anew",
        Finding::NoHeartbeat
        | Finding::Unassigned
        | Finding::NotReported
        | Finding::Orphaned
        | Finding::NoLease
        | Finding::Connecting
        | Finding::FloodWait { .. }
        | Finding::Slow { .. } => "wait until it is connected",
    }
}

/// One line about all of them, with the remedy for the first, which is the most preferred.
pub(super) fn nobody(standbys: &[(String, Unfit)]) -> String {
    let Some((first, unfit)) = standbys.first() else {
        return "the pool has no other bot: add one to the configuration".to_owned();
    };
    let each: Vec<String> = standbys
        .iter()
        .map(|(bot, unfit)| format!("{bot} {unfit}"))
        .collect();
    let remedy = of(unfit);
    format!(
        "no standby is ready ({}): {first}: {remedy}",
        each.join("; ")
    )
}
