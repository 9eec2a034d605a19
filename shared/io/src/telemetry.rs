//! Structured logs on stderr, from `[log]`; `RUST_LOG` stands over it.
//!
//! Invariants: logs never go to stdout, which belongs to what a command prints; what libraries write below `info` about bytes on
//! the wire stays out whatever `RUST_LOG` says, because auth keys and messages are in it.
//! Deliberately absent: files, rotation and shipping; the service manager does that.

use std::io::IsTerminal;

use tracing::{Level, Metadata};
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::{LogConfig, LogFormat, LogLevel};

/// Libraries whose debug output shows what is on the wire.
const WIRE: [&str; 3] = ["grammers", "redis", "sqlx"];

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("RUST_LOG is not a filter ({0}); write it as `info` or `shared_io=debug,info`")]
    Filter(String),
    #[error("the log is set up already")]
    Twice(#[source] TryInitError),
}

/// Sets this process's log up, once.
pub fn init(config: &LogConfig) -> Result<(), TelemetryError> {
    let filter = filter(config.level, std::env::var("RUST_LOG").ok().as_deref())?;
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let output = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let output = match config.format {
        LogFormat::Text => output.with_ansi(colours).boxed(),
        LogFormat::Json => output.json().flatten_event(true).boxed(),
    };
    // Filters of the whole registry and not of the layer: those remember per thread what was last asked, and sqlx asks without saying anything, so that
    // the next event of that thread would be lost.
    tracing_subscriber::registry()
        .with(filter)
        .with(filter_fn(is_not_wire))
        .with(output)
        .try_init()
        .map_err(TelemetryError::Twice)
}

/// Foreign errors may have several lines; an operator is given one.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `RUST_LOG` refines the level and replaces it where it names one without a target.
fn filter(level: LogLevel, over_it: Option<&str>) -> Result<EnvFilter, TelemetryError> {
    let directives = match over_it.map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => format!("{level},{text}"),
        None => level.to_string(),
    };
    EnvFilter::builder()
        .parse(directives)
        .map_err(|error| TelemetryError::Filter(error.to_string()))
}

fn is_not_wire(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::INFO || !is_wire(metadata.target())
}

fn is_wire(target: &str) -> bool {
    WIRE.iter().any(|library| target.starts_with(library))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_level_is_the_default_and_rust_log_stands_over_it() {
        assert_eq!(filter(LogLevel::Warn, None).unwrap().to_string(), "warn");
        assert_eq!(
            filter(LogLevel::Warn, Some(" ")).unwrap().to_string(),
            "warn"
        );
        let over = filter(LogLevel::Warn, Some("shared_io=debug")).unwrap();
        assert_eq!(over.to_string(), "shared_io=debug,warn");
        let replaced = filter(LogLevel::Warn, Some("info")).unwrap();
        assert_eq!(replaced.to_string(), "info");
        let error = filter(LogLevel::Warn, Some("=[")).unwrap_err().to_string();
        assert!(error.starts_with("RUST_LOG is not a filter"), "{error}");
    }

    #[test]
    fn what_libraries_say_about_the_wire_stays_out() {
        assert!(is_wire("grammers_client::sender::sender"));
        assert!(is_wire("redis::aio"));
        assert!(!is_wire("shared_io::redis"));
    }
}
