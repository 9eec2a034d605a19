//! Redis: reachable, new enough, and what it promises about what it acknowledged.
//!
//! What is unsafe is a failure and not a warning: a server that evicts keys, keeps no file, or may lose acknowledged writes to a copy that
//! takes over, can lose what members were told is taken in.

use shared_io::clock;
use shared_io::config::{AppendFsync, Config};
use shared_io::redis::{
    Durability, Inspection, RedisSetting, RedisState, RedisTimeouts, StateError,
};

use super::super::open;
use super::result::CheckResult;
use super::sentinels;
use super::tools::{OLDEST_REDIS, version};
use super::{Report, clock as wall};
use crate::folder::Folder;

const NAME: &str = "redis";
const KEEPS: &str = "redis durability";
const EVICTS: &str = "redis eviction";

/// The connection, if there is one.
pub async fn check(config: &Config, report: &mut Report) -> Option<RedisState> {
    let timeouts = RedisTimeouts::default();
    let connected = RedisState::connect(&config.redis_url(), &config.redis.prefix, timeouts).await;
    let redis = match connected {
        Ok(redis) => redis,
        Err(error) => {
            report.add(unreachable(config, &error));
            return None;
        }
    };
    let before = clock::unix_now();
    let found = match redis.inspect().await {
        Ok(found) => found,
        Err(error) => {
            report.add(unreachable(config, &error));
            return None;
        }
    };
    let after = clock::unix_now();
    report.add(server(config, &found));
    report.add(wall::against("redis' clock", before, found.time, after));
    durability(config, &redis, &found, report).await;
    eviction(config, &redis, &found, report).await;
    if let Some(result) = memory(&found) {
        report.add(result);
    }
    for result in copies(&found) {
        report.add(result);
    }
    for result in sentinels::check(&redis, &found).await {
        report.add(result);
    }
    Some(redis)
}

fn unreachable(config: &Config, error: &StateError) -> CheckResult {
    let line = open::unreachable(config, error);
    let folder = Folder::new(config.data_dir());
    let is_fresh = !folder.is_locked().unwrap_or(false) && !folder.is_used();
    if config.redis_is_private() && error.is_connection() && is_fresh {
        return CheckResult::unknown(NAME, line, "no supervisor runs on this data folder");
    }
    CheckResult::fail(NAME, line, "nothing works without it")
}

fn server(config: &Config, found: &Inspection) -> CheckResult {
    let name = open::redis_name(config);
    if found.is_cluster == Some(true) {
        let line = format!("{name} is a Redis Cluster, which is not spoken");
        return CheckResult::fail(NAME, line, "use a single server, with copies if you like");
    }
    if found.is_replica == Some(true) {
        let line = format!("{name} is the copy of another server and takes no writes");
        return CheckResult::fail(NAME, line, "write the address of its master into redis.url");
    }
    let said = found.version.as_deref();
    match said.and_then(version) {
        Some(version) if version < OLDEST_REDIS => CheckResult::fail(
            NAME,
            format!("{name} is {} and too old", said.unwrap_or_default()),
            "install 6.2 or later",
        ),
        Some(_) => CheckResult::ok(NAME, format!("{name}, {}", said.unwrap_or_default())),
        None => CheckResult::warn(
            NAME,
            format!("{name} does not tell its version"),
            "see to it that it is 6.2 or later, and let this user run INFO",
        ),
    }
}

async fn durability(config: &Config, redis: &RedisState, found: &Inspection, report: &mut Report) {
    if found.last_write_ok == Some(false) {
        let line = "the last write to its append-only file failed";
        report.add(CheckResult::fail(
            KEEPS,
            line,
            "look at its disk and at its log; it refuses writes",
        ));
        return;
    }
    let ours = config.redis_is_private();
    let mend = mend(found.durability, config.redis.appendfsync).filter(|_| ours);
    if let Some(setting) = mend.filter(|_| report.fix)
        && redis.set(setting).await.is_ok()
    {
        let line = format!(
            "was {}, and is put back to what the private Redis is started with",
            found.durability.as_str()
        );
        report.add(CheckResult::fixed(KEEPS, line));
        return;
    }
    report.add(promise(found.durability, mend.is_some()));
}

/// What puts the private server back to what is configured.
fn mend(durability: Durability, configured: AppendFsync) -> Option<RedisSetting> {
    let as_configured = match configured {
        AppendFsync::Always => RedisSetting::AppendFsyncAlways,
        AppendFsync::Everysec => RedisSetting::AppendFsyncEverySec,
    };
    match (durability, configured) {
        (Durability::Off, _) => Some(RedisSetting::AppendOnly),
        (Durability::WhenFlushed, _) | (Durability::EverySec, AppendFsync::Always) => {
            Some(as_configured)
        }
        _ => None,
    }
}

/// What holds.
fn promise(durability: Durability, can_mend: bool) -> CheckResult {
    let fix = |text: &str| match can_mend {
        true => format!("{text}, or run this with --fix"),
        false => text.to_owned(),
    };
    match durability {
        Durability::Always => {
            CheckResult::ok(KEEPS, "appendfsync always: what is acknowledged is on disk")
        }
        Durability::EverySec => CheckResult::warn(
            KEEPS,
            "appendfsync everysec: up to 2 s of acknowledged state can go at a power loss, or when Redis is killed while its disk stalls",
            fix("set appendfsync to always if that is too much"),
        ),
        Durability::WhenFlushed => CheckResult::fail(
            KEEPS,
            "appendfsync no: some 30 s of acknowledged state can go at a power loss",
            fix("set appendfsync to always"),
        ),
        Durability::Off => CheckResult::fail(
            KEEPS,
            "no append-only file: a restart of Redis loses every conversation since its last snapshot",
            fix("set appendonly to yes"),
        ),
        Durability::Unknown => CheckResult::warn(
            KEEPS,
            "the server does not let its settings be read",
            "see to it that appendonly is yes and appendfsync always, or let this user run CONFIG GET",
        ),
    }
}

async fn eviction(config: &Config, redis: &RedisState, found: &Inspection, report: &mut Report) {
    let result = match found.maxmemory_policy.as_deref() {
        Some("noeviction") => CheckResult::ok(EVICTS, "noeviction: nothing is dropped for room"),
        Some(policy) => {
            let mended = config.redis_is_private()
                && report.fix
                && redis.set(RedisSetting::NoEviction).await.is_ok();
            if mended {
                CheckResult::fixed(EVICTS, format!("was {policy}, is noeviction"))
            } else {
                CheckResult::fail(
                    EVICTS,
                    format!(
                        "{policy}: keys are dropped when memory is used up, whatever is in them"
                    ),
                    "set maxmemory-policy to noeviction",
                )
            }
        }
        None => CheckResult::warn(
            EVICTS,
            "the server does not tell its policy",
            "see to it that maxmemory-policy is noeviction",
        ),
    };
    report.add(result);
}

fn memory(found: &Inspection) -> Option<CheckResult> {
    const NAME: &str = "redis memory";
    let (limit, used) = (found.maxmemory?, found.used_memory?);
    if limit == 0 {
        return Some(CheckResult::ok(
            NAME,
            format!("{} MiB used, no limit", used >> 20),
        ));
    }
    let line = format!("{} of {} MiB used", used >> 20, limit >> 20);
    Some(if used.saturating_mul(5) > limit.saturating_mul(4) {
        let remedy = "raise maxmemory: Redis refuses writes when it is used up";
        CheckResult::warn(NAME, line, remedy)
    } else {
        CheckResult::ok(NAME, line)
    })
}

fn copies(found: &Inspection) -> Vec<CheckResult> {
    const NAME: &str = "redis copies";
    let replicas = found.replicas.unwrap_or(0);
    match (replicas, found.min_replicas) {
        (0, Some(needed)) if needed > 0 => vec![CheckResult::fail(
            NAME,
            format!(
                "min-replicas-to-write is {needed} and no copy is connected: writes are refused"
            ),
            "bring the copies up, or set it to 0",
        )],
        (0, _) => Vec::new(),
        (_, Some(needed)) if needed > 0 && replicas < needed => vec![CheckResult::fail(
            NAME,
            format!("{replicas} of {needed} needed copies are connected: writes are refused"),
            "bring the copies up",
        )],
        (_, Some(needed)) if needed > 0 => vec![CheckResult::warn(
            NAME,
            format!(
                "{replicas} copies, {needed} needed for a write: copying is asynchronous, so what was acknowledged just before a copy takes over can be lost"
            ),
            "keep min-replicas-max-lag low; a lost history is noticed and bounded, not prevented",
        )],
        (_, Some(_)) => vec![CheckResult::fail(
            NAME,
            format!(
                "{replicas} copies and min-replicas-to-write 0: a master that is cut off goes on acknowledging what is lost when a copy takes over"
            ),
            "set min-replicas-to-write to 1 or more",
        )],
        (_, None) => vec![CheckResult::warn(
            NAME,
            format!("{replicas} copies, and the server does not tell min-replicas-to-write"),
            "see to it that it is 1 or more",
        )],
    }
}

#[cfg(test)]
mod tests {
    use shared_core::UnixMs;

    use super::super::result::Grade;
    use super::*;

    fn found() -> Inspection {
        Inspection {
            version: Some("7.0.15".to_owned()),
            durability: Durability::Always,
            time: UnixMs(0),
            is_replica: Some(false),
            is_cluster: Some(false),
            replicas: Some(0),
            min_replicas: Some(0),
            maxmemory_policy: Some("noeviction".to_owned()),
            maxmemory: Some(0),
            used_memory: Some(1 << 20),
            last_write_ok: Some(true),
            loading: Some(false),
        }
    }

    #[test]
    fn what_is_unsafe_fails_and_what_is_bounded_warns() {
        let grade = |durability| promise(durability, false).grade;
        assert_eq!(grade(Durability::Always), Grade::Ok);
        assert_eq!(grade(Durability::EverySec), Grade::Warn);
        assert_eq!(grade(Durability::WhenFlushed), Grade::Fail);
        assert_eq!(grade(Durability::Off), Grade::Fail);
        assert_eq!(grade(Durability::Unknown), Grade::Warn);
    }

    #[test]
    fn the_private_server_is_put_back_to_what_is_configured() {
        use AppendFsync::{Always, Everysec};
        let always = Some(RedisSetting::AppendFsyncAlways);
        let every_second = Some(RedisSetting::AppendFsyncEverySec);
        assert_eq!(mend(Durability::WhenFlushed, Always), always);
        assert_eq!(mend(Durability::WhenFlushed, Everysec), every_second);
        assert_eq!(mend(Durability::EverySec, Always), always);
        assert_eq!(mend(Durability::EverySec, Everysec), None);
        assert_eq!(
            mend(Durability::Off, Everysec),
            Some(RedisSetting::AppendOnly)
        );
        assert_eq!(mend(Durability::Always, Everysec), None);
    }

    #[test]
    fn copies_need_a_minimum() {
        let grades = |replicas, min_replicas| -> Vec<Grade> {
            let found = Inspection {
                replicas: Some(replicas),
                min_replicas,
                ..found()
            };
            copies(&found).iter().map(|result| result.grade).collect()
        };
        assert_eq!(grades(0, Some(0)), []);
        assert_eq!(grades(0, Some(1)), [Grade::Fail]);
        assert_eq!(grades(1, Some(0)), [Grade::Fail]);
        assert_eq!(grades(1, Some(2)), [Grade::Fail]);
        assert_eq!(grades(2, Some(1)), [Grade::Warn]);
        assert_eq!(grades(1, None), [Grade::Warn]);
    }

    #[test]
    fn nearly_full_memory_warns() {
        let full = Inspection {
            maxmemory: Some(100 << 20),
            used_memory: Some(90 << 20),
            ..found()
        };
        assert_eq!(memory(&full).map(|f| f.grade), Some(Grade::Warn));
        assert_eq!(memory(&found()).map(|f| f.grade), Some(Grade::Ok));
    }
}
