//! `[pool.upload]`: what a member may upload.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;

use crate::config::error::{Fault, in_range};
use crate::config::value::{span, whole};

/// A button's label that still reads on a phone.
const LABEL_CHARS: usize = 40;
/// Whoever is silent for longer has left.
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
/// More buttons than anybody scrolls through; Telegram's own limit is 100.
const LABELS: usize = 50;

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UploadConfig {
    pub categories: Vec<String>,
    pub tags: Vec<String>,
    #[serde(deserialize_with = "whole")]
    pub max_files: u32,
    #[serde(deserialize_with = "whole")]
    pub max_file_mb: u32,
    /// Who has said nothing for this long in the middle of an upload is reminded, once; zero: nobody is.
    #[serde(deserialize_with = "span")]
    pub remind_after: Duration,
    /// The pool's admins hear of each course that is handed in.
    pub tell_admins: bool,
}

impl Default for UploadConfig {
    fn default() -> Self {
        Self {
            categories: vec!["General".to_owned()],
            tags: Vec::new(),
            max_files: 10,
            max_file_mb: 2000,
            remind_after: Duration::from_secs(6 * 3600),
            tell_admins: true,
        }
    }
}

impl UploadConfig {
    pub fn max_file_bytes(&self) -> u64 {
        u64::from(self.max_file_mb) * 1_000_000
    }

    /// `None`: nobody is reminded.
    pub fn remind_after(&self) -> Option<Duration> {
        (!self.remind_after.is_zero()).then_some(self.remind_after)
    }

    pub(super) fn validate(&self, pool_key: &str) -> Result<(), Fault> {
        let key = |name: &str| format!("{pool_key}.upload.{name}");
        if self.categories.is_empty() {
            return Err(Fault::inconsistent(
                key("categories"),
                "is empty, nobody could choose one",
                "name at least one category",
            ));
        }
        labels(&key("categories"), &self.categories)?;
        labels(&key("tags"), &self.tags)?;
        in_range(&key("max_files"), u64::from(self.max_files), 1, 50)?;
        // Telegram stores files of up to 2,000 MB for bots: https://core.telegram.org/api/files
        in_range(&key("max_file_mb"), u64::from(self.max_file_mb), 1, 2000)?;
        if self.remind_after > WEEK {
            return Err(Fault::inconsistent(
                key("remind_after"),
                "is longer than a week",
                "write a time like \"6h\", or 0 so that nobody is reminded",
            ));
        }
        Ok(())
    }
}

/// Labels become buttons and lines of text.
fn labels(key: &str, labels: &[String]) -> Result<(), Fault> {
    if labels.len() > LABELS {
        return Err(Fault::inconsistent(
            key,
            format!("has {} entries, the limit is {LABELS}", labels.len()),
            "keep the most used",
        ));
    }
    let mut seen = BTreeSet::new();
    for label in labels {
        let fits = (1..=LABEL_CHARS).contains(&label.chars().count())
            && label.trim() == label
            && !label
                .chars()
                .any(|c| c.is_control() || c == ',' || c == ';');
        if !fits {
            return Err(Fault::inconsistent(
                key,
                format!(
                    "`{}` cannot be a button",
                    label
                        .chars()
                        .take(LABEL_CHARS)
                        .collect::<String>()
                        .escape_debug()
                ),
                format!(
                    "write 1 to {LABEL_CHARS} characters without commas, semicolons and spaces at the ends"
                ),
            ));
        }
        if !seen.insert(label) {
            return Err(Fault::inconsistent(
                key,
                format!("`{label}` is there twice"),
                "keep one",
            ));
        }
    }
    Ok(())
}
