//! `understudy` as an operator runs it beside the service: orders, and who leads.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use sandbox::setup::Folder;
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// It asks Redis, and may hang with it.
const STATUS_WITHIN: Duration = Duration::from_millis(2_000);
/// By itself an order's command gives up after half a minute.
const ORDER_WITHIN: Duration = Duration::from_secs(45);

pub struct Cli {
    program: PathBuf,
    config: PathBuf,
}

impl Cli {
    /// The binaries are built into one folder.
    pub fn beside(folder: &Folder) -> Result<Self> {
        let own = std::env::current_exe().context("cannot find this program")?;
        Ok(Self {
            program: own.with_file_name("understudy"),
            config: folder.config(),
        })
    }

    /// Gives an order and does not wait: [`ended`] does.
    pub fn order(&self, words: &[&str]) -> Result<Child> {
        self.command(words)
            .spawn()
            .with_context(|| format!("cannot start understudy {}", words.join(" ")))
    }

    /// The process of the supervisor that leads, where one does and that can be found out.
    pub async fn leader(&self) -> Option<i32> {
        let output = self.command(&["status", "--json"]).output();
        let output = timeout(STATUS_WITHIN, output).await.ok()?.ok()?;
        leader_in(&serde_json::from_slice(&output.stdout).ok()?)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(words)
            .arg("--config")
            .arg(&self.config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}

/// How an order ended, in words for the report.
pub async fn ended(order: Child) -> String {
    match timeout(ORDER_WITHIN, order.wait_with_output()).await {
        Ok(Ok(output)) => words(output.status.code(), &output.stdout, &output.stderr),
        Ok(Err(error)) => format!("not known: {error}"),
        Err(_) => format!("not known after {} s", ORDER_WITHIN.as_secs()),
    }
}

/// The exit codes are a contract: 0 done, 1 refused, 2 it could not be found out.
fn words(code: Option<i32>, out: &[u8], err: &[u8]) -> String {
    let last = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.lines().rev().map(str::trim);
        lines.find(|line| !line.is_empty()).map(str::to_owned)
    };
    let said = last(err).or(last(out)).unwrap_or_default();
    match code {
        Some(0) => "done".to_owned(),
        Some(1) => format!("refused: {said}"),
        _ => format!("not known: {said}"),
    }
}

fn leader_in(status: &Value) -> Option<i32> {
    let mut shown = status["supervisors"].as_array()?.iter();
    let leads = shown.find(|one| one["role"] == "leads")?;
    i32::try_from(leads["pid"].as_i64()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_leads_is_read_from_the_status() {
        let shown = |first: &str, second: &str| json!({"supervisors": [{"role": first, "pid": 7}, {"role": second, "pid": 8}]});
        assert_eq!(leader_in(&shown("led", "leads")), Some(8));
        assert_eq!(leader_in(&shown("leads", "follows")), Some(7));
        assert_eq!(leader_in(&shown("led", "follows")), None);
        assert_eq!(leader_in(&json!({})), None);
    }

    #[test]
    fn an_order_is_done_refused_or_not_known() {
        assert_eq!(words(Some(0), b"switched\n", b""), "done");
        let refused = words(Some(1), b"", b"one\nno standby is ready\n\n");
        assert_eq!(refused, "refused: no standby is ready");
        assert_eq!(words(Some(1), b"to whom?\n", b""), "refused: to whom?");
        assert_eq!(words(Some(2), b"", b"gone"), "not known: gone");
        assert_eq!(words(None, b"", b""), "not known: ");
    }
}
