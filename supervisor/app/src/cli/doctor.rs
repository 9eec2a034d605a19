//! `understudy doctor`: what is not right, each with its remedy; with `--fix`, what is safe to mend is mended.
//!
//! One pass: tools, configuration, data folder and disk, clock, sealing key, SQL, Redis, and last how the deployment stands. Each check
//! says one thing and is printed as soon as it is known. Invariants: without `--fix` nothing is changed; with it, only what cannot take
//! anything away: a folder is made, a mode is narrowed, a setting of the *private* Redis is put back to what this program starts it with.
//! Deliberately absent: starting and stopping anything, and judging how the pool is served, which is `status`.

mod clock;
mod deployment;
mod folder;
mod redis;
mod result;
mod sentinels;
mod sql;
mod supervisors;
mod tools;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::Serialize;
use shared_io::config::{Config, Problem};

use super::{Ended, Source, out, pools};
use crate::folder::Folder;
use result::{CheckResult, Grade};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// Of the pools only this one; what concerns the whole deployment is checked all the same.
    #[arg(long, value_name = "NAME")]
    pool: Option<String>,
    /// Mend what is safe to mend: make the data folder, narrow modes, settings of the private Redis.
    #[arg(long)]
    fix: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What has been found so far.
struct Report {
    fix: bool,
    json: bool,
    results: Vec<CheckResult>,
}

#[derive(Serialize)]
struct Summary<'a> {
    failed: usize,
    warnings: usize,
    #[serde(rename = "findings")]
    results: &'a [CheckResult],
}

impl Report {
    fn add(&mut self, result: CheckResult) {
        if !self.json {
            let _read = out::say(&result.to_string());
        }
        self.results.push(result);
    }

    fn count(&self, grade: Grade) -> usize {
        self.results.iter().filter(|f| f.grade == grade).count()
    }
}

pub async fn run(args: &Args) -> anyhow::Result<Ended> {
    let mut report = Report {
        fix: args.fix,
        json: args.json,
        results: Vec::new(),
    };
    let loaded = configuration(&args.source, &mut report);
    if let Some(config) = &loaded {
        // Whoever may not look would take everything for absent.
        Folder::new(config.data_dir()).may_be_read()?;
    }
    match loaded {
        Some(config) => {
            let shown = pools::only(config.clone(), args.pool.as_deref())?;
            everything(&config, &shown, &mut report).await;
        }
        None => {
            tools::check(None, &mut report).await;
            let why = "the rest is not looked at without a configuration";
            report.add(CheckResult::unknown(
                "deployment",
                why,
                "mend the configuration first",
            ));
        }
    }
    let (failed, warnings) = (report.count(Grade::Fail), report.count(Grade::Warn));
    if args.json {
        out::json(&Summary {
            failed,
            warnings,
            results: &report.results,
        })?;
    } else {
        let checks = report.results.len();
        let _read = out::say(&format!(
            "{checks} checks: {failed} failed, {warnings} warnings, {} mended, {} not known",
            report.count(Grade::Fixed),
            report.count(Grade::Unknown)
        ));
    }
    Ok(Ended::of(failed == 0))
}

/// `shown` has the pools whose bots are looked at.
async fn everything(config: &Config, shown: &Config, report: &mut Report) {
    tools::check(Some(config), report).await;
    folder::check(config, report).await;
    clock::check(report).await;
    let store = sql::check(config, report).await;
    let redis = redis::check(config, report).await;
    deployment::check(shown, redis.as_ref(), report).await;
    if let Some(store) = store {
        store.close().await;
    }
}

/// Loads it; a secret's file that is open to everybody is closed on the way, if that is wanted.
fn configuration(source: &Source, report: &mut Report) -> Option<Config> {
    const NAME: &str = "configuration";
    // As many files as there can be secrets in a configuration of reasonable size.
    for _ in 0..256 {
        let error = match source.load() {
            Ok(config) => {
                let pools = config.pools.len();
                let bots: usize = config.pools.iter().map(|pool| pool.bots.len()).sum();
                let line = format!("{}: pools {pools}, bots {bots}", config.file.display());
                report.add(CheckResult::ok(NAME, line));
                example(&config, report);
                return Some(config);
            }
            Err(error) => error,
        };
        let exposed = error
            .downcast_ref::<shared_io::config::ConfigError>()
            .and_then(|error| match &error.problem {
                Problem::SecretExposed { path, mode } => Some((path.clone(), *mode)),
                _ => None,
            });
        match exposed.filter(|_| report.fix) {
            Some((path, mode)) if narrow(&path, mode & 0o770).is_ok() => {
                let line = format!("{} is no longer open to every user", path.display());
                report.add(CheckResult::fixed("secret file", line));
            }
            _ => {
                let line = out::one_line(&format!("{error:#}"));
                // The line says how to mend it.
                report.add(CheckResult::fail(NAME, line, "then run this again"));
                return None;
            }
        }
    }
    None
}

/// It loads, and Telegram would refuse it.
fn example(config: &Config, report: &mut Report) {
    let left = config.left_as_in_the_example();
    if !left.is_empty() {
        let line = format!("the example's values stand unchanged: {}", left.join(", "));
        let remedy = "write your own (docs/first-pool.md)";
        report.add(CheckResult::fail("example values", line, remedy));
    }
}

fn narrow(path: &Path, mode: u32) -> std::io::Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}
