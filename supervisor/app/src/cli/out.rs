//! Printing. Who reads may go away (`understudy events | head`): that is no reason to fail, and none to panic, which `println!` would.

use std::io::{IsTerminal, Write};

pub use shared_io::telemetry::one_line;

/// A line, or several, on stdout. `false` when nobody reads any more.
pub fn say(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).is_ok()
}

/// A line about how far a long command is, on stderr.
pub fn progress(text: &str) {
    let _nobody_reads = writeln!(std::io::stderr().lock(), "{text}");
}

/// The same, when a person watches.
pub fn progress_for_a_person(text: &str) {
    if std::io::stderr().is_terminal() {
        progress(text);
    }
}

/// What a command refused, in the form of every complaint of this program.
pub fn refuse(text: &str) {
    progress(&format!("understudy: {}", one_line(text)));
}

pub fn json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    let _read = say(&serde_json::to_string_pretty(value)?);
    Ok(())
}
