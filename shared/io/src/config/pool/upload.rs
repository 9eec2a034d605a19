//! `[pool.upload]`: what a member may upload.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::config::error::{Fault, in_range};
use crate::config::value::whole;

/// A button's label that still reads on a phone.
const LABEL_CHARS: usize = 40;
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
}

impl Default for UploadConfig {
    fn default() -> Self {
        Self {
            categories: vec!["General".to_owned()],
            tags: Vec::new(),
            max_files: 10,
            max_file_mb: 2000,
        }
    }
}

impl UploadConfig {
    pub fn max_file_bytes(&self) -> u64 {
        u64::from(self.max_file_mb) * 1_000_000
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
        in_range(&key("max_file_mb"), u64::from(self.max_file_mb), 1, 2000)
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
