//! The programs that are started: redis-server, and the worker beside this one.

use std::time::Duration;

use shared_io::config::Config;
use tokio::process::Command;

use super::Report;
use super::result::CheckResult;
use crate::fleet;

const PATIENCE: Duration = Duration::from_secs(5);
/// `GETDEL`, `XAUTOCLAIM` and exact `XTRIM` are of 6.2, and nothing older is tested.
pub const OLDEST_REDIS: (u32, u32) = (6, 2);

pub async fn check(config: Option<&Config>, report: &mut Report) {
    report.add(redis_server(config).await);
    report.add(worker(config).await);
}

async fn redis_server(config: Option<&Config>) -> CheckResult {
    const NAME: &str = "redis-server";
    if config.is_some_and(|config| !config.redis_is_private()) {
        return CheckResult::ok(NAME, "not needed: redis.url is set");
    }
    match output(NAME, "--version").await {
        Err(why) => CheckResult::fail(
            NAME,
            format!("cannot be started ({why})"),
            "install the package redis-server, or set redis.url",
        ),
        Ok(text) => match version_in(&text) {
            Some(version) if version >= OLDEST_REDIS => {
                CheckResult::ok(NAME, format!("{}.{}", version.0, version.1))
            }
            Some((major, minor)) => CheckResult::fail(
                NAME,
                format!("{major}.{minor} is too old"),
                "install 6.2 or later",
            ),
            None => CheckResult::warn(
                NAME,
                "does not tell its version",
                "see to it that it is 6.2 or later",
            ),
        },
    }
}

async fn worker(config: Option<&Config>) -> CheckResult {
    const NAME: &str = "understudy-worker";
    if config.is_some_and(|config| config.workers.local == 0) {
        return CheckResult::ok(NAME, "not needed: workers.local is 0");
    }
    let remedy = "put it beside this program; they are built together";
    let program = match fleet::worker_program() {
        Ok(program) => program,
        Err(error) => return CheckResult::fail(NAME, format!("{error:#}"), remedy),
    };
    match output(&program, "--version").await {
        Ok(text) if text.trim().ends_with(env!("CARGO_PKG_VERSION")) => CheckResult::ok(
            NAME,
            format!("{} {}", program.display(), env!("CARGO_PKG_VERSION")),
        ),
        Ok(text) => CheckResult::warn(
            NAME,
            format!(
                "{} is `{}` and this program is {}",
                program.display(),
                text.trim().chars().take(60).collect::<String>(),
                env!("CARGO_PKG_VERSION")
            ),
            "install both from one build",
        ),
        Err(why) => CheckResult::fail(
            NAME,
            format!("{} cannot be started ({why})", program.display()),
            remedy,
        ),
    }
}

/// What a program says to one word.
pub async fn output(program: impl AsRef<std::ffi::OsStr>, word: &str) -> Result<String, String> {
    outputs(program, &[word]).await
}

pub async fn outputs(
    program: impl AsRef<std::ffi::OsStr>,
    words: &[&str],
) -> Result<String, String> {
    let run = Command::new(program)
        .args(words)
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output();
    match tokio::time::timeout(PATIENCE, run).await {
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        Ok(Err(error)) => Err(error.kind().to_string()),
        Ok(Ok(done)) if done.status.success() => {
            Ok(String::from_utf8_lossy(&done.stdout).into_owned())
        }
        Ok(Ok(done)) => Err(done.status.to_string()),
    }
}

/// `Redis server v=7.0.15 sha=...`
fn version_in(text: &str) -> Option<(u32, u32)> {
    let (_, rest) = text.split_once("v=")?;
    version(rest.split_whitespace().next()?)
}

/// The first two numbers of `7.0.15`.
pub fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read() {
        let said = "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64";
        assert_eq!(version_in(said), Some((7, 0)));
        assert_eq!(version("6.0.16"), Some((6, 0)));
        assert!(version("6.0.16") < Some(OLDEST_REDIS));
        assert_eq!(version("valkey"), None);
    }
}
