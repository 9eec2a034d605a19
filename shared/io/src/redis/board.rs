//! What people look at and lay down: the board, the overrides, smoke tests on demand.
//!
//! The board is the leader's word, read by workers in [`PoolState::look`]. Invariant: neither a board nor a question that cannot be read is in
//! anybody's way; overrides that cannot be read are an error, because not knowing of a pause is no reason to act.

use std::collections::{BTreeMap, HashMap};

use shared_core::{BotId, Nonce, Overrides, PoolBoard, PoolId, SmokeReport};

use super::commit::json;
use super::error::{StateError, json_fault};
use super::{LeadAnswer, LeaderId, PoolState};

/// Whoever asked for a smoke test has gone away after this long (milliseconds).
const ASKED_KEPT_MS: u64 = 60_000;
/// Its answer is for whoever asked, and for a person who looks a little later (milliseconds).
const ANSWER_KEPT_MS: u64 = 600_000;

impl PoolState {
    /// Workers see it at their next look; nobody is woken for it.
    pub async fn publish_board(
        &self,
        leader: &LeaderId,
        board: &PoolBoard,
    ) -> Result<LeadAnswer, StateError> {
        let op = self.op("publish", &"the board");
        let words = vec!["SET".to_owned(), json(op, board)?];
        self.leader_write(op, leader, &self.keys.board, words, false)
            .await
    }

    pub async fn board(&self) -> Result<Option<PoolBoard>, StateError> {
        let op = self.op("read", &"the board");
        let found: Option<Vec<u8>> = self
            .link
            .query(op, ::redis::cmd("GET").arg(&self.keys.board))
            .await?;
        found
            .map(|text| serde_json::from_slice(&text))
            .transpose()
            .map_err(|error| StateError::unreadable(op, json_fault("the board", &error)))
    }

    /// `None`: this Redis has never been told.
    pub async fn overrides(&self) -> Result<Option<Overrides>, StateError> {
        let op = self.op("read", &"the overrides");
        let found: Option<Vec<u8>> = self
            .link
            .query(op, ::redis::cmd("GET").arg(&self.keys.overrides))
            .await?;
        found
            .map(|text| serde_json::from_slice(&text))
            .transpose()
            .map_err(|error| StateError::unreadable(op, json_fault("what stands there", &error)))
    }

    pub async fn set_overrides(
        &self,
        leader: &LeaderId,
        overrides: &Overrides,
    ) -> Result<LeadAnswer, StateError> {
        let op = self.op("write", &"the overrides");
        let words = vec!["SET".to_owned(), json(op, overrides)?];
        self.leader_write(op, leader, &self.keys.overrides, words, true)
            .await
    }

    /// Asks whoever holds the bot for a smoke test; the answer comes under the same nonce. The last one who asks for a bot is answered.
    pub async fn ask_smoke(&self, bot: BotId, nonce: Nonce) -> Result<(), StateError> {
        let op = self.op("ask for a smoke test of", &bot);
        let mut pipeline = ::redis::pipe();
        pipeline
            .cmd("HSET")
            .arg(&self.keys.smoke_asked)
            .arg(bot.to_string())
            .arg(nonce.to_string())
            .ignore();
        pipeline
            .cmd("PEXPIRE")
            .arg(&self.keys.smoke_asked)
            .arg(ASKED_KEPT_MS)
            .ignore();
        pipeline
            .cmd("PUBLISH")
            .arg(&self.keys.bell)
            .arg("")
            .ignore();
        self.link.pipeline(op, &pipeline).await
    }

    /// Answers it.
    pub async fn put_smoke_asked(
        &self,
        nonce: Nonce,
        report: &SmokeReport,
    ) -> Result<(), StateError> {
        let op = self.op("publish the smoke report of", &report.bot);
        let mut command = ::redis::cmd("SET");
        command
            .arg(self.keys.smoke_answer(nonce))
            .arg(json(op, report)?)
            .arg("PX")
            .arg(ANSWER_KEPT_MS);
        self.link.query(op, &command).await
    }

    /// The answer, once there is one.
    pub async fn smoke_asked(&self, nonce: Nonce) -> Result<Option<SmokeReport>, StateError> {
        let op = self.op("read the smoke report for", &nonce);
        let found: Option<Vec<u8>> = self
            .link
            .query(op, ::redis::cmd("GET").arg(self.keys.smoke_answer(nonce)))
            .await?;
        found
            .map(|text| serde_json::from_slice(&text))
            .transpose()
            .map_err(|error| StateError::unreadable(op, json_fault("the report", &error)))
    }
}

pub(super) fn readable(pool: &PoolId, text: &[u8]) -> Option<PoolBoard> {
    serde_json::from_slice(text)
        .inspect_err(|error| {
            tracing::debug!(%pool, why = json_fault("the board", error), "left out the board");
        })
        .ok()
}

pub(super) fn asked(found: &HashMap<String, String>) -> BTreeMap<BotId, Nonce> {
    let pairs = found.iter();
    pairs
        .filter_map(|(bot, nonce)| Some((bot.parse().ok()?, nonce.parse().ok()?)))
        .collect()
}
