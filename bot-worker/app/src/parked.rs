//! Replies that another bot had to park, and whose members this one can reach, go back into the outbox.
//!
//! There may be as many as there are members, so they are looked through in portions, a moment after the first answers and with pauses: Redis does one thing
//! at a time, and nothing of a promotion waits for them. Until all are known, whoever writes to the bot is asked for in Redis (`Tenure::parked_known`). Invariant: who has something parked
//! when the look is over is known by name; who is parked meanwhile is made known by the sender.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use shared_io::redis::StateError;
use tracing::warn;

use crate::status::lock;
use crate::tenure::Tenure;

/// Members who are looked at in one go.
const PORTION: usize = 500;
/// What was asked while nobody answered is answered first.
const FIRST: Duration = Duration::from_millis(250);
/// Between two portions, of which each keeps Redis busy for about half a millisecond.
const PAUSE: Duration = Duration::from_millis(5);
const AGAIN: Duration = Duration::from_millis(500);

/// Looks through all of them once. Ends early when the epoch is over.
pub async fn take_up(tenure: Arc<Tenure>) {
    let mut from = 0;
    tokio::time::sleep(FIRST).await;
    while !tenure.is_over() {
        match portion(&tenure, from).await {
            Ok(Some(next)) => {
                from = next;
                tokio::time::sleep(PAUSE).await;
            }
            Ok(None) => return tenure.parked_known.store(true, Ordering::Release),
            Err(error) => {
                warn!(%error, "parked replies are not taken up yet");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

async fn portion(tenure: &Tenure, from: u64) -> Result<Option<u64>, StateError> {
    let state = &tenure.context.state;
    let (members, next) = state.parked_portion(from, PORTION).await?;
    lock(&tenure.parked).extend(&members);
    let reached = state.reaches(tenure.context.lease.bot, &members).await?;
    for (member, _) in members.iter().zip(reached).filter(|(_, reached)| *reached) {
        // Fenced: the next holder takes it up, and the loop above ends.
        let _ = tenure.unpark(*member).await?;
    }
    Ok(next)
}
