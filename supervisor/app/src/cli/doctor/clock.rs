//! The wall clock: kept right by somebody, and not far from those of the stores.
//!
//! Nothing is decided by a wall clock, but people compare times across machines, and Telegram turns away a client whose clock is minutes off.
//! Whether the kernel's clock is synchronised is in adjtimex(2); it is asked through the programs that tell it (timedatectl, chronyc).

use std::path::Path;

use shared_core::UnixMs;

use super::Report;
use super::result::CheckResult;
use super::tools::outputs;

const NAME: &str = "clock";
const REMEDY: &str = "turn on time synchronisation (timedatectl set-ntp true, or chrony)";
/// systemd-timesyncd makes it at its first synchronisation.
const MARK: &str = "/run/systemd/timesync/synchronized";

/// Milliseconds that nobody notices.
const NEAR_MS: i64 = 1_000;
/// Beyond this Telegram refuses message ids: they carry the client's time.
const FAR_MS: i64 = 30_000;

pub async fn check(report: &mut Report) {
    report.add(synchronised().await);
}

async fn synchronised() -> CheckResult {
    let words = ["show", "--property=NTPSynchronized", "--value"];
    if let Ok(said) = outputs("timedatectl", &words).await {
        return match said.trim() {
            "yes" => CheckResult::ok(NAME, "synchronised"),
            _ => CheckResult::warn(NAME, "not synchronised", REMEDY),
        };
    }
    if let Ok(said) = outputs("chronyc", &["-n", "tracking"]).await {
        let normal = said
            .lines()
            .any(|line| line.starts_with("Leap status") && line.trim().ends_with("Normal"));
        return if normal {
            CheckResult::ok(NAME, "synchronised by chrony")
        } else {
            CheckResult::warn(NAME, "chrony has not synchronised it", REMEDY)
        };
    }
    if Path::new(MARK).exists() {
        return CheckResult::ok(NAME, "synchronised by systemd-timesyncd");
    }
    CheckResult::unknown(
        NAME,
        "neither timedatectl nor chronyc tells whether it is synchronised",
        "in a container, look at the host",
    )
}

/// How far a store's clock is from ours, which read `before` and `after` around it.
pub fn against(check: &'static str, before: UnixMs, theirs: UnixMs, after: UnixMs) -> CheckResult {
    let off = if theirs.0 < before.0 {
        theirs.0 - before.0
    } else {
        (theirs.0 - after.0).max(0)
    };
    let line = format!("its clock is {off} ms off ours");
    match off.abs() {
        ms if ms <= NEAR_MS => CheckResult::ok(check, "its clock is ours"),
        ms if ms <= FAR_MS => CheckResult::warn(check, line, REMEDY),
        _ => CheckResult::fail(check, line, REMEDY),
    }
}

#[cfg(test)]
mod tests {
    use super::super::result::Grade;
    use super::*;

    #[test]
    fn a_reading_between_ours_is_ours() {
        let grade = |theirs| against("x", UnixMs(10_000), UnixMs(theirs), UnixMs(10_400)).grade;
        assert_eq!(grade(10_200), Grade::Ok);
        assert_eq!(grade(9_100), Grade::Ok);
        assert_eq!(grade(8_000), Grade::Warn);
        assert_eq!(grade(12_000), Grade::Warn);
        assert_eq!(grade(90_000), Grade::Fail);
    }
}
