//! How many of those who are in the middle of something in private each bot could go on with, unasked.
//!
//! Counted now and then by the active bot's worker, in portions, and laid down for whoever looks. For people: nothing is decided by it,
//! so it is not fenced, and a look is as old as it says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shared_core::{BotId, MemberId, UnixMs};

use super::PoolState;
use super::commit::json;
use super::error::{StateError, json_fault};
use super::private::bare;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Survey {
    /// When it was finished, by the worker's wall clock.
    pub at: UnixMs,
    /// Open private conversations.
    pub open: u64,
    /// How many of their members have started the bot.
    pub reached: BTreeMap<BotId, u64>,
}

impl PoolState {
    /// How many of these members each of the bots may write to, in their order.
    pub async fn reached_of(
        &self,
        bots: &[BotId],
        members: &[MemberId],
    ) -> Result<Vec<u64>, StateError> {
        if bots.is_empty() || members.is_empty() {
            return Ok(vec![0; bots.len()]);
        }
        let op = self.op("look up the reach of", &"all bots");
        let mut pipeline = ::redis::pipe();
        for bot in bots {
            pipeline
                .cmd("SMISMEMBER")
                .arg(self.keys.reach(*bot))
                .arg(bare(members));
        }
        let found: Vec<Vec<bool>> = self.link.pipeline(op, &pipeline).await?;
        let count = |reached: Vec<bool>| reached.into_iter().map(u64::from).sum();
        Ok(found.into_iter().map(count).collect())
    }

    pub async fn set_survey(&self, survey: &Survey) -> Result<(), StateError> {
        let op = self.op("lay down", &"the survey of reach");
        let mut command = ::redis::cmd("SET");
        command.arg(&self.keys.survey).arg(json(op, survey)?);
        self.link.query(op, &command).await
    }

    /// The last one. One that cannot be read is none.
    pub async fn survey(&self) -> Result<Option<Survey>, StateError> {
        let op = self.op("read", &"the survey of reach");
        let found: Option<Vec<u8>> = self
            .link
            .query(op, ::redis::cmd("GET").arg(&self.keys.survey))
            .await?;
        Ok(found.and_then(|text| {
            serde_json::from_slice(&text)
                .inspect_err(|error| {
                    tracing::debug!(why = json_fault("the survey", error), "left out");
                })
                .ok()
        }))
    }
}
