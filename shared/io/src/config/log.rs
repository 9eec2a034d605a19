//! `[log]`: what goes to stderr, and in which form. `RUST_LOG` stands over the level.

use serde::Deserialize;

use super::value::words;

words!(
    LogLevel { Error = "error", Warn = "warn", Info = "info", Debug = "debug", Trace = "trace" }
);

words!(
    LogFormat {
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
);

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    pub level: LogLevel,
    pub format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            level: LogLevel::Info,
            format: LogFormat::Text,
        }
    }
}
