//! Carries records from Redis to SQL. A record is removed from Redis only once SQL has it; SQL takes each only once, so a kill between
//! the two repeats nothing. While SQL is away, records wait in Redis.

use std::sync::Arc;
use std::time::Duration;

use shared_io::retry::{Backoff, RetryPolicy};
use tracing::warn;

use crate::tenure::Tenure;

const BATCH: usize = 64;
/// Looked at without a hint this often: a predecessor may have left some.
const POLL: Duration = Duration::from_secs(5);

pub async fn run(tenure: Arc<Tenure>) {
    let mut backoff = Backoff::new(RetryPolicy::forever(
        Duration::from_millis(100),
        Duration::from_secs(10),
    ));
    loop {
        match carry(&tenure).await {
            Ok(0) => {
                backoff.reset();
                let _ = tokio::time::timeout(POLL, tenure.records.notified()).await;
            }
            Ok(_) => backoff.reset(),
            Err(error) => {
                warn!(error, "records wait in Redis");
                tokio::time::sleep(backoff.next_delay().unwrap_or(POLL)).await;
            }
        }
    }
}

async fn carry(tenure: &Tenure) -> Result<usize, String> {
    let context = &tenure.context;
    let records = context
        .state
        .records(BATCH)
        .await
        .map_err(|error| error.to_string())?;
    let mut done = Vec::with_capacity(records.len());
    for (position, record) in records {
        context
            .shared
            .store
            .record(&context.pool, &record)
            .await
            .map_err(|error| error.to_string())?;
        done.push(position);
    }
    context
        .state
        .records_settle(&done)
        .await
        .map_err(|error| error.to_string())?;
    Ok(done.len())
}
