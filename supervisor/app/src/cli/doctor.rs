//! `understudy doctor`: what is not right, each with its remedy; with `--fix`, what is safe to mend is mended.
//!
//! One pass: tools, configuration, data folder and disk, clock, sealing key, SQL, Redis, and last how the deployment stands. Each check
//! says one thing and is printed as soon as it is known. Invariants: without `--fix` nothing is changed; with it, only what cannot take
//! anything away: a folder is made, a mode is narrowed, a setting of the *private* Redis is put back to what this program starts it with.
//! Deliberately absent: starting and stopping anything, and judging how the pool is served, which is `status`.

mod clock;
mod deployment;
mod finding;
mod folder;
mod redis;
mod sql;
mod tools;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::Serialize;
use shared_io::config::{Config, Problem};

use super::{Ended, Source, out};
use finding::{Finding, Verdict};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
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
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct Summary<'a> {
    failed: usize,
    warnings: usize,
    findings: &'a [Finding],
}

impl Report {
    fn add(&mut self, finding: Finding) {
        if !self.json {
            let _read = out::say(&finding.to_string());
        }
        self.findings.push(finding);
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.findings
            .iter()
            .filter(|f| f.verdict == verdict)
            .count()
    }
}

pub async fn run(args: &Args) -> anyhow::Result<Ended> {
    let mut report = Report {
        fix: args.fix,
        json: args.json,
        findings: Vec::new(),
    };
    match configuration(&args.source, &mut report) {
        Some(config) => everything(&config, &mut report).await,
        None => {
            tools::check(None, &mut report).await;
            let why = "the rest is not looked at without a configuration";
            report.add(Finding::unknown(
                "deployment",
                why,
                "mend the configuration first",
            ));
        }
    }
    let (failed, warnings) = (report.count(Verdict::Fail), report.count(Verdict::Warn));
    if args.json {
        out::json(&Summary {
            failed,
            warnings,
            findings: &report.findings,
        })?;
    } else {
        let checks = report.findings.len();
        let _read = out::say(&format!(
            "{checks} checks: {failed} failed, {warnings} warnings, {} mended, {} not known",
            report.count(Verdict::Fixed),
            report.count(Verdict::Unknown)
        ));
    }
    Ok(Ended::of(failed == 0))
}

async fn everything(config: &Config, report: &mut Report) {
    tools::check(Some(config), report).await;
    folder::check(config, report).await;
    clock::check(report).await;
    let store = sql::check(config, report).await;
    let redis = redis::check(config, report).await;
    deployment::check(config, redis.as_ref(), report).await;
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
                report.add(Finding::ok(NAME, line));
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
                report.add(Finding::fixed("secret file", line));
            }
            _ => {
                let line = out::one_line(&format!("{error:#}"));
                // The line says how to mend it.
                report.add(Finding::fail(NAME, line, "then run this again"));
                return None;
            }
        }
    }
    None
}

fn narrow(path: &Path, mode: u32) -> std::io::Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}
