//! Which of the pool's bots have failed: said when it changes, not with every look.
//!
//! A bot that failed is *recovered* once it serves again; what lies between (its worker is gone, it connects, it is just heard again) changes
//! nothing. A leader that follows another one says anew what it finds failed.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde_json::json;
use shared_core::{BootMs, BotId};
use shared_io::clock;
use shared_io::sql::EventKind;
use supervisor_core::{Finding, Health, Snapshot, Verdict, Verdicts};

use super::Pool;

/// Who has failed, and since when.
#[derive(Default)]
pub(super) struct Failures(BTreeMap<BotId, BootMs>);

#[derive(Debug, PartialEq, Eq)]
enum Change {
    Failed { why: String },
    Recovered { after_ms: u64 },
}

impl Failures {
    fn hear(&mut self, bot: BotId, verdict: &Verdict, now: BootMs) -> Option<Change> {
        if verdict.health == Health::Failed {
            let Entry::Vacant(place) = self.0.entry(bot) else {
                return None;
            };
            place.insert(now);
            let why = verdict.finding.as_ref().map(ToString::to_string);
            return Some(Change::Failed {
                why: why.unwrap_or_default(),
            });
        }
        if !serves(verdict) {
            return None;
        }
        let since = self.0.remove(&bot)?;
        let after_ms = u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX);
        Some(Change::Recovered { after_ms })
    }
}

/// Slow and slowed down count: members are answered.
fn serves(verdict: &Verdict) -> bool {
    matches!(
        (verdict.health, &verdict.finding),
        (Health::Healthy, _)
            | (
                Health::Degraded,
                Some(Finding::Slow { .. } | Finding::FloodWait { .. })
            )
    )
}

impl Pool {
    /// Puts on record which bots have failed or are back since the last look.
    pub(super) fn tell_of_failures(&mut self, snapshot: &Snapshot) {
        let now = clock::boot_now();
        for (bot, verdict) in Verdicts::of(snapshot, &self.policy).bots {
            let (kind, mut details) = match self.failures.hear(bot, &verdict, now) {
                Some(Change::Failed { why }) => (EventKind::BotFailed, json!({ "why": why })),
                Some(Change::Recovered { after_ms }) => {
                    (EventKind::BotRecovered, json!({ "after_ms": after_ms }))
                }
                None => continue,
            };
            details["name"] = snapshot.name(bot).into();
            let chronicle = &self.shared.chronicle;
            chronicle.event(Some(&self.name), kind, &bot.to_string(), details);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const BOT: BotId = BotId(7);

    fn verdict(health: Health, finding: Option<Finding>) -> Verdict {
        Verdict { health, finding }
    }

    fn failed() -> Verdict {
        verdict(
            Health::Failed,
            Some(Finding::LineSilent { silent_ms: 3_600 }),
        )
    }

    #[test]
    fn a_failure_and_its_end_are_said_once_each() {
        let mut failures = Failures::default();
        let mut hear = |at: u64, verdict: Verdict| failures.hear(BOT, &verdict, BootMs(at));
        let well = || verdict(Health::Healthy, None);
        assert_eq!(hear(0, well()), None, "it never failed");
        let why = failed().finding.unwrap().to_string();
        assert_eq!(hear(1_000, failed()), Some(Change::Failed { why }));
        assert_eq!(hear(1_250, failed()), None, "said already");
        for (health, finding) in [
            (Health::Unknown, Finding::Connecting),
            (Health::Degraded, Finding::Shaky { silent_ms: 900 }),
            (Health::Degraded, Finding::NoLease),
        ] {
            assert_eq!(hear(1_500, verdict(health, Some(finding))), None);
        }
        assert_eq!(hear(1_750, failed()), None, "it was not back in between");
        let after_ms = 3_000;
        assert_eq!(hear(4_000, well()), Some(Change::Recovered { after_ms }));
        assert_eq!(hear(4_250, well()), None);
        assert!(hear(5_000, failed()).is_some(), "it can fail again");
        let slow = Finding::Slow { probe_us: 900_000 };
        assert!(hear(6_000, verdict(Health::Degraded, Some(slow))).is_some());
    }
}
