//! Several supervisors of one deployment: do they fit together?
//!
//! One alone has nothing to fit to, and is `deployment.rs`' business.

use std::collections::{BTreeMap, BTreeSet};

use shared_core::WorkerId;
use shared_io::redis::SeenSupervisor;

use super::Report;
use super::result::CheckResult;

const NAME: &str = "supervisors";
/// Several missed words: it is dead, stopped or cut off, and its word has not run out yet.
const QUIET_MS: u64 = 2_500;

pub fn check(seen: &[SeenSupervisor], leader: Option<&str>, report: &mut Report) {
    let heard: Vec<&SeenSupervisor> = seen.iter().filter(|it| it.age_ms < QUIET_MS).collect();
    for quiet in seen.iter().filter(|it| it.age_ms >= QUIET_MS) {
        let (host, pid, age) = (&quiet.beat.host, quiet.beat.pid, quiet.age_ms);
        let line = format!("the one on {host} (pid {pid}) was last heard {age} ms ago");
        let remedy = "look whether it runs, and whether it reaches Redis";
        report.add(CheckResult::warn(NAME, line, remedy));
    }
    if heard.len() < 2 {
        return;
    }
    let follow = heard
        .iter()
        .filter(|it| Some(it.beat.id.as_str()) != leader);
    let hosts: Vec<&str> = follow.map(|it| it.beat.host.as_str()).collect();
    let line = format!(
        "{} besides the leader, on {}",
        hosts.len(),
        hosts.join(", ")
    );
    report.add(CheckResult::ok(NAME, line));
    for worker in named_twice(&heard) {
        let line =
            format!("{worker} is the name of workers of two supervisors; the later one is refused");
        let remedy = "give one of the two another workers.name";
        report.add(CheckResult::fail(NAME, line, remedy));
    }
    let hosts: BTreeSet<&str> = heard.iter().map(|it| it.beat.host.as_str()).collect();
    for local in heard.iter().filter(|it| it.beat.database_is_local) {
        if hosts.len() < 2 {
            break;
        }
        let host = &local.beat.host;
        let line = format!(
            "the one on {host} keeps its record in SQLite, which those on other hosts do not see"
        );
        let remedy = "set database.url to the same PostgreSQL for all (docs/postgresql.md)";
        report.add(CheckResult::fail(NAME, line, remedy));
    }
    let versions: BTreeSet<&str> = heard.iter().map(|it| it.beat.version.as_str()).collect();
    if versions.len() > 1 {
        let versions: Vec<&str> = versions.into_iter().collect();
        let line = format!("they are of versions {}", versions.join(" and "));
        let remedy = "bring all to the newest, the followers first";
        report.add(CheckResult::warn(NAME, line, remedy));
    }
}

fn named_twice<'a>(heard: &[&'a SeenSupervisor]) -> Vec<&'a WorkerId> {
    let mut counted: BTreeMap<&WorkerId, usize> = BTreeMap::new();
    for worker in heard.iter().flat_map(|it| &it.beat.workers) {
        *counted.entry(worker).or_default() += 1;
    }
    let twice = counted.into_iter().filter(|(_, count)| *count > 1);
    twice.map(|(worker, _)| worker).collect()
}
