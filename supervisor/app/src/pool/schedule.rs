//! A scheduled move whose time has come becomes an order like any other.
//!
//! Invariants: the order is submitted under the id that was planned with it before the plan is taken away, so whoever leads next submits the
//! same order again at the most, which changes nothing; a plan that is given up is told as an event.

use shared_core::{Progress, Request, Requester};
use shared_io::clock;
use shared_io::redis::Submitted;
use shared_io::sql::EventKind;
use supervisor_core::{Due, Snapshot, due};

use super::{Pool, Stopped};
use crate::chronicle::{Note, overrides_row};

impl Pool {
    pub(super) async fn heed_schedule(&mut self, snapshot: &mut Snapshot) -> Result<(), Stopped> {
        let now = clock::unix_now();
        let Some(verdict) = due(&snapshot.overrides, now) else {
            return Ok(());
        };
        let Some(scheduled) = snapshot.overrides.scheduled.clone() else {
            return Ok(());
        };
        match verdict {
            Due::Give => {
                let request = Request {
                    id: scheduled.fires,
                    order: scheduled.order(),
                    by: Requester::Schedule {
                        by: scheduled.laid.by.clone(),
                    },
                    plan: None,
                    at: now,
                    progress: Progress::Waiting,
                };
                if let Submitted::Full = self.state.submit(&request).await? {
                    // Others wait; they are done or refused within half a minute, and this one has ten.
                    return Ok(());
                }
            }
            Due::GiveUp { why } => {
                tracing::warn!(pool = %self.name, order = %scheduled.order(), why, "a scheduled move is given up");
                let details = serde_json::json!({
                    "order": scheduled.order().to_string(),
                    "by": scheduled.laid.by,
                    "why": why,
                });
                let (name, chronicle) = (&self.name, &self.shared.chronicle);
                chronicle.event(
                    Some(name),
                    EventKind::ScheduleGivenUp,
                    name.as_str(),
                    details,
                );
            }
        }
        let mut overrides = snapshot.overrides.clone();
        overrides.scheduled = None;
        self.write_overrides(&overrides).await?;
        let row = overrides_row(&self.name, &overrides);
        self.shared.chronicle.note(Note::Overrides(row));
        snapshot.overrides = overrides;
        Ok(())
    }
}
