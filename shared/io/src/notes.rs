//! What is to be looked up later and SQL does not take at the moment: it waits in Redis, where the death of whoever noted it does not matter.
//!
//! ```text
//! SQL answers       the note is a row, and never was in Redis
//! SQL is away       keep ─▶ `us:{P}:notes` ─▶ carry (any worker, once SQL answers) ─▶ a row ─▶ out of the stream
//! SQL refuses it    carry ─▶ the pool's poison stream, with the reason; those behind it go on
//! ```
//! Invariants: a note's row is unique by its id, so it may be carried twice; the stream keeps [`KEPT`] notes, and the oldest go first beyond it.
//! Courses go their own way (`redis::records`), because a commit writes them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared_core::{Nonce, PoolId, UnixMs};

use crate::redis::{PoolState, StateError};
use crate::sql::{AdminAction, Decision, Event, Store, StoreError};

/// Notes that wait at most; a day without SQL makes some hundreds.
pub const KEPT: usize = 10_000;
/// Notes that are carried at once.
const PAGE: usize = 64;

/// A row on its way, in its columns' own words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "note", rename_all = "snake_case")]
pub enum Note {
    Action {
        id: Nonce,
        at: UnixMs,
        who: String,
        via: String,
        action: String,
        verdict: String,
        details: Value,
    },
    Event {
        id: Nonce,
        at: UnixMs,
        kind: String,
        subject: String,
        details: Value,
    },
    Decision {
        id: Nonce,
        at: UnixMs,
        plan: Value,
        reasons: Vec<String>,
    },
}

#[derive(Debug, thiserror::Error)]
pub enum NoteError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<&AdminAction> for Note {
    fn from(row: &AdminAction) -> Self {
        Self::Action {
            id: row.id,
            at: row.at,
            who: row.who.to_string(),
            via: row.via.to_string(),
            action: row.action.clone(),
            verdict: row.verdict.as_str().to_owned(),
            details: row.details.clone(),
        }
    }
}

impl From<&Event> for Note {
    fn from(row: &Event) -> Self {
        Self::Event {
            id: row.id,
            at: row.at,
            kind: row.kind.as_str().to_owned(),
            subject: row.subject.clone(),
            details: row.details.clone(),
        }
    }
}

impl From<&Decision> for Note {
    fn from(row: &Decision) -> Self {
        Self::Decision {
            id: row.id,
            at: row.at,
            plan: row.plan.clone(),
            reasons: row.reasons.clone(),
        }
    }
}

impl Note {
    /// Why a note cannot become a row, or what SQL says to it.
    async fn store(self, pool: &PoolId, store: &Store) -> Result<(), Refused> {
        let unknown = |_| Refused::Unknown("a word of another version");
        match self {
            Self::Action {
                id,
                at,
                who,
                via,
                action,
                verdict,
                details,
            } => {
                let row = AdminAction {
                    id,
                    pool: pool.clone(),
                    at,
                    who: who.parse().map_err(unknown)?,
                    via: via.parse().map_err(unknown)?,
                    action,
                    verdict: verdict.parse().map_err(unknown)?,
                    details,
                };
                Ok(store.admin_actions().add(&row).await?)
            }
            Self::Event {
                id,
                at,
                kind,
                subject,
                details,
            } => {
                let row = Event {
                    id,
                    pool: Some(pool.clone()),
                    at,
                    kind: kind.parse().map_err(unknown)?,
                    subject,
                    details,
                };
                Ok(store.events().add(&row).await?)
            }
            Self::Decision {
                id,
                at,
                plan,
                reasons,
            } => {
                let row = Decision {
                    id,
                    pool: pool.clone(),
                    at,
                    plan,
                    reasons,
                };
                Ok(store.decisions().add(&row).await?)
            }
        }
    }
}

enum Refused {
    Unknown(&'static str),
    Store(StoreError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Brings what waits to SQL, oldest first; says how many were carried. An error leaves the rest where it is.
pub async fn carry(state: &PoolState, store: &Store) -> Result<usize, NoteError> {
    let mut carried = 0;
    loop {
        let page = state.notes(PAGE).await?;
        if page.is_empty() {
            return Ok(carried);
        }
        let mut done = Vec::with_capacity(page.len());
        let mut stopped = None;
        for (position, note) in page {
            let why = match note.store(state.id(), store).await {
                Ok(()) => {
                    done.push(position);
                    continue;
                }
                Err(Refused::Unknown(what)) => what.to_owned(),
                Err(Refused::Store(error)) if error.is_of_the_row() => error.refusal(),
                Err(Refused::Store(error)) => {
                    stopped = Some(error);
                    break;
                }
            };
            state.refuse_note(&position, &why).await?;
        }
        carried += done.len();
        state.notes_settle(&done).await?;
        if let Some(error) = stopped {
            return Err(error.into());
        }
    }
}
