//! `understudy status`: how everything stands, from Redis and SQL alone, so that it works while the supervisor is down.
//!
//! Invariant: looking changes nothing: no database is made, no server started. What cannot be read is shown as not reachable.

mod card;
mod gather;
mod report;

use std::process::ExitCode;

use shared_io::config::Config;

/// Prints the report; the exit code says whether all is well.
pub async fn show(config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    let report = gather::gather(config).await;
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", card::card(&report));
    }
    Ok(if report.is_well() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}
