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
use super::finding::Finding;
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
    if let Some(finding) = memory(&found) {
        report.add(finding);
    }
    for finding in copies(&found) {
        report.add(finding);
    }
    Some(redis)
}

fn unreachable(config: &Config, error: &StateError) -> Finding {
    let line = open::unreachable(config, error);
    let runs = Folder::new(config.data_dir()).is_locked();
    if config.redis_is_private() && error.is_connection() && !runs {
        return Finding::unknown(NAME, line, "no supervisor runs on this data folder");
    }
    Finding::fail(NAME, line, "nothing works without it")
}

fn server(config: &Config, found: &Inspection) -> Finding {
    let name = open::redis_name(config);
    if found.is_cluster == Some(true) {
        let line = format!("{name} is a Redis Cluster, which is not spoken");
        return Finding::fail(NAME, line, "use a single server, with copies if you like");
    }
    if found.is_replica == Some(true) {
        let line = format!("{name} is the copy of another server and takes no writes");
        return Finding::fail(NAME, line, "write the address of its master into redis.url");
    }
    let said = found.version.as_deref();
    match said.and_then(version) {
        Some(version) if version < OLDEST_REDIS => Finding::fail(
            NAME,
            format!("{name} is {} and too old", said.unwrap_or_default()),
            "install 6.2 or later",
        ),
        Some(_) => Finding::ok(NAME, format!("{name}, {}", said.unwrap_or_default())),
        None => Finding::warn(
            NAME,
            format!("{name} does not tell its version"),
            "see to it that it is 6.2 or later, and let this user run INFO",
        ),
    }
}

async fn durability(config: &Config, redis: &RedisState, found: &Inspection, report: &mut Report) {
    if found.last_write_ok == Some(false) {
        let line = "the last write to its append-only file failed";
        report.add(Finding::fail(
            KEEPS,
            line,
            "look at its disk and at its log; it refuses writes",
        ));
        return;
    }
    let ours = config.redis_is_private();
    let wanted = !ours || config.redis.appendfsync == AppendFsync::Always;
    let mend = match found.durability {
        Durability::Off if ours => Some(RedisSetting::AppendOnly),
        Durability::WhenFlushed if ours => Some(RedisSetting::AppendFsyncAlways),
        Durability::EverySec if ours && wanted => Some(RedisSetting::AppendFsyncAlways),
        _ => None,
    };
    if let Some(setting) = mend.filter(|_| report.fix)
        && redis.set(setting).await.is_ok()
    {
        let line = format!(
            "was {}, and is put back to what the private Redis is started with",
            found.durability.as_str()
        );
        report.add(Finding::fixed(KEEPS, line));
        return;
    }
    report.add(promise(found.durability, mend.is_some()));
}

/// What holds.
fn promise(durability: Durability, can_mend: bool) -> Finding {
    let fix = |text: &str| match can_mend {
        true => format!("{text}, or run this with --fix"),
        false => text.to_owned(),
    };
    match durability {
        Durability::Always => {
            Finding::ok(KEEPS, "appendfsync always: what is acknowledged is on disk")
        }
        Durability::EverySec => Finding::warn(
            KEEPS,
            "appendfsync everysec: up to 1 s of acknowledged state can go at a power loss, none at a crash of Redis",
            fix("set appendfsync to always if that is too much"),
        ),
        Durability::WhenFlushed => Finding::fail(
            KEEPS,
            "appendfsync no: some 30 s of acknowledged state can go at a power loss",
            fix("set appendfsync to always"),
        ),
        Durability::Off => Finding::fail(
            KEEPS,
            "no append-only file: a restart of Redis loses every conversation since its last snapshot",
            fix("set appendonly to yes"),
        ),
        Durability::Unknown => Finding::warn(
            KEEPS,
            "the server does not let its settings be read",
            "see to it that appendonly is yes and appendfsync always, or let this user run CONFIG GET",
        ),
    }
}

async fn eviction(config: &Config, redis: &RedisState, found: &Inspection, report: &mut Report) {
    let finding = match found.maxmemory_policy.as_deref() {
        Some("noeviction") => Finding::ok(EVICTS, "noeviction: nothing is dropped for room"),
        Some(policy) => {
            let mended = config.redis_is_private()
                && report.fix
                && redis.set(RedisSetting::NoEviction).await.is_ok();
            if mended {
                Finding::fixed(EVICTS, format!("was {policy}, is noeviction"))
            } else {
                Finding::fail(
                    EVICTS,
                    format!(
                        "{policy}: keys are dropped when memory is used up, whatever is in them"
                    ),
                    "set maxmemory-policy to noeviction",
                )
            }
        }
        None => Finding::warn(
            EVICTS,
            "the server does not tell its policy",
            "see to it that maxmemory-policy is noeviction",
        ),
    };
    report.add(finding);
}

fn memory(found: &Inspection) -> Option<Finding> {
    const NAME: &str = "redis memory";
    let (limit, used) = (found.maxmemory?, found.used_memory?);
    if limit == 0 {
        return Some(Finding::ok(
            NAME,
            format!("{} MiB used, no limit", used >> 20),
        ));
    }
    let line = format!("{} of {} MiB used", used >> 20, limit >> 20);
    Some(if used.saturating_mul(5) > limit.saturating_mul(4) {
        let remedy = "raise maxmemory: Redis refuses writes when it is used up";
        Finding::warn(NAME, line, remedy)
    } else {
        Finding::ok(NAME, line)
    })
}

fn copies(found: &Inspection) -> Vec<Finding> {
    const NAME: &str = "redis copies";
    let replicas = found.replicas.unwrap_or(0);
    match (replicas, found.min_replicas) {
        (0, Some(needed)) if needed > 0 => vec![Finding::fail(
            NAME,
            format!(
                "min-replicas-to-write is {needed} and no copy is connected: writes are refused"
            ),
            "bring the copies up, or set it to 0",
        )],
        (0, _) => Vec::new(),
        (_, Some(needed)) if needed > 0 && replicas < needed => vec![Finding::fail(
            NAME,
            format!("{replicas} of {needed} needed copies are connected: writes are refused"),
            "bring the copies up",
        )],
        (_, Some(needed)) if needed > 0 => vec![Finding::warn(
            NAME,
            format!(
                "{replicas} copies, {needed} needed for a write: copying is asynchronous, so what was acknowledged just before a copy takes over can be lost"
            ),
            "keep min-replicas-max-lag low; a lost history is noticed and bounded, not prevented",
        )],
        (_, Some(_)) => vec![Finding::fail(
            NAME,
            format!(
                "{replicas} copies and min-replicas-to-write 0: a master that is cut off goes on acknowledging what is lost when a copy takes over"
            ),
            "set min-replicas-to-write to 1 or more",
        )],
        (_, None) => vec![Finding::warn(
            NAME,
            format!("{replicas} copies, and the server does not tell min-replicas-to-write"),
            "see to it that it is 1 or more",
        )],
    }
}

#[cfg(test)]
mod tests {
    use shared_core::UnixMs;

    use super::super::finding::Verdict;
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
        let verdict = |durability| promise(durability, false).verdict;
        assert_eq!(verdict(Durability::Always), Verdict::Ok);
        assert_eq!(verdict(Durability::EverySec), Verdict::Warn);
        assert_eq!(verdict(Durability::WhenFlushed), Verdict::Fail);
        assert_eq!(verdict(Durability::Off), Verdict::Fail);
        assert_eq!(verdict(Durability::Unknown), Verdict::Warn);
    }

    #[test]
    fn copies_need_a_minimum() {
        let verdicts = |replicas, min_replicas| -> Vec<Verdict> {
            let found = Inspection {
                replicas: Some(replicas),
                min_replicas,
                ..found()
            };
            copies(&found)
                .iter()
                .map(|finding| finding.verdict)
                .collect()
        };
        assert_eq!(verdicts(0, Some(0)), []);
        assert_eq!(verdicts(0, Some(1)), [Verdict::Fail]);
        assert_eq!(verdicts(1, Some(0)), [Verdict::Fail]);
        assert_eq!(verdicts(1, Some(2)), [Verdict::Fail]);
        assert_eq!(verdicts(2, Some(1)), [Verdict::Warn]);
        assert_eq!(verdicts(1, None), [Verdict::Warn]);
    }

    #[test]
    fn nearly_full_memory_warns() {
        let full = Inspection {
            maxmemory: Some(100 << 20),
            used_memory: Some(90 << 20),
            ..found()
        };
        assert_eq!(memory(&full).map(|f| f.verdict), Some(Verdict::Warn));
        assert_eq!(memory(&found()).map(|f| f.verdict), Some(Verdict::Ok));
    }
}
