//! Redis under Sentinels: do they answer, do they agree, and could they bring a failover about; have copies what decides who may act.

use shared_io::redis::{Inspection, RedisState, SentinelSeen};

use super::result::CheckResult;

const NAME: &str = "redis sentinels";
const COPIES: &str = "redis confirmations";
/// Of two, neither is a majority when the other is gone.
const ENOUGH: usize = 3;

/// Nothing with a single server.
pub async fn check(redis: &RedisState, found: &Inspection) -> Vec<CheckResult> {
    if !redis.may_be_replaced() {
        return Vec::new();
    }
    let mut results = vec![judge(&redis.sentinels().await)];
    if let Some(result) = found
        .replicas
        .map(|connected| confirmations(connected, redis.copies()))
    {
        results.push(result);
    }
    results
}

fn judge(seen: &[SentinelSeen]) -> CheckResult {
    let answering: Vec<_> = seen.iter().filter_map(|it| it.says.as_ref().ok()).collect();
    let silent: Vec<String> = seen
        .iter()
        .filter_map(|it| {
            let why = it.says.as_ref().err()?;
            Some(format!("{} does not answer ({why})", it.at))
        })
        .collect();
    let (all, here) = (seen.len(), answering.len());
    if here * 2 <= all {
        return CheckResult::fail(
            NAME,
            format!(
                "{here} of {all} Sentinels answer, which is no majority: {}",
                silent.join("; ")
            ),
            "start them; until then no copy takes over",
        );
    }
    let mut primaries = answering.iter().map(|says| &says.primary);
    let first = primaries.next();
    if primaries.any(|other| Some(other) != first) {
        return CheckResult::fail(
            NAME,
            "the Sentinels name different primaries",
            "if a failover is under way, ask again in a moment; else let each monitor the same master",
        );
    }
    if let Some(why) = answering.iter().find_map(|says| says.no_quorum.as_ref()) {
        return CheckResult::fail(
            NAME,
            format!("a Sentinel could not bring a failover about: {why}"),
            "start the others, or lower the quorum of `sentinel monitor`",
        );
    }
    if !silent.is_empty() {
        return CheckResult::warn(NAME, silent.join("; "), "start it, or mend redis.url");
    }
    if all < ENOUGH {
        return CheckResult::warn(
            NAME,
            format!("{all} Sentinels: when one of them is gone, no copy takes over"),
            "run three or more, and name all of them in redis.url",
        );
    }
    CheckResult::ok(NAME, format!("{all} Sentinels agree on the primary"))
}

fn confirmations(connected: u64, needed: u32) -> CheckResult {
    let needed = u64::from(needed);
    if connected < needed {
        return CheckResult::fail(
            COPIES,
            format!(
                "{connected} copies are connected and {needed} must have a lease before it counts: nobody can serve"
            ),
            "bring the copies up, or lower `copies` in redis.url",
        );
    }
    if connected == needed {
        return CheckResult::warn(
            COPIES,
            format!(
                "{connected} copies are connected and all of them must have a lease before it counts"
            ),
            "keep one copy more than `copies` in redis.url, or its restart interrupts the service",
        );
    }
    CheckResult::ok(
        COPIES,
        format!("leases and epochs count once {needed} of {connected} copies have them"),
    )
}

#[cfg(test)]
mod tests {
    use shared_io::redis::SentinelSays;

    use super::super::result::Grade;
    use super::*;

    fn says(primary: &str, no_quorum: Option<&str>) -> SentinelSeen {
        SentinelSeen {
            at: "s".to_owned(),
            says: Ok(SentinelSays {
                primary: Some(primary.to_owned()),
                no_quorum: no_quorum.map(str::to_owned),
            }),
        }
    }

    fn silent() -> SentinelSeen {
        SentinelSeen {
            at: "s".to_owned(),
            says: Err("nobody listens there".to_owned()),
        }
    }

    #[test]
    fn sentinels_have_to_be_a_majority_and_of_one_mind() {
        let grade = |seen: &[SentinelSeen]| judge(seen).grade;
        let well = || says("a:1", None);
        assert_eq!(grade(&[well(), well(), well()]), Grade::Ok);
        assert_eq!(grade(&[well(), well(), silent()]), Grade::Warn);
        assert_eq!(grade(&[well(), silent(), silent()]), Grade::Fail);
        assert_eq!(grade(&[well(), well()]), Grade::Warn);
        assert_eq!(grade(&[well(), silent()]), Grade::Fail);
        assert_eq!(grade(&[well(), well(), says("b:1", None)]), Grade::Fail);
        let lonely = says("a:1", Some("NOQUORUM 1 usable Sentinels"));
        assert_eq!(grade(&[well(), well(), lonely]), Grade::Fail);
    }

    #[test]
    fn a_copy_more_than_is_needed_is_kept() {
        assert_eq!(confirmations(0, 1).grade, Grade::Fail);
        assert_eq!(confirmations(1, 1).grade, Grade::Warn);
        assert_eq!(confirmations(2, 1).grade, Grade::Ok);
    }
}
