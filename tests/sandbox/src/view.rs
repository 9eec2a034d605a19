//! What the person at the terminal sees: a line as each thing happens, a card at the end.
//!
//! Colours only on a terminal and without `NO_COLOR`; every line reads the same without them.

use std::io::{IsTerminal, Write};

use crate::report::{Report, SwitchReport};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Good,
    Bad,
    Alarm,
    Quiet,
}

#[derive(Debug, Clone)]
pub struct View {
    colour: bool,
    started_ms: i64,
    /// Times are told from the first fault on once it landed.
    fault_ms: Option<i64>,
}

impl View {
    pub fn new() -> Self {
        let colour = std::io::stdout().is_terminal()
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            colour,
            started_ms: crate::clock::unix_ms(),
            fault_ms: None,
        }
    }

    pub fn title(&self, text: &str) {
        self.print(&format!("\n{}", self.paint(Tone::Good, text)));
    }

    /// One line of the timeline, now.
    pub fn line(&self, tone: Tone, text: &str) {
        self.line_at(crate::clock::unix_ms(), tone, text);
    }

    pub fn line_at(&self, at_ms: i64, tone: Tone, text: &str) {
        let stamp = match self.fault_ms {
            Some(fault) => format!("{:+9.3} s", (at_ms - fault) as f64 / 1_000.0),
            None => format!("{:9.1} s", (at_ms - self.started_ms) as f64 / 1_000.0),
        };
        self.print(&format!(
            "{}  {}",
            self.paint(Tone::Quiet, &stamp),
            self.paint(tone, text)
        ));
    }

    pub fn fault(&mut self, at_ms: i64, text: &str) {
        let elapsed = (at_ms - self.started_ms) as f64 / 1_000.0;
        self.fault_ms.get_or_insert(at_ms);
        self.line_at(
            at_ms,
            Tone::Alarm,
            &format!("{text}  ({elapsed:.1} s into the run)"),
        );
    }

    pub fn plain(&self, text: &str) {
        self.print(text);
    }

    pub fn card(&self, report: &Report) {
        self.print("");
        for (tone, text) in card_lines(report) {
            self.print(&format!("  {}", self.paint(tone, &text)));
        }
        self.print("");
    }

    fn print(&self, text: &str) {
        // A closed pipe at the other end is no reason to stop a run.
        let _ = writeln!(std::io::stdout().lock(), "{text}");
    }

    fn paint(&self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Alarm => "1;33",
            Tone::Quiet => "2",
        };
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

impl Default for View {
    fn default() -> Self {
        Self::new()
    }
}

/// Most problems that are listed on the terminal; the report has all.
const LISTED: usize = 20;

fn card_lines(report: &Report) -> Vec<(Tone, String)> {
    let verdict = if report.passed {
        (
            Tone::Good,
            "PASSED  every conversation went on, nothing lost, nothing answered twice".to_owned(),
        )
    } else {
        (
            Tone::Bad,
            format!("FAILED  {} problems", report.problems.len()),
        )
    };
    let counted = |bad: usize| if bad == 0 { Tone::Plain } else { Tone::Bad };
    let row = |name: &str, text: String| format!("{name:<15}{text}");
    let mut lines = vec![
        verdict,
        (
            counted(report.conversations_lost),
            row(
                "conversations",
                format!(
                    "{} open, {} continued, {} parked, {} lost",
                    report.conversations_open,
                    report.conversations_continued,
                    report.conversations_parked,
                    report.conversations_lost
                ),
            ),
        ),
        (
            counted(report.updates_lost + report.replies_duplicated),
            row(
                "updates",
                format!(
                    "{} sent, {} lost, {} answered twice, {} typed to the dead bot, {} presses repeated",
                    report.updates_sent,
                    report.updates_lost,
                    report.replies_duplicated,
                    report.updates_unreachable,
                    report.presses_repeated
                ),
            ),
        ),
        (
            Tone::Plain,
            row(
                "first reply",
                format!(
                    "p50 {}, max {}  ({} members waited)",
                    millis(report.first_reply_ms.p50),
                    millis(report.first_reply_ms.max),
                    report.first_reply_ms.count
                ),
            ),
        ),
        (
            Tone::Plain,
            row(
                "prompt again",
                format!(
                    "p50 {}, max {}  (the others, at bulk rate)",
                    millis(report.reprompt_ms.p50),
                    millis(report.reprompt_ms.max)
                ),
            ),
        ),
    ];
    lines.push((
        Tone::Plain,
        row(
            "pace",
            format!(
                "told to wait {} times, {} stale presses, {} replies maybe repeated",
                report.flood_waits, report.presses_stale, report.maybe_repeated
            ),
        ),
    ));
    if report.conversations_parked > 0 {
        let text = format!(
            "{} went on when their members came, {} waited to the end and stood where they had been left",
            report.conversations_resumed, report.conversations_waiting
        );
        lines.push((Tone::Plain, row("parked", text)));
    }
    if report.invited > 0 {
        let text = format!(
            "{} invited to the backups, {} started one more",
            report.invited, report.invited_started
        );
        lines.push((Tone::Plain, row("reach", text)));
    }
    if report.supervisor_down_ms > 0 {
        let away = format!("{} ms until it was ready again", report.supervisor_down_ms);
        lines.push((Tone::Plain, row("no supervisor", away)));
    }
    lines.push((
        Tone::Plain,
        row(
            "answers",
            format!(
                "p50 {}, max {}  (private, from asking, {} of them)",
                millis(report.answer_ms.p50),
                millis(report.answer_ms.max),
                report.answer_ms.count
            ),
        ),
    ));
    lines.push((
        counted(stale(report)),
        row(
            "fenced workers",
            format!(
                "{} stale commits, {} refused, {} stale sends, {} keys used twice",
                report.stale_commits,
                report.commits_refused,
                report.stale_sends,
                report.auth_key_duplicated
            ),
        ),
    ));
    lines.extend(
        report
            .switches
            .iter()
            .map(|switch| (Tone::Plain, row(&switch.kind, switch_line(switch)))),
    );
    lines.push((
        Tone::Quiet,
        row(
            "under",
            format!(
                "appendfsync {}, {}, seed {}",
                report.appendfsync,
                faults(report),
                report.seed
            ),
        ),
    ));
    lines.push((Tone::Quiet, row("in doubt", report.doubts.words())));
    for problem in report.problems.iter().take(LISTED) {
        let text = format!(
            "✗ {}: {}: expected {}, saw {}",
            problem.member, problem.message, problem.expected, problem.seen
        );
        lines.push((Tone::Bad, text));
    }
    if let Some(more) = report.problems.len().checked_sub(LISTED + 1) {
        lines.push((
            Tone::Bad,
            format!("  and {} more, all in the report", more + 1),
        ));
    }
    lines
}

fn stale(report: &Report) -> usize {
    let commits = usize::try_from(report.stale_commits).unwrap_or(usize::MAX);
    report.stale_sends + report.auth_key_duplicated + commits
}

fn faults(report: &Report) -> String {
    let each = report.faults.iter().map(|fault| {
        let details = match fault.details.as_str() {
            "" => String::new(),
            details => format!(" ({details})"),
        };
        format!("{}{details} at {} ms", fault.kind, fault.at_ms)
    });
    format!(
        "{}, {}",
        each.collect::<Vec<_>>().join(", then "),
        report.moment
    )
}

fn switch_line(switch: &SwitchReport) -> String {
    let at = |value: Option<i64>| value.map_or("–".to_owned(), |ms| format!("{ms} ms"));
    let name = |value: &Option<String>| value.clone().unwrap_or_else(|| "–".into());
    format!(
        "{} → {}: detected {}, fenced {}, activated {}, verified {}, first reply {}",
        name(&switch.from),
        name(&switch.to),
        at(switch.detected_ms),
        at(switch.fenced_ms),
        at(switch.activated_ms),
        at(switch.verified_ms),
        at(switch.first_reply_ms)
    )
}

fn millis(value: Option<u64>) -> String {
    value.map_or("–".to_owned(), |ms| format!("{ms} ms"))
}
