//! What workers report of a switch: smoke reports and the milestones of its timeline. Both ring the supervisor's bell.

use std::collections::HashMap;

use shared_core::{BotId, Epoch, Milestone, SmokeReport};

use super::PoolState;
use super::commit::json;
use super::error::{StateError, json_fault};
use super::scripts;

/// A report is read within the switch; ten minutes let a person look as well.
const SMOKE_KEPT_MS: u64 = 600_000;

/// Five milestones a switch: the last two hundred switches.
const MILESTONES_KEPT: usize = 1000;

impl PoolState {
    /// Publishes it. One that a test of an earlier epoch comes with late (its line was silent) is of no interest any more: `false`.
    pub async fn put_smoke(&self, report: &SmokeReport) -> Result<bool, StateError> {
        let op = self.op("publish the smoke report of", &report.bot);
        let mut script = scripts::PUT_SMOKE.prepare_invoke();
        script
            .key(self.keys.smoke(report.bot))
            .arg(json(op, report)?)
            .arg(report.epoch.0.to_string())
            .arg(SMOKE_KEPT_MS)
            .arg(&self.root.bell);
        self.link.script(op, &script).await
    }

    /// The bot's last report. Whether it belongs to the epoch in question is in it.
    pub async fn smoke(&self, bot: BotId) -> Result<Option<SmokeReport>, StateError> {
        let op = self.op("read the smoke report of", &bot);
        let found: Option<Vec<u8>> = self
            .link
            .query(op, ::redis::cmd("GET").arg(self.keys.smoke(bot)))
            .await?;
        found
            .map(|text| serde_json::from_slice(&text))
            .transpose()
            .map_err(|error| StateError::unreadable(op, json_fault("the report", &error)))
    }

    pub async fn milestone(&self, milestone: &Milestone) -> Result<(), StateError> {
        let op = self.op("publish a milestone of", &milestone.epoch);
        let mut pipeline = ::redis::pipe();
        pipeline
            .cmd("XADD")
            .arg(&self.keys.milestones)
            .arg("MAXLEN")
            .arg("~")
            .arg(MILESTONES_KEPT)
            .arg("*")
            .arg("m")
            .arg(json(op, milestone)?)
            .ignore();
        pipeline
            .cmd("PUBLISH")
            .arg(&self.root.bell)
            .arg("")
            .ignore();
        self.link.pipeline(op, &pipeline).await
    }

    /// The epoch's milestones in the order in which they were published. What cannot be read is left out.
    pub async fn milestones(&self, epoch: Epoch) -> Result<Vec<Milestone>, StateError> {
        let op = self.op("read the milestones of", &epoch);
        let mut command = ::redis::cmd("XREVRANGE");
        command.arg(&self.keys.milestones).arg("+").arg("-");
        command.arg("COUNT").arg(2 * MILESTONES_KEPT);
        let page: Vec<(String, HashMap<String, Vec<u8>>)> = self.link.query(op, &command).await?;
        let mut found: Vec<Milestone> = page
            .iter()
            .filter_map(|(_, fields)| serde_json::from_slice(fields.get("m")?).ok())
            .filter(|milestone: &Milestone| milestone.epoch == epoch)
            .collect();
        found.reverse();
        Ok(found)
    }
}
