//! `epoch_watch.rs`: the epoch record and the assignments as this worker sees them.
//!
//! Invariant: an epoch below one that was seen is not acted on.

use std::rc::Rc;

use shared_core::{Assignment, Epoch, EpochRecord};

use super::Worker;

const POLL: u64 = 250;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct View {
    pub epoch: Option<EpochRecord>,
    newest: Epoch,
    pub assignments: Vec<Assignment>,
    pub known: bool,
}

impl View {
    /// The record, if it may be acted on.
    pub fn record(&self) -> Option<&EpochRecord> {
        let record = self.epoch.as_ref()?;
        (record.stamp.epoch >= self.newest).then_some(record)
    }
}

pub async fn follow(worker: &Rc<Worker>) {
    loop {
        let looked = worker.ctx.redis(None, |redis, _| {
            let state = &redis.live;
            let given: Vec<Assignment> = state.assign.values().cloned().collect();
            (state.epoch.clone(), given)
        });
        if let Ok((epoch, assignments)) = looked.await {
            let mut view = worker.view.borrow_mut();
            let seen = epoch.as_ref().map_or(view.newest, |it| it.stamp.epoch);
            let next = View {
                newest: view.newest.max(seen),
                epoch,
                assignments,
                known: true,
            };
            let differs = *view != next;
            *view = next;
            drop(view);
            if differs {
                worker.pool_bell.ring();
                worker.ring_bots();
            }
        }
        worker.ctx.rung_within(&worker.view_bell, POLL).await;
    }
}
