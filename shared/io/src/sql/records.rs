//! What conversations want to be in SQL, each kind in its table.
//!
//! Invariant: a [`Record`] that is delivered twice is there once, as it came first: its row's id follows from the record's, and that from the
//! update that caused it.

use shared_core::{Nonce, PoolId, Record};

use super::{Event, EventKind, Store, StoreError};

impl Store {
    pub async fn record(&self, pool: &PoolId, record: &Record) -> Result<(), StoreError> {
        match record {
            Record::Course { .. } => self.courses().record(pool, record).await.map(drop),
            Record::Quarantined {
                id,
                conversation,
                why,
                at,
            } => {
                // An event's id is shorter; the first half of a hash is one as well.
                let mut short = [0; 8];
                short.copy_from_slice(&id.0[..8]);
                let event = Event {
                    id: Nonce(short),
                    pool: Some(pool.clone()),
                    at: *at,
                    kind: EventKind::ConversationQuarantined,
                    subject: conversation.to_string(),
                    details: serde_json::json!({ "why": why, "quarantine": id.to_string() }),
                };
                self.events().add(&event).await
            }
        }
    }
}
