//! `understudy status`: how everything stands, from Redis and SQL alone, so that it works while the supervisor is down.
//!
//! Invariant: looking changes nothing: no database is made, no server started. What cannot be read is shown as not reachable.

mod card;
mod gather;
mod look;
mod report;

pub use look::preview;

use shared_io::config::Config;

use crate::cli::{Ended, out};
use crate::folder::Folder;

/// Prints the report; how it ended says whether all is well.
pub async fn show(config: &Config, json: bool) -> anyhow::Result<Ended> {
    // Whoever may not look would take everything for absent.
    Folder::new(config.data_dir()).may_be_read()?;
    let report = gather::gather(config).await?;
    if json {
        out::json(&report)?;
    } else {
        let _read = out::say(card::card(&report).trim_end());
    }
    Ok(Ended::of(report.is_well()))
}
