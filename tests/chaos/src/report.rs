//! What is written to the file: the sums over the segments, and every violation with the segment that it happened in.

mod enough;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::doubts::{self, Drawn};
use crate::fault::{Kind, Moment};
use crate::judge::{Findings, Violation, Wrong};
use crate::keeper::Exit;
use crate::recovery::{Recoveries, Spread};
use crate::stage::Shape;
use enough::{never_drawn, too_little};

/// What one segment came to.
#[derive(Debug, Clone)]
pub struct Segment {
    pub seed: u64,
    pub shape: Shape,
    pub doubts: Map<String, Value>,
    pub members: usize,
    /// Of the storm.
    pub seconds: f64,
    /// Sent while it lasted.
    pub updates_during: usize,
    pub faults: Vec<(Kind, Moment)>,
    pub overlapping: usize,
    pub findings: Findings,
    pub recoveries: Recoveries,
    pub waits: Vec<u64>,
    pub commits: u64,
    pub stale_commits: u64,
    pub stale_sends: usize,
    pub maybe_repeated: u64,
    pub updates_unknown: u64,
    pub switches: usize,
    pub flood_waits: usize,
    pub appendfsync: String,
    pub supervisor_exits: Vec<Exit>,
    pub folder: String,
}

#[derive(Debug, Serialize)]
pub struct Report {
    pub passed: bool,
    /// Why the run shows less than it claims, whatever was found.
    pub too_little: Vec<String>,
    pub seed: u64,
    pub updates: usize,
    /// Of one segment, while the faults came.
    pub updates_per_second: f64,
    pub faults_total: usize,
    pub faults: BTreeMap<&'static str, usize>,
    /// Those that waited for an event of the struck bot: work in flight.
    pub faults_in_flight: usize,
    pub faults_overlapping: usize,
    pub lost: usize,
    pub duplicated: usize,
    pub stale_commits: u64,
    pub stale_sends: usize,
    pub updates_unreachable: usize,
    pub updates_turned_away: usize,
    pub updates_unknown: u64,
    pub maybe_repeated: u64,
    pub repeated_across_bots: usize,
    pub presses_repeated: usize,
    pub presses_stale: usize,
    pub files_to_resend: usize,
    pub uploads_submitted: usize,
    pub commits: u64,
    pub switches: usize,
    pub flood_waits: usize,
    pub appendfsync: String,
    pub recovery_ms: BTreeMap<&'static str, Spread>,
    /// From asking to the answer, of every message.
    pub answer_ms: Option<Spread>,
    pub doubts: Vec<Map<String, Value>>,
    /// In how many segments each value of each doubt was drawn.
    pub doubts_drawn: Drawn,
    pub supervisor_exits: usize,
    pub violations_by_kind: BTreeMap<Wrong, usize>,
    pub violations: Vec<Placed>,
    pub segments: Vec<Line>,
}

/// A violation and where it happened.
#[derive(Debug, Serialize)]
pub struct Placed {
    pub segment_seed: u64,
    #[serde(flatten)]
    pub violation: Violation,
}

/// A segment in one line.
#[derive(Debug, Serialize)]
pub struct Line {
    pub seed: u64,
    pub stores: Shape,
    pub members: usize,
    pub seconds: f64,
    pub updates: usize,
    pub faults: usize,
    pub violations: usize,
    pub supervisor_exits: Vec<Exit>,
    pub folder: String,
}

impl Report {
    pub fn of(seed: u64, segments: &[Segment]) -> Self {
        let sum = |of: fn(&Segment) -> usize| segments.iter().map(of).sum::<usize>();
        let count = |of: fn(&Segment) -> u64| segments.iter().map(of).sum::<u64>();
        let seconds: f64 = segments.iter().map(|one| one.seconds).sum();
        let updates = sum(|one| one.findings.updates);
        let during = sum(|one| one.updates_during);
        let mut recoveries = Recoveries::new();
        let mut faults = BTreeMap::new();
        let mut by_kind = BTreeMap::new();
        for segment in segments {
            for (kind, values) in &segment.recoveries {
                recoveries.entry(*kind).or_default().extend(values);
            }
            for (kind, _) in &segment.faults {
                *faults.entry(kind.name()).or_default() += 1;
            }
            for violation in &segment.findings.violations {
                *by_kind.entry(violation.wrong).or_default() += 1;
            }
        }
        let mut modes: Vec<&str> = segments
            .iter()
            .map(|one| one.appendfsync.as_str())
            .collect();
        modes.sort_unstable();
        modes.dedup();
        let violations = segments.iter().flat_map(|segment| {
            let all = segment.findings.violations.iter().cloned();
            all.map(|violation| Placed {
                segment_seed: segment.seed,
                violation,
            })
        });
        let rate = if seconds > 0.0 {
            during as f64 / seconds
        } else {
            0.0
        };
        let faults_total = sum(|one| one.faults.len());
        let faults_in_flight = sum(|one| {
            let flying = one.faults.iter();
            flying
                .filter(|(_, moment)| *moment != Moment::AnyTime)
                .count()
        });
        let unknown = count(|one| one.updates_unknown);
        let doubts_drawn = doubts::drawn(segments.iter().map(|one| &one.doubts));
        let mut too_little = too_little(rate, faults_total, faults_in_flight, unknown);
        too_little.extend(never_drawn(faults_total, &doubts_drawn));
        let spread = |(kind, values): (&Kind, &Vec<u64>)| Some((kind.name(), Spread::of(values)?));
        Self {
            passed: updates > 0 && by_kind.is_empty() && too_little.is_empty(),
            too_little,
            seed,
            updates,
            updates_per_second: rate,
            faults_total,
            faults,
            faults_in_flight,
            faults_overlapping: sum(|one| one.overlapping),
            lost: sum(|one| one.findings.lost),
            duplicated: sum(|one| one.findings.duplicated),
            stale_commits: count(|one| one.stale_commits),
            stale_sends: sum(|one| one.stale_sends),
            updates_unreachable: sum(|one| one.findings.updates_unreachable),
            updates_turned_away: sum(|one| one.findings.updates_turned_away),
            updates_unknown: unknown,
            maybe_repeated: count(|one| one.maybe_repeated),
            repeated_across_bots: sum(|one| one.findings.repeated_across_bots),
            presses_repeated: sum(|one| one.findings.presses_repeated),
            presses_stale: sum(|one| one.findings.presses_stale),
            files_to_resend: sum(|one| one.findings.files_to_resend),
            uploads_submitted: sum(|one| one.findings.uploads_submitted),
            commits: count(|one| one.commits),
            switches: sum(|one| one.switches),
            flood_waits: sum(|one| one.flood_waits),
            appendfsync: modes.join(","),
            answer_ms: Spread::of(
                &segments
                    .iter()
                    .flat_map(|one| one.waits.iter().copied())
                    .collect::<Vec<_>>(),
            ),
            recovery_ms: recoveries.iter().filter_map(spread).collect(),
            doubts: segments.iter().map(|one| one.doubts.clone()).collect(),
            doubts_drawn,
            supervisor_exits: sum(|one| one.supervisor_exits.len()),
            violations_by_kind: by_kind,
            violations: violations.collect(),
            segments: segments.iter().map(Line::of).collect(),
        }
    }

    /// For a person, on a terminal.
    pub fn card(&self) -> String {
        let verdict = if self.passed { "PASSED" } else { "FAILED" };
        let mut text = format!(
            "{verdict}  {} faults ({} in flight, {} overlapping), {} updates, {:.0} a second, appendfsync {}\n\
             lost {}   answered twice {}   stale commits {}   stale sends {}\n\
             unreachable {}   turned away {}   repeated across bots {}   pressed again {}   switches {}\n",
            self.faults_total,
            self.faults_in_flight,
            self.faults_overlapping,
            self.updates,
            self.updates_per_second,
            self.appendfsync,
            self.lost,
            self.duplicated,
            self.stale_commits,
            self.stale_sends,
            self.updates_unreachable,
            self.updates_turned_away,
            self.repeated_across_bots,
            self.presses_repeated,
            self.switches,
        );
        for (kind, spread) in &self.recovery_ms {
            text += &format!(
                "  {kind:<16} {:>4} times   first answer p50 {:>6} ms   p99 {:>6} ms   worst {:>6} ms\n",
                spread.count, spread.p50, spread.p99, spread.max
            );
        }
        for why in &self.too_little {
            text += &format!("  {why}\n");
        }
        for placed in self.violations.iter().take(SHOWN) {
            let one = &placed.violation;
            text += &format!(
                "  {:?} (segment seed {}) {} {}: expected {}, seen {}\n",
                one.wrong, placed.segment_seed, one.member, one.input, one.expected, one.seen
            );
        }
        if self.violations.len() > SHOWN {
            text += &format!(
                "  and {} more, in the report\n",
                self.violations.len() - SHOWN
            );
        }
        text
    }
}

/// So many violations on the terminal.
const SHOWN: usize = 12;

impl Line {
    fn of(segment: &Segment) -> Self {
        Self {
            seed: segment.seed,
            stores: segment.shape,
            members: segment.members,
            seconds: segment.seconds,
            updates: segment.findings.updates,
            faults: segment.faults.len(),
            violations: segment.findings.violations.len(),
            supervisor_exits: segment.supervisor_exits.clone(),
            folder: segment.folder.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn segment() -> Segment {
        Segment {
            seed: 9,
            shape: Shape::Private,
            doubts: Map::new(),
            members: 8,
            seconds: 10.0,
            updates_during: 550,
            faults: vec![
                (Kind::Loss, Moment::AnyTime),
                (Kind::Silent, Moment::SendAck),
            ],
            overlapping: 1,
            findings: Findings {
                updates: 600,
                ..Findings::default()
            },
            waits: vec![20],
            recoveries: [(Kind::Loss, vec![40]), (Kind::Silent, vec![4_000])].into(),
            commits: 500,
            stale_commits: 0,
            stale_sends: 0,
            maybe_repeated: 0,
            updates_unknown: 0,
            switches: 1,
            flood_waits: 0,
            appendfsync: "always".into(),
            supervisor_exits: vec![],
            folder: "x".into(),
        }
    }

    #[test]
    fn segments_are_summed_up_and_one_violation_fails_all_of_it() {
        let mut bad = segment();
        let well = Report::of(1, &[segment(), segment()]);
        assert!(well.passed);
        assert_eq!(
            (well.updates, well.faults_total, well.faults_in_flight),
            (1_200, 4, 2)
        );
        assert_eq!(well.faults["silent"], 2);
        assert_eq!(well.recovery_ms["silent"].max, 4_000);
        assert!((well.updates_per_second - 55.0).abs() < 0.1);
        bad.findings.violations.push(Violation::of_system(
            Wrong::StaleCommit,
            "Redis's file",
            "none",
            "1",
        ));
        let failed = Report::of(1, &[segment(), bad]);
        assert!(!failed.passed);
        assert!(failed.card().starts_with("FAILED"));
        let json = serde_json::to_value(&failed).unwrap();
        assert_eq!(json["violations_by_kind"]["stale-commit"], 1);
        assert_eq!(json["violations"][0]["segment_seed"], 9);
        assert!(!Report::of(1, &[]).passed, "nothing was shown");
    }

    #[test]
    fn a_proof_in_which_too_little_happens_is_none() {
        assert_eq!(too_little(20.0, 99, 0, 0), [""; 0], "a look at something");
        assert_eq!(too_little(110.0, 200, 97, 0), [""; 0]);
        assert_eq!(too_little(49.0, 100, 50, 0).len(), 1);
        assert_eq!(too_little(110.0, 100, 39, 0).len(), 1);
        assert_eq!(too_little(110.0, 1_000, 500, 0), [""; 0]);
        assert_eq!(too_little(110.0, 1_000, 499, 0).len(), 1);
        assert_eq!(too_little(110.0, 10, 5, 3).len(), 1);
        let mut unknown = segment();
        unknown.updates_unknown = 1;
        let failed = Report::of(1, &[unknown]);
        assert!(
            !failed.passed && failed.card().contains("1 updates"),
            "{}",
            failed.card()
        );
    }

    #[test]
    fn a_whole_proof_has_seen_each_value_of_each_doubt() {
        let drawn = |segments: std::ops::Range<u32>| {
            let all: Vec<_> = segments.map(|at| doubts::draw(4, at, &[])).collect();
            doubts::drawn(all.iter())
        };
        assert_eq!(never_drawn(1_000, &drawn(0..10)), [""; 0]);
        let some = never_drawn(1_000, &drawn(0..2));
        assert!(some.len() > 4, "{some:?}");
        assert!(some[0].contains(" was never "), "{some:?}");
        assert_eq!(never_drawn(999, &drawn(0..2)), [""; 0], "no whole proof");

        let mut large = segment();
        large.faults = vec![(Kind::Loss, Moment::SendAck); 1_000];
        large.doubts = doubts::draw(4, 0, &[]);
        let failed = Report::of(4, &[large]);
        assert!(!failed.passed);
        let json = serde_json::to_value(&failed).unwrap();
        let counts = &json["doubts_drawn"]["updates_to"];
        let total: u64 = ["newest_login", "all_logins"]
            .map(|value| counts[value].as_u64().unwrap())
            .iter()
            .sum();
        assert_eq!(total, 1, "{counts}");
    }
}
