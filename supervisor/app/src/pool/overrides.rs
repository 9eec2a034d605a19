//! What an operator has laid down: read from Redis, from SQL when Redis has none, kept true in both by the leader alone.
//!
//! Invariant: a pause or a pin that this leader knows of is not lost with Redis' data: what Redis does not have any more is written again.

use shared_core::{Laid, Overrides};
use shared_io::redis::{LeadAnswer, StateError};

use super::{Pool, Stopped};
use crate::chronicle::{Note, overrides_row};

impl Pool {
    /// At the beginning of a lead.
    pub(super) async fn read_overrides(&self) -> Result<Overrides, Stopped> {
        match self.state.overrides().await {
            Ok(Some(overrides)) => {
                // The leader before us may have died between the two.
                let row = overrides_row(&self.name, &overrides);
                self.shared.chronicle.note(Note::Overrides(row));
                return Ok(overrides);
            }
            Ok(None) => {}
            Err(error) => damaged(error)?,
        }
        let Some(row) = self.shared.store.overrides().get(&self.name).await? else {
            return Ok(Overrides::default());
        };
        let laid = |at, by: Option<String>| Laid {
            at,
            by: by.unwrap_or_default(),
        };
        let pinned_at = row.pinned_at;
        let overrides = Overrides {
            paused: row.paused_at.map(|at| laid(at, row.paused_by)),
            pinned: row
                .pinned
                .map(|bot| (bot, laid(pinned_at.unwrap_or_default(), row.pinned_by))),
            scheduled: row.scheduled,
        };
        tracing::info!(pool = %self.name, paused = overrides.paused.is_some(), pinned = overrides.pinned.is_some(), "what was laid down is known from the database");
        Ok(overrides)
    }

    /// What counts: Redis' word, and ours where Redis has lost it.
    pub(super) async fn settle_overrides(
        &mut self,
        found: Result<Option<Overrides>, StateError>,
    ) -> Result<Overrides, Stopped> {
        let Some(held) = &mut self.held else {
            return Err(Stopped::NotLeading);
        };
        match found {
            Ok(Some(found)) => {
                held.overrides = found.clone();
                return Ok(found);
            }
            Ok(None) if held.overrides == Overrides::default() => return Ok(Overrides::default()),
            Ok(None) => {}
            Err(error) => damaged(error)?,
        }
        let known = held.overrides.clone();
        self.write_overrides(&known).await?;
        Ok(known)
    }

    pub(super) async fn write_overrides(&mut self, overrides: &Overrides) -> Result<(), Stopped> {
        let leader = &self.shared.leader;
        match self.state.set_overrides(leader, overrides).await? {
            LeadAnswer::NotLeading => Err(Stopped::NotLeading),
            LeadAnswer::Done => {
                if let Some(held) = &mut self.held {
                    held.overrides = overrides.clone();
                }
                Ok(())
            }
        }
    }
}

/// What cannot be read was written by nobody that we know of; what is known otherwise counts.
fn damaged(error: StateError) -> Result<(), StateError> {
    match error {
        StateError::Unreadable { .. } => {
            tracing::error!(%error, "what was laid down is read elsewhere");
            Ok(())
        }
        error => Err(error),
    }
}
