//! Carries records from Redis to SQL. A record is removed from Redis only once SQL has it; SQL takes each only once, so a kill between
//! the two repeats nothing. While SQL is away, records wait in Redis; beyond `database.max_waiting_records` no further one is taken, and its member is told. One that SQL refuses for good goes to the refused records with the
//! reason, and an event says so: it blocks nobody behind it, and is kept until a person sends it again or drops it.
//!
//! Events of a bot go straight to SQL and wait in Redis, as notes, only where SQL does not take them ([`tell`]).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use shared_core::Record;
use shared_io::clock;
use shared_io::notes::Note;
use shared_io::redis::RecordPosition;
use shared_io::retry::{Backoff, RetryPolicy};
use shared_io::sql::{Event, EventKind};
use tracing::{error, warn};

use crate::context::BotContext;
use crate::tenure::Tenure;

const BATCH: usize = 64;
/// So many records that wait are worth a louder word: some megabytes.
const MANY: u64 = 10_000;
/// Looked at without a hint this often: a predecessor may have left some.
const POLL: Duration = Duration::from_secs(5);
/// SQL has so long to take an event before it waits in Redis; where it is well that takes milliseconds.
const AT_ONCE: Duration = Duration::from_millis(300);

pub async fn run(tenure: Arc<Tenure>) {
    let mut backoff = Backoff::new(RetryPolicy::forever(
        Duration::from_millis(100),
        Duration::from_secs(10),
    ));
    loop {
        match carry(&tenure).await {
            Ok(0) => {
                backoff.reset();
                tenure.records_full.store(false, Ordering::Release);
                let _ = tokio::time::timeout(POLL, tenure.records.notified()).await;
            }
            Ok(_) => backoff.reset(),
            Err(error) => {
                // Whoever looks after Redis' memory reads how many.
                let waiting = tenure.context.state.records_len().await.ok();
                match waiting.is_some_and(|waiting| waiting >= MANY) {
                    true => error!(
                        error,
                        waiting, "many records wait in Redis and take its memory until SQL is back"
                    ),
                    false => warn!(error, waiting, "records wait in Redis"),
                }
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
    if !done.is_empty() {
        tenure.records_full.store(false, Ordering::Release);
    }
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
        details: serde_json::json!({ "why": why, "kept_in": "Redis: understudy outbox list" }),
    };
    let noted = context.state.keep_note(&Note::from(&event)).await;
    noted.map_err(|error| error.to_string())
}

/// Says an event in SQL, or leaves it in Redis until SQL is well; nobody waits for it.
pub fn tell(context: &BotContext, event: Event) {
    let store = context.shared.store.clone();
    // Held to no history of Redis: what has happened stays true when another server has become the primary.
    let state = context.shared.redis.pool(&context.pool);
    tokio::spawn(async move {
        let told = tokio::time::timeout(AT_ONCE, store.events().add(&event)).await;
        if matches!(told, Ok(Ok(()))) {
            return;
        }
        // Its row is unique by its id: one that SQL took without saying so is not there twice.
        if let Err(error) = state.keep_note(&Note::from(&event)).await {
            let (kind, subject) = (event.kind.as_str(), &event.subject);
            warn!(kind, subject, %error, "an event is lost: neither SQL nor Redis takes it");
        }
    });
}
