//! Counts now and then how many of those who are in the middle of something in private each bot could go on with, unasked.
//!
//! In portions with pauses between them, beside the active bot's work: nobody waits for it, and a pool of a million open conversations is gone through in
//! some minutes. A count is about a moment that is past when it is laid down; whoever goes on meanwhile may be missed or counted twice.

use std::sync::Arc;
use std::time::Duration;

use shared_core::{BotId, MemberId, PlaceKey};
use shared_io::clock;
use shared_io::redis::{OpenCursor, StateError, Survey};
use tracing::debug;

use crate::tenure::Tenure;

const PORTION: usize = 500;
/// Between two portions, and between the end of one survey and the beginning of the next.
const PAUSE: Duration = Duration::from_millis(50);
const EVERY: Duration = Duration::from_secs(2);

pub async fn run(tenure: Arc<Tenure>) {
    loop {
        match survey(&tenure).await {
            Ok(survey) => {
                if let Err(error) = tenure.context.state.set_survey(&survey).await {
                    debug!(%error, "the survey of reach is not laid down");
                }
            }
            Err(error) => debug!(%error, "the survey of reach was cut short"),
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn survey(tenure: &Tenure) -> Result<Survey, StateError> {
    let context = &tenure.context;
    let bots: Vec<BotId> = context.config.bots.iter().map(|bot| bot.bot()).collect();
    let mut survey = Survey {
        reached: bots.iter().map(|bot| (*bot, 0)).collect(),
        ..Survey::default()
    };
    let mut cursor = OpenCursor::default();
    loop {
        let page = context.state.open_conversations(&cursor, PORTION).await?;
        cursor.advance(&page);
        let private = page
            .iter()
            .filter(|(key, _)| key.place == PlaceKey::Private);
        let members: Vec<MemberId> = private.map(|(key, _)| key.member).collect();
        survey.open += u64::try_from(members.len()).unwrap_or(u64::MAX);
        let counts = context.state.reached_of(&bots, &members).await?;
        for (bot, count) in bots.iter().zip(counts) {
            *survey.reached.entry(*bot).or_default() += count;
        }
        if page.len() < PORTION {
            survey.at = clock::unix_now();
            return Ok(survey);
        }
        tokio::time::sleep(PAUSE).await;
    }
}
