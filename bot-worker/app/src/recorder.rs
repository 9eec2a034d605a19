//! Carries records from Redis to SQL. A record is removed from Redis only once SQL has it; SQL takes each only once, so a kill between
//! the two repeats nothing. While SQL is away, records wait in Redis. One that SQL refuses for good goes to the poison stream with the
//! reason, and an event says so: it blocks nobody behind it.

use std::sync::Arc;
use std::time::Duration;

use shared_core::Record;
use shared_io::clock;
use shared_io::notes::Note;
use shared_io::redis::RecordPosition;
use shared_io::retry::{Backoff, RetryPolicy};
use shared_io::sql::{Event, EventKind};
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
    let mut waits = None;
    for (position, record) in records {
        match context.shared.store.record(&context.pool, &record).await {
            Ok(()) => done.push(position),
            Err(error) if error.is_of_the_row() => {
                refuse(tenure, &position, &record, &error.refusal()).await?;
            }
            Err(error) => {
                waits = Some(error.to_string());
                break;
            }
        }
    }
    context
        .state
        .records_settle(&done)
        .await
        .map_err(|error| error.to_string())?;
    match waits {
        Some(error) => Err(error),
        None => Ok(done.len()),
    }
}

/// Out of the way of the others, where it is kept whole, and told to whoever looks after the pool.
async fn refuse(
    tenure: &Tenure,
    position: &RecordPosition,
    record: &Record,
    why: &str,
) -> Result<(), String> {
    let context = &tenure.context;
    let refused = context.state.refuse_record(position, why).await;
    refused.map_err(|error| error.to_string())?;
    let event = Event {
        id: clock::nonce(),
        pool: Some(context.pool.clone()),
        at: clock::unix_now(),
        kind: EventKind::RecordRefused,
        subject: record.id().to_string(),
        details: serde_json::json!({ "why": why, "kept_in": "the poison stream" }),
    };
    let noted = context.state.keep_note(&Note::from(&event)).await;
    noted.map_err(|error| error.to_string())
}
